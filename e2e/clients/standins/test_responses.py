import json

import openai
import pytest

MODEL = "gpt-5"
HEARD = "gpt-5 at the OpenAI stand-in heard: Tell me a joke"
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
REASON = {"reasoning": {"effort": "low", "summary": "auto"}, "include": ["reasoning.encrypted_content"], "store": False}


def test_text(make_openai):
    reply = make_openai().responses.create(model=MODEL, input="Tell me a joke", instructions="Be brief.")
    assert (reply.output_text, reply.status) == (HEARD, "completed")
    assert (reply.usage.input_tokens, reply.usage.output_tokens, reply.usage.total_tokens) == (6, 10, 16)


def test_stream(make_openai):
    with make_openai().responses.stream(model=MODEL, input="Tell me a joke") as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert final.output_text == HEARD
    assert kinds[:2] == ["response.created", "response.in_progress"] and kinds[-1] == "response.completed"
    assert kinds.count("response.output_text.delta") == 10


@pytest.mark.parametrize("stream", [False, True])
def test_tools_and_reasoning(make_openai, stream):
    client = make_openai()
    items = [{"role": "user", "content": "What is the weather in Paris?"}]

    def ask():
        if not stream:
            return client.responses.create(model=MODEL, input=items, tools=[WEATHER], **REASON)
        with client.responses.stream(model=MODEL, input=items, tools=[WEATHER], **REASON) as events:
            return events.get_final_response()

    first = ask()
    reasoning, call = first.output
    assert reasoning.summary[0].text == "The answer follows from the question."
    assert (call.name, json.loads(call.arguments)) == ("get_weather", {"location": "Paris"})
    given = [item.model_dump(exclude_none=True, exclude={"parsed_arguments"}) for item in first.output]
    items += given + [{"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}]
    assert ask().output_text == "gpt-5 at the OpenAI stand-in got from the tool: sunny"
    given[0]["encrypted_content"] = "x" + given[0]["encrypted_content"]
    with pytest.raises(openai.BadRequestError, match="could not be verified"):
        ask()


def test_custom_tool(make_openai):
    tools = [{"type": "custom", "name": "run_patch", "description": "Runs a patch"}]
    with make_openai().responses.stream(model=MODEL, input="please patch it", tools=tools) as stream:
        [call] = stream.get_final_response().output
    assert (call.type, call.name, call.input) == ("custom_tool_call", "run_patch", "please patch it")


def test_structured(make_openai):
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    text = {"format": {"type": "json_schema", "name": "place", "schema": schema}}
    reply = make_openai().responses.create(model=MODEL, input="I live in Paris", text=text)
    assert json.loads(reply.output_text) == {"city": "Paris"}


def test_image(make_openai):
    content = [
        {"type": "input_text", "text": "What is this?"},
        {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "auto"},
    ]
    reply = make_openai().responses.create(model=MODEL, input=[{"role": "user", "content": content}])
    assert reply.output_text.endswith("heard: What is this? (1 image)")


def test_length_and_refusal(make_openai):
    reply = make_openai().responses.create(model="words-40", input="hi", max_output_tokens=16)
    assert (reply.status, reply.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    reply = make_openai().responses.create(model="refusal", input="hi")
    assert reply.output[0].content[0].refusal == "I'm sorry, I can't help with that."


def test_faults(make_openai):
    with pytest.raises(openai.RateLimitError):
        make_openai().responses.create(model="fault-429", input="hi")
    *_, last = make_openai().responses.create(model="fault-error-event", input="hi", stream=True)
    assert (last.type, last.code) == ("error", "server_error")


def test_count_and_models(make_openai):
    client = make_openai()
    assert client.responses.input_tokens.count(model=MODEL, input="one two three").input_tokens == 3
    assert client.models.retrieve("gpt-5").id == "gpt-5"
    assert len(client.models.list().data) == 2
