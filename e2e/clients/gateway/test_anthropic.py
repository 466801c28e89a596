"""Anthropic's SDK and every kind of provider."""

import base64

import anthropic
import pydantic
import pytest
from targets import ANTHROPIC, BEDROCK, DATABRICKS, GEMINI, VERTEX_CLAUDE

MESSAGES = [{"role": "user", "content": "Tell me a joke"}]
BOTH = [{"role": "user", "content": "What are weather and time in Paris?"}]


def tool(name):
    schema = {"type": "object", "properties": {"location": {"type": "string"}}, "required": ["location"]}
    return {"name": name, "description": "About a place", "input_schema": schema}


TOOLS = [tool("get_weather"), tool("get_time")]


def words(text):
    return len(text.split())


@pytest.fixture(scope="session")
def claude(make_anthropic):
    """Asks for messages of an endpoint, in the version that it speaks.

    SDK 2 asks for API version 2026-10-21. The stand-ins with Anthropic's own API
    speak 2023-06-01; towards all others the gateway takes either.
    """
    client = make_anthropic()
    plain = make_anthropic(default_headers={"anthropic-version": "2023-06-01"})
    return lambda target: (plain if target in (ANTHROPIC, DATABRICKS) else client).messages


def test_message(claude, target, admin):
    reply = claude(target).create(model=target.endpoint, max_tokens=100, messages=MESSAGES, system="Be brief.")
    text = target.heard("Tell me a joke")
    [block] = reply.content
    assert (block.type, block.text, reply.role, reply.stop_reason) == ("text", text, "assistant", "end_turn")
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (6, words(text))
    outcome = admin.outcome(reply._request_id)
    assert (outcome["result"], outcome["inputTokens"], outcome["outputTokens"]) == ("answered", 6, words(text))


def test_stream(claude, target):
    with claude(target).stream(model=target.endpoint, max_tokens=100, messages=MESSAGES) as stream:
        pieces = list(stream.text_stream)
        final = stream.get_final_message()
    text = target.heard("Tell me a joke")
    assert "".join(pieces) == text and len(pieces) == words(text)
    assert (final.content[0].text, final.stop_reason, final.model) == (text, "end_turn", final.model)
    assert (final.usage.input_tokens, final.usage.output_tokens) == (4, words(text))


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_parallel_tools_round_trip(claude, target, stream):
    messages = list(BOTH)
    ask = {"model": target.endpoint, "max_tokens": 100, "tools": TOOLS}

    def answer():
        if not stream:
            return claude(target).create(messages=messages, **ask)
        with claude(target).stream(messages=messages, **ask) as events:
            return events.get_final_message()

    first = answer()
    assert first.stop_reason == "tool_use"
    uses = [b for b in first.content if b.type == "tool_use"]
    assert [u.name for u in uses] == ["get_weather", "get_time"]
    assert [u.input for u in uses] == [{"location": "Paris"}] * 2
    results = [
        {"type": "tool_result", "tool_use_id": u.id, "content": r} for u, r in zip(uses, ("sunny", "noon"))
    ]
    messages += [{"role": "assistant", "content": first.content}, {"role": "user", "content": results}]
    second = answer()
    assert second.content[0].text in (target.got("noon"), target.got("sunny noon"))
    assert second.stop_reason == "end_turn"


def test_tool_choice(claude, format_of):
    ask = {"model": format_of.endpoint, "max_tokens": 100, "tools": TOOLS}
    named = claude(format_of).create(**ask, messages=MESSAGES, tool_choice={"type": "tool", "name": "get_time"})
    assert [b.name for b in named.content if b.type == "tool_use"] == ["get_time"]
    none = claude(format_of).create(**ask, messages=BOTH, tool_choice={"type": "none"})
    assert [b.type for b in none.content] == ["text"]


def test_image(claude, target):
    data = base64.b64encode(b"\x89PNG not really").decode()
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}
    content = [image, {"type": "text", "text": "What is this?"}]
    reply = claude(target).create(
        model=target.endpoint, max_tokens=100, messages=[{"role": "user", "content": content}]
    )
    assert reply.content[0].text == target.heard("What is this? (1 image)")


class Place(pydantic.BaseModel):
    city: str


def test_structured_output(claude, target):
    messages = [{"role": "user", "content": "I live in Paris"}]
    reply = claude(target).parse(model=target.endpoint, max_tokens=100, messages=messages, output_format=Place)
    assert reply.parsed_output == Place(city="Paris")


@pytest.mark.parametrize("thinker", [ANTHROPIC, VERTEX_CLAUDE, BEDROCK, GEMINI], ids=lambda b: b.provider)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_thinking_round_trip(claude, thinker, stream):
    messages = list(BOTH)
    ask = {"model": thinker.endpoint, "max_tokens": 2000, "tools": TOOLS}
    ask["thinking"] = {"type": "enabled", "budget_tokens": 1024}

    def answer():
        if not stream:
            return claude(thinker).create(messages=messages, **ask)
        with claude(thinker).stream(messages=messages, **ask) as events:
            return events.get_final_message()

    first = answer()
    thinking = first.content[0]
    uses = [b for b in first.content if b.type == "tool_use"]
    assert (thinking.type, thinking.thinking) == ("thinking", "The answer follows from the question.")
    assert [u.name for u in uses] == ["get_weather", "get_time"]
    results = [{"type": "tool_result", "tool_use_id": u.id, "content": "sunny"} for u in uses]
    messages += [{"role": "assistant", "content": first.content}, {"role": "user", "content": results}]
    assert answer().content[-1].text.startswith(thinker.got("sunny"))
    if thinker is not GEMINI:  # which signs calls instead
        changed = thinking.model_copy(update={"thinking": "another thought"})
        messages[1] = {"role": "assistant", "content": [changed, *uses]}
        with pytest.raises(anthropic.BadRequestError, match="signature"):
            answer()


def test_limits(claude, target):
    text = target.heard("Tell me a joke")
    reply = claude(target).create(model=target.endpoint, max_tokens=3, messages=MESSAGES)
    assert (reply.content[0].text, reply.stop_reason) == (" ".join(text.split()[:3]), "max_tokens")
    stop = " ".join(text.split()[3:5])
    reply = claude(target).create(model=target.endpoint, max_tokens=50, messages=MESSAGES, stop_sequences=[stop])
    assert reply.content[0].text.strip() == text.split(stop)[0].strip()
    assert reply.stop_reason in ("stop_sequence", "end_turn"), "not every provider says which"


def test_count_tokens(claude, target):
    ask = {"model": target.endpoint, "messages": MESSAGES, "system": "Be brief."}
    if target in (ANTHROPIC, VERTEX_CLAUDE, BEDROCK):
        assert claude(target).count_tokens(**ask).input_tokens == 6
        return
    e = error(anthropic.HTTPNotImplementedError, lambda: claude(target).count_tokens(**ask))
    assert e.body["error"]["code"] == "not_implemented"


def error(kind, call):
    with pytest.raises(kind) as caught:
        call()
    assert type(caught.value) is kind, "exactly this error of the SDK"
    assert caught.value.request_id, "every error names its exchange"
    return caught.value


@pytest.mark.parametrize(
    "model, kind, told",
    [
        ("fault-400", anthropic.BadRequestError, "invalid_request_error"),
        # The endpoint's key is refused: nothing the caller could log in with.
        ("fault-401", anthropic.InternalServerError, "api_error"),
        ("fault-404", anthropic.NotFoundError, "not_found_error"),
        ("fault-429", anthropic.RateLimitError, "rate_limit_error"),
        ("fault-500", anthropic.InternalServerError, "api_error"),
        ("fault-503", anthropic.ServiceUnavailableError, "api_error"),
    ],
)
def test_faults(claude, failing, format_of, model, kind, told):
    name = failing(format_of, model)
    e = error(kind, lambda: claude(format_of).create(model=name, max_tokens=10, messages=MESSAGES))
    assert (e.body["type"], e.body["error"]["type"]) == ("error", told)
    assert e.response.headers.get("retry-after") == ("1" if model in ("fault-429", "fault-503") else None)


def test_fault_in_the_stream(claude, failing, format_of):
    seen = []
    with pytest.raises(anthropic.APIStatusError):
        with claude(format_of).stream(
            model=failing(format_of, "fault-error-event"), max_tokens=10, messages=MESSAGES
        ) as stream:
            seen += stream.text_stream
    assert not seen or "".join(seen).startswith("fault-error-event")


def test_refusals(make_anthropic, claude, format_of):
    wrong = make_anthropic(api_key="slu_wrong")
    error(
        anthropic.AuthenticationError,
        lambda: wrong.messages.create(model=format_of.endpoint, max_tokens=10, messages=MESSAGES),
    )
    error(
        anthropic.NotFoundError,
        lambda: claude(format_of).create(model="nowhere", max_tokens=10, messages=MESSAGES),
    )
    for bad in ({"messages": []}, {"messages": [{"role": "nobody", "content": "hi"}]}):
        error(
            anthropic.BadRequestError, lambda: claude(format_of).create(model=format_of.endpoint, max_tokens=10, **bad)
        )


@pytest.mark.parametrize("path", ["/anthropic", "/gateway/anthropic"])
def test_other_roots_and_token_as_bearer(make_anthropic, path):
    client = make_anthropic(api_key=None, auth_token=make_anthropic().api_key, path=path)
    reply = client.messages.create(model=GEMINI.endpoint, max_tokens=100, messages=MESSAGES)
    assert reply.content[0].text == GEMINI.heard("Tell me a joke")
