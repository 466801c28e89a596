import anthropic
import pytest

MODEL = "claude-sonnet-4-5"
HEARD = "claude-sonnet-4-5 at the Anthropic stand-in heard: Tell me a joke"
MESSAGES = [{"role": "user", "content": "Tell me a joke"}]
WEATHER = {
    "name": "get_weather",
    "description": "Weather of a place",
    "input_schema": {"type": "object", "properties": {"location": {"type": "string"}}, "required": ["location"]},
}


def test_message(make_anthropic):
    reply = make_anthropic().messages.create(model=MODEL, max_tokens=100, messages=MESSAGES, system="Be brief.")
    assert (reply.content[0].text, reply.role, reply.stop_reason) == (HEARD, "assistant", "end_turn")
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (6, 10)


def test_stream(make_anthropic):
    with make_anthropic().messages.stream(model=MODEL, max_tokens=100, messages=MESSAGES) as stream:
        pieces = list(stream.text_stream)
        final = stream.get_final_message()
    assert "".join(pieces) == HEARD and len(pieces) == 10
    assert (final.content[0].text, final.stop_reason, final.usage.output_tokens) == (HEARD, "end_turn", 10)


def test_tools(make_anthropic):
    client = make_anthropic()
    messages = [{"role": "user", "content": "What is the weather in Paris?"}]
    first = client.messages.create(model=MODEL, max_tokens=100, messages=messages, tools=[WEATHER])
    assert first.stop_reason == "tool_use"
    [use] = first.content
    assert (use.name, use.input) == ("get_weather", {"location": "Paris"})
    messages += [
        {"role": "assistant", "content": first.content},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": use.id, "content": "sunny"}]},
    ]
    second = client.messages.create(model=MODEL, max_tokens=100, messages=messages, tools=[WEATHER])
    assert second.content[0].text == "claude-sonnet-4-5 at the Anthropic stand-in got from the tool: sunny"


def test_tools_streamed(make_anthropic):
    with make_anthropic().messages.stream(
        model=MODEL,
        max_tokens=100,
        messages=[{"role": "user", "content": "What is the weather in Paris?"}],
        tools=[WEATHER],
    ) as stream:
        final = stream.get_final_message()
    assert final.content[0].input == {"location": "Paris"}


def test_image(make_anthropic):
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
    content = [image, {"type": "text", "text": "What is this?"}]
    reply = make_anthropic().messages.create(
        model=MODEL, max_tokens=100, messages=[{"role": "user", "content": content}]
    )
    assert reply.content[0].text.endswith("heard: What is this? (1 image)")


def test_thinking(make_anthropic):
    with make_anthropic().messages.stream(
        model=MODEL, max_tokens=2000, messages=MESSAGES, thinking={"type": "enabled", "budget_tokens": 1024}
    ) as stream:
        final = stream.get_final_message()
    thinking, text = final.content
    assert (thinking.type, thinking.thinking, text.text) == ("thinking", "The answer follows from the question.", HEARD)
    assert thinking.signature


@pytest.mark.parametrize(
    "model, error, kind",
    [
        ("fault-400", anthropic.BadRequestError, "invalid_request_error"),
        ("fault-401", anthropic.AuthenticationError, "authentication_error"),
        ("fault-403", anthropic.PermissionDeniedError, "permission_error"),
        ("fault-404", anthropic.NotFoundError, "not_found_error"),
        ("fault-429", anthropic.RateLimitError, "rate_limit_error"),
        ("fault-500", anthropic.InternalServerError, "api_error"),
        ("fault-529", anthropic.APIStatusError, "overloaded_error"),
    ],
)
def test_faults(make_anthropic, model, error, kind):
    with pytest.raises(error) as caught:
        make_anthropic().messages.create(model=model, max_tokens=10, messages=MESSAGES)
    assert caught.value.body["error"]["type"] == kind


def test_error_event(make_anthropic):
    with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
        with make_anthropic().messages.stream(model="fault-error-event", max_tokens=10, messages=MESSAGES) as stream:
            list(stream)


def test_refusals(make_anthropic):
    with pytest.raises(anthropic.AuthenticationError, match="invalid x-api-key"):
        make_anthropic(api_key="sk-bad").messages.create(model=MODEL, max_tokens=10, messages=MESSAGES)
    with pytest.raises(anthropic.BadRequestError, match="n: Extra inputs are not permitted"):
        make_anthropic().messages.create(model=MODEL, max_tokens=10, messages=MESSAGES, extra_body={"n": 1})
