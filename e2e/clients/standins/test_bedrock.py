import json

import botocore.exceptions
import pytest

# ids with a colon, a slash and a percent sign: each is signed as boto3 does it
MODELS = [
    "anthropic.claude-sonnet-4-5-v1:0",
    "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-5-v1:0",
]
MODEL = MODELS[0]
TOOLS = {
    "tools": [
        {
            "toolSpec": {
                "name": "get_weather",
                "description": "Weather of a place",
                "inputSchema": {"json": {"type": "object", "properties": {"location": {"type": "string"}}}},
            }
        }
    ]
}


def said(text):
    return [{"role": "user", "content": [{"text": text}]}]


@pytest.mark.parametrize("model", MODELS)
def test_converse(make_bedrock, model):
    reply = make_bedrock().converse(
        modelId=model, messages=said("hi"), system=[{"text": "Be brief."}], inferenceConfig={"maxTokens": 50}
    )
    assert reply["output"]["message"]["content"] == [{"text": model + " at the Bedrock stand-in heard: hi"}]
    assert reply["stopReason"] == "end_turn" and reply["usage"]["totalTokens"] == 10


@pytest.mark.parametrize("model", MODELS)
def test_converse_stream(make_bedrock, model):
    events = list(make_bedrock().converse_stream(modelId=model, messages=said("hi"))["stream"])
    texts = [e["contentBlockDelta"]["delta"]["text"] for e in events if "contentBlockDelta" in e]
    assert "".join(texts) == model + " at the Bedrock stand-in heard: hi"
    assert events[-2]["messageStop"]["stopReason"] == "end_turn" and "usage" in events[-1]["metadata"]


def test_tools_and_reasoning(make_bedrock):
    client = make_bedrock()
    ask = {
        "modelId": MODEL,
        "messages": said("What is the weather in Paris?"),
        "toolConfig": TOOLS,
        "additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 1024}},
    }
    first = client.converse(**ask)
    assert first["stopReason"] == "tool_use"
    reasoning, use = first["output"]["message"]["content"]
    assert use["toolUse"]["input"] == {"location": "Paris"}
    result = {"toolUseId": use["toolUse"]["toolUseId"], "content": [{"text": "sunny"}]}
    ask["messages"] += [first["output"]["message"], {"role": "user", "content": [{"toolResult": result}]}]
    second = client.converse(**ask)["output"]["message"]["content"]
    assert second[-1]["text"].endswith("got from the tool: sunny")
    reasoning["reasoningContent"]["reasoningText"]["text"] = "another thought"
    with pytest.raises(client.exceptions.ValidationException, match="Invalid `signature`"):
        client.converse(**ask)


def test_tools_streamed(make_bedrock):
    stream = make_bedrock().converse_stream(
        modelId=MODEL, messages=said("What is the weather in Paris?"), toolConfig=TOOLS
    )["stream"]
    pieces = [e["contentBlockDelta"]["delta"]["toolUse"]["input"] for e in stream if "contentBlockDelta" in e]
    assert json.loads("".join(pieces)) == {"location": "Paris"}


def test_image(make_bedrock):
    content = [{"text": "What is this?"}, {"image": {"format": "png", "source": {"bytes": b"\x00\x01"}}}]
    reply = make_bedrock().converse(modelId=MODEL, messages=[{"role": "user", "content": content}])
    assert reply["output"]["message"]["content"][0]["text"].endswith("(1 image)")


CLAUDE = {
    "anthropic_version": "bedrock-2023-05-31",
    "max_tokens": 50,
    "messages": [{"role": "user", "content": "hi"}],
}


@pytest.mark.parametrize(
    "model, body, read",
    [
        (MODEL, CLAUDE, lambda r: r["content"][0]["text"]),
        ("amazon.titan-text-express-v1", {"inputText": "hi"}, lambda r: r["results"][0]["outputText"]),
        ("cohere.command-text-v14", {"prompt": "hi"}, lambda r: r["generations"][0]["text"]),
        ("ai21.j2-mid-v1", {"prompt": "hi"}, lambda r: r["completions"][0]["data"]["text"]),
    ],
)
def test_invoke(make_bedrock, model, body, read):
    reply = make_bedrock().invoke_model(modelId=model, body=json.dumps(body))
    assert read(json.loads(reply["body"].read())) == model + " at the Bedrock stand-in heard: hi"


def test_invoke_embeddings(make_bedrock):
    client = make_bedrock()
    reply = client.invoke_model(modelId="amazon.titan-embed-text-v2:0", body='{"inputText": "hi", "dimensions": 256}')
    assert len(json.loads(reply["body"].read())["embedding"]) == 256
    body = json.dumps({"texts": ["a", "b"], "input_type": "search_query"})
    reply = client.invoke_model(modelId="cohere.embed-english-v3", body=body)
    assert len(json.loads(reply["body"].read())["embeddings"]) == 2


def test_invoke_stream(make_bedrock):
    stream = make_bedrock().invoke_model_with_response_stream(modelId=MODEL, body=json.dumps(CLAUDE))["body"]
    events = [json.loads(e["chunk"]["bytes"]) for e in stream]
    assert [events[0]["type"], events[-1]["type"]] == ["message_start", "message_stop"]
    texts = [e["delta"]["text"] for e in events if e["type"] == "content_block_delta"]
    assert "".join(texts) == MODEL + " at the Bedrock stand-in heard: hi"
    assert events[-1]["amazon-bedrock-invocationMetrics"]["outputTokenCount"] == 7


def test_credentials(make_bedrock, sts):
    bad = {
        "InvalidSignatureException": {"aws_secret_access_key": "other"},
        "UnrecognizedClientException": {"aws_access_key_id": "AKIDOTHER"},
    }
    for code, keys in bad.items():
        with pytest.raises(botocore.exceptions.ClientError) as caught:
            make_bedrock(**keys).converse(modelId=MODEL, messages=said("hi"))
        assert caught.value.response["Error"]["Code"] == code
    role = {"RoleArn": "arn:aws:iam::123456789012:role/models", "RoleSessionName": "test"}
    key = sts.assume_role(**role)["Credentials"]
    names = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    temporary = make_bedrock(**names, aws_session_token=key["SessionToken"])
    assert temporary.converse(modelId=MODEL, messages=said("hi"))["stopReason"] == "end_turn"
    with pytest.raises(botocore.exceptions.ClientError, match="security token"):
        make_bedrock(**names).converse(modelId=MODEL, messages=said("hi"))


def test_faults(make_bedrock):
    client = make_bedrock()
    for model, code in {"fault-429": "ThrottlingException", "fault-503": "ServiceUnavailableException"}.items():
        with pytest.raises(botocore.exceptions.ClientError) as caught:
            client.converse(modelId=model, messages=said("hi"))
        assert caught.value.response["Error"]["Code"] == code
    with pytest.raises(botocore.exceptions.EventStreamError, match="throttlingException"):
        list(client.converse_stream(modelId="fault-error-event", messages=said("hi"))["stream"])
