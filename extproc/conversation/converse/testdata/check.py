"""Validates each body of requests.json (and of the files named) against botocore's
own model of Converse: names, types, required members, lengths, enums, patterns, and
that of a union one member is set.

    pip install boto3 && python check.py [more.json ...]
"""
import base64, json, os, re, sys

import botocore.session
from botocore.validate import ParamValidator

SERVICE = botocore.session.get_session().get_service_model("bedrock-runtime")
SHAPE = SERVICE.operation_model("Converse").input_shape
# Bounds that Bedrock does not hold its callers to: they are wider in fact.
LENIENT = {"modelId"}


def convert(value, shape, at, wrong):
    """The value with blobs decoded; notes what ParamValidator does not look at."""
    if shape.type_name == "blob":
        return base64.b64decode(value, validate=True)
    if getattr(shape, "is_document_type", False):
        return value
    if shape.type_name == "structure" and isinstance(value, dict):
        if getattr(shape, "is_tagged_union", False) and len(value) != 1:
            wrong.append(f"{at}: a union of {sorted(value)}")
        for k in value:
            if k not in shape.members:
                wrong.append(f"{at}: unknown member {k}")
        return {k: convert(v, shape.members[k], f"{at}.{k}", wrong) for k, v in value.items() if k in shape.members}
    if shape.type_name == "list" and isinstance(value, list):
        return [convert(v, shape.member, f"{at}[{i}]", wrong) for i, v in enumerate(value)]
    if shape.type_name == "map" and isinstance(value, dict):
        return {k: convert(v, shape.value, f"{at}.{k}", wrong) for k, v in value.items()}
    if shape.type_name == "string" and isinstance(value, str) and at not in LENIENT:
        if shape.enum and value not in shape.enum:
            wrong.append(f"{at}: {value!r} is not of {shape.enum}")
        pattern = shape.metadata.get("pattern")
        if pattern and not re.fullmatch(pattern, value):
            wrong.append(f"{at}: {value!r} does not match {pattern}")
    return value



def roles(body, wrong):
    turns = [m["role"] for m in body["messages"]]
    if turns[0] != "user" or any(a == b for a, b in zip(turns, turns[1:])):
        wrong.append(f"roles do not alternate from user on: {turns}")
    calls = any("toolUse" in b or "toolResult" in b for m in body["messages"] for b in m["content"])
    if calls and "toolConfig" not in body:
        wrong.append("tool calls without toolConfig")
    for m in body["messages"]:
        if not m["content"] or any(b.get("text") == "" for b in m["content"]):
            wrong.append("empty content")


def main():
    bad = 0
    here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "requests.json")
    n = 0
    for file in [here, *sys.argv[1:]]:
        for name, body in json.load(open(file)).items():
            wrong, n = [], n + 1
            value = convert(body, SHAPE, "", wrong)
            report = ParamValidator().validate({"modelId": "m", **value}, SHAPE)
            roles(body, wrong)
            if wrong or report.has_errors():
                bad += 1
                print(f"{file}: {name}: {wrong} {report.generate_report()}")
    print(f"{n} bodies, {bad} bad")
    sys.exit(bad > 0)


main()
