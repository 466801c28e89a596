import json
import math

import openai
import pytest

SAID = "Tell me a joke"
HEARD = "gpt-4o-mini at the OpenAI stand-in heard: Tell me a joke"
MESSAGES = [{"role": "user", "content": SAID}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a place",
        "parameters": {"type": "object", "properties": {"location": {"type": "string"}}, "required": ["location"]},
    },
}


def test_chat(make_openai):
    reply = make_openai().chat.completions.create(model="gpt-4o-mini", messages=MESSAGES)
    choice = reply.choices[0]
    assert (choice.message.content, choice.message.role, choice.finish_reason) == (HEARD, "assistant", "stop")
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens, reply.usage.total_tokens) == (4, 10, 14)


@pytest.mark.parametrize("include_usage", [False, True])
def test_stream(make_openai, include_usage):
    options = {"stream_options": {"include_usage": True}} if include_usage else {}
    chunks = list(make_openai().chat.completions.create(model="gpt-4o-mini", messages=MESSAGES, stream=True, **options))
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == HEARD
    assert [c.usage.total_tokens for c in chunks if c.usage] == ([14] if include_usage else [])
    assert sum(bool(c.choices and c.choices[0].finish_reason) for c in chunks) == 1


def test_tools(make_openai):
    client = make_openai()
    messages = [{"role": "user", "content": "What is the weather in Paris?"}]
    first = client.chat.completions.create(model="gpt-4o-mini", messages=messages, tools=[WEATHER]).choices[0]
    assert first.finish_reason == "tool_calls"
    [call] = first.message.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == ("get_weather", {"location": "Paris"})
    messages += [first.message, {"role": "tool", "tool_call_id": call.id, "content": "sunny"}]
    second = client.chat.completions.create(model="gpt-4o-mini", messages=messages, tools=[WEATHER])
    assert second.choices[0].message.content == "gpt-4o-mini at the OpenAI stand-in got from the tool: sunny"


def test_tools_streamed(make_openai):
    with make_openai().chat.completions.stream(
        model="gpt-4o-mini", messages=[{"role": "user", "content": "What is the weather in Paris?"}], tools=[WEATHER]
    ) as stream:
        [call] = stream.get_final_completion().choices[0].message.tool_calls
    assert json.loads(call.function.arguments) == {"location": "Paris"}


def test_completions(make_openai):
    client = make_openai()
    reply = client.completions.create(model="gpt-3.5-turbo-instruct", prompt="Say this")
    assert reply.choices[0].text == "gpt-3.5-turbo-instruct at the OpenAI stand-in heard: Say this"
    chunks = client.completions.create(model="gpt-3.5-turbo-instruct", prompt="Say this", stream=True)
    assert "".join(c.choices[0].text for c in chunks) == reply.choices[0].text


def test_embeddings(make_openai):
    client = make_openai()  # asks for base64 and decodes it
    reply = client.embeddings.create(model="text-embedding-3-small", input=["one", "two words"], dimensions=3)
    plain = client.embeddings.create(model="text-embedding-3-small", input="one", dimensions=3, encoding_format="float")
    assert reply.data[0].embedding == pytest.approx([-0.19578683, 0.38533723, -0.9017665], abs=1e-7)
    assert reply.data[0].embedding == pytest.approx(plain.data[0].embedding, abs=1e-7)
    assert math.isclose(sum(v * v for v in reply.data[1].embedding), 1, abs_tol=1e-6)
    assert reply.usage.prompt_tokens == 3


def test_azure(azure):
    reply = azure.chat.completions.create(model="my-deployment", messages=MESSAGES)
    assert reply.choices[0].message.content == "my-deployment at the OpenAI stand-in heard: Tell me a joke"


def test_practice(practice):
    reply = practice.chat.completions.create(model="practice", messages=MESSAGES)
    assert reply.choices[0].message.content == 'Hello! This is the practice model. You said: "Tell me a joke"'
    with pytest.raises(openai.InternalServerError):
        practice.chat.completions.create(model="practice", messages=MESSAGES, extra_headers={"x-practice-fail": "529"})


@pytest.mark.parametrize(
    "model, error",
    [
        ("fault-400", openai.BadRequestError),
        ("fault-401", openai.AuthenticationError),
        ("fault-403", openai.PermissionDeniedError),
        ("fault-404", openai.NotFoundError),
        ("fault-422", openai.UnprocessableEntityError),
        ("fault-429", openai.RateLimitError),
        ("fault-500", openai.InternalServerError),
        ("fault-529", openai.InternalServerError),
        ("fault-reset-head", openai.APIConnectionError),
    ],
)
def test_faults(make_openai, model, error):
    with pytest.raises(error):
        make_openai().chat.completions.create(model=model, messages=MESSAGES)


def test_error_event(make_openai):
    with pytest.raises(openai.APIError, match="server had an error"):
        list(make_openai().chat.completions.create(model="fault-error-event", messages=MESSAGES, stream=True))


def test_retry_after_is_honoured(make_openai):
    with pytest.raises(openai.RateLimitError) as caught:
        make_openai().chat.completions.create(model="fault-429", messages=MESSAGES)
    assert caught.value.response.headers["retry-after"] == "1"


def test_refusals(make_openai):
    with pytest.raises(openai.AuthenticationError):
        make_openai(api_key="sk-bad").chat.completions.create(model="gpt-4o-mini", messages=MESSAGES)
    with pytest.raises(openai.BadRequestError, match="top_k"):
        make_openai().chat.completions.create(model="gpt-4o-mini", messages=MESSAGES, extra_body={"top_k": 3})
