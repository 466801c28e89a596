import json

import cohere
import pytest

MODEL = "command-a-03-2025"
HEARD = MODEL + " at the Cohere stand-in heard: Tell me a joke"
MESSAGES = [{"role": "user", "content": "Tell me a joke"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a place",
        "parameters": {"type": "object", "properties": {"location": {"type": "string"}}},
    },
}


def test_chat(make_cohere):
    reply = make_cohere().chat(model=MODEL, messages=MESSAGES)
    assert (reply.message.content[0].text, reply.finish_reason) == (HEARD, "COMPLETE")
    assert (reply.usage.tokens.input_tokens, reply.usage.tokens.output_tokens) == (4, 10)


def test_stream(make_cohere):
    events = list(make_cohere().chat_stream(model=MODEL, messages=MESSAGES))
    texts = [e.delta.message.content.text for e in events if e.type == "content-delta"]
    assert "".join(texts) == HEARD and len(texts) == 10
    assert events[-1].delta.finish_reason == "COMPLETE"


def test_tools(make_cohere):
    client = make_cohere()
    messages = [{"role": "user", "content": "What is the weather in Paris?"}]
    first = client.chat(model=MODEL, messages=messages, tools=[WEATHER])
    [call] = first.message.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == ("get_weather", {"location": "Paris"})
    messages += [
        {"role": "assistant", "tool_calls": first.message.tool_calls, "tool_plan": first.message.tool_plan},
        {"role": "tool", "tool_call_id": call.id, "content": "sunny"},
    ]
    second = client.chat(model=MODEL, messages=messages, tools=[WEATHER])
    assert second.message.content[0].text.endswith("got from the tool: sunny")


def test_tools_streamed(make_cohere):
    events = list(
        make_cohere().chat_stream(
            model=MODEL, messages=[{"role": "user", "content": "What is the weather in Paris?"}], tools=[WEATHER]
        )
    )
    pieces = [e.delta.message.tool_calls.function.arguments for e in events if e.type == "tool-call-delta"]
    assert json.loads("".join(pieces)) == {"location": "Paris"}


def test_embed(make_cohere):
    reply = make_cohere().embed(
        model="embed-v4.0", texts=["a", "b"], input_type="search_query", embedding_types=["float"], output_dimension=256
    )
    assert [len(v) for v in reply.embeddings.float_] == [256, 256]


def test_version_one(make_cohere):
    client = make_cohere(kind=cohere.Client)
    assert client.chat(model=MODEL, message="Tell me a joke").text == HEARD
    events = list(client.chat_stream(model=MODEL, message="Tell me a joke"))
    assert "".join(e.text for e in events if e.event_type == "text-generation") == HEARD
    assert events[-1].finish_reason == "COMPLETE"


def test_faults(make_cohere):
    with pytest.raises(cohere.errors.TooManyRequestsError):
        make_cohere().chat(model="fault-429", messages=MESSAGES)
    with pytest.raises(cohere.errors.UnauthorizedError, match="invalid api token"):
        make_cohere(key="sk-bad").chat(model=MODEL, messages=MESSAGES)
