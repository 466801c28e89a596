"""Streamed replies in the audit trail: what their events add up to is what the same call is answered with otherwise,
and the SDKs' own types take it for that."""

import json
import os

import anthropic.types
import google.genai.types
import mlflow.types.chat
import openai.types
import openai.types.chat
import openai.types.responses
import pytest
import requests

PARAMETERS = {"type": "object", "properties": {"location": {"type": "string"}}, "required": ["location"]}
FUNCTION = {"name": "get_weather", "description": "d", "parameters": PARAMETERS}
SAID = "What is the weather in Paris? Use é and \"quotes\"."
CHAT = {"messages": [{"role": "user", "content": SAID}], "max_tokens": 200}
OPENAI_TOOLS = {"tools": [{"type": "function", "function": FUNCTION}]}

# By dialect: path, body, what asks for tools, and the type that the message has.
CALLS = {
    "mlflow": ("/gateway/{e}/invocations", CHAT, OPENAI_TOOLS, mlflow.types.chat.ChatCompletionResponse),
    "openai": ("/v1/chat/completions", {"model": "{e}", **CHAT}, OPENAI_TOOLS, openai.types.chat.ChatCompletion),
    "responses": (
        "/v1/responses",
        {"model": "{e}", "input": SAID, "store": False},
        {"tools": [{"type": "function", "strict": False, **FUNCTION}]},
        openai.types.responses.Response,
    ),
    "anthropic": (
        "/anthropic/v1/messages",
        {"model": "{e}", **CHAT},
        {"tools": [{"name": "get_weather", "input_schema": PARAMETERS}]},
        anthropic.types.Message,
    ),
    "gemini": (
        "/gemini/v1beta/models/{e}:",
        {"contents": [{"role": "user", "parts": [{"text": SAID}]}]},
        {"tools": [{"functionDeclarations": [FUNCTION]}]},
        google.genai.types.GenerateContentResponse,
    ),
}

# What differs from call to call, and the tier, which not every stream tells.
FLEETING = {"id", "created", "created_at", "response_id", "call_id", "create_time", "completed_at", "system_fingerprint"}
FLEETING |= {"service_tier", "sdk_http_response"}


def plain(v, key=""):
    """A message without what differs from call to call, with arguments as what they say."""
    if isinstance(v, dict):
        return {k: plain(x, k) for k, x in v.items() if k not in FLEETING and x is not None and x != []}
    if isinstance(v, list):
        return [plain(x) for x in v]
    if key == "arguments":
        return json.loads(v)
    return v


def read(kind, message):
    """A message as the SDK's type has it."""
    if kind is openai.types.responses.Response:
        # Required by the type, and not sent by all servers.
        message["usage"]["input_tokens_details"].setdefault("cache_write_tokens", 0)
    return plain(kind.model_validate(message).model_dump())


def post(url, path, body, stream):
    if path.endswith(":"):
        path += "streamGenerateContent?alt=sse" if stream else "generateContent"
    elif stream:
        body = {**body, "stream": True}
        if "completions" in path:
            body["stream_options"] = {"include_usage": True}
    headers = {"Authorization": "Bearer " + os.environ["SLUICE_TOKEN"]}
    reply = requests.post(url + path, json=body, headers=headers, verify=os.environ["SLUICE_CA"], timeout=30)
    assert reply.status_code == 200, reply.text
    return reply


@pytest.mark.parametrize("tools", [False, True], ids=["text", "tools"])
@pytest.mark.parametrize("dialect", CALLS)
def test_streams_are_recorded_as_messages(url, format_of, admin, dialect, tools):
    path, body, offered, kind = CALLS[dialect]
    body = json.loads(json.dumps({**body, **(offered if tools else {})}).replace("{e}", format_of.endpoint))
    path = path.replace("{e}", format_of.endpoint)
    whole = post(url, path, body, stream=False).json()
    streamed = post(url, path, body, stream=True)
    record = admin.record(streamed.headers["x-request-id"])
    assert record["outcome"]["bodyForm"] == "message"
    message = json.loads(record["responseBody"])
    if (dialect, format_of.provider) == ("mlflow", "cohere"):
        # MLflow's own server tells Cohere's reason in streams only.
        message["choices"][0]["finish_reason"] = whole["choices"][0]["finish_reason"]
    assert read(kind, message) == read(kind, whole)
