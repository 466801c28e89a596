"""OpenAI's Responses API: native where the provider has it, else carried over chat."""

import base64
import json

import openai
import pydantic
import pytest
from targets import AZURE, OPENAI

WEATHER = {
    "type": "function",
    "name": "get_weather",
    "strict": True,
    "parameters": {
        "type": "object",
        "properties": {"location": {"type": "string"}},
        "required": ["location"],
        "additionalProperties": False,
    },
}
TIME = {**WEATHER, "name": "get_time"}


def words(text):
    return len(text.split())


def test_create(sdk, target, admin):
    reply = sdk.responses.create(model=target.endpoint, input="Tell me a joke", instructions="Be brief.", store=False)
    text = target.heard("Tell me a joke")
    assert (reply.output_text, reply.status, reply.object) == (text, "completed", "response")
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (6, words(text))
    outcome = admin.outcome(reply._request_id)
    assert (outcome["result"], outcome["inputTokens"], outcome["outputTokens"]) == ("answered", 6, words(text))


def test_stream(sdk, target):
    with sdk.responses.stream(model=target.endpoint, input="Tell me a joke", store=False) as stream:
        events = list(stream)
        final = stream.get_final_response()
    kinds = [e.type for e in events]
    text = target.heard("Tell me a joke")
    assert kinds[0] == "response.created" and kinds[-1] == "response.completed"
    assert [e.sequence_number for e in events] == list(range(len(events)))
    assert kinds.count("response.output_text.delta") == words(text)
    assert "".join(e.delta for e in events if e.type == "response.output_text.delta") == text
    assert (final.output_text, final.usage.output_tokens) == (text, words(text))


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_function_calls_round_trip(sdk, target, stream):
    items = [{"role": "user", "content": "What are weather and time in Paris?"}]
    ask = {"model": target.endpoint, "tools": [WEATHER, TIME], "store": False}

    def answer():
        if not stream:
            return sdk.responses.create(input=items, **ask)
        with sdk.responses.stream(input=items, **ask) as events:
            return events.get_final_response()

    first = answer()
    calls = [item for item in first.output if item.type == "function_call"]
    assert [c.name for c in calls] == ["get_weather", "get_time"]
    assert [json.loads(c.arguments) for c in calls] == [{"location": "Paris"}] * 2
    items += [item.model_dump(exclude_none=True, exclude={"parsed_arguments"}) for item in first.output]
    items += [
        {"type": "function_call_output", "call_id": c.call_id, "output": r} for c, r in zip(calls, ("sunny", "noon"))
    ]
    assert answer().output_text in (target.got("noon"), target.got("sunny noon"))


class Place(pydantic.BaseModel):
    city: str


def test_structured_output(sdk, target):
    reply = sdk.responses.parse(model=target.endpoint, input="I live in Paris", text_format=Place)
    assert reply.output_parsed == Place(city="Paris")


def test_image(sdk, target):
    data = base64.b64encode(b"\x89PNG not really").decode()
    content = [
        {"type": "input_text", "text": "What is this?"},
        {"type": "input_image", "image_url": "data:image/png;base64," + data, "detail": "auto"},
    ]
    reply = sdk.responses.create(model=target.endpoint, input=[{"role": "user", "content": content}])
    assert reply.output_text == target.heard("What is this? (1 image)")


def test_length(sdk, format_of):
    reply = sdk.responses.create(model=format_of.endpoint, input="one " * 30, max_output_tokens=16)
    assert (reply.status, reply.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert words(reply.output_text) == 16


def test_previous_response(sdk, target):
    """OpenAI's answers are stored there; it is asked, and knows none of this id."""
    with pytest.raises(openai.BadRequestError) as caught:
        sdk.responses.create(model=target.endpoint, input="two", previous_response_id="resp_elsewhere")
    native = target in (OPENAI, AZURE)
    assert caught.value.code == ("previous_response_not_found" if native else "unsupported_field")
    assert caught.value.param == "previous_response_id"


def test_faults(sdk, failing, format_of):
    with pytest.raises(openai.RateLimitError) as caught:
        sdk.responses.create(model=failing(format_of, "fault-429"), input="hi")
    assert caught.value.response.headers["retry-after"] == "1" and caught.value.request_id
    with pytest.raises(openai.BadRequestError):
        sdk.responses.create(model=failing(format_of, "fault-400"), input="hi")
    with pytest.raises(openai.NotFoundError) as caught:
        sdk.responses.create(model="nowhere", input="hi")
    assert caught.value.code == "endpoint_not_found"


def test_fault_in_the_stream(sdk, failing, format_of):
    *before, last = sdk.responses.create(model=failing(format_of, "fault-error-event"), input="hi", stream=True)
    assert last.type in ("error", "response.failed")
    assert "fault-error-event" in "".join(e.delta for e in before if e.type == "response.output_text.delta")
