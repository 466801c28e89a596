"""Holds what the clients.json files of the providers want against the types of
the vendors' own SDKs: requests to Cohere and Mistral against theirs, replies
and chunks for OpenAI's clients against OpenAI's, for Anthropic's against
Anthropic's.

    pip install cohere mistralai openai anthropic && python check.py
"""
import inspect, json, pathlib

import anthropic.types, openai.types, openai.types.chat, openai.types.responses
import cohere
from cohere.core.unchecked_base_model import construct_type
from mistralai.client.models import ChatCompletionRequest, EmbeddingRequest
from pydantic import TypeAdapter

HERE = pathlib.Path(__file__).parent.parent
EXTENSIONS = {"reasoning_content", "thinking_blocks"}  # our own, of OpenAI's messages
WHOLE = {("openai", "chat"): openai.types.chat.ChatCompletion, ("openai", "completions"): openai.types.Completion,
         ("openai", "embeddings"): openai.types.CreateEmbeddingResponse, ("anthropic", "chat"): anthropic.types.Message,
         ("openai-responses", "chat"): openai.types.responses.Response}
PIECE = {("openai", "chat"): openai.types.chat.ChatCompletionChunk, ("openai", "completions"): openai.types.Completion,
         ("anthropic", "chat"): anthropic.types.RawMessageStreamEvent, ("openai-responses", "chat"): openai.types.responses.ResponseStreamEvent}
failures, count = [], 0


def check(where, what, fn):
    global count
    count += 1
    try:
        fn()
    except Exception as e:
        failures.append(f"{where}: {what}: {type(e).__name__}: {str(e)[:400]}")


def lenient(kind, value):
    """Members that the vendors' own replies lack too are filled in."""
    if kind is openai.types.CreateEmbeddingResponse:
        value = {**value, "data": [{**d, "embedding": [0.0]} if isinstance(d["embedding"], str) else d for d in value["data"]]}
    if kind is openai.types.Completion:
        for c in value.get("choices", []):
            c["finish_reason"] = c.get("finish_reason") or "stop"  # the SDK's type has no null, OpenAI's chunks do
    TypeAdapter(kind).validate_python(value, strict=False)


def allowed(fn):
    return set(inspect.signature(fn).parameters) - {"self", "request_options"} | {"stream"}


def cohere_message(m):
    kinds = {"system": cohere.SystemChatMessageV2, "user": cohere.UserChatMessageV2, "assistant": cohere.AssistantChatMessageV2, "tool": cohere.ToolChatMessageV2}
    made = construct_type(type_=kinds[m["role"]], object_=m)
    extra = set(m) - set(type(made).model_fields)
    assert not extra, f"unknown members {extra} of a {m['role']} message"
    for part in m.get("content") or []:
        if isinstance(part, dict):
            assert set(part) == {"type", part["type"]}, part
    for call in m.get("tool_calls", []):
        cohere.ToolCallV2.model_validate(call)
        json.loads(call["function"]["arguments"])


def cohere_request(path, body):
    client = cohere.ClientV2
    unknown = set(body) - allowed(client.embed if path.endswith("/embed") else client.chat)
    assert not unknown, f"unknown members {unknown}"
    for m in body.get("messages", []):
        cohere_message(m)
    for tool in body.get("tools", []):
        cohere.ToolV2.model_validate(tool)
    if f := body.get("response_format"):
        cohere.JsonObjectResponseFormatV2.model_validate(f)
    if t := body.get("thinking"):
        cohere.Thinking.model_validate(t)
    assert body.get("tool_choice") in (None, "REQUIRED", "NONE")


def mistral_request(path, body):
    kind = EmbeddingRequest if path.endswith("/embeddings") else ChatCompletionRequest
    names = {f.alias or n for n, f in kind.model_fields.items()}
    assert not set(body) - names, f"unknown members {set(body) - names}"
    made = kind.model_validate(body)
    for m in getattr(made, "messages", []):
        for call in getattr(m, "tool_calls", None) or []:
            assert len(call.id) == 9, call.id
    for m in body.get("messages", []):
        assert set(m) <= {"role", "content", "tool_calls", "tool_call_id", "name", "prefix"}, m


REQUESTS = {"cohere": cohere_request, "mistral": mistral_request}
for folder in sorted(p.parent.parent.name for p in HERE.glob("*/testdata/clients.json")):
    for case in json.loads((HERE / folder / "testdata" / "clients.json").read_text()):
        where, key = f"{folder}: {case['name']}", (case["dialect"], case["op"])
        if folder in REQUESTS:
            for body in [case["upstream"]] if "upstream" in case else case.get("batch", []):
                check(where, "request", lambda: REQUESTS[folder](case["path"], body))
        if "reply" in case and "got" not in case and key in WHOLE:
            check(where, "reply", lambda: lenient(WHOLE[key], case["reply"]))
        for event in case.get("stream", []):
            data = [line[6:] for line in event.split("\n") if line.startswith("data: ")][0]
            if data != "[DONE]" and '"error":{' not in data and data != '{"type":"ping"}' and key in PIECE:
                check(where, "event", lambda: lenient(PIECE[key], json.loads(data)))

print(f"{count} checked, {len(failures)} wrong")
print("\n".join(failures))
raise SystemExit(bool(failures))
