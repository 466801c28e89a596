"""Writes what the tests hold the openai provider against.

    python -m venv /tmp/v && /tmp/v/bin/pip install mlflow-skinny==3.17.2 fastapi numpy
    /tmp/v/bin/python generate.py [mlflow-cases.json]

replies.jsonl: what MLflow's own OpenAIAdapter makes of many replies and
chunks. A line without "want" is one that MLflow fails on; the gateway must
only not fail as well.
cases.json: the cases of OpenAI-like providers, taken from mlflow-cases.json.
"""

import json
import pathlib
import sys

from fastapi.encoders import jsonable_encoder
from mlflow.gateway.providers.openai import OpenAIAdapter

HERE = pathlib.Path(__file__).parent
USAGES = [
    None, {}, {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    {"prompt_tokens": 1, "total_tokens": 3}, {"total_tokens": 3, "completion_tokens": 2, "prompt_tokens": 1, "x": None, "y": [1]},
    {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, "prompt_tokens_details": None},
    {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, "prompt_tokens_details": {}},
    {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0}},
    {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, "prompt_tokens_details": {"audio_tokens": 0}},
    {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, "completion_tokens_details": {"reasoning_tokens": 5}},
]
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"a\": 1}"}}
MESSAGES = [
    {"role": "assistant", "content": "hi"}, {"role": "assistant", "content": None}, {"role": "assistant"},
    {"role": "assistant", "content": "", "refusal": "no", "annotations": [], "audio": None},
    {"role": "assistant", "content": "\u00e9\U0001f600\n\"\\/"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]}, {"role": "assistant", "content": None, "tool_calls": []},
    {"role": "assistant", "content": None, "tool_calls": None}, {"role": "assistant", "content": "x", "tool_calls": [CALL, {**CALL, "id": "c2"}]},
    {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "f"}}]},
    {"role": "assistant", "tool_calls": [{"id": "c", "function": {}, "thought_signature": "s", "extra": 1}]},
    {"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "thought_signature": None, "function": {"arguments": ""}}]},
    {"role": "assistant", "content": [{"type": "text", "text": "part"}]},
]
DELTAS = [
    {"role": "assistant", "content": ""}, {"content": "x"}, {}, {"content": None, "role": None}, {"refusal": "r", "reasoning_content": "t"},
    {"tool_calls": [{"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": ""}}]},
    {"tool_calls": [{"index": 1, "function": {"arguments": "{\"a"}}]}, {"tool_calls": []}, {"tool_calls": None},
    {"tool_calls": [{"index": 0, "function": {}, "thought_signature": "z"}]},
]
HEAD = {"id": "id-1", "object": "chat.completion", "created": 1700000001, "model": "m"}
replies = []
for u in USAGES:
    for head in [HEAD, {**HEAD, "system_fingerprint": "fp", "service_tier": "d"}]:
        body = {**head, "choices": [{"index": 7, "message": MESSAGES[0], "finish_reason": "stop", "logprobs": None}]}
        if u is not None:
            body["usage"] = u
        replies.append(("chat", body))
        text = {**head, "object": "anything", "choices": [{"text": "t", "index": 3, "logprobs": None, "finish_reason": "length"}], "usage": u}
        replies.append(("completions", text))
        chunk = {**head, "object": "chat.completion.chunk", "choices": [], "usage": u}
        replies.append(("chat_stream", chunk))
        replies.append(("completions_stream", chunk))
        replies.append(("embeddings", {"object": "list", "data": [{"object": "embedding", "index": 4, "embedding": [0.5, 1, -1e-7]}], "model": "e", "usage": u}))
for m in MESSAGES:
    for finish in ["stop", None]:
        replies.append(("chat", {**HEAD, "choices": [{"index": 0, "message": m, "finish_reason": finish}], "usage": USAGES[2]}))
replies.append(("chat", {**HEAD, "choices": [{"index": 1, "message": m} for m in MESSAGES[:3]], "usage": USAGES[2]}))
replies.append(("chat", {**HEAD, "choices": [], "usage": USAGES[2]}))
replies.append(("chat", {**HEAD, "id": None, "choices": [], "usage": USAGES[2]}))
replies.append(("chat", {"choices": [], "usage": USAGES[2]}))
for d in DELTAS:
    for finish in ["tool_calls", None]:
        for op in ["chat_stream", "completions_stream"]:
            replies.append((op, {**HEAD, "object": "chat.completion.chunk", "choices": [{"index": 2, "delta": d, "finish_reason": finish, "logprobs": None}]}))
replies.append(("chat_stream", {**HEAD, "id": "", "choices": [{"index": 0, "delta": {"content": "a"}}, {"index": 1, "delta": {"content": "b"}}], "usage": None}))
replies.append(("chat_stream", {"id": "", "object": "", "created": 0, "model": "", "choices": [], "prompt_filter_results": []}))
for c in [{"text": "a", "message": {"content": "b"}}, {"message": {"content": ""}, "text": "c"}, {"text": ""}, {"message": {}}, {"text": None}, {}]:
    replies.append(("completions", {**HEAD, "choices": [{**c, "finish_reason": "stop"}, {**c, "finish_reason": None}], "usage": USAGES[2]}))
for e in ["AAAA", [], [1], [0.1, 0.2]]:
    replies.append(("embeddings", {"data": [{"embedding": e}, {"embedding": e, "index": 9}], "model": "e", "usage": USAGES[2]}))

ADAPT = {
    "chat": OpenAIAdapter.model_to_chat, "completions": OpenAIAdapter.model_to_completions,
    "embeddings": OpenAIAdapter.model_to_embeddings, "chat_stream": OpenAIAdapter.model_to_chat_streaming,
    "completions_stream": OpenAIAdapter.model_to_completions_streaming,
}
lines = []
for op, reply in replies:
    case = {"op": op, "reply": reply}
    try:
        out = ADAPT[op](reply, None)
        if op.startswith("chat"):
            out.provider = "openai"
        case["want"] = jsonable_encoder(out)
    except Exception:
        pass
    lines.append(json.dumps(case, separators=(",", ":"), ensure_ascii=False))
(HERE / "replies.jsonl").write_text("\n".join(dict.fromkeys(lines)) + "\n")
print(len(lines), "replies", sum('"want"' not in l for l in lines), "without an answer")

if len(sys.argv) > 1:
    cases = [c for c in json.loads(pathlib.Path(sys.argv[1]).read_text()) if c["provider"] in ("openai", "azure", "groq")]
    (HERE / "cases.json").write_text(json.dumps(cases, indent=1, ensure_ascii=False) + "\n")
    print(len(cases), "cases")
