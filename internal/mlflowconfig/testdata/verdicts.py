"""Asks MLflow's own loader which files it takes, and writes verdicts.json.

    python internal/mlflowconfig/testdata/verdicts.py      # with mlflow[gateway]==3.17.2
"""

import json
import pathlib
import tempfile

from mlflow.gateway.config import _load_gateway_config

E = """endpoints:
- {name: a, endpoint_type: llm/v1/chat, model: {provider: openai, name: m, config: {openai_api_key: k}}}
- {name: b, endpoint_type: llm/v1/chat, model: {provider: anthropic, name: m, config: {anthropic_api_key: k}}}
- {name: e, endpoint_type: llm/v1/embeddings, model: {provider: openai, name: m, config: {openai_api_key: k}}}
"""


def route(destinations, more="", name="r", kind="llm/v1/chat"):
    return E + f"routes:\n- {{name: {name}, task_type: {kind}, destinations: [{destinations}]{more}}}\n"


def to(name, share):
    return f"{{name: {name}, traffic_percentage: {share}}}"


def endpoint(line):
    return E + "- {" + line + "}\n"


MODEL = "model: {provider: openai, name: m, config: {openai_api_key: k}}"

FILES = {
    "no routes": E,
    "routes: null": E + "routes:\n",
    "routes: []": E + "routes: []\n",
    "one destination": route(to("a", 100)),
    "split": route(to("a", 90) + ", " + to("b", 10)),
    "a share of 0": route(to("a", 100) + ", " + to("b", 0)),
    "one destination twice": route(to("a", 50) + ", " + to("a", 50)),
    "strategy": route(to("a", 100), ", routing_strategy: TRAFFIC_SPLIT"),
    "another strategy": route(to("a", 100), ", routing_strategy: ROUND_ROBIN"),
    "an extra key": route(to("a", 100), ", colour: red"),
    "sum 99": route(to("a", 90) + ", " + to("b", 9)),
    "sum 101": route(to("a", 90) + ", " + to("b", 11)),
    "above 100": route(to("a", 101) + ", " + to("b", -1)),
    "no destinations": route(""),
    "unknown destination": route(to("zz", 100)),
    "a route as a destination": route(to("r", 100)),
    "destination of another type": route(to("e", 100)),
    "type of the destination": route(to("e", 100), kind="llm/v1/embeddings"),
    "unknown type": route(to("a", 100), kind="chat"),
    "name of an endpoint": route(to("a", 100), name="b"),
    "two routes of one name": route(to("a", 100)) + "- {name: r, task_type: llm/v1/chat, destinations: [" + to("a", 100) + "]}\n",
    "two endpoints of one name": endpoint("name: a, endpoint_type: llm/v1/chat, " + MODEL),
    "route_type": endpoint("name: x, route_type: llm/v1/chat, " + MODEL),
    "bad name": endpoint("name: 'x y', endpoint_type: llm/v1/chat, " + MODEL),
    "dots in a name": endpoint("name: x.y-z_1, endpoint_type: llm/v1/chat, " + MODEL),
    "no model": endpoint("name: x, endpoint_type: llm/v1/chat"),
    "no name of the model": endpoint("name: x, endpoint_type: llm/v1/chat, model: {provider: openai, config: {openai_api_key: k}}"),
    "limit": endpoint("name: x, endpoint_type: llm/v1/chat, limit: {calls: 5, renewal_period: minute}, " + MODEL),
    "limit of several minutes": endpoint("name: x, endpoint_type: llm/v1/chat, limit: {calls: 5, renewal_period: 10 minutes}, " + MODEL),
    "bad limit": endpoint("name: x, endpoint_type: llm/v1/chat, limit: {calls: 5, renewal_period: fortnight}, " + MODEL),
    "our targets and timeout": endpoint("name: x, endpoint_type: llm/v1/chat, head_timeout: 30s, targets: [{name: t, " + MODEL + "}], " + MODEL),
    "vertex_credentials as JSON text": endpoint(
        "name: x, endpoint_type: llm/v1/chat, model: {provider: vertex_ai, name: gemini-2.5-pro, "
        "config: {vertex_project: p, vertex_credentials: '{\"type\": \"service_account\"}', vertex_anthropic_betas: [b1, b2]}}"),
    "betas as text": endpoint(
        "name: x, endpoint_type: llm/v1/chat, model: {provider: vertex-ai, name: gemini-2.5-pro, "
        "config: {vertex_project: p, vertex_anthropic_betas: 'b1, b2'}}"),
    "aws_config": endpoint(
        "name: x, endpoint_type: llm/v1/completions, model: {provider: bedrock, name: amazon.titan-tg1-large, "
        "config: {aws_config: {aws_region: us-east-1, aws_access_key_id: a, aws_secret_access_key: s}}}"),
    "aws_config of nothing": endpoint(
        "name: x, endpoint_type: llm/v1/completions, model: {provider: amazon-bedrock, name: amazon.titan-tg1-large, config: {aws_config: {}}}"),
}


def verdict(text):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "config.yaml")
        path.write_text(text)
        try:
            _load_gateway_config(path)
        except Exception as e:
            return {"accepted": False, "says": str(e).replace(folder, "").splitlines()[0]}
    return {"accepted": True}


cases = [{"name": name, "file": text, **verdict(text)} for name, text in FILES.items()]
out = pathlib.Path(__file__).with_name("verdicts.json")
out.write_text(json.dumps(cases, indent=1, ensure_ascii=False) + "\n")
