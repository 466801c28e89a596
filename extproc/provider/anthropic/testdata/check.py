"""Holds what the openai_*.json files want against the types of the real SDKs:
requests against Anthropic's, replies and chunks against OpenAI's, strictly.

    pip install anthropic openai && python check.py
"""
import inspect, json, pathlib, sys

import anthropic.types, openai
try:
    import httpx2 as httpx  # what the SDKs of today use
except ImportError:
    import httpx
from openai.types import Completion
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import TypeAdapter
from typing_extensions import is_typeddict

HERE = pathlib.Path(__file__).parent
# Members of the API that the SDK's types of today leave out: only older models take them.
OLDER = {"temperature", "top_p", "top_k"}
# Our extensions of OpenAI's messages.
EXTENSIONS = {"reasoning_content", "thinking_blocks"}

for name in list(sys.modules):
    if name.startswith("anthropic.types."):
        for _, c in inspect.getmembers(sys.modules[name], is_typeddict):
            if not hasattr(c, "__pydantic_config__"):
                c.__pydantic_config__ = {"extra": "forbid"}
REQUEST = TypeAdapter(anthropic.types.MessageCreateParams)


def exhaust(v):
    """Iterable members are checked only when they are read."""
    if isinstance(v, dict):
        return {k: exhaust(x) for k, x in v.items()}
    if isinstance(v, (str, int, float, bool)) or v is None:
        return v
    return [exhaust(x) for x in v]


def no_extras(v, where):
    for k in getattr(v, "model_extra", None) or {}:
        assert k in EXTENSIONS, f"{where}: {k} is not OpenAI's"
    if hasattr(v, "model_fields_set"):
        for k in v.model_fields_set:
            no_extras(getattr(v, k), f"{where}.{k}")
    elif isinstance(v, list):
        for x in v:
            no_extras(x, where)


def sdk(body, content_type, op, **more):
    """What the OpenAI SDK makes of a reply."""
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=body.encode(), headers={"content-type": content_type}))
    client = openai.OpenAI(api_key="x", base_url="http://x/v1", max_retries=0, http_client=httpx.Client(transport=transport))
    if op == "completions":
        return client.completions.create(model="e", prompt="hi", **more)
    return client.chat.completions.create(model="e", messages=[{"role": "user", "content": "hi"}], **more)


def load(name):
    for c in json.loads((HERE / name).read_text()):
        if "want" in c:
            yield c["name"], c.get("op", "chat"), c["want"]


n = 0
for name, op, want in load("openai_requests.json"):
    got = exhaust(REQUEST.validate_python({k: v for k, v in want.items() if k not in OLDER}))
    assert got == {k: v for k, v in want.items() if k not in OLDER}, (name, got)
    n += 1
for name, op, want in load("openai_replies.json"):
    model = Completion if op == "completions" else ChatCompletion
    no_extras(model.model_validate_json(json.dumps(want), strict=True), name)
    assert sdk(json.dumps(want), "application/json", op).id == want["id"]
    n += 1
for name, op, want in load("openai_streams.json"):
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
                calls[t.index] = calls.get(t.index, "") + (t.function.arguments or "")
    for args in calls.values():
        json.loads(args)
    n += 1
print(n, "cases conform, anthropic", anthropic.__version__, "openai", openai.__version__)
