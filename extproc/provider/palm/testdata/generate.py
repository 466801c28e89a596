"""Writes mlflow.jsonl: what MLflow's own PaLM provider makes of requests and
replies, with the clock at 1700000000.

    pip install 'mlflow[gateway]==3.17.2' && python generate.py > mlflow.jsonl

Each line: {"name", "kind", "in", "want"} or {..., "status", "detail"} for a
refusal. Kinds: chat, completions, embeddings ("in" is the payload after MLflow's
validation, "want" the request to PaLM); chat_reply, completions_reply,
embeddings_reply ("in" PaLM's reply).
"""
import asyncio, copy, json, sys, warnings
from unittest import mock

from fastapi.encoders import jsonable_encoder
from mlflow.gateway.config import EndpointConfig
from mlflow.gateway.providers import palm as provider
from mlflow.gateway.schemas import chat, completions, embeddings

warnings.simplefilter("ignore")
CONFIG = EndpointConfig(**{
    "name": "e", "endpoint_type": "llm/v1/chat",
    "model": {"provider": "palm", "name": "bison", "config": {"palm_api_key": "key"}},
})
SCHEMAS = {"chat": chat.RequestPayload, "completions": completions.RequestPayload, "embeddings": embeddings.RequestPayload}
USER = [{"role": "user", "content": "hi"}]
REQUESTS = {
    "chat": {
        "plain": {"messages": USER}, "system": {"messages": [{"role": "system", "content": "s"}] + USER},
        "all": {"messages": USER, "temperature": 1.5, "top_p": 0.5, "top_k": 3, "n": 2, "stop": ["x"], "seed": 1, "context": "c", "examples": [{"a": 1}]},
        "max_tokens": {"messages": USER, "max_tokens": 3}, "maxOutputTokens": {"messages": USER, "maxOutputTokens": 3},
        "native": {"messages": USER, "candidateCount": 2}, "native stop": {"messages": USER, "stopSequences": ["x"]}, "model": {"messages": USER, "model": "m"},
        "parts": {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]}]},
    },
    "completions": {
        "plain": {"prompt": "hi \"you\""}, "all": {"prompt": "hi", "temperature": 0.3, "top_p": 0.5, "top_k": 3, "n": 2, "stop": ["x"], "max_tokens": 7},
        "native": {"prompt": "hi", "maxOutputTokens": 3}, "model": {"prompt": "hi", "model": "m"},
    },
    "embeddings": {"one": {"input": "a"}, "two": {"input": ["a", "b"]}, "native": {"input": "a", "texts": ["b"]}, "model": {"input": "a", "model": "m"}},
}
REPLIES = {
    "chat": {"one": {"candidates": [{"author": "1", "content": "Hi \u00e9"}], "messages": [{"author": "0", "content": "hi"}]},
             "two": {"candidates": [{"author": "1", "content": "a"}, {"author": "2", "content": ""}]}, "none": {"candidates": []}},
    "completions": {"one": {"candidates": [{"output": "a", "safetyRatings": []}]}, "two": {"candidates": [{"output": "a"}, {"output": "b"}]}},
    "embeddings": {"two": {"embeddings": [{"value": [0.5, -1]}, {"value": [3.25]}]}},
}


async def run(kind, payload, answer):
    sent = {}

    async def send(**args):
        sent.update(args)
        return copy.deepcopy(answer)
    with mock.patch.object(provider, "send_request", send):
        out = await getattr(provider.PaLMProvider(CONFIG), "_" + kind)(SCHEMAS[kind](**copy.deepcopy(payload)))
    if hasattr(out, "provider"):
        out.provider = "palm"
    return sent["payload"], json.loads(out.model_dump_json())


def main():
    first = {kind: next(iter(replies.values())) for kind, replies in REPLIES.items()}
    for kind, requests in REQUESTS.items():
        for name, body in requests.items():
            case = {"name": name, "kind": kind, "in": jsonable_encoder(SCHEMAS[kind](**copy.deepcopy(body)), exclude_none=True)}
            try:
                case["want"], _ = asyncio.run(run(kind, body, first[kind]))
            except Exception as e:
                if not hasattr(e, "status_code"):
                    raise
                case["status"], case["detail"] = e.status_code, e.detail
            sys.stdout.write(json.dumps(case, separators=(",", ":")) + "\n")
    for kind, replies in REPLIES.items():
        for name, body in replies.items():
            _, want = asyncio.run(run(kind, next(iter(REQUESTS[kind].values())), body))
            sys.stdout.write(json.dumps({"name": name, "kind": kind + "_reply", "in": body, "want": want}, separators=(",", ":")) + "\n")


with mock.patch("time.time", lambda: 1700000000.0):
    main()
