"""Google's Gen AI SDK and every kind of provider."""

import json

import pydantic
import pytest
from google.genai import errors, types
from targets import ANTHROPIC, BEDROCK, GEMINI, OPENAI, VERTEX

OFF = types.AutomaticFunctionCallingConfig(disable=True)


def declared(name):
    schema = {"type": "object", "properties": {"location": {"type": "string"}}, "required": ["location"]}
    return types.FunctionDeclaration(name=name, description="About a place", parameters_json_schema=schema)


TOOLS = [types.Tool(function_declarations=[declared("get_weather"), declared("get_time")])]


def config(**kwargs):
    return types.GenerateContentConfig(automatic_function_calling=OFF, **kwargs)


def words(text):
    return len(text.split())


@pytest.fixture(scope="session")
def models(make_gemini):
    return make_gemini().models


def test_text(models, target):
    reply = models.generate_content(
        model=target.endpoint, contents="Tell me a joke", config=config(system_instruction="Be brief.")
    )
    text = target.heard("Tell me a joke")
    assert reply.text == text
    assert reply.candidates[0].finish_reason == types.FinishReason.STOP
    usage = reply.usage_metadata
    assert (usage.prompt_token_count, usage.candidates_token_count) == (6, words(text))
    assert usage.total_token_count == 6 + words(text)


def test_stream(models, target, admin):
    chunks = list(models.generate_content_stream(model=target.endpoint, contents="Tell me a joke"))
    text = target.heard("Tell me a joke")
    pieces = [c.text for c in chunks if c.text]
    assert "".join(pieces) == text and len(pieces) == words(text)
    last = chunks[-1]
    assert last.candidates[0].finish_reason == types.FinishReason.STOP
    assert (last.usage_metadata.prompt_token_count, last.usage_metadata.candidates_token_count) == (4, words(text))
    exchange = chunks[0].sdk_http_response.headers["x-request-id"]
    outcome = admin.outcome(exchange)
    assert (outcome["result"], outcome["outputTokens"]) == ("answered", words(text))


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_parallel_calls_round_trip(models, target, stream):
    asked = types.Content(role="user", parts=[types.Part(text="What are weather and time in Paris?")])
    contents = [asked]

    def answer():
        ask = {"model": target.endpoint, "contents": contents, "config": config(tools=TOOLS)}
        if not stream:
            return models.generate_content(**ask).candidates[0].content.parts
        chunks = models.generate_content_stream(**ask)
        return [p for c in chunks for p in (c.candidates[0].content and c.candidates[0].content.parts or [])]

    parts = answer()
    calls = [p.function_call for p in parts if p.function_call]
    assert [(c.name, c.args) for c in calls] == [
        ("get_weather", {"location": "Paris"}),
        ("get_time", {"location": "Paris"}),
    ]
    results = [
        types.Part(function_response=types.FunctionResponse(id=c.id, name=c.name, response={"result": r}))
        for c, r in zip(calls, ("sunny", "noon"))
    ]
    contents += [types.Content(role="model", parts=parts), types.Content(role="user", parts=results)]
    text = "".join(p.text or "" for p in answer())
    assert "got from the tool" in text or "The tool answered" in text
    assert "noon" in text


def get_weather(location: str) -> str:
    """Weather of a place.

    Args:
        location: the place
    """
    return f"sunny in {location}"


def test_automatic_calls(models, target):
    """The SDK makes the declaration, calls the function and asks again."""
    reply = models.generate_content(
        model=target.endpoint,
        contents="What is the weather in Paris?",
        config=types.GenerateContentConfig(tools=[get_weather]),
    )
    assert "sunny in Paris" in reply.text
    assert len(reply.automatic_function_calling_history) == 3


def test_function_calling_modes(models, format_of):
    def ask(contents, **mode):
        tool_config = types.ToolConfig(function_calling_config=types.FunctionCallingConfig(**mode))
        return models.generate_content(
            model=format_of.endpoint, contents=contents, config=config(tools=TOOLS, tool_config=tool_config)
        ).function_calls

    assert not ask("What is the weather in Paris?", mode="NONE")
    assert ask("Paris", mode="ANY"), "one of them must be called"
    if format_of.provider != "cohere":  # which can't be told which
        [call] = ask("Paris", mode="ANY", allowed_function_names=["get_time"])
        assert call.name == "get_time"


class Place(pydantic.BaseModel):
    city: str


def test_structured_output(models, target):
    wanted = config(response_mime_type="application/json", response_schema=Place)
    reply = models.generate_content(model=target.endpoint, contents="I live in Paris", config=wanted)
    assert reply.parsed == Place(city="Paris")
    schema = {"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]}
    wanted = config(response_mime_type="application/json", response_json_schema=schema)
    reply = models.generate_content(model=target.endpoint, contents="I live in Rome", config=wanted)
    assert json.loads(reply.text) == {"town": "Rome"}


def test_image(models, target):
    image = types.Part.from_bytes(data=b"\x89PNG not really", mime_type="image/png")
    reply = models.generate_content(model=target.endpoint, contents=["What is this?", image])
    assert reply.text == target.heard("What is this? (1 image)")


def test_chat(make_gemini, format_of):
    chat = make_gemini().chats.create(model=format_of.endpoint)
    assert chat.send_message("one").text == format_of.heard("one")
    reply = chat.send_message("two")
    assert reply.text == format_of.heard("two")
    assert reply.usage_metadata.prompt_token_count == 2 + words(format_of.heard("one")), "all of the chat was sent"


def test_limits(models, target):
    text = target.heard("Tell me a joke")
    ask = {"model": target.endpoint, "contents": "Tell me a joke"}
    reply = models.generate_content(**ask, config=config(max_output_tokens=3))
    assert reply.text == " ".join(text.split()[:3])
    assert reply.candidates[0].finish_reason == types.FinishReason.MAX_TOKENS
    stop = " ".join(text.split()[3:5])
    reply = models.generate_content(**ask, config=config(stop_sequences=[stop]))
    assert reply.text.strip() == text.split(stop)[0].strip()
    assert reply.candidates[0].finish_reason == types.FinishReason.STOP


@pytest.mark.parametrize("thinker", [GEMINI, ANTHROPIC, BEDROCK], ids=lambda b: b.provider)
def test_thoughts(models, thinker):
    wanted = config(thinking_config=types.ThinkingConfig(include_thoughts=True, thinking_budget=1024))
    reply = models.generate_content(model=thinker.endpoint, contents="Tell me a joke", config=wanted)
    thought, text = reply.candidates[0].content.parts[:2]
    assert (thought.thought, thought.text) == (True, "The answer follows from the question.")
    assert text.text == thinker.heard("Tell me a joke")


def test_count_tokens(models, target):
    if target in (GEMINI, VERTEX, BEDROCK):
        assert models.count_tokens(model=target.endpoint, contents="Tell me a joke").total_tokens == 4
        return
    with pytest.raises(errors.ServerError) as caught:
        models.count_tokens(model=target.endpoint, contents="Tell me a joke")
    assert (caught.value.code, caught.value.status) == (501, "UNIMPLEMENTED")


@pytest.mark.parametrize("path", ["", "/gemini", "/gateway/gemini"])
@pytest.mark.parametrize("version", ["v1beta", "v1"])
def test_roots_and_versions(make_gemini, path, version):
    client = make_gemini(path=path, api_version=version)
    assert client.models.generate_content(model=OPENAI.endpoint, contents="hi").text == OPENAI.heard("hi")
    chunks = list(client.models.generate_content_stream(model=OPENAI.endpoint, contents="hi"))
    assert "".join(c.text or "" for c in chunks) == OPENAI.heard("hi")


@pytest.mark.parametrize(
    "model, code, status",
    [
        ("fault-400", 400, "INVALID_ARGUMENT"),
        # The endpoint's key is refused: nothing the caller could log in with.
        ("fault-401", 502, None),
        ("fault-404", 404, "NOT_FOUND"),
        ("fault-429", 429, "RESOURCE_EXHAUSTED"),
        ("fault-500", 500, "INTERNAL"),
        ("fault-503", 503, "UNAVAILABLE"),
    ],
)
def test_faults(models, failing, format_of, model, code, status):
    with pytest.raises(errors.APIError) as caught:
        models.generate_content(model=failing(format_of, model), contents="hi")
    e = caught.value
    assert type(e) is (errors.ClientError if code < 500 else errors.ServerError)
    assert e.code == code and e.message
    assert status is None or e.status == status
    assert e.response.headers.get("retry-after") == ("1" if code in (429, 503) else None)


def test_fault_in_the_stream(models, failing, format_of):
    name = failing(format_of, "fault-error-event")
    with pytest.raises(errors.APIError):
        list(models.generate_content_stream(model=name, contents="hi"))


def test_refusals(make_gemini, models, format_of):
    with pytest.raises(errors.ClientError) as caught:
        make_gemini(api_key="slu_wrong").models.generate_content(model=format_of.endpoint, contents="hi")
    assert (caught.value.code, caught.value.status) == (401, "UNAUTHENTICATED")
    with pytest.raises(errors.ClientError) as caught:
        models.generate_content(model="nowhere", contents="hi")
    assert (caught.value.code, caught.value.status) == (404, "NOT_FOUND")
    with pytest.raises(errors.ClientError) as caught:
        models.generate_content(model=format_of.endpoint, contents=[types.Content(role="user", parts=[])])
    assert (caught.value.code, caught.value.status) == (400, "INVALID_ARGUMENT")
