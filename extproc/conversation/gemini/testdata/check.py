"""Holds what is written here against Google's own types: requests to Gemini, and
replies and streams for Gemini's clients.

    pip install google-genai && python check.py

Types that do not fit end it with an error; so do members that no type has.
"""
import json, pathlib
from google.genai import types

HERE = pathlib.Path(__file__).parent


def fields(model):
    return {f.alias or n: f for n, f in model.model_fields.items()}


def strict(model, value, where):
    """Validates, and looks for members that the type does not have."""
    known = fields(model)
    for key in value:
        assert key in known, f"{where}: {model.__name__} has no {key}"
    return model.model_validate(value)


def content(value, where):
    strict(types.Content, value, where)
    for i, part in enumerate(value.get("parts", [])):
        at = f"{where}.parts[{i}]"
        strict(types.Part, part, at)
        for key, kind in (("inlineData", types.Blob), ("fileData", types.FileData), ("functionCall", types.FunctionCall), ("functionResponse", types.FunctionResponse)):
            if key in part:
                strict(kind, part[key], at)


def request(name, body):
    for i, c in enumerate(body["contents"]):
        content(c, f"{name}.contents[{i}]")
    if "systemInstruction" in body:
        content(body["systemInstruction"], name)
    strict(types.GenerationConfig, body.get("generationConfig", {}), name)
    if "thinkingConfig" in body.get("generationConfig", {}):
        strict(types.ThinkingConfig, body["generationConfig"]["thinkingConfig"], name)
    for tool in body.get("tools", []):
        strict(types.Tool, tool, name)
        for f in tool["functionDeclarations"]:
            strict(types.FunctionDeclaration, f, name)
    strict(types.ToolConfig, body.get("toolConfig", {}), name)
    if "toolConfig" in body:
        strict(types.FunctionCallingConfig, body["toolConfig"]["functionCallingConfig"], name)
    for s in body.get("safetySettings", []):
        strict(types.SafetySetting, s, name)
    known = {"contents", "systemInstruction", "generationConfig", "tools", "toolConfig", "safetySettings", "cachedContent", "serviceTier"}
    assert set(body) <= known, (name, set(body) - known)


def response(name, body):
    r = strict(types.GenerateContentResponse, body, name)
    for c in body["candidates"]:
        strict(types.Candidate, c, name)
        content(c["content"], name)
    if "usageMetadata" in body:
        strict(types.GenerateContentResponseUsageMetadata, body["usageMetadata"], name)
    # What a client sends back is what it got: signatures survive its own encoding.
    again = json.loads(r.candidates[0].content.model_dump_json(exclude_none=True, by_alias=True))
    for was, now in zip(body["candidates"][0]["content"]["parts"], again["parts"]):
        signature = now.get("thoughtSignature", "").replace("-", "+").replace("_", "/")
        assert signature == was.get("thoughtSignature", ""), name


n = 0
for case in json.loads((HERE / "to_gemini.json").read_text()):
    if "want" in case:
        request(case["name"], case["want"])
        n += 1
for case in json.loads((HERE / "client_replies.json").read_text()):
    response(case["name"], case["want"])
    n += 1
for case in json.loads((HERE / "client_streams.json").read_text()):
    for event in case["want"]:
        response(case["name"], event)
        n += 1
print(n, "fit Google's types")
