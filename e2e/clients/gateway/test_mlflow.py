import base64
import os
import subprocess
import sys

import pytest
import requests
from conftest import TOKEN
from targets import TABLE

MESSAGES = {"messages": [{"role": "user", "content": "Tell me a joke"}]}
ENDPOINTS = {
    "chat-openai": ("llm/v1/chat", "openai", "gpt-4o-mini"),
    "chat-anthropic": ("llm/v1/chat", "anthropic", "claude-sonnet-4-5"),
    "completions-openai": ("llm/v1/completions", "openai", "gpt-3.5-turbo-instruct"),
    "completions-anthropic": ("llm/v1/completions", "anthropic", "claude-2.1"),
    "embeddings-openai": ("llm/v1/embeddings", "openai", "text-embedding-3-small"),
}


def test_chat(mlflow_client, backend):
    reply = mlflow_client.predict(endpoint=backend.endpoint, inputs=MESSAGES)
    [choice] = reply["choices"]
    assert choice["message"] == {
        "role": "assistant",
        "content": backend.heard("Tell me a joke"),
        "tool_calls": None,
        "refusal": None,
    }
    assert (choice["index"], choice["finish_reason"]) == (0, "stop")
    assert (reply["object"], reply["model"], reply["provider"]) == ("chat.completion", backend.model, backend.provider)
    usage = reply["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (4, 10, 14)


def test_chat_with_history_and_limit(mlflow_client, backend):
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "two"},
        {"role": "user", "content": "three"},
    ]
    reply = mlflow_client.predict(endpoint=backend.endpoint, inputs={"messages": messages, "max_tokens": 3})
    [choice] = reply["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == (f"{backend.model} at the", "length")
    assert reply["usage"]["prompt_tokens"] == 5, "the whole history reached the provider"


def test_stop_may_be_one_string(mlflow_client, backend):
    """Kinder than MLflow's own server, which takes a list only."""
    reply = mlflow_client.predict(endpoint=backend.endpoint, inputs={**MESSAGES, "stop": " stand-in"})
    assert reply["choices"][0]["message"]["content"] == f"{backend.model} at the {backend.voice}"


def test_chat_tool_call(mlflow_client, backend):
    parameters = {"type": "object", "properties": {"location": {"type": "string"}}, "required": ["location"]}
    function = {"name": "get_weather", "description": "Weather of a place", "parameters": parameters}
    reply = mlflow_client.predict(
        endpoint=backend.endpoint,
        inputs={
            "messages": [{"role": "user", "content": "What is the weather in Paris?"}],
            "tools": [{"type": "function", "function": function}],
        },
    )
    [choice] = reply["choices"]
    [call] = choice["message"]["tool_calls"]
    assert choice["finish_reason"] == "tool_calls"
    assert call["function"]["name"] == "get_weather"
    assert call["function"]["arguments"].replace(" ", "") == '{"location":"Paris"}'


@pytest.mark.parametrize(
    "endpoint, text",
    [
        ("completions-openai", "gpt-3.5-turbo-instruct at the OpenAI stand-in heard: Say this"),
        # Anthropic's completions start with a space, and MLflow leaves it there.
        ("completions-anthropic", " claude-2.1 at the Anthropic stand-in heard: Say this"),
    ],
)
def test_completions(mlflow_client, endpoint, text):
    reply = mlflow_client.predict(endpoint=endpoint, inputs={"prompt": "Say this", "max_tokens": 50})
    [choice] = reply["choices"]
    assert (reply["object"], choice["text"], choice["finish_reason"]) == ("text_completion", text, "stop")


def test_embeddings(mlflow_client):
    reply = mlflow_client.predict(
        endpoint="embeddings-openai", inputs={"input": ["one", "two words"], "dimensions": 3}
    )
    assert [d["index"] for d in reply["data"]] == [0, 1]
    assert reply["data"][0]["embedding"] == pytest.approx([-0.19578683, 0.38533723, -0.9017665], abs=1e-7)
    assert reply["usage"] == {"prompt_tokens": 3, "total_tokens": 3}


def test_practice(mlflow_client):
    reply = mlflow_client.predict(endpoint="practice", inputs=MESSAGES)
    assert reply["choices"][0]["message"]["content"] == (
        'Hello! This is the practice model. You said: "Tell me a joke"'
    )


@pytest.mark.parametrize("name", ENDPOINTS)
def test_get_endpoint(mlflow_client, url, name):
    kind, provider, model = ENDPOINTS[name]
    endpoint = mlflow_client.get_endpoint(name)
    assert (endpoint.name, endpoint.endpoint_type) == (name, kind)
    assert (endpoint.model.provider, endpoint.model.name) == (provider, model)
    assert endpoint.endpoint_url == f"{url}/gateway/{name}/invocations"
    assert endpoint.limit is None


def test_list_endpoints_shows_exactly_what_one_may_call(mlflow_client, admin, backend, lasting):
    admin.endpoint("nobody-may", backend, backend.model, everyone=False)
    admin.endpoint("all-may", backend, backend.model)
    names = [e.name for e in mlflow_client.list_endpoints()]
    assert sorted(names) == sorted([*TABLE, "practice", "all-may", *lasting.made])


def asked(row):
    """A question that the endpoint's provider can answer, by MLflow's rules."""
    provider, kind = row["Provider"], row["Type"]
    if kind == "chat":
        return MESSAGES if provider == "palm" else {**MESSAGES, "max_tokens": 200}  # PaLM takes no limit
    if kind == "completions":
        return {"prompt": "Say this", "max_tokens": 200}
    if provider == "togetherai":  # MLflow leaves its model to the client
        return {"input": ["one", "two words"], "model": row["Model"]}
    return {"input": ["one", "two words"]}


@pytest.mark.parametrize("name", TABLE)
def test_every_endpoint(mlflow_client, name):
    """Every provider in every type: found as it was made, and answered."""
    row = TABLE[name]
    endpoint = mlflow_client.get_endpoint(name)
    assert endpoint.endpoint_type == "llm/v1/" + row["Type"]
    assert (endpoint.model.provider, endpoint.model.name) == (row["Provider"], row["Model"])
    try:
        reply = mlflow_client.predict(endpoint=name, inputs=asked(row))
    except requests.exceptions.HTTPError as e:
        # The types that MLflow's own providers lack.
        assert (e.response.status_code, row["Type"]) == (501, "completions"), e.response.text
        assert "The completions route is not implemented" in e.response.json()["detail"]
        return
    if row["Type"] == "embeddings":
        first, second = (d["embedding"] for d in reply["data"])
        assert reply["object"] == "list" and len(first) == len(second) > 1 and first != second
        return
    [choice] = reply["choices"]
    text = choice["message"]["content"] if row["Type"] == "chat" else choice["text"]
    _, heard, said = text.partition(" stand-in heard: ")
    # MosaicML's models get the chat as one prompt.
    assert heard and ("Tell me a joke" if row["Type"] == "chat" else "Say this") in said
    assert reply["object"] == {"chat": "chat.completion", "completions": "text_completion"}[row["Type"]]


@pytest.mark.parametrize("path", ["/gateway/{}/mlflow/invocations", "/gateway/mlflow/v1/chat/completions"])
def test_newer_routes(url, target, path):
    """The query routes of MLflow 3's gateway, with the token as MLflow sends it."""
    body = {**MESSAGES, "max_tokens": 200}
    if "{}" not in path:
        body["model"] = target.endpoint
    reply = requests.post(
        url + path.format(target.endpoint),
        json=body,
        headers={"Authorization": "Bearer " + TOKEN},
        verify=os.environ["SLUICE_CA"],
        timeout=10,
    )
    assert reply.status_code == 200, reply.text
    assert reply.json()["choices"][0]["message"]["content"] == target.heard("Tell me a joke")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_openai_sdk_at_the_newer_route(make_openai, target, stream):
    """MLflow 3 says: point OpenAI's SDK at /gateway/mlflow/v1."""
    client = make_openai(path="/gateway/mlflow/v1")
    reply = client.chat.completions.create(model=target.endpoint, max_tokens=200, stream=stream, **MESSAGES)
    if stream:
        text = "".join(c.choices[0].delta.content or "" for c in reply if c.choices)
    else:
        text = reply.choices[0].message.content
    assert text == target.heard("Tell me a joke")


@pytest.mark.parametrize("root", ["openai", "anthropic", "gemini"])
def test_pass_through_routes(make_openai, make_anthropic, make_gemini, backend, root):
    if root == "openai":
        reply = make_openai(path="/gateway/openai/v1").chat.completions.create(model=backend.endpoint, **MESSAGES)
        text = reply.choices[0].message.content
    elif root == "anthropic":
        client = make_anthropic(path="/gateway/anthropic", default_headers={"anthropic-version": "2023-06-01"})
        text = client.messages.create(model=backend.endpoint, max_tokens=100, **MESSAGES).content[0].text
    else:
        client = make_gemini(path="/gateway/gemini")
        text = client.models.generate_content(model=backend.endpoint, contents="Tell me a joke").text
    assert text == backend.heard("Tell me a joke")


def failure(call):
    """The HTTP reply that made a call of MLflow's client fail."""
    with pytest.raises(requests.exceptions.HTTPError) as caught:
        call()
    return caught.value.response


def test_wrong_name(mlflow_client):
    reply = failure(lambda: mlflow_client.predict(endpoint="nowhere", inputs=MESSAGES))
    assert (reply.status_code, "detail" in reply.json()) == (404, True)
    reply = failure(lambda: mlflow_client.get_endpoint("nowhere"))
    assert reply.status_code == 404
    assert reply.json()["detail"] == (
        "The endpoint 'nowhere' is not present or active on the server. Please verify the endpoint name."
    )


def test_wrong_token(mlflow_client, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "slu_wrong")
    for call in (
        lambda: mlflow_client.predict(endpoint="chat-openai", inputs=MESSAGES),
        lambda: mlflow_client.get_endpoint("chat-openai"),
        lambda: mlflow_client.list_endpoints(),
    ):
        reply = failure(call)
        assert (reply.status_code, "detail" in reply.json()) == (401, True)


def test_token_as_password(mlflow_client, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_TOKEN")
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "anybody")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", os.environ["SLUICE_TOKEN"])
    assert mlflow_client.predict(endpoint="practice", inputs=MESSAGES)["object"] == "chat.completion"


def test_denied(mlflow_client, admin, backend):
    name = admin.endpoint("nobody-may", backend, backend.model, everyone=False)
    assert failure(lambda: mlflow_client.predict(endpoint=name, inputs=MESSAGES)).status_code == 403
    assert failure(lambda: mlflow_client.get_endpoint(name)).status_code == 404


@pytest.mark.parametrize(
    "inputs, where, kind",
    [
        ({}, ["body", "messages"], "missing"),
        ({**MESSAGES, "temperature": 2.5}, ["body", "temperature"], "less_than_equal"),
        ({**MESSAGES, "n": 0}, ["body", "n"], "greater_than_equal"),
    ],
)
def test_422(mlflow_client, backend, inputs, where, kind):
    reply = failure(lambda: mlflow_client.predict(endpoint=backend.endpoint, inputs=inputs))
    assert reply.status_code == 422
    [detail] = reply.json()["detail"]
    assert (detail["loc"], detail["type"]) == (where, kind)


def test_422_model(mlflow_client, backend):
    reply = failure(lambda: mlflow_client.predict(endpoint=backend.endpoint, inputs={**MESSAGES, "model": "other"}))
    assert (reply.status_code, reply.json()) == (
        422,
        {
            "detail": "The parameter 'model' is not permitted to be passed. The route being queried already "
            "defines a model instance."
        },
    )


@pytest.mark.parametrize("status", [400, 429, 500])
def test_provider_failure(mlflow_client, admin, backend, status):
    name = admin.endpoint(f"fails-{status}", backend, f"fault-{status}")
    reply = failure(lambda: mlflow_client.predict(endpoint=name, inputs=MESSAGES))
    assert (reply.status_code, "detail" in reply.json()) == (status, True)
    assert reply.headers.get("Retry-After") == ("1" if status == 429 else None)


def test_retry_after_is_honoured(mlflow_client, admin, backend, monkeypatch):
    """MLflow's own retries wait as long as the provider said, not four seconds."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    name = admin.endpoint("limited", backend, "fault-429")
    assert failure(lambda: mlflow_client.predict(endpoint=name, inputs=MESSAGES)).status_code == 429


def test_stranger_ca_is_refused(url, tmp_path):
    """Without the gateway's CA the client does not talk to it."""
    code = (
        "from mlflow.deployments import get_deploy_client\n"
        f"get_deploy_client({url!r}).list_endpoints()\n"
    )
    env = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_SERVER_CERT_PATH"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "CERTIFICATE_VERIFY_FAILED" in done.stderr


def test_prefix(url):
    """All of MLflow's paths are there again under /mlflow-deployments."""
    from mlflow.deployments import get_deploy_client

    client = get_deploy_client(url + "/mlflow-deployments")
    assert client.get_endpoint("practice").endpoint_type == "llm/v1/chat"
    assert client.predict(endpoint="practice", inputs=MESSAGES)["object"] == "chat.completion"


def test_non_ascii(mlflow_client, backend):
    text = "Grüße, 世界 🌊"
    messages = [{"role": "user", "content": text}]
    reply = mlflow_client.predict(endpoint=backend.endpoint, inputs={"messages": messages})
    assert reply["choices"][0]["message"]["content"] == backend.heard(text)


def test_image(mlflow_client, backend):
    data = base64.b64encode(b"\x89PNG not really").decode()
    content = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}},
    ]
    reply = mlflow_client.predict(
        endpoint=backend.endpoint, inputs={"messages": [{"role": "user", "content": content}]}
    )
    assert reply["choices"][0]["message"]["content"] == backend.heard("What is this? (1 image)")
