"""Writes mlflow.jsonl: what MLflow's own Anthropic provider makes of requests,
replies and streams, with the clock at 1700000000.

    pip install 'mlflow[gateway]==3.17.2' && python generate.py > mlflow.jsonl

Each line: {"name", "kind", "in", "want"} or {..., "status", "detail"} for a refusal.
Kinds: chat, completions ("in" is the payload after MLflow's validation, "want"
the request to Anthropic); chat_reply, completions_reply ("in" Anthropic's
reply); chat_stream ("in" Anthropic's events, "want" MLflow's chunks).
"""
import asyncio, copy, json, sys
from unittest import mock

from fastapi.encoders import jsonable_encoder
from mlflow.gateway.config import EndpointConfig
from mlflow.gateway.exceptions import AIGatewayException
from mlflow.gateway.providers import anthropic as provider
from mlflow.gateway.schemas import chat, completions

CONFIG = EndpointConfig(**{
    "name": "e", "endpoint_type": "llm/v1/chat",
    "model": {"provider": "anthropic", "name": "claude-x", "config": {"anthropic_api_key": "key"}},
})
ADAPTER = provider.AnthropicAdapter


def user(text="hi"):
    return [{"role": "user", "content": text}]


def function(name="f", **more):
    return {"type": "function", "function": {"name": name, "description": "d", "parameters": {
        "type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}, **more}}


def schema(value, **more):
    return {"messages": user(), "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": value, **more}}}


OBJECT = {"type": "object", "properties": {"z": {"type": "string"}, "a": {"type": "integer"}}, "required": ["z"]}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": "x", "b": [1, 2.5]}'}}

CHAT = {
    "plain": {"messages": user()},
    "escapes": {"messages": user('<b>&amp; "quoted" \\ \u2028 \U0001f600 \x7f\ttab')},
    "n 1": {"messages": user(), "n": 1},
    "n 2": {"messages": user(), "n": 2},
    "temperature 0": {"messages": user(), "temperature": 0},
    "temperature 0.7": {"messages": user(), "temperature": 0.7},
    "temperature 2": {"messages": user(), "temperature": 2},
    "temperature and top_p": {"messages": user(), "temperature": 1, "top_p": 0.5},
    "top_p": {"messages": user(), "top_p": 0.1},
    "max_tokens": {"messages": user(), "max_tokens": 5},
    "max_completion_tokens": {"messages": user(), "max_completion_tokens": 6},
    "both limits": {"messages": user(), "max_tokens": 5, "max_completion_tokens": 6},
    "most tokens": {"messages": user(), "max_tokens": 1000000},
    "too many tokens": {"messages": user(), "max_tokens": 1000001},
    "too many completion tokens": {"messages": user(), "max_completion_tokens": 1000001},
    "stop": {"messages": user(), "stop": ["a", "\n"]},
    "extras": {"messages": user(), "top_k": 4, "seed": 7, "presence_penalty": 0.5, "metadata": {"user_id": "u"}, "stream": True},
    "stream false": {"messages": user(), "stream": False},
    "stream options": {"messages": user(), "stream": True, "stream_options": {"include_usage": True}},
    "model": {"messages": user(), "model": "other"},
    "system first": {"messages": [{"role": "system", "content": "a"}] + user()},
    "systems": {"messages": [{"role": "system", "content": "a"}] + user() + [{"role": "system", "content": "b \"q\" \n"}]},
    "system empty": {"messages": [{"role": "system", "content": ""}] + user()},
    "system field": {"messages": user(), "system": "mine"},
    "system field and message": {"messages": [{"role": "system", "content": "a"}] + user(), "system": "mine"},
    "system field and json": {"messages": user(), "system": "mine", "response_format": {"type": "json_object"}},
    "other roles": {"messages": user() + [{"role": "developer", "content": "d"}, {"role": "function", "content": "f"}]},
    "no content": {"messages": [{"role": "user"}, {"role": "assistant"}]},
    "text parts": {"messages": user([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}])},
    "image data": {"messages": user([{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"}}])},
    "image url": {"messages": user([{"type": "image_url", "image_url": {"url": "https://example.com/a.png?x=\"1\""}}])},
    "image charset": {"messages": user([{"type": "image_url", "image_url": {"url": "data:image/png;charset=x;base64,AA=="}}])},
    "image no type": {"messages": user([{"type": "image_url", "image_url": {"url": "data:;base64,AA=="}}])},
    "audio part": {"messages": user([{"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}])},
    "user with refusal": {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}], "refusal": "no", "tool_call_id": "x"}]},
    "assistant parts": {"messages": user() + [{"role": "assistant", "content": [{"type": "text", "text": "a"}]}]},
    "tool call": {"messages": user() + [{"role": "assistant", "content": "lost", "tool_calls": [CALL]}, {"role": "tool", "tool_call_id": "c1", "content": "r"}]},
    "tool calls": {"messages": user() + [{"role": "assistant", "tool_calls": [CALL, dict(CALL, id="c2")]},
                                          {"role": "tool", "tool_call_id": "c1", "content": "r"}, {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "p"}]}]},
    "no tool calls": {"messages": user() + [{"role": "assistant", "content": "kept?", "tool_calls": []}]},
    "arguments list": {"messages": user() + [{"role": "assistant", "tool_calls": [dict(CALL, function={"name": "f", "arguments": "[1]"})]}]},
    "tools": {"messages": user(), "tools": [function(), function("g", strict=True)]},
    "tools empty": {"messages": user(), "tools": []},
    "uc function": {"messages": user(), "tools": [{"type": "uc_function", "uc_function": {"name": "a.b.c"}}]},
    **{f"tool choice {c}": {"messages": user(), "tools": [function()], "tool_choice": c} for c in ("none", "auto", "required")},
    "tool choice function": {"messages": user(), "tools": [function()], "tool_choice": {"type": "function", "function": {"name": "f"}}},
    "tool choice alone": {"messages": user(), "tool_choice": "auto"},
    "text format": {"messages": user(), "response_format": {"type": "text"}},
    "json object": {"messages": user(), "response_format": {"type": "json_object"}},
    "json object and system": {"messages": [{"role": "system", "content": "s"}] + user(), "response_format": {"type": "json_object"}},
    "json schema": schema(OBJECT),
    "json schema open": schema({**OBJECT, "additionalProperties": True}),
    "json schema nested": schema({"type": "object", "properties": {"o": OBJECT, "l": {"type": "array", "items": OBJECT},
                                  "u": {"anyOf": [OBJECT, {"type": "null"}]}}, "$defs": {"d": OBJECT}}),
    "json schema free": schema({"type": "object"}),
    "json schema free within": schema({"type": "object", "properties": {"o": {"type": "object", "additionalProperties": {"type": "string"}}}}),
    "json schema named type": schema({"type": "object", "properties": {"type": {"type": "string"}, "properties": {"type": "string"}}}),
    "json schema lists": schema({"type": "object", "properties": {"e": {"enum": [1, "a", None, {"x": [1]}, [2]]}}}),
    "json schema scalar": schema({"type": "string"}),
    "json schema empty": schema({}),
    "json schema missing": {"messages": user(), "response_format": {"type": "json_schema"}},
}

COMPLETIONS = {
    "plain": {"prompt": "hi"},
    "all": {"prompt": "hi", "max_tokens": 3, "stop": ["x"], "temperature": 1.5, "top_k": 3, "n": 1},
    "human": {"prompt": "Human: hi"},
    "wrapped": {"prompt": "\n\nHuman: hi\n\nAssistant:"},
    "answer begun": {"prompt": "hi\n\nAssistant:"},
    "empty": {"prompt": ""},
    "escapes": {"prompt": 'a "b" \n \u00e9 <x>'},
    "top_p": {"prompt": "hi", "top_p": 0.3},
    "n 3": {"prompt": "hi", "n": 3},
    "too many tokens": {"prompt": "hi", "max_tokens": 1000001},
    "model": {"prompt": "hi", "model": "m"},
    "stream false": {"prompt": "hi", "stream": False},
    "max_completion_tokens": {"prompt": "hi", "max_completion_tokens": 9},
}


def message(content, stop="end_turn", usage=None, **more):
    return {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-y", "content": content,
            "stop_reason": stop, "stop_sequence": None, "usage": usage or {"input_tokens": 3, "output_tokens": 4}, **more}


def text(value):
    return {"type": "text", "text": value}


def tool(value, id="t1", name="f"):
    return {"type": "tool_use", "id": id, "name": name, "input": value}


REPLIES = {
    "text": message([text("a")]),
    "texts": message([text("a\n"), text(""), text("\u00e9\"<&>")]),
    "empty": message([]),
    "empty text": message([text("")]),
    "thinking": message([{"type": "thinking", "thinking": "hm ", "signature": "s"}, text("a")]),
    "tool": message([tool({"a": 1})], "tool_use"),
    "text and tools": message([text("a"), tool({}), tool({"x": []}, "t2", "g")], "tool_use"),
    "arguments": message([tool({"s": "\u00e9\U0001f600\"\\/\b\f\n\r\t\x01\x7f\u2028", "i": 12345678901234567890, "n": -1, "z": 0,
                                "f": [1.0, 0.1, 1e16, 1e15, 123456789.125, 1e-4, 1e-5, 1.5e300, -2.5, 0.0, -0.0, 1e22], "t": True, "x": None,
                                "o": {"b": {"a": []}}})], "tool_use"),
    **{f"stop {s}": message([text("a")], s) for s in ("max_tokens", "stop_sequence", "tool_use", "refusal", "pause_turn", "new")},
    "cache": message([text("a")], usage={"input_tokens": 1, "output_tokens": 2, "cache_read_input_tokens": 3, "cache_creation_input_tokens": 4}),
    "cache null": message([text("a")], usage={"input_tokens": 1, "output_tokens": 2, "cache_read_input_tokens": None, "cache_creation_input_tokens": None}),
    "cache zero": message([text("a")], usage={"input_tokens": 1, "output_tokens": 2, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0}),
    "usage extras": message([text("a")], usage={"service_tier": "standard", "input_tokens": 1, "cache_creation": {"ephemeral_5m_input_tokens": 0},
                                                  "output_tokens": 2, "cache_creation_input_tokens": 5, "server_tool_use": None}),
    "usage empty": message([text("a")], usage={"x": 1}),
}

COMPLETION_REPLIES = {s: {"completion": ' Hello "you" \u00e9', "stop_reason": s, "model": "claude-2", "truncated": False, "stop": None, "log_id": "l"}
                      for s in ("stop_sequence", "max_tokens")}


def start(**usage):
    return {"type": "message_start", "message": message([], None, usage or {"input_tokens": 3, "output_tokens": 1})}


def block(i, b):
    return {"type": "content_block_start", "index": i, "content_block": b}


def delta(i, **d):
    return {"type": "content_block_delta", "index": i, "delta": d}


def end(stop="end_turn", **usage):
    return [{"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": None}, "usage": usage or {"output_tokens": 9}},
            {"type": "message_stop"}]


def halt(i):
    return {"type": "content_block_stop", "index": i}


HELLO = [block(0, text("")), {"type": "ping"}, delta(0, type="text_delta", text="Hel"), delta(0, type="text_delta", text="lo \u00e9\n"), halt(0)]
TOOLS = [block(1, tool({}, "t1", "f")), delta(1, type="input_json_delta", partial_json=""), delta(1, type="input_json_delta", partial_json='{"a": "'),
         delta(1, type="input_json_delta", partial_json='x"}'), halt(1), block(2, tool({}, "t2", "g")), delta(2, type="input_json_delta", partial_json="{}"), halt(2)]
STREAMS = {
    "text": [start(), *HELLO, *end()],
    "empty": [start(), *end()],
    "tools": [start(), *HELLO, *TOOLS, *end("tool_use")],
    "thinking": [start(), block(0, {"type": "thinking", "thinking": "", "signature": ""}), delta(0, type="thinking_delta", thinking="hm"),
                 delta(0, type="signature_delta", signature="s"), halt(0), block(1, text("")), delta(1, type="text_delta", text="a"), halt(1), *end("max_tokens")],
    "cache": [start(input_tokens=1, output_tokens=1, cache_read_input_tokens=2, cache_creation_input_tokens=3), *HELLO, *end()],
    "cache null": [start(input_tokens=1, output_tokens=1, cache_read_input_tokens=None, service_tier="standard"), *HELLO, *end()],
    "delta repeats input": [start(input_tokens=1, output_tokens=1), *HELLO, *end("end_turn", output_tokens=4, input_tokens=100, cache_read_input_tokens=7)],
    "two deltas": [start(), *HELLO, {"type": "message_delta", "delta": {"stop_reason": None}, "usage": {"output_tokens": 2}}, *end("refusal")],
    "unknown events": [start(), {"type": "news", "index": 0}, *HELLO, *end()],
}


def encoded(payload):
    return jsonable_encoder(payload, exclude_none=True)


def request(kind, schema, convert, name, body):
    case = {"name": name, "kind": kind, "in": encoded(schema(**copy.deepcopy(body)))}
    payload = copy.deepcopy(case["in"])
    try:
        provider.AnthropicProvider.check_for_model_field(payload)
        case["want"] = convert(payload, CONFIG)
    except Exception as e:
        if not hasattr(e, "status_code"):
            raise
        case["status"], case["detail"] = e.status_code, e.detail
    return case


def reply(kind, convert, name, body):
    out = convert(copy.deepcopy(body), CONFIG)
    if hasattr(out, "provider"):
        out.provider = "anthropic"
    return {"name": name, "kind": kind, "in": body, "want": jsonable_encoder(out)}


async def stream(name, events):
    async def send(**_):
        for e in events:
            yield f"event: {e['type']}\n".encode()
            yield f"data: {json.dumps(e)}\n".encode()
            yield b"\n"
    chunks = []
    with mock.patch.object(provider, "send_stream_request", send):
        async for c in provider.AnthropicProvider(CONFIG)._chat_stream(chat.RequestPayload(messages=user())):
            c.provider = "anthropic"
            chunks.append(jsonable_encoder(c))
    return {"name": name, "kind": "chat_stream", "in": events, "want": chunks}


def main():
    cases = [request("chat", chat.RequestPayload, ADAPTER.chat_to_model, n, b) for n, b in CHAT.items()]
    cases += [request("completions", completions.RequestPayload, ADAPTER.completions_to_model, n, b) for n, b in COMPLETIONS.items()]
    cases += [reply("chat_reply", ADAPTER.model_to_chat, n, b) for n, b in REPLIES.items()]
    cases += [reply("completions_reply", ADAPTER.model_to_completions, n, b) for n, b in COMPLETION_REPLIES.items()]
    cases += [asyncio.run(stream(n, e)) for n, e in STREAMS.items()]
    for c in cases:
        sys.stdout.write(json.dumps(c, separators=(",", ":")) + "\n")


with mock.patch("time.time", lambda: 1700000000.0):
    main()
