import base64
import json
import time

import openai
import pydantic
import pytest
from targets import ANTHROPIC, COHERE, MISTRAL, TABLE, TOGETHER

MESSAGES = [{"role": "user", "content": "Tell me a joke"}]
LOCATION = {"type": "object", "properties": {"location": {"type": "string"}}, "required": ["location"]}


def tool(name):
    return {"type": "function", "function": {"name": name, "description": "About a place", "parameters": LOCATION}}


WEATHER = tool("get_weather")
ASKED = [{"role": "user", "content": "What is the weather in Paris?"}]
BOTH = [{"role": "user", "content": "What are weather and time in Paris?"}]


def usage(u):
    return (u.prompt_tokens, u.completion_tokens, u.total_tokens)


def words(text):
    return len(text.split())


def test_chat(sdk, target, admin):
    messages = [{"role": "system", "content": "Be brief."}, *MESSAGES]
    reply = sdk.chat.completions.create(model=target.endpoint, messages=messages)
    [choice] = reply.choices
    text = target.heard("Tell me a joke")
    assert (choice.message.content, choice.message.role) == (text, "assistant")
    assert (choice.finish_reason, reply.object) == ("stop", "chat.completion")
    assert usage(reply.usage) == (6, words(text), 6 + words(text))
    assert reply.id and reply.created > 1_600_000_000
    outcome = admin.outcome(reply._request_id)
    assert outcome["result"] == "answered"
    assert (outcome["inputTokens"], outcome["outputTokens"]) == (6, words(text))


@pytest.mark.parametrize("include_usage", [False, True])
def test_stream(sdk, target, include_usage):
    options = {"stream_options": {"include_usage": True}} if include_usage else {}
    chunks = list(
        sdk.chat.completions.create(model=target.endpoint, messages=MESSAGES, stream=True, **options)
    )
    pieces = [c.choices[0].delta.content for c in chunks if c.choices and c.choices[0].delta.content]
    text = target.heard("Tell me a joke")
    assert "".join(pieces) == text
    assert len(pieces) == words(text), "each chunk of the provider is a chunk for the client"
    assert [c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason] == ["stop"]
    told = [usage(c.usage) for c in chunks if c.usage]
    if target in (MISTRAL, TOGETHER):  # whose streams tell it unasked, too
        assert set(told) == {(4, words(text), 4 + words(text))}
    else:
        assert told == ([(4, words(text), 4 + words(text))] if include_usage else [])
    assert all(c.choices for c in chunks[: -1 if include_usage else None]), "usage is in the last chunk only"
    assert {c.id for c in chunks} == {chunks[0].id}
    assert {c.object for c in chunks} == {"chat.completion.chunk"}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_parallel_tools_round_trip(sdk, target, stream):
    ask = {"model": target.endpoint, "tools": [WEATHER, tool("get_time")]}
    messages = list(BOTH)

    def answer():
        if not stream:
            return sdk.chat.completions.create(messages=messages, **ask).choices[0]
        with sdk.chat.completions.stream(messages=messages, **ask) as events:
            return events.get_final_completion().choices[0]

    first = answer()
    assert first.finish_reason == "tool_calls"
    if target is not COHERE:  # whose models say what they plan
        assert not first.message.content
    calls = first.message.tool_calls
    assert [(c.type, c.function.name) for c in calls] == [("function", "get_weather"), ("function", "get_time")]
    assert [json.loads(c.function.arguments) for c in calls] == [{"location": "Paris"}] * 2
    assert len({c.id for c in calls}) == 2
    said = first.message.model_dump(exclude_none=True, exclude={"parsed"})
    for call in said["tool_calls"]:
        call["function"].pop("parsed_arguments", None)
        call.pop("index", None)
    messages += [said]
    messages += [{"role": "tool", "tool_call_id": c.id, "content": r} for c, r in zip(calls, ("sunny", "noon"))]
    second = answer()
    assert second.message.content in (target.got("noon"), target.got("sunny noon"))
    assert second.finish_reason == "stop"


def test_one_tool_at_a_time(sdk, format_of):
    ask = {"model": format_of.endpoint, "messages": BOTH, "tools": [WEATHER, tool("get_time")]}
    if format_of is COHERE:
        e = error(openai.BadRequestError, lambda: sdk.chat.completions.create(**ask, parallel_tool_calls=False))
        assert e.param == "parallel_tool_calls", "what can't be asked for is refused by name"
        return
    for stream in (False, True):
        if stream:
            with sdk.chat.completions.stream(**ask, parallel_tool_calls=False) as events:
                reply = events.get_final_completion()
        else:
            reply = sdk.chat.completions.create(**ask, parallel_tool_calls=False)
        [call] = reply.choices[0].message.tool_calls
        assert call.function.name == "get_weather"


@pytest.mark.parametrize(
    "choice, called",
    [
        ("none", False),
        ("auto", True),
        ("required", True),
        ({"type": "function", "function": {"name": "get_weather"}}, True),
    ],
    ids=["none", "auto", "required", "named"],
)
def test_tool_choice(sdk, format_of, choice, called):
    ask = {"model": format_of.endpoint, "messages": ASKED, "tools": [WEATHER], "tool_choice": choice}
    reply = sdk.chat.completions.create(**ask)
    assert bool(reply.choices[0].message.tool_calls) is called


def test_image(sdk, target):
    data = base64.b64encode(b"\x89PNG not really").decode()
    content = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}},
    ]
    reply = sdk.chat.completions.create(model=target.endpoint, messages=[{"role": "user", "content": content}])
    assert reply.choices[0].message.content == target.heard("What is this? (1 image)")


class Place(pydantic.BaseModel):
    city: str


def test_structured_output(sdk, target):
    ask = {"model": target.endpoint, "messages": [{"role": "user", "content": "I live in Paris"}]}
    reply = sdk.chat.completions.parse(**ask, response_format=Place)
    assert reply.choices[0].message.parsed == Place(city="Paris")
    with sdk.chat.completions.stream(**ask, response_format=Place) as stream:
        assert stream.get_final_completion().choices[0].message.parsed == Place(city="Paris")


def test_limits(sdk, target):
    reply = sdk.chat.completions.create(model=target.endpoint, messages=MESSAGES, max_tokens=3)
    text = target.heard("Tell me a joke")
    assert (reply.choices[0].message.content, reply.choices[0].finish_reason) == (" ".join(text.split()[:3]), "length")
    stop = " ".join(text.split()[3:5])
    reply = sdk.chat.completions.create(model=target.endpoint, messages=MESSAGES, stop=[stop])
    assert reply.choices[0].message.content.strip() == text.split(stop)[0].strip()
    assert reply.choices[0].finish_reason == "stop"


def test_completions(sdk):
    reply = sdk.completions.create(model="completions-openai", prompt="Say this")
    assert reply.choices[0].text == "gpt-3.5-turbo-instruct at the OpenAI stand-in heard: Say this"
    assert usage(reply.usage) == (2, 8, 10)
    chunks = list(sdk.completions.create(model="completions-openai", prompt="Say this", stream=True))
    assert "".join(c.choices[0].text for c in chunks) == reply.choices[0].text


def test_completions_anthropic(sdk):
    reply = sdk.completions.create(model="completions-anthropic", prompt="Say this", max_tokens=50)
    assert reply.choices[0].text.strip() == "claude-2.1 at the Anthropic stand-in heard: Say this"
    assert reply.choices[0].finish_reason == "stop"


@pytest.mark.parametrize(
    "name", ["cohere", "mistral", "togetherai", "azure", "databricks", "groq", "gemini", "bedrock"]
)
def test_completions_elsewhere(sdk, name):
    """Also where the provider has chat only."""
    ask = {"model": "completions-" + name, "prompt": "Say this", "max_tokens": 50}
    text = sdk.completions.create(**ask).choices[0].text
    assert text.strip().endswith("stand-in heard: Say this")
    chunks = list(sdk.completions.create(**ask, stream=True))
    assert "".join(c.choices[0].text for c in chunks if c.choices) == text
    assert [c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason] == ["stop"]


@pytest.mark.parametrize("how", [{}, {"encoding_format": "float"}], ids=["base64", "float"])
def test_embeddings(sdk, how):
    reply = sdk.embeddings.create(model="embeddings-openai", input=["one", "two words"], dimensions=3, **how)
    assert reply.data[0].embedding == pytest.approx([-0.19578683, 0.38533723, -0.9017665], abs=1e-7)
    assert [d.index for d in reply.data] == [0, 1]
    assert (reply.usage.prompt_tokens, reply.usage.total_tokens) == (3, 3)


@pytest.mark.parametrize(
    "name",
    [
        "azure", "gemini", "vertex_ai", "vertex-maas", "bedrock", "bedrock-cohere", "cohere", "mistral", "togetherai",
        "databricks", "groq",
    ],  # fmt: skip
)
def test_embeddings_elsewhere(sdk, name):
    """The SDK asks for base64 and decodes it; a plain list says the same."""
    ask = {"model": "embeddings-" + name, "input": ["one", "two words"]}
    coded = sdk.embeddings.create(**ask).data
    plain = sdk.embeddings.create(**ask, encoding_format="float").data
    assert [d.index for d in coded] == [0, 1]
    for one, other in zip(coded, plain):
        assert len(one.embedding) > 100 and one.embedding == pytest.approx(other.embedding, abs=1e-6)
    assert coded[0].embedding != coded[1].embedding


def test_models(sdk, admin, backend):
    admin.endpoint("nobody-may", backend, backend.model, everyone=False)
    models = {m.id: m for m in sdk.models.list()}
    assert {*TABLE, "practice"} <= models.keys()
    assert "nobody-may" not in models
    assert sdk.models.retrieve("chat-openai").id == "chat-openai"
    assert models["chat-openai"].object == "model"
    for name in ("nowhere", "nobody-may"):
        with pytest.raises(openai.NotFoundError):
            sdk.models.retrieve(name)


def test_http2(make_openai, backend):
    raw = make_openai(http2=True).chat.completions.with_raw_response.create(model=backend.endpoint, messages=MESSAGES)
    assert raw.http_response.http_version == "HTTP/2"
    assert raw.parse().choices[0].message.content == backend.heard("Tell me a joke")


def test_http2_stream(make_openai, backend):
    chunks = make_openai(http2=True).chat.completions.create(model=backend.endpoint, messages=MESSAGES, stream=True)
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == backend.heard("Tell me a joke")


def error(kind, call):
    with pytest.raises(kind) as caught:
        call()
    assert type(caught.value) is kind, "exactly this error of the SDK"
    assert caught.value.request_id, "every error names its exchange"
    assert caught.value.code, "every error has a code"
    return caught.value


def test_unknown_model(sdk):
    e = error(openai.NotFoundError, lambda: sdk.chat.completions.create(model="nowhere", messages=MESSAGES))
    assert (e.code, e.param) == ("endpoint_not_found", "model")


@pytest.mark.parametrize("token", ["slu_wrong", "slu_" + "A" * 49])
def test_wrong_token(make_openai, token):
    client = make_openai(api_key=token)
    e = error(
        openai.AuthenticationError, lambda: client.chat.completions.create(model="chat-openai", messages=MESSAGES)
    )
    assert token not in str(e)
    with pytest.raises(openai.AuthenticationError):
        client.models.list()


def test_denied(sdk, admin, backend):
    name = admin.endpoint("nobody-may", backend, backend.model, everyone=False)
    e = error(openai.PermissionDeniedError, lambda: sdk.chat.completions.create(model=name, messages=MESSAGES))
    assert e.type


def test_bad_request(sdk, backend):
    for wrong in ({"messages": []}, {"messages": MESSAGES, "temperature": 9}, {"messages": [{"role": "nobody"}]}):
        error(openai.BadRequestError, lambda: sdk.chat.completions.create(model=backend.endpoint, **wrong))


def test_wrong_kind_of_endpoint(sdk):
    e = error(openai.BadRequestError, lambda: sdk.embeddings.create(model="chat-openai", input="one"))
    assert e.code == "wrong_endpoint_type"


@pytest.mark.parametrize(
    "model, kind, code",
    [
        ("fault-400", openai.BadRequestError, None),
        # The endpoint's key is refused: nothing the caller could log in with.
        ("fault-401", openai.InternalServerError, "provider_credential_rejected"),
        ("fault-403", openai.InternalServerError, "provider_credential_rejected"),
        ("fault-429", openai.RateLimitError, None),
        ("fault-500", openai.InternalServerError, None),
        ("fault-529", openai.InternalServerError, None),
        ("fault-reset-head", openai.InternalServerError, "provider_reset"),
        ("fault-html", openai.InternalServerError, "provider_content_type"),
        ("fault-garbage", openai.InternalServerError, "provider_invalid_reply"),
    ],
)
def test_provider_faults(sdk, failing, format_of, model, kind, code):
    name = failing(format_of, model)
    e = error(kind, lambda: sdk.chat.completions.create(model=name, messages=MESSAGES))
    assert code is None or e.code == code
    assert e.response.headers.get("retry-after") == ("1" if model in ("fault-429", "fault-529") else None)


def test_retry_after_is_honoured(make_openai, failing, admin):
    """The SDK's own retries wait as long as the provider said, not half a second."""
    name = failing(ANTHROPIC, "fault-429")
    began = time.monotonic()
    e = error(
        openai.RateLimitError,
        lambda: make_openai(max_retries=1).chat.completions.create(model=name, messages=MESSAGES),
    )
    assert 1 <= time.monotonic() - began < 5
    assert admin.outcome(e.request_id)["upstreamStatus"] == 429


@pytest.mark.parametrize("model", ["fault-error-event", "fault-truncate"])
def test_faults_in_the_stream(sdk, failing, format_of, model):
    """A stream that fails ends in an error, after what had come before."""
    name = failing(format_of, model)
    seen = []
    with pytest.raises(openai.APIError):
        for chunk in sdk.chat.completions.create(model=name, messages=MESSAGES, stream=True):
            seen += [c.delta.content for c in chunk.choices if c.delta.content]
    assert seen == [model]


def test_changed_model_holds_for_the_next_call(sdk, admin, backend, url):
    name = admin.endpoint("changes", backend, backend.model)
    for model in ("first", "second"):
        reply = admin.http.patch(f"{admin.base}/{name}", json={"modelName": model}, timeout=10)
        assert reply.status_code == 200, reply.text
        text = sdk.chat.completions.create(model=name, messages=MESSAGES).choices[0].message.content
        assert text == f"{model} at the {backend.voice} stand-in heard: Tell me a joke"
