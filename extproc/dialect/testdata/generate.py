"""Writes mlflow-schema.jsonl: what MLflow's own request models answer to many bodies.

    python -m venv /tmp/v && /tmp/v/bin/pip install mlflow-skinny==3.17.2 fastapi httpx
    /tmp/v/bin/python generate.py

Each line is one case: schema, content type, body, and the status and reply of a
FastAPI route that takes the model and returns jsonable_encoder(payload,
exclude_none=True), which is what MLflow hands to its providers. Cases in which
Sluice differs on purpose are not here: they are in mlflow_better_test.go.
"""

import json
import pathlib

from fastapi import FastAPI
from fastapi.encoders import jsonable_encoder
from fastapi.responses import Response
from fastapi.testclient import TestClient
from mlflow.gateway.schemas import chat, completions, embeddings

app = FastAPI()


def reply(payload):
    text = json.dumps(jsonable_encoder(payload, exclude_none=True))
    return Response(text, media_type="application/json")


@app.post("/chat")
async def _chat(payload: chat.RequestPayload):
    return reply(payload)


@app.post("/completions")
async def _completions(payload: completions.RequestPayload):
    return reply(payload)


@app.post("/embeddings")
async def _embeddings(payload: embeddings.RequestPayload):
    return reply(payload)


client = TestClient(app, raise_server_exceptions=False)

BIG = "1" + "0" * 30
# Values to try in every place, as JSON text.
ZOO = [
    "null", "true", "false", "0", "1", "-1", "2", "3", "1.0", "1.5", "-0.0", "1e2", "12E-1",
    "9223372036854775807", "9223372036854775808", BIG, "-" + BIG, "1e300", "0.1", "2.0000000000000004",
    "123456789.123", "1e-7", "5e-324", "1e16", "123456789012345680.0",
    '""', '"a"', '"1"', '"1.0"', '"1.5"', '" 1 "', '"+1"', '"-1"', '"0"', '"1_0"', '"1__0"', '"_1"', '"1e1"', '".5"',
    '"1."', '"01"', '"-0"', '"nan"', '"inf"', '"-Infinity"', '"0x10"', '"true"', '"True"', '"YES"', '"off"', '"t"',
    '"n"', '"on "', '"\\u00e9\\n\\"\\\\/"', '"é\\u007f\\u0001"', '"1.00"', '"1.0e0"', '"' + BIG + '"', '"1.5e400"',
    '"\\u0661"', '"1 0"', '"auto"', '"none"', '"function"', '"text"', '"json_schema"',
    "[]", '["a"]', '["a","b"]', "[1]", "[1.0]", "[1.5]", '["1"]', "[true]", "[null]", '[1,"a"]', "[[]]", "[[1]]",
    '[[1],["2"]]', '[["a"]]', "[[1.5]]", "[1,[2]]", "[{}]", '["a",1,null]', '[["1"],[2]]', "[[true,0.0]]",
    "{}", '{"a":1}', '{"a":null,"b":[null,{"c":null}]}', '{"type":"text"}', '{"type":"function"}', '{"type":1}',
    '{"name":"x"}', '{"name":null}',
]
# A smaller zoo for places where the large one says nothing new.
FEW = ["null", "true", "1", "1.5", '""', '"a"', '"1"', "[]", '["a"]', "[null]", "{}", '{"a":1}']

# One of each kind of number and string, for places that take neither.
SOME = [v for v in ZOO if v[0] in "[{ntf"] + ["1", "-1", "1.5", BIG, '""', '"a"', '"1"', '"auto"', '"none"', '"text"', '"é\\u007f\\u0001"']

MSG = '"messages":[{"role":"user","content":"hi"}]'
cases = []


def add(schema, body, content_type="application/json"):
    cases.append((schema, content_type, body))


SAMPLING = [
    "n", "stop", "max_tokens", "max_completion_tokens", "stream", "stream_options", "model", "response_format",
    "temperature", "top_p", "presence_penalty", "frequency_penalty", "top_k",
]

# stop given as a bare string is accepted by Sluice.
def differs(name, value):
    return name == "stop" and value.startswith('"')


NUMERIC = {"n", "max_tokens", "stream", "temperature", "top_p", "presence_penalty"}
for name in SAMPLING:
    for v in ZOO if name in NUMERIC else SOME:
        if not differs(name, v):
            add("chat", "{%s,%s:%s}" % (MSG, json.dumps(name), v))
    for v in FEW:
        if not differs(name, v):
            add("completions", '{"prompt":"p",%s:%s}' % (json.dumps(name), v))
# Corners of pydantic's reading of numbers in strings.
TEXTS = [
    "001", "00", "+-1", "-+1", "--1", "- 1", "\t1\n", "1_", "-1_0", "-_1", "+_1", "0_1", "00_1", "1.0_0", "1_0.0", "1.01", ".0", "-.0", "0.0",
    "\u00a01\u00a0", "1\u2003", "\u200b1", "0" * 30 + "1", "-01", "+01", "-0_1", "1.0 ", "1 .0", "-00", "+0", "1.0.0", "1_000_000.000", "1._0",
    "1.0_", "_", "0_", "0__1", "-000", "1\u0000", "\u000b1\u000c", "\u00851", "\u16801", "\u30001", "\ufeff1", "0_0", "+0_1", "-0.0", "00.0",
    "1E-1", "1e+0", "1e", "e5", "+inf", "infinity", "INF", "NaN", "+nan", "-nan", "nAn", "infinit", "1d", "1.e0", ".e1", "01.5", "1e_0", "1e0_", "in_f",
    "1,5", "+1.5", "+.5", "-.5", "0x1p1", "1 5", ".",
]
for text in TEXTS:
    for name in ["n", "temperature"]:
        add("chat", "{%s,%s:%s}" % (MSG, json.dumps(name), json.dumps(text)))

for v in ZOO:
    add("embeddings", '{"input":%s}' % v)
    add("embeddings", '{"input":[%s]}' % v)
for v in SOME:
    add("completions", '{"prompt":%s}' % v)
    add("chat", '{"messages":%s}' % v)
    add("chat", '{%s,"tools":%s}' % (MSG, v))
    add("chat", '{%s,"tool_choice":%s}' % (MSG, v))
    add("chat", '{%s,"x_extra":%s}' % (MSG, v))
    add("chat", '{"messages":[{"role":"user","content":%s}]}' % v)
    add("chat", v)

# Places inside; @ is where the value goes.
PLACES = [
    '{"messages":[{"role":@,"content":"x"}]}',
    '{"messages":[{"role":"user","content":"x"},{"role":"assistant","tool_calls":@}]}',
    '{"messages":[{"role":"user","refusal":@,"tool_call_id":@,"name":@}]}',
    '{"messages":[@]}',
    '{"messages":[{"role":"a","tool_calls":[@]}]}',
    '{"messages":[{"role":"a","tool_calls":[{"id":@,"function":{"name":"f","arguments":"{}"}}]}]}',
    '{"messages":[{"role":"a","tool_calls":[{"id":"i","type":@,"function":{"name":"f","arguments":"{}"}}]}]}',
    '{"messages":[{"role":"a","tool_calls":[{"id":"i","function":@}]}]}',
    '{"messages":[{"role":"a","tool_calls":[{"id":"i","function":{"name":@,"arguments":@,"x":1}}]}]}',
    '{"messages":[{"role":"a","tool_calls":[{"id":"i","function":{},"thought_signature":@,"y":2}]}]}',
    '{"messages":[{"role":"u","content":[@]}]}',
    '{"messages":[{"role":"u","content":[{"type":@}]}]}',
    '{"messages":[{"role":"u","content":[{"type":"text","text":@,"z":1}]}]}',
    '{"messages":[{"role":"u","content":[{"type":"image_url","image_url":@}]}]}',
    '{"messages":[{"role":"u","content":[{"type":"image_url","image_url":{"url":@}}]}]}',
    '{"messages":[{"role":"u","content":[{"type":"image_url","image_url":{"url":"u","detail":@}}]}]}',
    '{"messages":[{"role":"u","content":[{"type":"input_audio","input_audio":@}]}]}',
    '{"messages":[{"role":"u","content":[{"type":"input_audio","input_audio":{"data":@,"format":"wav"}}]}]}',
    '{"messages":[{"role":"u","content":[{"type":"input_audio","input_audio":{"data":"d","format":@}}]}]}',
    '{"messages":[{"role":"u","content":[{"type":"reasoning","summary":@,"id":"r"}]}]}',
    '{"messages":[{"role":"u","content":[{"type":"reasoning","summary":[@]}]}]}',
    '{"messages":[{"role":"u","content":[{"type":"reasoning","summary":[{"type":@,"text":@}]}]}]}',
    '{%s,"tools":[@]}' % MSG,
    '{%s,"tools":[{"type":@,"extra":@}]}' % MSG,
    '{%s,"tools":[{"type":"function","function":@}]}' % MSG,
    '{%s,"tools":[{"type":"uc_function","uc_function":@}]}' % MSG,
    '{%s,"tools":[{"type":"function","function":{"name":@}}]}' % MSG,
    '{%s,"tools":[{"type":"function","function":{"name":"f","description":@,"strict":@}}]}' % MSG,
    '{%s,"tools":[{"type":"function","function":{"name":"f","parameters":@}}]}' % MSG,
    '{%s,"tools":[{"type":"function","function":{"name":"f","parameters":{"properties":@}}}]}' % MSG,
    '{%s,"tools":[{"type":"function","function":{"name":"f","parameters":{"properties":{},"type":@}}}]}' % MSG,
    '{%s,"tools":[{"type":"function","function":{"name":"f","parameters":{"properties":{},"required":@}}}]}' % MSG,
    '{%s,"tools":[{"type":"function","function":{"name":"f","parameters":{"properties":{},"additionalProperties":@}}}]}' % MSG,
    '{%s,"tools":[{"type":"function","function":{"name":"f","parameters":{"properties":{"p":@}}}}]}' % MSG,
    '{%s,"tools":[{"type":"function","function":{"name":"f","parameters":{"properties":{"p":{"type":@}}}}}]}' % MSG,
    '{%s,"tools":[{"type":"function","function":{"name":"f","parameters":{"properties":{"p":{"type":["string",@]}}}}}]}' % MSG,
    '{%s,"tools":[{"type":"function","function":{"name":"f","parameters":{"properties":{"p":{"enum":@}}}}}]}' % MSG,
    '{%s,"tools":[{"type":"function","function":{"name":"f","parameters":{"properties":{"p":{"enum":[@]}}}}}]}' % MSG,
    '{%s,"tools":[{"type":"function","function":{"name":"f","parameters":{"properties":{"p":{"type":"array","items":@}}}}}]}' % MSG,
    '{%s,"tool_choice":{"type":"function","function":@}}' % MSG,
    '{%s,"tool_choice":{"type":"function","function":{"name":@}}}' % MSG,
    '{%s,"response_format":{"type":@}}' % MSG,
    '{%s,"response_format":{"type":"json_schema","json_schema":@}}' % MSG,
    '{%s,"response_format":{"type":"json_schema","json_schema":{"name":@,"schema":{"type":"object"}}}}' % MSG,
    '{%s,"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":@,"strict":false}}}' % MSG,
    '{%s,"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{},"strict":@,"extra":@}}}' % MSG,
    '{%s,"stream_options":{"include_usage":@}}' % MSG,
    '{%s,"metadata":{"a":@}}' % MSG,
]
# Unknown keys inside a tool's parameters and nulls in a json_schema's schema
# are kept by Sluice.
def kept(place, value):
    inside = '"parameters":@' in place or '"p":@' in place or '"items":@' in place
    return (inside and value.startswith("{")) or ('"schema":@' in place and "null" in value)


for place in PLACES:
    for v in ZOO if place.count("@") == 1 and ("literal" in place or "enum" in place) else FEW:
        if not kept(place, v):
            add("chat", place.replace("@", v))

# Several errors at once, order, and whole bodies.
for body in [
    "{}", '{"prompt":"p"}', '{"messages":[],"n":0,"temperature":9,"stop":[],"tools":[],"top_k":0}',
    '{"messages":[{"content":1},{"role":2}],"tools":[{"type":"x"}],"n":null}',
    '{"messages":[{"role":"u","content":[{"type":"text"},{"type":"nope"},{},{"type":"image_url"},5]}]}',
    '{"messages":[{"role":"user","content":"x","a":1,"role":"system"}],"n":3}',
    '{"messages":[{"role":"user","content":"\\ud83d\\ude00 \u00e9 \u2028"}],"user":"\u00e9"}',
    '{"messages":[{"role":"user","content":"x"}],"n":0,"user":"\u00e9\\u00e9\\t"}',
    '\ufeff{"messages":[{"role":"user","content":"x"}]}',
    ' \n\t{"messages":[{"role":"user","content":"x"}]}\r\n ',
    '{"messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{"a":{"type":["string","null"],"description":"d","enum":["x",1,1.5,true]},"b":{"type":"array","items":{"type":"array","items":{"type":"integer","enum":[1]}}}},"required":["a"],"additionalProperties":false},"strict":true}}],"tool_choice":"auto"}',
    '{"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"u","detail":"low","x":1}},{"type":"reasoning","summary":[],"id":"1","n":null}]},{"role":"assistant","content":null,"tool_calls":[{"id":"1","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"1","content":"r"}]}',
]:
    for schema in ["chat", "completions", "embeddings"]:
        add(schema, body)
for body in ['{"input":["a","b"],"dimensions":3,"user":null}', '{"input":[1,2,3]}', '{"input":[[1,2],[3]],"encoding_format":"base64"}',
             '{"input":[1,"x",[2]]}', '{"input":"x","model":"m"}', '{"input":[["a",1],{}]}', '{"input":[1.5,"2",true]}',
             '{"input":["1","2"]}', '{"input":[["1"],[1.0]]}', '{"inputs":"x"}']:
    add("embeddings", body)

# Text that is not JSON, or not sent as JSON.
GOOD = "{%s}" % MSG
for body in [
    "", " ", "{", "}", "[", "]", "{]", "nul", "nulll", "tru", "+1", "01", "1.", ".5", "-", "1e", "1e+", "'a'", '"', '"a', '"a\n"',
    '"\\x"', '"\\u12"', '"\\u12g4"', '"\\', '{"a"', '{"a":', '{"a":1', '{"a":1,', '{"a":1,}', '{"a" 1}', '{"a":1 "b":2}', "{a:1}",
    "[1,", "[1,]", "[1 2]", "[,1]", '{"a":1}}', '{"a":1} x', "[1]]", '{"é":}', '{"a":"é",}', '{"😀😀":x}', "hello", "{'a':1}", '{"a":tru}',
    '{"a":[1,2,{"b":}]}', '\t\n {"a":1,\n  "b" 2}', '{"a":"\t"}', '{,}', '{"a":1,,}', '{"a"::1}', '{1:2}', '{null:1}', '"a" "b"', "1 2",
    '{"a":"\\ud800"', "-x", "1.e5", '{"messages": [{"role": "user", "content": "a" "b"}]}', "\u00a0{}", '{"a": 1 ', "[\n", "[1\n", '{"a":1,\n "b',
    '{"a":"x\\q"}', '{"a":-}', '[-]', '[1,2,nope]', '[tru', '{"a":"b\x00"}', '{"a":1}\x00', '{ ', '[ ', '{"a" ', '{"a" :', '{"a": ', '{"a" : 1 , ',
]:
    add("chat", body)
for ct in ["", "text/plain", "application/json; charset=utf-8", "application/vnd.api+json", "APPLICATION/JSON", "application/x-www-form-urlencoded",
           "application/jsonp", "json", "application/", "application/json/x", "text/json", "application/json, text/plain", " application/json ",
           "application/problem+json;x=y", "application/json;", "application /json", "multipart/form-data"]:
    for body in [GOOD, "", "{", '"é\n']:
        add("chat", body, ct)

seen = set()
out = []
for case in cases:
    if case in seen:
        continue
    seen.add(case)
    schema, ct, body = case
    r = client.post("/" + schema, content=body.encode(), headers={"content-type": ct} if ct else {})
    if r.status_code == 500:
        continue  # a reply that Python can't encode: Sluice has its own answer
    out.append(json.dumps({"schema": schema, "type": ct, "body": body, "status": r.status_code, "reply": r.json()},
                          separators=(",", ":"), ensure_ascii=False))
path = pathlib.Path(__file__).parent / "mlflow-schema.jsonl"
path.write_text("\n".join(out) + "\n")
print(len(out), "cases", path.stat().st_size, "bytes")
