"""Writes testdata/mlflow.jsonl of the providers named below: what MLflow's own
deployments server does with calls, replies and streams, with the clock at
1700000000. The server is the real one; only its HTTP client is replaced.

    pip install 'mlflow[gateway]==3.17.2' && python generate.py [folder …]

Each line is a case: name; type, model and config of the endpoint; body, the
client's; upstream, the call to the provider, null where none is made; answer,
the provider's (status, type, body as text); and what the client gets: status
and want, or sse, or aborted (the failure that ends a stream before it began).
crash: MLflow's server fails with a 500 in plain text, and Sluice does better.
"""
import contextlib, json, logging, pathlib, sys, types, warnings
from unittest import mock

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)

import aiohttp
from fastapi.encoders import jsonable_encoder
from fastapi.testclient import TestClient
from mlflow.gateway.app import create_app_from_config
from mlflow.gateway.config import GatewayConfig
from mlflow.gateway.providers import utils
from mlflow.gateway.providers.databricks import DatabricksProvider
from mlflow.gateway.providers.sap_ai_core import SapAiCoreAdapter
from mlflow.gateway.schemas import chat

HERE = pathlib.Path(__file__).parent.parent
CHAT, TEXT, VECTORS = "llm/v1/chat", "llm/v1/completions", "llm/v1/embeddings"
REASONS = {400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 422: "Unprocessable Entity", 429: "Too Many Requests",
           500: "Internal Server Error", 503: "Service Unavailable"}


class Answer:
    def __init__(self, body, status=200, type="application/json"):
        self.text_ = body if isinstance(body, str) else json.dumps(body)
        self.status, self.headers = status, {"Content-Type": type}

    async def json(self):
        return json.loads(self.text_)

    async def text(self):
        return self.text_

    def raise_for_status(self):
        if self.status >= 400:
            raise aiohttp.ClientResponseError(None, (), status=self.status, message=REASONS[self.status])

    @property
    def content(self):
        async def lines():
            for line in self.text_.encode().splitlines(keepends=True):
                yield line
        return lines()


def user(text="hi"):
    return [{"role": "user", "content": text}]


def failure(e):
    """The HTTP failure in an exception, which may be a group of them."""
    seen, todo = set(), [e]
    while todo:
        if (e := todo.pop()) is None or id(e) in seen:
            continue
        seen.add(id(e))
        if hasattr(e, "status_code"):
            return {"status": e.status_code, "detail": e.detail}
        todo += [e.__context__, e.__cause__, *getattr(e, "exceptions", [])]
    return None


def run(provider, model, config, name, type, body, answer):
    app = create_app_from_config(GatewayConfig(endpoints=[
        {"name": "e", "endpoint_type": type, "model": {"provider": provider, "name": model, "config": config}}]))
    sent = []

    @contextlib.asynccontextmanager
    async def post(headers, base_url, path, payload, **_):
        sent.append({"url": utils.append_to_uri_path(base_url, path), "headers": headers, "body": json.loads(json.dumps(payload))})
        yield answer

    case = {"name": name, "type": type, "model": model, "config": config, "body": body}
    with mock.patch.object(utils, "_aiohttp_post", post), mock.patch("time.time", lambda: 1700000000.0):
        try:
            reply = TestClient(app, raise_server_exceptions=False).post("/gateway/e/invocations", json=body)
            got = {"status": reply.status_code, "text": reply.text, "type": reply.headers["content-type"]}
        except Exception as e:
            got = {"aborted": failure(e)}
        if body.get("stream") and (got.get("status") == 500 or not got.get("text")):
            try:
                TestClient(app).post("/gateway/e/invocations", json=body)
            except BaseException as e:
                got = {"aborted": failure(e)}
    case["upstream"] = sent[0] if sent else None
    if sent:
        case["answer"] = {"status": answer.status, "type": answer.headers["Content-Type"], "body": answer.text_}
    if "aborted" in got:
        case.update({"aborted": got["aborted"]} if got["aborted"] else {"crash": True})
    elif got["type"].startswith("text/plain"):
        case["crash"] = True
    elif got["type"].startswith("text/event-stream"):
        case["sse"] = got["text"]
    else:
        case["status"], case["want"] = got["status"], json.loads(got["text"])
    return case


def workspace(self):
    """Databricks' own client asks the workspace before it says anything."""
    config = self._provider_config
    return types.SimpleNamespace(config=types.SimpleNamespace(
        host=config.host, authenticate=lambda: {"Authorization": "Bearer " + config.token}))


def sse(*events):
    return "".join("data: " + (e if isinstance(e, str) else json.dumps(e)) + "\n\n" for e in events)


def lines(*events):
    return "".join(json.dumps(e) + "\n" for e in events)


SAMPLING = {
    "temperature 0": {"temperature": 0}, "temperature": {"temperature": 0.7}, "temperature 2": {"temperature": 2}, "n 1": {"n": 1}, "n 2": {"n": 2},
    "stop": {"stop": ["a", "\n"]}, "max_tokens": {"max_tokens": 7}, "max_completion_tokens": {"max_completion_tokens": 8},
    "top_p": {"top_p": 0.5}, "top_k": {"top_k": 3}, "extras": {"seed": 5, "whatever": {"a": [1, None]}}, "model": {"model": "other"},
    "penalties": {"presence_penalty": 0.5, "frequency_penalty": -1}, "stream false": {"stream": False},
}
ERRORS = {
    "error object": Answer({"error": {"message": "bad thing", "type": "t", "code": 3}}, 400),
    "error without message": Answer({"error": {"code": 1}}, 400),
    "error message": Answer({"message": "Error: no"}, 500), "error detail": Answer({"detail": "nope"}, 422),
    "error text": Answer("slow down", 429, "text/plain"), "error html": Answer("<html>", 503, "text/html"),
    "error key": Answer({"message": "invalid api token"}, 401), "error token limit": Answer({"message": "Error: prompt token count is 9"}, 500),
    "error output limit": Answer({"message": "Error: max output tokens is limited to 5"}, 500),
}
CHATS = {
    "plain": {"messages": user()}, "escapes": {"messages": user('<b>"q" \\ \u2028 \U0001f600\ttab\n')},
    "system": {"messages": [{"role": "system", "content": "s"}] + user()},
    "systems": {"messages": [{"role": "system", "content": "a"}] + user("b") + [{"role": "assistant", "content": "c"}, {"role": "system", "content": ""}] + user("d")},
    "turns": {"messages": user("a") + [{"role": "assistant", "content": "b"}] + user("c")},
    "users": {"messages": user("a") + user("b")}, "assistant last": {"messages": user() + [{"role": "assistant", "content": "so"}]},
    "assistant twice": {"messages": user() + [{"role": "assistant", "content": "so"}, {"role": "assistant", "content": "x"}] + user()},
    "tool": {"messages": user() + [{"role": "assistant", "content": None, "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
                                   {"role": "tool", "tool_call_id": "c", "content": "r"}]},
    "other role": {"messages": [{"role": "critic", "content": "x"}]},
    "parts": {"messages": user([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}])},
    "tools": {"messages": user(), "tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": {
        "type": "object", "properties": {"a": {"type": "string"}}}}}], "tool_choice": "auto"},
    "format": {"messages": user(), "response_format": {"type": "json_object"}},
    **{k: {"messages": user(), **v} for k, v in SAMPLING.items()},
}
TEXTS = {"plain": {"prompt": "hi"}, "escapes": {"prompt": '"q" \\ \u00e9\n'}, "empty": {"prompt": ""}, **{k: {"prompt": "hi", **v} for k, v in SAMPLING.items()}}
VECTORS_IN = {"string": {"input": "hi"}, "strings": {"input": ["a", "b"]}, "tokens": {"input": [1, 2]}, "token lists": {"input": [[1], [2, 3]]},
              "extras": {"input": "hi", "truncate": "END"}, "model": {"input": "hi", "model": "other"}}


def cross(type, bodies, answer, **more):
    return [(f"{k}", type, {**b, **more}, answer) for k, b in bodies.items()]


def replies(type, body, answers):
    return [(f"reply {k}", type, body, a) for k, a in answers.items()]


def usage(p, c, **more):
    return {"prompt_tokens": p, "completion_tokens": c, "total_tokens": p + c, **more}


def chat_completion(message, finish="stop", use=usage(3, 4), **more):
    return {"id": "x1", "object": "chat.completion", "created": 5, "model": "m-x", "choices": [{"index": 0, "message": message, "finish_reason": finish}], "usage": use, **more}


def chunk(finish=None, use=None, text=None, **delta):
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    if text is not None:
        choice["text"] = text
    out = {"id": "x1", "object": "chat.completion.chunk", "created": 5, "model": "m-x", "choices": [choice]}
    return {**out, "usage": use} if use else out


SAYS = {"role": "assistant", "content": "A"}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"a\": 1}"}}
EMBEDDED = {"id": "e", "object": "list", "model": "m-x", "data": [{"object": "embedding", "embedding": [0.5, 1], "index": 0}, {"object": "embedding", "embedding": [2.0], "index": 1}],
            "usage": {"prompt_tokens": 3, "total_tokens": 3}}
OPENAI_STREAMS = {
    "text": sse(chunk(role="assistant", content=""), chunk(content="Hel"), chunk(content="lo \u00e9"), chunk("stop", usage(1, 2), content=""), "[DONE]"),
    "tools": sse(chunk(role="assistant", content=None, tool_calls=[{"index": 0, **CALL}]), chunk("tool_calls", content=""), "[DONE]"),
    "length": sse(chunk("length", usage(1, 2), content="x"), "[DONE]"),
}

COHERE_CHAT = {"response_id": "r1", "text": "A \u00e9", "generation_id": "g", "token_count": {"prompt_tokens": 3, "response_tokens": 4, "total_tokens": 7, "billed_tokens": 6},
               "meta": {"billed_units": {"input_tokens": 2, "output_tokens": 4}}}
COHERE_LINES = lines({"is_finished": False, "event_type": "stream-start", "generation_id": "g"}, {"is_finished": False, "event_type": "text-generation", "text": "Hi"},
                     {"is_finished": False, "event_type": "text-generation", "text": ""}, {"is_finished": True, "event_type": "stream-end", "finish_reason": "COMPLETE", "response": COHERE_CHAT})
COHERE_TEXT = {"id": "g0", "generations": [{"id": "g1", "text": " one"}, {"id": "g2", "text": " two"}], "prompt": "hi", "meta": {"billed_units": {"input_tokens": 1, "output_tokens": 2}}}
COHERE_TEXT_LINES = lines({"text": " Hi", "is_finished": False, "event_type": "text-generation"}, {"index": 1, "text": " yo", "is_finished": False, "event_type": "text-generation"},
                          {"is_finished": True, "event_type": "stream-end", "finish_reason": "COMPLETE", "response": {"id": "b", "generations": [], "prompt": "hi"}})
AI21 = {"id": "i", "prompt": {"text": "hi"}, "completions": [{"data": {"text": " a"}, "finishReason": {"reason": "length", "length": 2}}, {"data": {"text": " b"}, "finishReason": {"reason": "endoftext"}}]}
TGI = {"generated_text": "out", "details": {"finish_reason": "eos_token", "generated_tokens": 3, "seed": None, "prefill": [{"id": 0}, {"id": 1}], "tokens": []}}


def native(names, type, body, status_of=None):
    return [(f"native {n}", type, {**body, n: 1}, Answer({})) for n in names]


PROVIDERS = {
    "cohere": ("cohere", "command", {"cohere_api_key": "key"},
        cross(CHAT, CHATS, Answer(COHERE_CHAT)) + cross(CHAT, {"stream": CHATS["turns"]}, Answer(COHERE_LINES, type="application/stream+json"), stream=True)
        + replies(CHAT, {"messages": user()}, ERRORS) + replies(CHAT, {"messages": user()}, {"empty": Answer({**COHERE_CHAT, "text": ""}), "nothing": Answer({})})
        + cross(TEXT, TEXTS, Answer(COHERE_TEXT)) + cross(TEXT, {"stream": {"prompt": "hi"}, "stream n": {"prompt": "hi", "n": 2}}, Answer(COHERE_TEXT_LINES, type="application/stream+json"), stream=True)
        + native(["stop_sequences", "num_generations"], TEXT, {"prompt": "hi"}) + replies(TEXT, {"prompt": "hi"}, ERRORS)
        + cross(VECTORS, VECTORS_IN, Answer({"id": "b", "texts": ["hi"], "embeddings": [[3.25, 0.5], [1, 2]]})) + native(["texts"], VECTORS, {"input": "hi"})),
    "mistral": ("mistral", "mistral-x", {"mistral_api_key": "key"},
        cross(CHAT, CHATS, Answer(chat_completion(SAYS)))
        + replies(CHAT, {"messages": user()}, {"tools": Answer(chat_completion({"role": "assistant", "content": "", "tool_calls": [CALL]}, "tool_calls")),
            "tools without type": Answer(chat_completion({"role": "assistant", "content": None, "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{}"}, "index": 0}]}, "tool_calls")),
            "no calls": Answer(chat_completion({"role": "assistant", "content": "x", "tool_calls": None}, "length", usage(1, 2, prompt_tokens_details={"cached_tokens": 1}, extra=3))), **ERRORS})
        + [(f"stream {k}", CHAT, {"messages": user(), "stream": True}, Answer(s, type="text/event-stream")) for k, s in OPENAI_STREAMS.items()]
        + cross(TEXT, TEXTS, Answer(chat_completion(SAYS, "length"))) + cross(TEXT, {"stream": {"prompt": "hi"}}, Answer({}), stream=True)
        + cross(VECTORS, VECTORS_IN, Answer(EMBEDDED))),
    "togetherai": ("togetherai", "org/m", {"togetherai_api_key": "key"},
        cross(CHAT, CHATS, Answer(chat_completion(SAYS, "eos")))
        + [("logprobs", CHAT, {"messages": user(), "logprobs": 2}, Answer(chat_completion(SAYS))), ("logprobs true", CHAT, {"messages": user(), "logprobs": True}, Answer(chat_completion(SAYS))),
           ("logprobs text", CHAT, {"messages": user(), "logprobs": "2"}, Answer({})), ("top_logprobs", CHAT, {"messages": user(), "top_logprobs": 2}, Answer(chat_completion(SAYS))),
           ("top_logprobs float", CHAT, {"messages": user(), "top_logprobs": 2.5}, Answer({}))]
        + replies(CHAT, {"messages": user()}, {"tools": Answer(chat_completion({"role": "assistant", "content": None, "tool_calls": [CALL]}, "tool_calls")), **ERRORS})
        + [("stream", CHAT, {"messages": user(), "stream": True}, Answer(sse(chunk(text="Hel", content="Hel"), chunk("length", usage(1, 2, extra=1), text="lo", content="lo"), "[DONE]"), type="text/event-stream"))]
        + cross(TEXT, TEXTS, Answer({"id": "t", "created": 9, "choices": [{"text": "Paris"}], "usage": usage(1, 2)}), max_tokens=5)
        + cross(TEXT, {"no max_tokens": {"prompt": "hi"}}, Answer({}))
        + [("text stream", TEXT, {"prompt": "hi", "max_tokens": 5, "stream": True}, Answer(sse(chunk(text="Hel"), chunk("eos", usage(1, 2), text="lo"), "[DONE]"), type="text/event-stream")),
           ("text stream no max_tokens", TEXT, {"prompt": "hi", "stream": True}, Answer(""))]
        + cross(VECTORS, {"model": VECTORS_IN["model"]}, Answer({**EMBEDDED, "usage": None}))),
    "ai21labs": ("ai21labs", "j2-ultra", {"ai21labs_api_key": "key"},
        cross(TEXT, TEXTS, Answer(AI21)) + native(["stopSequences", "numResults", "maxTokens"], TEXT, {"prompt": "hi"}) + replies(TEXT, {"prompt": "hi"}, ERRORS)
        + cross(TEXT, {"stream": {"prompt": "hi"}}, Answer({}), stream=True)),
    "mosaicml": ("mosaicml", "llama2-70b-chat", {"mosaicml_api_key": "key"},
        cross(CHAT, CHATS, Answer({"outputs": ["A", "B \u00e9"]})) + native(["max_new_tokens"], CHAT, {"messages": user()}) + replies(CHAT, {"messages": user()}, ERRORS)
        + cross(CHAT, {"stream": {"messages": user()}}, Answer({}), stream=True)
        + cross(TEXT, TEXTS, Answer({"outputs": ["A"]})) + native(["max_new_tokens"], TEXT, {"prompt": "hi"}) + replies(TEXT, {"prompt": "hi"}, ERRORS)
        + cross(VECTORS, VECTORS_IN, Answer({"outputs": [[3.25, 0.5], [1.0]]})) + native(["inputs"], VECTORS, {"input": "hi"})),
    "tgi": ("huggingface-text-generation-inference", "tgi", {"hf_server_url": "https://tgi.example.com/x"},
        cross(TEXT, TEXTS, Answer(TGI)) + native(["max_new_tokens"], TEXT, {"prompt": "hi"}) + replies(TEXT, {"prompt": "hi"}, ERRORS)
        + cross(TEXT, {"stream": {"prompt": "hi"}}, Answer({}), stream=True)),
    "mlflowserving": ("mlflow-model-serving", "bot", {"model_server_url": "http://127.0.0.1:4000"},
        cross(CHAT, CHATS, Answer({"predictions": ["A", "B"]})) + cross(CHAT, {"stream": {"messages": user()}}, Answer({}), stream=True)
        + replies(CHAT, {"messages": user()}, {"choices": Answer({"predictions": {"choices": ["A"], "x": 1}}), "one key": Answer({"predictions": {"anything": ["A"]}}), **ERRORS})
        + replies(TEXT, {"prompt": "hi"}, {**{k: Answer({"predictions": v}) for k, v in {
            "empty": [], "numbers": [1], "keys": {"a": ["x"], "b": ["y"]}, "empty choices": {"choices": []}, "string": "x", "dicts": [{"text": "x"}], "empty dict": {}}.items()}, "nothing": Answer({})})
        + cross(TEXT, TEXTS, Answer({"predictions": ["A"]}))
        + cross(VECTORS, VECTORS_IN, Answer({"predictions": [[0.1, -0.2], [1.0, 2.0]]}))
        + replies(VECTORS, {"input": "hi"}, {k: Answer({"predictions": v}) for k, v in {"flat": [0.5, 0.25], "empty": [], "empties": [[], []], "texts": ["a"], "mixed": [[0.5], ["a"]]}.items()})),
    "databricks": ("databricks", "databricks-claude-x", {"host": "https://w.cloud.databricks.com/", "token": "dapi1"},
        cross(CHAT, CHATS, Answer(chat_completion(SAYS)))
        + replies(CHAT, {"messages": user()}, {**{k: Answer(chat_completion({"role": "assistant", "content": v})) for k, v in {
            "reasoning": [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm", "signature": "s"}]}, {"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
            "only reasoning": [{"type": "reasoning", "summary": []}], "empty list": [], "empty text": [{"type": "text", "text": ""}], "null": None}.items()}, **ERRORS})
        + [(f"stream {k}", CHAT, {"messages": user(), "stream": True}, Answer(s, type="text/event-stream")) for k, s in OPENAI_STREAMS.items()]
        + cross(VECTORS, VECTORS_IN, Answer(EMBEDDED)) + cross(TEXT, {"plain": TEXTS["plain"]}, Answer({}))),
    "databricks catalog": ("databricks-model-serving", "system.ai.claude-x", {"host": "https://w.cloud.databricks.com", "token": "dapi1"},
        cross(CHAT, {"plain": CHATS["plain"]}, Answer(chat_completion(SAYS)))),
    "portkey": ("portkey", "gpt-x", {"api_key": "pk", "portkey_provider": "openai", "provider_api_key": "up"},
        cross(CHAT, CHATS, Answer(chat_completion(SAYS))) + replies(CHAT, {"messages": user()}, ERRORS) + cross(VECTORS, VECTORS_IN, Answer(EMBEDDED))),
}


def sap():
    """SAP AI Core does not work through MLflow's gateway: its adapter is asked.
    Each line: name; body, the client's; want, the request."""
    config = types.SimpleNamespace(model=types.SimpleNamespace(name="gpt-x"))
    for name, body in CHATS.items():
        payload = jsonable_encoder(chat.RequestPayload(**body), exclude_none=True)
        if name not in ("model", "tool"):  # refused; loses the calls
            yield {"name": name, "body": body, "want": SapAiCoreAdapter.chat_to_model(payload, config)}


def main():
    if not sys.argv[1:] or "sap" in sys.argv[1:]:
        with (HERE / "sap/testdata/mlflow.jsonl").open("w") as out:
            out.writelines(json.dumps(line, separators=(",", ":")) + "\n" for line in sap())
    for name, (provider, model, config, cases) in PROVIDERS.items():
        folder, _, more = name.partition(" ")
        if sys.argv[1:] and folder not in sys.argv[1:]:
            continue
        path = HERE / folder / "testdata" / f"mlflow{'_' + more if more else ''}.jsonl"
        path.parent.mkdir(exist_ok=True)
        with path.open("w") as out:
            for case in cases:
                out.write(json.dumps({"provider": provider, **run(provider, model, config, *case)}, separators=(",", ":")) + "\n")


with mock.patch.object(DatabricksProvider, "_get_workspace_client", workspace):
    main()
