"""Writes mlflow.jsonl: what MLflow's own Gemini and Vertex AI providers make of
requests, replies and streams, with the clock at 1700000000.

    pip install 'mlflow[gateway]==3.17.2' && python generate.py > mlflow.jsonl

Each line: {"name", "kind", "in", "want"} or {..., "status", "detail"} for a refusal.
Kinds: chat, completions, embeddings, vertex ("in" is the payload after MLflow's
validation, "want" the request to Gemini); chat_reply, completions_reply,
embeddings_reply ("in" Gemini's reply); chat_stream, completions_stream ("in"
Gemini's events, "want" MLflow's chunks).
"""
import asyncio, copy, json, sys
from unittest import mock

from fastapi.encoders import jsonable_encoder
from mlflow.gateway.config import EndpointConfig
from mlflow.gateway.providers import gemini as provider
from mlflow.gateway.providers.vertex_ai import _VertexGeminiAdapter
from mlflow.gateway.schemas import chat, completions, embeddings

CONFIG = EndpointConfig(**{
    "name": "e", "endpoint_type": "llm/v1/chat",
    "model": {"provider": "gemini", "name": "gemini-x", "config": {"gemini_api_key": "key"}},
})
ADAPTER = provider.GeminiAdapter


def user(text="hi"):
    return [{"role": "user", "content": text}]


def function(name="f", **more):
    return {"type": "function", "function": {"name": name, "description": "d", "parameters": {
        "type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}, **more}}


def call(id="c1", name="f", arguments='{"a": "x", "b": [1, 2.5]}', **more):
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}, **more}


def result(content, id="c1"):
    return {"role": "tool", "tool_call_id": id, "content": content}


def after(*messages, calls=None):
    return {"messages": user() + [{"role": "assistant", "tool_calls": calls or [call()]}] + list(messages)}


CHAT = {
    "plain": {"messages": user()},
    "escapes": {"messages": user('<b>&amp; "quoted" \\ \u2028 \U0001f600 \x7f\ttab')},
    "all sampling": {"messages": user(), "n": 2, "stop": ["a", "\n"], "max_tokens": 5, "temperature": 1.5, "top_p": 0.5, "top_k": 3,
                      "frequency_penalty": 0.5, "presence_penalty": -1},
    "max_completion_tokens": {"messages": user(), "max_completion_tokens": 6},
    "both limits": {"messages": user(), "max_tokens": 5, "max_completion_tokens": 6},
    "dropped": {"messages": user(), "seed": 7, "stream": True, "stream_options": {"include_usage": True}, "user": "u", "logprobs": True},
    "model": {"messages": user(), "model": "other"},
    **{f"native {k}": {"messages": user(), k: v} for k, v in (("stopSequences", ["x"]), ("candidateCount", 1), ("maxOutputTokens", 4),
        ("topK", 2), ("topP", 0.5), ("frequencyPenalty", 1), ("presencePenalty", 1))},
    "temperature only is native too": {"messages": user(), "temperature": 0},
    "system": {"messages": [{"role": "system", "content": "a"}] + user()},
    "systems": {"messages": [{"role": "system", "content": "a"}] + user() + [{"role": "system", "content": "b \"q\""}]},
    "system empty": {"messages": [{"role": "system", "content": ""}] + user()},
    "only system": {"messages": [{"role": "system", "content": "a"}]},
    "other roles": {"messages": user() + [{"role": "developer", "content": "d"}, {"role": "function", "content": "f"}]},
    "turns": {"messages": user() + [{"role": "assistant", "content": "a"}] + user("b")},
    "turns twice": {"messages": user() + user("b") + [{"role": "assistant", "content": "a"}, {"role": "assistant", "content": "c"}]},
    "parts": {"messages": user([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}])},
    "no parts": {"messages": user([])},
    "image data": {"messages": user([{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"}}])},
    "image url": {"messages": user([{"type": "image_url", "image_url": {"url": "https://example.com/a.png?x=\"1\""}}])},
    "image charset": {"messages": user([{"type": "image_url", "image_url": {"url": "data:image/png;charset=x;base64,AA=="}}])},
    "audio": {"messages": user([{"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}])},
    "assistant parts": {"messages": user() + [{"role": "assistant", "content": [{"type": "text", "text": "a"}]}]},
    "tool": after(result("r")),
    "tool object": after(result(' {"a": [1, {"b": null}]} ')),
    "tool list": after(result("[1, 2]")),
    "tool number": after(result("3.5")),
    "tool string": after(result('"s"')),
    "tool null": after(result("null")),
    "tool empty": after(result("")),
    "tool parts": after(result([{"type": "text", "text": "p"}])),
    "tools parallel": after(result("1"), result("2", "c2"), calls=[call(), call("c2", "g")]),
    "tools parallel and user": after(result("1"), result("2", "c2"), *user("go on"), calls=[call(), call("c2", "g")]),
    "tool between": after(result("1"), *user("u"), result("2", "c2"), calls=[call(), call("c2", "g")]),
    "tool after empty": {"messages": user() + [{"role": "assistant", "tool_calls": [call()]}] + user([]) + [result("1")]},
    "tool text lost": {"messages": user() + [{"role": "assistant", "content": "lost", "tool_calls": [call()]}, result("r")]},
    "no calls": {"messages": user() + [{"role": "assistant", "content": "kept", "tool_calls": []}]},
    "signature": after(result("r"), calls=[call(thought_signature="sig"), call("c2", "g")]),
    "signature again": {"messages": after(result("r"), calls=[call(thought_signature="sig")])["messages"] + [{"role": "assistant", "tool_calls": [call()]}, result("s")]},
    "arguments list": after(result("r"), calls=[call(arguments="[1]")]),
    "tool unknown": {"messages": user() + [result("r", "nope")]},
    "tool without id": {"messages": user() + [{"role": "tool", "content": "r"}]},
    "tools": {"messages": user(), "tools": [function(), function("g", strict=True)]},
    "tools empty": {"messages": user(), "tools": []},
    "uc function": {"messages": user(), "tools": [{"type": "uc_function", "uc_function": {"name": "a.b.c"}}]},
    **{f"tool choice {c}": {"messages": user(), "tools": [function()], "tool_choice": c} for c in ("none", "auto", "required")},
    "tool choice function": {"messages": user(), "tools": [function()], "tool_choice": {"type": "function", "function": {"name": "f"}}},
    "tool choice alone": {"messages": user(), "tool_choice": "required"},
    "text format": {"messages": user(), "response_format": {"type": "text"}},
    "json object": {"messages": user(), "response_format": {"type": "json_object"}},
    "json schema": {"messages": user(), "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object", "properties": {"z": {"type": "string"}}}}}},
    "json schema missing": {"messages": user(), "response_format": {"type": "json_schema"}},
}

COMPLETIONS = {
    "plain": {"prompt": "hi"},
    "all": {"prompt": "hi", "max_tokens": 3, "stop": ["x"], "temperature": 1.5, "top_k": 3, "n": 2, "seed": 1},
    "system_prompt": {"prompt": "hi", "system_prompt": "be \"brief\""},
    "system_prompt empty": {"prompt": "hi", "system_prompt": ""},
    "native": {"prompt": "hi", "topK": 3},
    "model": {"prompt": "hi", "model": "m"},
    "max_completion_tokens": {"prompt": "hi", "max_completion_tokens": 9},
    "json": {"prompt": "hi", "response_format": {"type": "json_object"}},
}

EMBEDDINGS = {"one": {"input": "a"}, "list of one": {"input": ["a"]}, "two": {"input": ["a", "b \"q\""]}, "extras": {"input": "a", "dimensions": 3},
              "model": {"input": "a", "model": "m"}}


def reply(parts=None, finish="STOP", usage=None, **more):
    candidate = {**({"content": {"parts": parts, "role": "model"}} if parts is not None else {}), **({"finishReason": finish} if finish != "-" else {}), **more}
    return {"candidates": [candidate], **({"usageMetadata": usage} if usage is not None else {})}


def text(value, **more):
    return {"text": value, **more}


def fc(args, name="f", id=None, sig=None, inside=None):
    body = {"name": name, "args": args, **({"id": id} if id else {}), **({"thoughtSignature": inside} if inside else {})}
    return {"functionCall": body, **({"thoughtSignature": sig} if sig else {})}


USAGE = {"promptTokenCount": 6, "candidatesTokenCount": 12, "totalTokenCount": 18}
MANY = {"s": "\u00e9\U0001f600\"\\/\b\f\n\r\t\x01\x7f\u2028", "i": 12345678901234567890, "n": -1, "z": 0, "f": [1.0, 0.1, 1e16, 1e-5, -2.5, 0.0], "t": True, "x": None,
        "o": {"b": {"a": []}}}
REPLIES = {
    "text": reply([text("a")], usage=USAGE),
    "texts": reply([text("a\n"), text("b")], usage=USAGE),
    "thought first": reply([text("hm", thought=True), text("a")]),
    "empty text": reply([text("")]),
    "no parts": reply([]),
    "no content": reply(finish="SAFETY"),
    "no candidates": {"candidates": [], "usageMetadata": USAGE},
    "blocked": {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 3, "totalTokenCount": 3}},
    "two": {"candidates": [reply([text("a")])["candidates"][0], reply([], "SAFETY")["candidates"][0], reply([text("b")], "MAX_TOKENS")["candidates"][0]], "usageMetadata": USAGE},
    **{f"finish {f}": reply([text("a")], f) for f in ("STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "OTHER", "MALFORMED_FUNCTION_CALL", "", None, "-", "stop")},
    "call": reply([fc({"location": "Singapore"})]),
    "call with id": reply([fc({}, id="x1")]),
    "calls and text": reply([text("look "), fc({}), text("up"), fc({"x": []}, "g", sig="s")]),
    "call arguments": reply([fc(MANY)]),
    "call signatures": reply([fc({"a": 1}, sig="outer", inside="inner"), fc({"a": 2}, inside="inner")]),
    "call cut": reply([fc({"a": 1})], "MAX_TOKENS"),
    "usage": reply([text("a")], usage={**USAGE, "cachedContentTokenCount": 2, "thoughtsTokenCount": 4, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 6}]}),
    "usage first": reply([text("a")], usage={"thoughtsTokenCount": 4, "cachedContentTokenCount": 0, "promptTokenCount": 1}),
    "usage empty": reply([text("a")], usage={}),
}
EMBEDDING_REPLIES = {"one": {"embedding": {"values": [0.1, -0.25, 1e-7]}}, "two": {"embeddings": [{"values": [0.5]}, {"values": [3, -1]}]}}

STREAMS = {
    "text": [reply([text("a")], None), reply([text("b")], usage=USAGE)],
    "no finish key": [reply([text("a")], "-"), reply([text("b")], usage=USAGE)],
    "finish in each": [reply([text("a")], usage=USAGE), reply([text("b")], usage=USAGE)],
    "empty end": [reply([text("a")], "-"), reply(finish="STOP", usage=USAGE)],
    "calls": [reply([text("look")], "-"), reply([fc({"a": 1}, sig="s")], "-"), reply([fc({"a": 1}), fc({}, "g", id="i")], "-"), reply([text("")], usage=USAGE)],
    "call at end": [reply([text("look "), fc({"a": 1})], "STOP", usage=USAGE)],
    "two candidates": [{"candidates": [{**reply([text("b")], "-")["candidates"][0], "index": 1}]}, {"candidates": [{**reply([fc({})], "-")["candidates"][0], "index": 0}]},
                       {"candidates": [{**reply([text("c")])["candidates"][0], "index": 1}, {**reply([text("")])["candidates"][0], "index": 0}]}],
    "usage only": [reply([text("a")]), {"usageMetadata": {**USAGE, "thoughtsTokenCount": 1}}],
    "usage empty": [reply([text("a")], usage={})],
    "blocked": [{"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 3}}],
    "max tokens": [reply([text("a")], "MAX_TOKENS")],
    "thought": [reply([text("hm", thought=True)], "-"), reply([text("a")])],
}


def encoded(payload):
    return jsonable_encoder(payload, exclude_none=True)


def request(kind, schema, convert, name, body):
    case = {"name": name, "kind": kind, "in": encoded(schema(**copy.deepcopy(body)))}
    payload = copy.deepcopy(case["in"])
    try:
        provider.GeminiProvider.check_for_model_field(payload)
        case["want"] = convert(payload, CONFIG)
    except Exception as e:
        if not hasattr(e, "status_code"):
            raise
        case["status"], case["detail"] = e.status_code, e.detail
    return case


def answer(kind, convert, name, body):
    out = convert(copy.deepcopy(body), CONFIG)
    if hasattr(out, "provider"):
        out.provider = "gemini"
    return {"name": name, "kind": kind, "in": body, "want": json.loads(out.model_dump_json())}


async def stream(kind, method, payload, name, events):
    async def send(**_):
        for e in events:
            yield f"data: {json.dumps(e)}\r\n".encode()
            yield b"\r\n"
    chunks = []
    with mock.patch.object(provider, "send_stream_request", send):
        async for c in method(provider.GeminiProvider(CONFIG), payload):
            if hasattr(c, "provider"):
                c.provider = "gemini"
            chunks.append(json.loads(c.model_dump_json()))
    return {"name": name, "kind": kind, "in": events, "want": chunks}


def main():
    cases = [request("chat", chat.RequestPayload, ADAPTER.chat_to_model, n, b) for n, b in CHAT.items()]
    cases += [request("vertex", chat.RequestPayload, _VertexGeminiAdapter.chat_to_model, n, b) for n, b in CHAT.items() if n.startswith(("tool", "signature"))]
    cases += [request("completions", completions.RequestPayload, ADAPTER.completions_to_model, n, b) for n, b in COMPLETIONS.items()]
    cases += [request("embeddings", embeddings.RequestPayload, ADAPTER.embeddings_to_model, n, b) for n, b in EMBEDDINGS.items()]
    cases += [answer("chat_reply", ADAPTER.model_to_chat, n, b) for n, b in REPLIES.items()]
    cases += [answer("completions_reply", ADAPTER.model_to_completions, n, b) for n, b in REPLIES.items()]
    cases += [answer("embeddings_reply", ADAPTER.model_to_embeddings, n, b) for n, b in EMBEDDING_REPLIES.items()]
    for n, e in STREAMS.items():
        cases.append(asyncio.run(stream("chat_stream", provider.GeminiProvider._chat_stream, chat.RequestPayload(messages=user()), n, e)))
        if n != "two candidates":
            cases.append(asyncio.run(stream("completions_stream", provider.GeminiProvider._completions_stream, completions.RequestPayload(prompt="hi"), n, e)))
    for c in cases:
        sys.stdout.write(json.dumps(c, separators=(",", ":")) + "\n")


with mock.patch("time.time", lambda: 1700000000.0):
    main()
