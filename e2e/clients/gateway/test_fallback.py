"""An endpoint whose first target fails: every SDK gets its answer with one call."""

import pytest
from targets import ANTHROPIC, BEDROCK, COHERE, GEMINI, OPENAI

TURNS = [(OPENAI, ANTHROPIC), (ANTHROPIC, GEMINI), (GEMINI, BEDROCK), (BEDROCK, COHERE), (COHERE, OPENAI)]
FAILURES = ["fault-500", "fault-reset-head", "fault-401"]


@pytest.fixture(params=TURNS, ids=lambda t: f"{t[0].provider}-then-{t[1].provider}")
def fallback(request, admin):
    """An endpoint whose first targets fail, and the backend that answers."""
    first, second = request.param
    name = admin.endpoint(f"{first.provider}-then-{second.provider}", first, first.model)
    admin.targets(name, *[(first, model) for model in FAILURES], (second, second.model))
    return name, second


def answered_last(admin, exchange):
    outcome = admin.outcome(exchange)
    assert (outcome["result"], outcome["target"]) == ("answered", f"t{len(FAILURES)}")
    assert len(outcome["attempts"]) == len(FAILURES) + 1
    return True


def test_openai(sdk, admin, fallback):
    name, second = fallback
    messages = [{"role": "user", "content": "hi"}]
    reply = sdk.chat.completions.create(model=name, messages=messages)
    assert reply.choices[0].message.content == second.heard("hi")
    assert answered_last(admin, reply._request_id)
    chunks = list(sdk.chat.completions.create(model=name, messages=messages, stream=True))
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == second.heard("hi")


def test_responses(sdk, admin, fallback):
    name, second = fallback
    reply = sdk.responses.create(model=name, input="hi")
    assert reply.output_text == second.heard("hi") and answered_last(admin, reply._request_id)
    with sdk.responses.stream(model=name, input="hi") as stream:
        assert stream.get_final_response().output_text == second.heard("hi")


def test_anthropic(make_anthropic, admin, fallback):
    name, second = fallback
    client = make_anthropic(default_headers={"anthropic-version": "2023-06-01"})
    ask = {"model": name, "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]}
    reply = client.messages.create(**ask)
    assert reply.content[0].text == second.heard("hi")
    assert answered_last(admin, reply._request_id)
    with client.messages.stream(**ask) as stream:
        assert stream.get_final_message().content[0].text == second.heard("hi")


def test_google(make_gemini, admin, fallback):
    name, second = fallback
    models = make_gemini().models
    assert models.generate_content(model=name, contents="hi").text == second.heard("hi")
    chunks = list(models.generate_content_stream(model=name, contents="hi"))
    assert "".join(c.text or "" for c in chunks) == second.heard("hi")
    assert answered_last(admin, chunks[0].sdk_http_response.headers["x-request-id"])


def test_mlflow(mlflow_client, fallback):
    name, second = fallback
    reply = mlflow_client.predict(endpoint=name, inputs={"messages": [{"role": "user", "content": "hi"}]})
    assert reply["choices"][0]["message"]["content"] == second.heard("hi")
    assert reply["provider"] == second.provider
