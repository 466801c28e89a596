import json

import pytest
from google.genai import errors, types

HEARD = "gemini-2.5-flash at the Gemini stand-in heard: Tell me a joke"
MODEL = "gemini-2.5-flash"
WEATHER = types.Tool(
    function_declarations=[
        types.FunctionDeclaration(
            name="get_weather",
            description="Weather of a place",
            parameters_json_schema={"type": "object", "properties": {"location": {"type": "string"}}},
        )
    ]
)


def config(**kwargs):
    off = types.AutomaticFunctionCallingConfig(disable=True)
    return types.GenerateContentConfig(automatic_function_calling=off, **kwargs)


def test_text(make_gemini):
    reply = make_gemini().models.generate_content(
        model=MODEL, contents="Tell me a joke", config=config(system_instruction="Be brief.", temperature=0.5)
    )
    assert reply.text == HEARD
    assert reply.candidates[0].finish_reason == types.FinishReason.STOP
    usage = reply.usage_metadata
    assert (usage.prompt_token_count, usage.candidates_token_count, usage.total_token_count) == (6, 10, 16)


def test_stream(make_gemini):
    chunks = list(make_gemini().models.generate_content_stream(model=MODEL, contents="Tell me a joke"))
    assert "".join(c.text for c in chunks) == HEARD and len(chunks) == 10
    assert chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP


@pytest.mark.parametrize("place", ["gemini", "vertex"])
@pytest.mark.parametrize("stream", [False, True])
def test_tools(make_gemini, vertex, place, stream):
    """The signature of a call must come back as it was."""
    client = make_gemini() if place == "gemini" else vertex
    model = "gemini-3-pro"
    contents = [types.Content(role="user", parts=[types.Part(text="What is the weather in Paris?")])]

    def ask():
        if stream:
            return list(client.models.generate_content_stream(model=model, contents=contents, config=config(tools=[WEATHER])))[0]
        return client.models.generate_content(model=model, contents=contents, config=config(tools=[WEATHER]))

    first = ask()
    [call] = first.function_calls
    assert (call.name, call.args) == ("get_weather", {"location": "Paris"})
    contents.append(first.candidates[0].content)
    result = types.FunctionResponse(name="get_weather", response={"result": "sunny"}, id=call.id)
    contents.append(types.Content(role="user", parts=[types.Part(function_response=result)]))
    said = ask().candidates[0].content.parts[0].text
    assert said == "gemini-3-pro" if stream else said.endswith("got from the tool: sunny")
    contents[1].parts[0].thought_signature = b"another"
    with pytest.raises(errors.ClientError, match="Thought signature is not valid"):
        ask()
    contents[1].parts[0].thought_signature = None
    with pytest.raises(errors.ClientError, match="missing a thought_signature"):
        ask()


def test_image_and_schema(make_gemini):
    client = make_gemini()
    image = types.Part.from_bytes(data=b"\x00\x01", mime_type="image/png")
    assert client.models.generate_content(model=MODEL, contents=["What?", image]).text.endswith("What? (1 image)")
    schema = {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}}
    wanted = config(response_mime_type="application/json", response_schema=schema)
    reply = client.models.generate_content(model=MODEL, contents="I live in Paris", config=wanted)
    assert json.loads(reply.text) == {"city": "Paris"}


def test_thoughts(make_gemini):
    wanted = config(thinking_config=types.ThinkingConfig(include_thoughts=True))
    reply = make_gemini().models.generate_content(model=MODEL, contents="Tell me a joke", config=wanted)
    thought, text = reply.candidates[0].content.parts
    assert thought.thought and text.text == HEARD and reply.usage_metadata.thoughts_token_count == 6


def test_embeddings_and_counts(make_gemini):
    client = make_gemini()
    reply = client.models.embed_content(
        model="gemini-embedding-001", contents=["a", "b"], config=types.EmbedContentConfig(output_dimensionality=3)
    )
    assert [len(e.values) for e in reply.embeddings] == [3, 3]
    assert client.models.count_tokens(model=MODEL, contents="one two").total_tokens == 2
    assert "models/gemini-3-pro" in [m.name for m in client.models.list()]


def test_vertex(vertex):
    assert vertex.models.generate_content(model=MODEL, contents="Tell me a joke").text == HEARD
    reply = vertex.models.embed_content(model="text-embedding-005", contents=["a", "b"])
    assert [len(e.values) for e in reply.embeddings] == [768, 768]


def test_vertex_claude(vertex_anthropic):
    # The version that the gateway speaks, as at Anthropic's own place (see conftest).
    version = {"anthropic_version": "vertex-2023-10-16"}
    ask = {"model": "claude-sonnet-4-5@20250929", "max_tokens": 50, "messages": [{"role": "user", "content": "hi"}]}
    ask["extra_body"] = version
    assert vertex_anthropic.messages.create(**ask).content[0].text.endswith("at the Vertex stand-in heard: hi")
    with vertex_anthropic.messages.stream(**ask) as stream:
        assert stream.get_final_message().content[0].text.endswith("heard: hi")


def test_faults(make_gemini):
    for model, status in {"fault-400": 400, "fault-429": 429, "fault-503": 503}.items():
        with pytest.raises(errors.APIError) as caught:
            make_gemini().models.generate_content(model=model, contents="hi")
        assert caught.value.code == status
    with pytest.raises(errors.APIError, match="overloaded"):
        list(make_gemini().models.generate_content_stream(model="fault-error-event", contents="hi"))
    with pytest.raises(errors.ClientError, match="API key not valid"):
        make_gemini(api_key="sk-bad").models.generate_content(model=MODEL, contents="hi")
