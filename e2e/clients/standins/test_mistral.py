import json

import pytest
from mistralai.client import errors

MODEL = "mistral-large-latest"
HEARD = MODEL + " at the Mistral stand-in heard: Tell me a joke"
MESSAGES = [{"role": "user", "content": "Tell me a joke"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a place",
        "parameters": {"type": "object", "properties": {"location": {"type": "string"}}},
    },
}


def test_chat(make_mistral):
    reply = make_mistral().chat.complete(model=MODEL, messages=MESSAGES, random_seed=3, safe_prompt=True)
    assert reply.choices[0].message.content == HEARD and reply.usage.total_tokens == 14


def test_stream(make_mistral):
    chunks = [e.data for e in make_mistral().chat.stream(model=MODEL, messages=MESSAGES)]
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == HEARD
    assert chunks[-1].usage.total_tokens == 14


def test_tools(make_mistral):
    client = make_mistral()
    messages = [{"role": "user", "content": "What is the weather in Paris?"}]
    first = client.chat.complete(model=MODEL, messages=messages, tools=[WEATHER]).choices[0]
    [call] = first.message.tool_calls
    assert len(call.id) == 9 and json.loads(call.function.arguments) == {"location": "Paris"}
    messages += [
        first.message.model_dump(),
        {"role": "tool", "tool_call_id": call.id, "name": "get_weather", "content": "sunny"},
    ]
    second = client.chat.complete(model=MODEL, messages=messages, tools=[WEATHER])
    assert second.choices[0].message.content.endswith("got from the tool: sunny")


def test_embeddings(make_mistral):
    reply = make_mistral().embeddings.create(model="mistral-embed", inputs=["a", "b"])
    assert [len(d.embedding) for d in reply.data] == [1024, 1024]


def test_faults(make_mistral):
    with pytest.raises(errors.SDKError) as caught:
        make_mistral().chat.complete(model="fault-429", messages=MESSAGES)
    assert caught.value.status_code == 429
    with pytest.raises(errors.SDKError) as caught:
        make_mistral(key="sk-bad").chat.complete(model=MODEL, messages=MESSAGES)
    assert caught.value.status_code == 401
