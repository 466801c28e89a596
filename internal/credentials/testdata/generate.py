"""Writes signatures.json: requests signed by botocore, which sign_test.go
holds the gateway's signatures against. Needs boto3.

    python internal/credentials/testdata/generate.py
"""

import base64
import datetime
import hashlib
import json
import pathlib

import boto3
import botocore
import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

NOW = datetime.datetime(2026, 2, 3, 4, 5, 6, tzinfo=datetime.timezone.utc)
KEY, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
TOKEN = "IQoJb3JpZ2luX2VjEXAMPLE//////////wEaCXVzLWVhc3QtMSJHMEUCIQ=="

MODELS = [
    "anthropic.claude-3-5-sonnet-20241022-v2:0",
    "us.meta.llama3-3-70b-instruct-v1:0",
    "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-3-7-sonnet-20250219-v1:0",
    "arn:aws:bedrock:eu-west-1:123456789012:provisioned-model/abc123",
    "100%25 mine",
    "a+b~c_d-e.f",
    "größe/模型",
    "50%",
]


def sdk_request(model, operation, **arguments):
    """What boto3 sends for an operation: its path is what providers must send."""
    client = boto3.client(
        "bedrock-runtime", region_name="us-east-1", aws_access_key_id=KEY, aws_secret_access_key=SECRET,
        config=Config(parameter_validation=False),
    )
    seen = []

    def stop(request, **_):
        seen.append(request)
        raise StopIteration

    client.meta.events.register("before-send", stop)
    try:
        getattr(client, operation)(modelId=model, **arguments)
    except StopIteration:
        pass
    url = seen[0].url
    host = "https://bedrock-runtime.us-east-1.amazonaws.com"
    assert url.startswith(host)
    return url[len(host):]


def case(name, path, body=b"{}", method="POST", headers=None, token="", region="us-east-1", service="bedrock",
         host="bedrock-runtime.us-east-1.amazonaws.com"):
    headers = {"content-type": "application/json"} if headers is None else headers
    request = AWSRequest(method=method, url="https://" + host + path, headers=dict(headers), data=body)
    request.headers["x-amz-content-sha256"] = hashlib.sha256(body).hexdigest()
    botocore.auth.SigV4Auth(Credentials(KEY, SECRET, token or None), service, region).add_auth(request)
    return {
        "name": name, "method": method, "path": path, "host": host, "region": region, "service": service,
        "access_key_id": KEY, "secret_access_key": SECRET, "session_token": token,
        "headers": [[k, v] for k, v in headers.items()], "body": base64.b64encode(body).decode(),
        "authorization": request.headers["Authorization"], "date": request.headers["X-Amz-Date"],
    }


def main():
    botocore.auth.get_current_datetime = lambda *a, **k: NOW
    cases = []
    for model in MODELS:
        path = sdk_request(model, "converse", messages=[])
        cases.append(case("converse " + model, path, b'{"messages":[]}'))
        path = sdk_request(model, "invoke_model_with_response_stream", body=b"{}")
        cases.append(case("stream " + model, path, "{\"prompt\":\"grüß dich\"}".encode(), token=TOKEN))
    cases += [
        case("colon as it is", "/model/anthropic.claude-v2:1/invoke"),
        case("no body", "/foundation-models", b"", "GET", {}, service="bedrock", host="bedrock.us-east-1.amazonaws.com"),
        case("query", "/foundation-models?byProvider=anthropic&byOutputModality=TEXT", b"", "GET", {}),
        case("query of escaped values", "/x?b=2%20%2F%2B&a=%C3%A9&a=1&empty=", b"", "GET", {}),
        case("root", "/", b"Action=GetCallerIdentity&Version=2011-06-15", region="eu-central-1", service="sts",
             headers={"content-type": "application/x-www-form-urlencoded; charset=utf-8"},
             host="sts.eu-central-1.amazonaws.com"),
        case("other x-amz headers", "/model/m/invoke", headers={
            "content-type": "application/json", "x-amz-target": "Some.Target", "x-amz-meta": "  two   spaces  "}),
        case("port", "/model/m/converse", host="bedrock.internal.example:8443"),
        case("empty and dot segments", "/model//m/./x/../converse"),
        case("dots at the end", "/model/m/../"),
        case("dot within a name", "/model/.hidden/a..b/converse"),
        case("large body", "/model/m/converse", b"x" * 70000, token=TOKEN),
        case("binary body", "/model/m/invoke", bytes(range(256)), headers={"content-type": "application/octet-stream"}),
    ]
    out = {"generator": "botocore " + botocore.__version__, "now": NOW.isoformat().replace("+00:00", "Z"), "cases": cases}
    for c in cases:  # a large body is told by its repetition, so that the file stays small
        if len(c["body"]) > 10000:
            c["body"], c["repeat"] = base64.b64encode(b"x").decode(), 70000
    path = pathlib.Path(__file__).with_name("signatures.json")
    path.write_text(json.dumps(out, indent=1, ensure_ascii=False) + "\n")


main()
