"""Holds what the files here say against the types of OpenAI's SDK: calls and
chat calls strictly, responses and events strictly, and lets the SDK read the
replies, and the streams by its accumulator.

    pip install openai && python check.py
"""
import inspect, json, pathlib, sys

import httpx, openai
from openai.types.chat import CompletionCreateParams
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter
from typing_extensions import is_typeddict

HERE = pathlib.Path(__file__).parent
for name in list(sys.modules):
    if name.startswith("openai.types."):
        for _, c in inspect.getmembers(sys.modules[name], is_typeddict):
            if not hasattr(c, "__pydantic_config__"):
                c.__pydantic_config__ = {"extra": "forbid"}
CHAT, EVENT = TypeAdapter(CompletionCreateParams), TypeAdapter(ResponseStreamEvent)
CHAT_EXTENSIONS = {"reasoning", "reasoning_details", "extra_content"}


def exhaust(v):
    """Iterable members are checked only when they are read."""
    if isinstance(v, dict):
        return {k: exhaust(x) for k, x in v.items()}
    if isinstance(v, (str, int, float, bool)) or v is None:
        return v
    return [exhaust(x) for x in v]


def strip(v):
    if isinstance(v, dict):
        return {k: strip(x) for k, x in v.items() if k not in CHAT_EXTENSIONS}
    return [strip(x) for x in v] if isinstance(v, list) else v


def no_extras(v, where):
    extra = set(getattr(v, "model_extra", None) or {}) - {"store"}  # which the API sends and the SDK does not name
    assert not extra, f"{where}: {extra} is not OpenAI's"
    if hasattr(v, "model_fields_set"):
        for k in v.model_fields_set:
            if not (where.endswith(".response") and k in ("tools", "instructions")):
                no_extras(getattr(v, k), f"{where}.{k}")
    elif isinstance(v, list):
        for x in v:
            no_extras(x, where)


def client(body, content_type):
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=body.encode(), headers={"content-type": content_type}))
    return openai.OpenAI(api_key="x", base_url="http://x/v1", max_retries=0, http_client=httpx.Client(transport=transport))


def load(name):
    return json.loads((HERE / name).read_text())


def types(response):
    return [(i["type"], i.get("status")) for i in response["output"]]


n = 0
for c in load("requests.json"):
    plain = strip(c["want"])
    got = exhaust(CHAT.validate_python(plain))
    assert got == plain, (c["name"], got)
    n += 1
for c in load("replies.json"):
    want = c["want"]
    no_extras(Response.model_validate_json(json.dumps(want), strict=True), c["name"] + ".response")
    got = client(json.dumps(want), "application/json").responses.create(model="e", input="hi")
    assert [i.type for i in got.output] == [t for t, _ in types(want)], c["name"]
    got.output_text
    n += 1
for c in load("streams.json"):
    want = c["want"]
    for event in want:
        no_extras(EVENT.validate_json(json.dumps(event), strict=True), c["name"])
    raw = "".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n" for e in want)
    assert len(list(client(raw, "text/event-stream").responses.create(model="e", input="hi", stream=True))) == len(want)
    last = want[-1]["response"]
    with client(raw, "text/event-stream").responses.stream(model="e", input="hi") as stream:
        texts, args = {}, {}
        for event in stream:
            if event.type == "response.output_text.delta":
                texts[event.output_index] = texts.get(event.output_index, "") + event.delta
                assert event.snapshot == texts[event.output_index], c["name"]
            if event.type == "response.function_call_arguments.delta":
                args[event.output_index] = args.get(event.output_index, "") + event.delta
        if want[-1]["type"] == "response.completed":
            final = stream.get_final_response()
            assert [i.type for i in final.output] == [t for t, _ in types(last)], c["name"]
    for i, text in texts.items():
        assert last["output"][i]["content"][0]["text"] == text, c["name"]
    for i, text in args.items():
        assert last["output"][i]["arguments"] == text, c["name"]
    n += 1
print(n, "cases conform, openai", openai.__version__)
