"""boto3's bedrock-runtime on the native path: the gateway signs for AWS.

The stand-in verifies each signature by botocore's rules, and takes no other key
than the endpoint's.
"""

import json
import os

import boto3
import botocore.config
import botocore.exceptions
import pytest
from conftest import TOKEN
from targets import BEDROCK, TABLE

# Ids with a colon, a slash and a percent sign: each is escaped once by boto3,
# and once more where the path is signed.
ODD = "anthropic.claude-50%2fodd%3a1"
LOCATION = {"json": {"type": "object", "properties": {"location": {"type": "string"}}}}
TOOLS = {"tools": [{"toolSpec": {"name": n, "inputSchema": LOCATION}} for n in ("get_weather", "get_time")]}
CLAUDE = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 50, "messages": [{"role": "user", "content": "hi"}]}


def said(text):
    return [{"role": "user", "content": [{"text": text}]}]


def heard(model, text="hi"):
    return f"{model} at the Bedrock stand-in heard: {text}"


@pytest.fixture(scope="session")
def bedrock(url):
    """Makes boto3's client of an endpoint."""
    # A bearer token in place of a signature, where boto3 looks for one.
    os.environ["AWS_BEARER_TOKEN_BEDROCK"] = TOKEN
    made = {}

    def make(endpoint):
        if endpoint not in made:
            made[endpoint] = boto3.client(
                "bedrock-runtime",
                region_name="us-east-1",
                endpoint_url=f"{url}/native/{endpoint}",
                verify=os.environ["SLUICE_CA"],
                config=botocore.config.Config(retries={"total_max_attempts": 1}),
            )
        return made[endpoint]

    yield make
    del os.environ["AWS_BEARER_TOKEN_BEDROCK"]


@pytest.fixture(
    params=[
        "chat-bedrock",
        "chat-bedrock-arn",
        "chat-bedrock-role",
        "chat-bedrock-bearer",
        "odd-bedrock",
        "session-bedrock",
    ]
)
def place(request, lasting, sts_key):
    """An endpoint for each way to authenticate, with its model's id."""
    name = request.param
    if name in TABLE:
        return name, TABLE[name]["Model"]
    model = ODD if name == "odd-bedrock" else BEDROCK.model
    if name not in lasting.made:
        lasting.endpoint(name, BEDROCK, model, config=sts_key() if name == "session-bedrock" else None)
    return name, model


@pytest.fixture(scope="session")
def sts_key():
    """Makes a temporary key at the STS stand-in, as parameters of an endpoint."""

    def make():
        config = TABLE["chat-bedrock"]["Config"]
        with pytest.MonkeyPatch.context() as patch:
            patch.delenv("AWS_BEARER_TOKEN_BEDROCK", raising=False)
            sts = boto3.client(
                "sts",
                region_name="us-east-1",
                endpoint_url=os.environ["SLUICE_STS"],
                verify=os.environ["SLUICE_STS_CA"],
                aws_access_key_id=config["aws_access_key_id"],
                aws_secret_access_key=config["aws_secret_access_key"],
            )
            role = "arn:aws:iam::123456789012:role/models"
            key = sts.assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
        return {
            "aws_access_key_id": key["AccessKeyId"],
            "aws_secret_access_key": key["SecretAccessKey"],
            "aws_session_token": key["SessionToken"],
        }

    return make


def test_converse(bedrock, place, admin):
    endpoint, model = place
    reply = bedrock(endpoint).converse(modelId=model, messages=said("hi"), system=[{"text": "Be brief."}])
    assert reply["output"]["message"]["content"] == [{"text": heard(model)}]
    assert (reply["stopReason"], reply["usage"]["totalTokens"]) == ("end_turn", 10)
    outcome = admin.outcome(reply["ResponseMetadata"]["HTTPHeaders"]["x-request-id"])
    assert (outcome["result"], outcome["inputTokens"], outcome["outputTokens"]) == ("answered", 3, 7)


def test_converse_stream(bedrock, place, admin):
    endpoint, model = place
    reply = bedrock(endpoint).converse_stream(modelId=model, messages=said("hi"))
    events = list(reply["stream"])
    texts = [e["contentBlockDelta"]["delta"]["text"] for e in events if "contentBlockDelta" in e]
    assert "".join(texts) == heard(model) and len(texts) == 7
    assert events[-2]["messageStop"]["stopReason"] == "end_turn"
    assert events[-1]["metadata"]["usage"]["outputTokens"] == 7
    outcome = admin.outcome(reply["ResponseMetadata"]["HTTPHeaders"]["x-request-id"])
    assert (outcome["result"], outcome["outputTokens"]) == ("answered", 7)


def test_invoke(bedrock, place):
    endpoint, model = place
    reply = bedrock(endpoint).invoke_model(modelId=model, body=json.dumps(CLAUDE))
    assert json.loads(reply["body"].read())["content"][0]["text"] == heard(model)


def test_invoke_stream(bedrock, place, admin):
    endpoint, model = place
    reply = bedrock(endpoint).invoke_model_with_response_stream(modelId=model, body=json.dumps(CLAUDE))
    events = [json.loads(e["chunk"]["bytes"]) for e in reply["body"]]
    assert [events[0]["type"], events[-1]["type"]] == ["message_start", "message_stop"]
    texts = [e["delta"]["text"] for e in events if e["type"] == "content_block_delta"]
    assert "".join(texts) == heard(model)
    outcome = admin.outcome(reply["ResponseMetadata"]["HTTPHeaders"]["x-request-id"])
    assert (outcome["inputTokens"], outcome["outputTokens"]) == (1, 7)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_tools_and_reasoning(bedrock, stream):
    client = bedrock("chat-bedrock")
    ask = {
        "modelId": BEDROCK.model,
        "messages": said("What are weather and time in Paris?"),
        "toolConfig": TOOLS,
        "additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 1024}},
    }
    if stream:
        events = list(client.converse_stream(**ask)["stream"])
        pieces = [e["contentBlockDelta"] for e in events if "contentBlockDelta" in e]
        inputs = {}
        for p in pieces:
            if "toolUse" in p["delta"]:
                inputs.setdefault(p["contentBlockIndex"], []).append(p["delta"]["toolUse"]["input"])
        assert [json.loads("".join(v)) for v in inputs.values()] == [{"location": "Paris"}] * 2
        return
    first = client.converse(**ask)
    assert first["stopReason"] == "tool_use"
    reasoning, *uses = first["output"]["message"]["content"]
    results = [{"toolResult": {"toolUseId": u["toolUse"]["toolUseId"], "content": [{"text": "sunny"}]}} for u in uses]
    ask["messages"] += [first["output"]["message"], {"role": "user", "content": results}]
    assert client.converse(**ask)["output"]["message"]["content"][-1]["text"].startswith(BEDROCK.got("sunny"))
    reasoning["reasoningContent"]["reasoningText"]["text"] = "another thought"
    with pytest.raises(client.exceptions.ValidationException, match="Invalid `signature`"):
        client.converse(**ask)


def test_image(bedrock):
    content = [{"text": "What is this?"}, {"image": {"format": "png", "source": {"bytes": b"\x00\x01"}}}]
    reply = bedrock("chat-bedrock").converse(modelId=BEDROCK.model, messages=[{"role": "user", "content": content}])
    assert reply["output"]["message"]["content"][0]["text"] == BEDROCK.heard("What is this? (1 image)")


@pytest.mark.parametrize(
    "endpoint, body, read",
    [
        ("completions-bedrock", {"inputText": "hi"}, lambda r: r["results"][0]["outputText"]),
        ("completions-bedrock-cohere", {"prompt": "hi"}, lambda r: r["generations"][0]["text"]),
        ("completions-bedrock-ai21", {"prompt": "hi"}, lambda r: r["completions"][0]["data"]["text"]),
        ("embeddings-bedrock", {"inputText": "hi", "dimensions": 256}, lambda r: len(r["embedding"])),
        (
            "embeddings-bedrock-cohere",
            {"texts": ["a", "b"], "input_type": "search_query"},
            lambda r: len(r["embeddings"]),
        ),
    ],
)
def test_families(bedrock, admin, endpoint, body, read):
    model = TABLE[endpoint]["Model"]
    reply = bedrock(endpoint).invoke_model(modelId=model, body=json.dumps(body))
    want = {"embeddings-bedrock": 256, "embeddings-bedrock-cohere": 2}.get(endpoint, heard(model))
    assert read(json.loads(reply["body"].read())) == want
    outcome = admin.outcome(reply["ResponseMetadata"]["HTTPHeaders"]["x-request-id"])
    assert outcome["inputTokens"] == (2 if "texts" in body else 1)


def test_count_tokens(bedrock):
    counted = bedrock("chat-bedrock").count_tokens(
        modelId=BEDROCK.model, input={"converse": {"messages": said("one two three")}}
    )
    assert counted["inputTokens"] == 3


def failure(call):
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call()
    error = caught.value.response["Error"]
    return caught.value.response["ResponseMetadata"]["HTTPStatusCode"], error["Code"], error["Message"]


def test_refusals(bedrock, monkeypatch, url):
    client = bedrock("chat-bedrock")
    status, code, message = failure(lambda: client.converse(modelId="amazon.nova-pro-v1:0", messages=said("hi")))
    assert (status, code) == (403, "AccessDeniedException") and "none of this endpoint's" in message
    empty = [{"role": "user", "content": []}]
    status, code, _ = failure(lambda: client.converse(modelId=BEDROCK.model, messages=empty))
    assert (status, code) == (400, "ValidationException")
    status, code, _ = failure(lambda: bedrock("nowhere").converse(modelId=BEDROCK.model, messages=said("hi")))
    assert (status, code) == (404, "ResourceNotFoundException")
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "slu_wrong")
    wrong = boto3.client(
        "bedrock-runtime",
        region_name="us-east-1",
        endpoint_url=f"{url}/native/chat-bedrock",
        verify=os.environ["SLUICE_CA"],
        config=botocore.config.Config(retries={"total_max_attempts": 1}),
    )
    status, code, _ = failure(lambda: wrong.converse(modelId=BEDROCK.model, messages=said("hi")))
    assert status == 401 and code


@pytest.mark.parametrize(
    "model, status, code",
    [
        ("fault-400", 400, "ValidationException"),
        ("fault-429", 429, "ThrottlingException"),
        ("fault-500", 500, "InternalServerException"),
        ("fault-503", 503, "ServiceUnavailableException"),
    ],
)
def test_faults(bedrock, failing, model, status, code):
    client = bedrock(failing(BEDROCK, model))
    assert failure(lambda: client.converse(modelId=model, messages=said("hi")))[:2] == (status, code)


def test_fault_in_the_stream(bedrock, failing):
    client = bedrock(failing(BEDROCK, "fault-error-event"))
    with pytest.raises(botocore.exceptions.EventStreamError, match="throttlingException"):
        list(client.converse_stream(modelId="fault-error-event", messages=said("hi"))["stream"])


def test_refused_key(bedrock, lasting):
    """What AWS says to a wrong key comes as AWS says it: the stand-in does verify."""
    name = lasting.endpoint("wrong-key-bedrock", BEDROCK, BEDROCK.model, config={"aws_secret_access_key": "other"})
    status, code, _ = failure(lambda: bedrock(name).converse(modelId=BEDROCK.model, messages=said("hi")))
    assert (status, code) == (403, "InvalidSignatureException")
