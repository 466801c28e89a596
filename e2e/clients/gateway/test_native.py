"""The vendors' SDKs on the native path: the provider's own API, untouched."""

import json

import anthropic
import cohere
import google.genai
import httpx
import mistralai.client
import openai
import pytest
from conftest import TOKEN
from google.genai import types
from mistralai.client import errors as mistral_errors
from targets import ANTHROPIC, AZURE, COHERE, GEMINI, GROQ, MISTRAL, OPENAI, TOGETHER

MESSAGES = [{"role": "user", "content": "Tell me a joke"}]
ASKED = [{"role": "user", "content": "What is the weather in Paris?"}]
LOCATION = {"type": "object", "properties": {"location": {"type": "string"}}}
WEATHER = {"type": "function", "function": {"name": "get_weather", "description": "d", "parameters": LOCATION}}


@pytest.fixture(scope="session")
def native(url):
    return lambda backend: f"{url}/native/{backend if isinstance(backend, str) else backend.endpoint}"


@pytest.fixture
def make_cohere(native, tls_context):
    """Makes a client of Cohere's SDK, of version 1 or 2."""

    def make(kind=cohere.ClientV2, key=TOKEN, endpoint=COHERE.endpoint):
        http = httpx.Client(verify=tls_context, timeout=30)
        return kind(key, base_url=native(endpoint), httpx_client=http, max_retries=0)

    return make


def test_cohere_chat(make_cohere):
    reply = make_cohere().chat(model=COHERE.model, messages=MESSAGES)
    assert (reply.message.content[0].text, reply.finish_reason) == (COHERE.heard("Tell me a joke"), "COMPLETE")
    assert (reply.usage.tokens.input_tokens, reply.usage.tokens.output_tokens) == (4, 10)


def test_cohere_stream(make_cohere):
    events = list(make_cohere().chat_stream(model=COHERE.model, messages=MESSAGES))
    texts = [e.delta.message.content.text for e in events if e.type == "content-delta"]
    assert "".join(texts) == COHERE.heard("Tell me a joke") and len(texts) == 10
    assert events[-1].delta.finish_reason == "COMPLETE"


def test_cohere_tools(make_cohere):
    client = make_cohere()
    messages = list(ASKED)
    first = client.chat(model=COHERE.model, messages=messages, tools=[WEATHER])
    [call] = first.message.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == ("get_weather", {"location": "Paris"})
    messages += [
        {"role": "assistant", "tool_calls": first.message.tool_calls, "tool_plan": first.message.tool_plan},
        {"role": "tool", "tool_call_id": call.id, "content": "sunny"},
    ]
    second = client.chat(model=COHERE.model, messages=messages, tools=[WEATHER])
    assert second.message.content[0].text == COHERE.got("sunny")
    events = list(client.chat_stream(model=COHERE.model, messages=ASKED, tools=[WEATHER]))
    pieces = [e.delta.message.tool_calls.function.arguments for e in events if e.type == "tool-call-delta"]
    assert json.loads("".join(pieces)) == {"location": "Paris"}


def test_cohere_version_one(make_cohere):
    client = make_cohere(kind=cohere.Client)
    assert client.chat(model=COHERE.model, message="Tell me a joke").text == COHERE.heard("Tell me a joke")
    events = list(client.chat_stream(model=COHERE.model, message="Tell me a joke"))
    assert "".join(e.text for e in events if e.event_type == "text-generation") == COHERE.heard("Tell me a joke")
    assert events[-1].finish_reason == "COMPLETE"


def test_cohere_embeddings(make_cohere):
    ask = {"model": "embed-v4.0", "texts": ["a", "b"], "input_type": "search_query", "embedding_types": ["float"]}
    reply = make_cohere(endpoint="embeddings-cohere").embed(**ask, output_dimension=256)
    assert [len(v) for v in reply.embeddings.float_] == [256, 256]


def test_cohere_failures(make_cohere, failing):
    with pytest.raises(cohere.errors.TooManyRequestsError):
        make_cohere(endpoint=failing(COHERE, "fault-429")).chat(model="fault-429", messages=MESSAGES)
    with pytest.raises(cohere.errors.UnauthorizedError):
        make_cohere(key="slu_wrong").chat(model=COHERE.model, messages=MESSAGES)
    with pytest.raises(cohere.errors.ForbiddenError, match="native_model"):
        make_cohere().chat(model="another-model", messages=MESSAGES)
    with pytest.raises(cohere.errors.NotFoundError):
        make_cohere(endpoint="nowhere").chat(model=COHERE.model, messages=MESSAGES)


@pytest.fixture
def make_mistral(native, tls_context):
    """Makes a client of Mistral's SDK."""
    import httpx2  # a fork of httpx, to which the SDK has moved

    def make(endpoint=MISTRAL.endpoint, key=TOKEN):
        http = httpx2.Client(verify=tls_context, timeout=30)
        return mistralai.client.Mistral(api_key=key, server_url=native(endpoint), client=http)

    return make


def test_mistral_chat(make_mistral):
    client = make_mistral()
    reply = client.chat.complete(model=MISTRAL.model, messages=MESSAGES, random_seed=3, safe_prompt=True)
    assert reply.choices[0].message.content == MISTRAL.heard("Tell me a joke") and reply.usage.total_tokens == 14
    chunks = [e.data for e in client.chat.stream(model=MISTRAL.model, messages=MESSAGES)]
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == MISTRAL.heard("Tell me a joke")
    assert chunks[-1].usage.total_tokens == 14


def test_mistral_tools(make_mistral):
    client = make_mistral()
    messages = list(ASKED)
    first = client.chat.complete(model=MISTRAL.model, messages=messages, tools=[WEATHER]).choices[0]
    [call] = first.message.tool_calls
    assert len(call.id) == 9 and json.loads(call.function.arguments) == {"location": "Paris"}
    messages += [
        first.message.model_dump(),
        {"role": "tool", "tool_call_id": call.id, "name": "get_weather", "content": "sunny"},
    ]
    second = client.chat.complete(model=MISTRAL.model, messages=messages, tools=[WEATHER])
    assert second.choices[0].message.content == MISTRAL.got("sunny")


def test_mistral_embeddings(make_mistral):
    reply = make_mistral("embeddings-mistral").embeddings.create(model="mistral-embed", inputs=["a", "b"])
    assert [len(d.embedding) for d in reply.data] == [1024, 1024]


def test_mistral_failures(make_mistral, failing):
    for client, model, status in [
        (make_mistral(failing(MISTRAL, "fault-429")), "fault-429", 429),
        (make_mistral(key="slu_wrong"), MISTRAL.model, 401),
        (make_mistral(), "another-model", 403),
        (make_mistral("nowhere"), MISTRAL.model, 404),
    ]:
        with pytest.raises(mistral_errors.SDKError) as caught:
            client.chat.complete(model=model, messages=MESSAGES)
        assert caught.value.status_code == status


@pytest.mark.parametrize(
    "backend", [OPENAI, GROQ, TOGETHER, MISTRAL], ids=lambda b: b.provider
)
def test_openai(native, tls_context, backend):
    http = openai.DefaultHttpxClient(verify=tls_context)
    client = openai.OpenAI(base_url=native(backend) + "/v1", api_key=TOKEN, http_client=http, max_retries=0)
    reply = client.chat.completions.create(model=backend.model, messages=MESSAGES)
    assert reply.choices[0].message.content == backend.heard("Tell me a joke")
    with client.chat.completions.stream(model=backend.model, messages=ASKED, tools=[WEATHER]) as stream:
        [call] = stream.get_final_completion().choices[0].message.tool_calls
    assert json.loads(call.function.arguments) == {"location": "Paris"}
    with pytest.raises(openai.PermissionDeniedError) as caught:
        client.chat.completions.create(model="another-model", messages=MESSAGES)
    assert caught.value.code == "native_model"


def test_openai_responses(native, tls_context):
    http = openai.DefaultHttpxClient(verify=tls_context)
    client = openai.OpenAI(base_url=native(OPENAI) + "/v1", api_key=TOKEN, http_client=http, max_retries=0)
    assert client.responses.create(model=OPENAI.model, input="hi").output_text == OPENAI.heard("hi")
    assert client.models.retrieve(OPENAI.model).id == OPENAI.model


def test_azure(native, tls_context):
    client = openai.AzureOpenAI(
        azure_endpoint=native(AZURE),
        api_key=TOKEN,
        api_version="2024-10-21",
        max_retries=0,
        http_client=openai.DefaultHttpxClient(verify=tls_context),
    )
    reply = client.chat.completions.create(model="my-deployment", messages=MESSAGES)
    assert reply.choices[0].message.content == AZURE.heard("Tell me a joke")


def test_anthropic(native, tls_context):
    client = anthropic.Anthropic(
        base_url=native(ANTHROPIC),
        api_key=TOKEN,
        max_retries=0,
        http_client=anthropic.DefaultHttpxClient(verify=tls_context),
        default_headers={"anthropic-version": "2023-06-01"},
    )
    ask = {"model": ANTHROPIC.model, "max_tokens": 100, "messages": MESSAGES}
    assert client.messages.create(**ask).content[0].text == ANTHROPIC.heard("Tell me a joke")
    with client.messages.stream(**ask) as stream:
        assert stream.get_final_message().content[0].text == ANTHROPIC.heard("Tell me a joke")
    assert client.messages.count_tokens(model=ANTHROPIC.model, messages=MESSAGES).input_tokens == 4
    with pytest.raises(anthropic.PermissionDeniedError):
        client.messages.create(**{**ask, "model": "another-model"})


def test_google(native, tls_context):
    options = {"base_url": native(GEMINI), "client_args": {"verify": tls_context}}
    client = google.genai.Client(api_key=TOKEN, http_options=options)
    heard = GEMINI.heard("Tell me a joke")
    assert client.models.generate_content(model=GEMINI.model, contents="Tell me a joke").text == heard
    chunks = list(client.models.generate_content_stream(model=GEMINI.model, contents="Tell me a joke"))
    assert "".join(c.text for c in chunks) == heard
    assert client.models.count_tokens(model=GEMINI.model, contents="one two").total_tokens == 2
    with pytest.raises(google.genai.errors.ClientError) as caught:
        client.models.generate_content(model="gemini-2.5-pro", contents="hi")
    assert caught.value.code == 403
    client.close()


def test_google_embeddings(native, tls_context):
    options = {"base_url": native("embeddings-gemini"), "client_args": {"verify": tls_context}}
    client = google.genai.Client(api_key=TOKEN, http_options=options)
    wanted = types.EmbedContentConfig(output_dimensionality=3)
    reply = client.models.embed_content(model="gemini-embedding-001", contents=["a", "b"], config=wanted)
    assert [len(e.values) for e in reply.embeddings] == [3, 3]
    client.close()
