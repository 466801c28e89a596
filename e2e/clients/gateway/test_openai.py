import base64
import json

import openai
import pytest

MESSAGES = [{"role": "user", "content": "Tell me a joke"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a place",
        "parameters": {"type": "object", "properties": {"location": {"type": "string"}}, "required": ["location"]},
    },
}
ASKED = [{"role": "user", "content": "What is the weather in Paris?"}]


def usage(u):
    return (u.prompt_tokens, u.completion_tokens, u.total_tokens)


def test_chat(sdk, backend):
    reply = sdk.chat.completions.create(model=backend.endpoint, messages=MESSAGES)
    [choice] = reply.choices
    assert (choice.message.content, choice.message.role) == (backend.heard("Tell me a joke"), "assistant")
    assert (choice.finish_reason, reply.object) == ("stop", "chat.completion")
    assert usage(reply.usage) == (4, 10, 14)
    assert reply.id and reply.created > 1_600_000_000
    assert reply._request_id, "every reply names its exchange"


@pytest.mark.parametrize("include_usage", [False, True])
def test_stream(sdk, backend, include_usage):
    options = {"stream_options": {"include_usage": True}} if include_usage else {}
    chunks = list(
        sdk.chat.completions.create(model=backend.endpoint, messages=MESSAGES, stream=True, **options)
    )
    pieces = [c.choices[0].delta.content for c in chunks if c.choices and c.choices[0].delta.content]
    assert "".join(pieces) == backend.heard("Tell me a joke")
    assert len(pieces) == 10, "each chunk of the provider is a chunk for the client"
    assert [c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason] == ["stop"]
    told = [usage(c.usage) for c in chunks if c.usage]
    assert told == ([(4, 10, 14)] if include_usage else [])
    assert all(c.choices for c in chunks[: -1 if include_usage else None]), "usage is in the last chunk only"
    assert {c.id for c in chunks} == {chunks[0].id}
    assert {c.object for c in chunks} == {"chat.completion.chunk"}


def test_tools_round_trip(sdk, backend):
    messages = list(ASKED)
    first = sdk.chat.completions.create(model=backend.endpoint, messages=messages, tools=[WEATHER]).choices[0]
    assert (first.finish_reason, first.message.content) == ("tool_calls", None)
    [call] = first.message.tool_calls
    assert (call.type, call.function.name) == ("function", "get_weather")
    assert json.loads(call.function.arguments) == {"location": "Paris"}
    messages += [first.message, {"role": "tool", "tool_call_id": call.id, "content": "sunny"}]
    second = sdk.chat.completions.create(model=backend.endpoint, messages=messages, tools=[WEATHER]).choices[0]
    assert (second.message.content, second.finish_reason) == (backend.got("sunny"), "stop")


def test_tools_streamed(sdk, backend):
    with sdk.chat.completions.stream(model=backend.endpoint, messages=ASKED, tools=[WEATHER]) as stream:
        [choice] = stream.get_final_completion().choices
    [call] = choice.message.tool_calls
    assert (choice.finish_reason, call.function.name) == ("tool_calls", "get_weather")
    assert json.loads(call.function.arguments) == {"location": "Paris"}


@pytest.mark.parametrize(
    "choice, called",
    [
        ("none", False),
        ("auto", True),
        ("required", True),
        ({"type": "function", "function": {"name": "get_weather"}}, True),
    ],
    ids=str,
)
def test_tool_choice(sdk, backend, choice, called):
    reply = sdk.chat.completions.create(model=backend.endpoint, messages=ASKED, tools=[WEATHER], tool_choice=choice)
    assert bool(reply.choices[0].message.tool_calls) is called


def test_image(sdk, backend):
    data = base64.b64encode(b"\x89PNG not really").decode()
    content = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}},
    ]
    reply = sdk.chat.completions.create(model=backend.endpoint, messages=[{"role": "user", "content": content}])
    assert reply.choices[0].message.content == backend.heard("What is this? (1 image)")


def test_limits(sdk, backend):
    reply = sdk.chat.completions.create(model=backend.endpoint, messages=MESSAGES, max_tokens=3)
    assert (reply.choices[0].message.content, reply.choices[0].finish_reason) == (f"{backend.model} at the", "length")
    reply = sdk.chat.completions.create(model=backend.endpoint, messages=MESSAGES, stop=[" stand-in"])
    assert reply.choices[0].message.content == f"{backend.model} at the {backend.voice}"
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


@pytest.mark.parametrize("how", [{}, {"encoding_format": "float"}], ids=["base64", "float"])
def test_embeddings(sdk, how):
    reply = sdk.embeddings.create(model="embeddings-openai", input=["one", "two words"], dimensions=3, **how)
    assert reply.data[0].embedding == pytest.approx([-0.19578683, 0.38533723, -0.9017665], abs=1e-7)
    assert [d.index for d in reply.data] == [0, 1]
    assert (reply.usage.prompt_tokens, reply.usage.total_tokens) == (3, 3)


def test_models(sdk, admin, backend):
    admin.endpoint("nobody-may", backend, backend.model, everyone=False)
    models = {m.id: m for m in sdk.models.list()}
    assert {"chat-openai", "chat-anthropic", "embeddings-openai", "practice"} <= models.keys()
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
def test_provider_faults(sdk, admin, backend, model, kind, code):
    name = admin.endpoint("fails", backend, model)
    e = error(kind, lambda: sdk.chat.completions.create(model=name, messages=MESSAGES))
    assert code is None or e.code == code
    assert e.response.headers.get("retry-after") == ("1" if model in ("fault-429", "fault-529") else None)


@pytest.mark.parametrize("model", ["fault-error-event", "fault-truncate"])
def test_faults_in_the_stream(sdk, admin, backend, model):
    """A stream that fails ends in an error, after what had come before."""
    name = admin.endpoint("fails", backend, model)
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
