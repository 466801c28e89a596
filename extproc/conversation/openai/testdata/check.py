"""Holds what the files here want against the types of OpenAI's SDK, strictly,
and lets the SDK read the replies and streams.

    pip install openai && python check.py
"""
import inspect, json, pathlib, sys

import httpx, openai
from openai.types import Completion
from openai.types.chat import ChatCompletion, ChatCompletionChunk, CompletionCreateParams
from pydantic import TypeAdapter
from typing_extensions import is_typeddict

HERE = pathlib.Path(__file__).parent
# Extensions, ours and other providers': see the package's comment.
REPLY_EXTENSIONS = {"reasoning_content", "thinking_blocks", "extra_content"}
CALL_EXTENSIONS = {"top_k", "thinking", "reasoning"}

for name in list(sys.modules):
    if name.startswith("openai.types."):
        for _, c in inspect.getmembers(sys.modules[name], is_typeddict):
            if not hasattr(c, "__pydantic_config__"):
                c.__pydantic_config__ = {"extra": "forbid"}
CALL = TypeAdapter(CompletionCreateParams)


def exhaust(v):
    """Iterable members are checked only when they are read."""
    if isinstance(v, dict):
        return {k: exhaust(x) for k, x in v.items()}
    if isinstance(v, (str, int, float, bool)) or v is None:
        return v
    return [exhaust(x) for x in v]


def strip(v):
    """A call without extensions in its messages."""
    if isinstance(v, dict):
        return {k: strip(x) for k, x in v.items() if k not in ("reasoning_details", "reasoning_content", "extra_content")}
    return [strip(x) for x in v] if isinstance(v, list) else v


def no_extras(v, where):
    for k in getattr(v, "model_extra", None) or {}:
        assert k in REPLY_EXTENSIONS, f"{where}: {k} is not OpenAI's"
    if hasattr(v, "model_fields_set"):
        for k in v.model_fields_set:
            no_extras(getattr(v, k), f"{where}.{k}")
    elif isinstance(v, list):
        for x in v:
            no_extras(x, where)


def sdk(body, content_type, op, **more):
    """What the SDK makes of a reply."""
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=body.encode(), headers={"content-type": content_type}))
    client = openai.OpenAI(api_key="x", base_url="http://x/v1", max_retries=0, http_client=httpx.Client(transport=transport))
    if op == "completions":
        return client.completions.create(model="e", prompt="hi", **more)
    return client.chat.completions.create(model="e", messages=[{"role": "user", "content": "hi"}], **more)


def load(name):
    for c in json.loads((HERE / name).read_text()):
        yield c["name"], c.get("op", "chat"), c["want"]


n = 0
for name, op, want in load("requests.json"):
    plain = strip({k: v for k, v in want.items() if k not in CALL_EXTENSIONS})
    got = exhaust(CALL.validate_python(plain))
    assert got == plain, (name, got)
    n += 1
for name, op, want in load("replies.json"):
    model = Completion if op == "completions" else ChatCompletion
    no_extras(model.model_validate_json(json.dumps(want), strict=True), name)
    assert sdk(json.dumps(want), "application/json", op).id == want["id"]
    n += 1
for name, op, want in load("streams.json"):
    model = Completion if op == "completions" else ChatCompletionChunk
    for chunk in want:
        if op == "completions" and chunk["choices"] and chunk["choices"][0]["finish_reason"] is None:
            continue  # OpenAI sends null here too; its SDK's type does not say so
        no_extras(model.model_validate_json(json.dumps(chunk), strict=True), name)
    raw = "".join(f"data: {json.dumps(c)}\n\n" for c in want) + "data: [DONE]\n\n"
    chunks = list(sdk(raw, "text/event-stream", op, stream=True))
    assert len(chunks) == len(want), name
    calls = {}
    for c in chunks:
        for choice in c.choices:
            for t in getattr(getattr(choice, "delta", None), "tool_calls", None) or []:
                if t.function:
                    calls[t.index] = calls.get(t.index, "") + (t.function.arguments or "")
    for args in calls.values():
        json.loads(args)
    n += 1
print(n, "cases conform, openai", openai.__version__)
