"""Holds the data files against the real SDK of Anthropic: requests, as they come
and as they go, against its types; replies and streams as its client reads them.

    pip install anthropic && python check.py
"""
import inspect, json, pathlib, sys

import anthropic, anthropic.types
try:
    import httpx2 as httpx  # what the SDKs of today use
except ImportError:
    import httpx
from pydantic import TypeAdapter
from typing_extensions import is_typeddict

HERE = pathlib.Path(__file__).parent
# Members of the API that the SDK's types of today leave out: only older models take them.
OLDER = {"temperature", "top_p", "top_k"}
# What clients may send besides: betas, and the former name of output_config.format.
BETAS = {"context_management", "output_format", "mcp_servers"}

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


def client(body, content_type):
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=body.encode(), headers={"content-type": content_type}))
    return anthropic.Anthropic(api_key="x", base_url="http://x", max_retries=0, http_client=httpx.Client(transport=transport))


def no_extras(v, where):
    for k in getattr(v, "model_extra", None) or {}:
        raise AssertionError(f"{where}: {k} is not Anthropic's")
    if hasattr(v, "model_fields_set"):
        for k in v.model_fields_set:
            no_extras(getattr(v, k), f"{where}.{k}")
    elif isinstance(v, list):
        for x in v:
            no_extras(x, where)


def gathered(events):
    """The message that a stream comes to, gathered by hand."""
    message, parts = None, {}
    for e in events:
        if e["type"] == "message_start":
            message = json.loads(json.dumps(e["message"]))
        elif e["type"] == "content_block_start":
            message["content"].append(dict(e["content_block"]))
        elif e["type"] == "content_block_delta":
            d, block = e["delta"], message["content"][e["index"]]
            if d["type"] == "input_json_delta":
                parts[e["index"]] = parts.get(e["index"], "") + d["partial_json"]
                block["input"] = parts[e["index"]]
            else:
                k = d["type"].removesuffix("_delta")
                block[k] = block.get(k, "") + d[k]
        elif e["type"] == "message_delta":
            message.update({k: v for k, v in e["delta"].items()})
            message["usage"].update(e["usage"])
    for i in parts:
        message["content"][i]["input"] = json.loads(parts[i])
    return message


def dump(message):
    return json.loads(message.model_dump_json(exclude_unset=True, warnings="error"))


MESSAGES = [{"role": "user", "content": "hi"}]
cases = lambda name: json.loads((HERE / name).read_text())
n = 0
for c in cases("requests.json"):
    for side in ("in", "want"):
        if side in c and "want" in c:
            body = {k: v for k, v in c[side].items() if k not in OLDER | BETAS}
            if "system between" in c["name"] or "changes no answer" in c["name"] and side == "in":
                continue  # newer, or odd on purpose
            assert exhaust(REQUEST.validate_python(body)) == body, (c["name"], side)
            n += 1
for c in cases("replies.json"):
    message = client(json.dumps(c["want"]), "application/json").messages.create(model="e", max_tokens=1, messages=MESSAGES)
    no_extras(message, c["name"])
    assert dump(message) == c["want"], (c["name"], dump(message))
    n += 1
for c in cases("streams.json"):
    raw = "".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n" for e in c["want"])
    with client(raw, "text/event-stream").messages.stream(model="e", max_tokens=1, messages=MESSAGES) as stream:
        for event in stream:
            pass
        got, want = dump(stream.get_final_message()), gathered(c["want"])
    got = {k: v for k, v in got.items() if v is not None or k in want}
    for m in (got, want):
        m["usage"] = {k: v for k, v in m["usage"].items() if v is not None}
        for block in m["content"]:
            block.pop("parsed_output", None)
    assert got == want, (c["name"], got, want)
    n += 1
print(n, "cases conform, anthropic", anthropic.__version__)
