"""Holds native.json to the SDKs of those who send the streams: each event of
ConverseStream and each reply of Converse has members that botocore knows, of
their types; each event and reply of Cohere's is taken by its own types, with
nothing that they do not name.

    pip install boto3 cohere && python check.py
"""
import json, os, sys

import botocore.session
import cohere
from cohere.core.pydantic_utilities import parse_obj_as

HERE = os.path.dirname(os.path.abspath(__file__))
SERVICE = botocore.session.get_session().get_service_model("bedrock-runtime")


def fits(v, shape, at):
    kind = shape.type_name
    if v is None:
        return
    if kind == "structure":
        if getattr(shape, "is_document_type", False):
            return
        for name, x in v.items():
            if name == "p":
                continue
            assert name in shape.members, f"{at}: {name} is not one of {list(shape.members)}"
            fits(x, shape.members[name], f"{at}.{name}")
        for name in shape.required_members:
            assert name in v, f"{at}: {name} is missing"
    elif kind == "list":
        for i, x in enumerate(v):
            fits(x, shape.member, f"{at}[{i}]")
    elif kind in ("string", "blob"):
        assert isinstance(v, str), at
    elif kind in ("integer", "long"):
        assert isinstance(v, int), at


def named(m, at):
    """Nothing that the type does not name, at any depth."""
    for x in m if isinstance(m, list) else [m]:
        extra = {k: v for k, v in (getattr(x, "model_extra", None) or {}).items() if k != "is_finished" and v not in ([], "")}  # of the wire only
        assert not extra, f"{at}: {extra}"
        for name in getattr(type(x), "model_fields", {}):
            y = getattr(x, name)
            if isinstance(y, list) or hasattr(type(y), "model_fields"):
                named(y, f"{at}.{name}")


TYPES = {"cohere-v1": (cohere.StreamedChatResponse, cohere.NonStreamedChatResponse), "cohere-v2": (cohere.V2ChatStreamResponse, cohere.V2ChatResponse)}
checked = 0
for case in json.load(open(os.path.join(HERE, "native.json"))):
    reference = case.get("reference")
    if reference == "converse":
        operation = SERVICE.operation_model("Converse").output_shape
        fits(case["want"], operation, case["name"])
        stream = SERVICE.operation_model("ConverseStream").output_shape.members["stream"]
        for name, payload in case["events"]:
            fits(payload, stream.members[name], f'{case["name"]}: {name}')
        checked += 1
    elif reference:
        event, reply = TYPES[reference]
        for ev in case["events"]:
            named(parse_obj_as(event, ev), case["name"])
        if not case.get("broken"):
            named(parse_obj_as(reply, case["want"]), case["name"])
        checked += 1
print(checked, "streams hold")
sys.exit(checked == 0)
