"""Writes mlflow.jsonl: what MLflow's own Bedrock provider makes of requests,
replies and streams, with the clock at 1700000000.

    pip install 'mlflow[gateway]==3.17.2' boto3 && python generate.py > mlflow.jsonl

Each line: {"name", "kind", "model", "in", "want"} or {..., "status", "detail"} for a
refusal. Kinds: chat ("in" is the payload after MLflow's validation, "want" the
body of Converse), chat_reply, chat_stream ("in" Converse's events, "want" MLflow's
chunks), completions ("want" the body of InvokeModel), completions_reply,
embeddings ("want" the list of bodies), embeddings_reply ("in" the list of replies).
"""
import asyncio, copy, io, json, sys
from unittest import mock

from fastapi.encoders import jsonable_encoder
from mlflow.gateway.config import EndpointConfig
from mlflow.gateway.providers.bedrock import AmazonBedrockProvider
from mlflow.gateway.schemas import chat, completions, embeddings

CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
TITAN, COHERE, AI21 = "amazon.titan-tg1-large", "cohere.command-text-v14", "ai21.j2-ultra-v1"
OLD = "anthropic.claude-v2:1"


def provider(model=CLAUDE, kind="llm/v1/chat"):
    return AmazonBedrockProvider(EndpointConfig(**{
        "name": "e", "endpoint_type": kind,
        "model": {"provider": "bedrock", "name": model, "config": {"aws_config": {
            "aws_region": "us-east-1", "aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": "secret"}}},
    }))


def user(text="hi"):
    return [{"role": "user", "content": text}]


def function(name="f", **more):
    return {"type": "function", "function": {"name": name, "description": "d", "parameters": {
        "type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}, **more}}


def call(id="c1", **f):
    return {"id": id, "type": "function", "function": {"name": "f", "arguments": '{"a": "x", "b": [1, 2.5]}', **f}}


def asked(*calls, **more):
    return user() + [{"role": "assistant", "tool_calls": list(calls), **more}]


IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
CHAT = {
    "plain": {"messages": user()},
    "escapes": {"messages": user('<b>&amp; "quoted" \\ \u2028 \U0001f600 \x7f\ttab')},
    "n 1": {"messages": user(), "n": 1},
    "n 2": {"messages": user(), "n": 2},
    "temperature 0": {"messages": user(), "temperature": 0},
    "temperature 2": {"messages": user(), "temperature": 2},
    "top_p": {"messages": user(), "top_p": 0.1},
    "all sampling": {"messages": user(), "temperature": 0.7, "top_p": 0.1, "max_tokens": 5, "stop": ["a", "\n"], "top_k": 3},
    "max_completion_tokens": {"messages": user(), "max_completion_tokens": 6},
    "both limits": {"messages": user(), "max_tokens": 5, "max_completion_tokens": 6},
    "stop": {"messages": user(), "stop": ["x"]},
    "extras": {"messages": user(), "seed": 7, "presence_penalty": 0.5, "metadata": {"user_id": "u"}, "stream": True, "tool_choice": "auto"},
    "model": {"messages": user(), "model": "other"},
    "system": {"messages": [{"role": "system", "content": "a"}] + user()},
    "systems": {"messages": [{"role": "system", "content": "a"}] + user() + [{"role": "system", "content": [{"type": "text", "text": "b"}]}]},
    "system empty": {"messages": [{"role": "system", "content": ""}] + user()},
    "other roles": {"messages": user() + [{"role": "developer", "content": "d"}, {"role": "function", "content": "f"}]},
    "no content": {"messages": [{"role": "user"}, {"role": "assistant"}]},
    "text parts": {"messages": user([{"type": "text", "text": "a"}, {"type": "text", "text": ""}, {"type": "text", "text": "b\n"}])},
    "image dropped": {"messages": user([{"type": "text", "text": "a"}, IMAGE, {"type": "text", "text": "b"}])},
    "image alone": {"messages": user([IMAGE])},
    "assistant": {"messages": user() + [{"role": "assistant", "content": "a"}] + user("b")},
    "same roles": {"messages": user() + user("b")},
    "tool call": {"messages": asked(call())},
    "tool call with text": {"messages": asked(call(), content="kept")},
    "tool call with parts": {"messages": asked(call(), content=[{"type": "text", "text": "p"}, {"type": "text", "text": "q"}])},
    "tool calls and results": {"messages": asked(call(), call("c2", name="g")) + [
        {"role": "tool", "tool_call_id": "c1", "content": "r"}, {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "p"}]}] + user("go")},
    "results last": {"messages": asked(call()) + [{"role": "tool", "tool_call_id": "c1", "content": "r"}]},
    "results apart": {"messages": asked(call()) + [{"role": "tool", "tool_call_id": "c1", "content": "r"}] + user()
                      + [{"role": "tool", "tool_call_id": "c2", "content": "s"}]},
    "result without id": {"messages": asked(call()) + [{"role": "tool", "content": "r"}]},
    "result without content": {"messages": asked(call()) + [{"role": "tool", "tool_call_id": "c1"}]},
    "no tool calls": {"messages": user() + [{"role": "assistant", "content": "kept", "tool_calls": []}]},
    "no arguments": {"messages": asked(call(arguments=None))},
    "empty arguments": {"messages": asked(call(arguments=" "))},
    "bad arguments": {"messages": asked(call(arguments="{a}"))},
    "list arguments": {"messages": asked(call(arguments="[1]"))},
    "no name": {"messages": asked(call(name=None))},
    "blank name": {"messages": asked(call(name=" "))},
    "tools": {"messages": user(), "tools": [function(), function("g", strict=True)]},
    "tools empty": {"messages": user(), "tools": []},
    "tool without parameters": {"messages": user(), "tools": [{"type": "function", "function": {"name": "f", "description": "d"}}]},
    "uc function": {"messages": user(), "tools": [{"type": "uc_function", "uc_function": {"name": "a.b.c"}}, function()]},
    "uc function alone": {"messages": user(), "tools": [{"type": "uc_function", "uc_function": {"name": "a.b.c"}}]},
    "tool choice": {"messages": user(), "tools": [function()], "tool_choice": "required"},
    "json schema": {"messages": user(), "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}}}},
}


def reply(content, stop="end_turn", usage=None):
    return {"output": {"message": {"role": "assistant", "content": content}}, "stopReason": stop, "metrics": {"latencyMs": 5},
            "usage": {"inputTokens": 3, "outputTokens": 4, "totalTokens": 7} if usage is None else usage}


def used(input, id="t1", name="f"):
    return {"toolUse": {"toolUseId": id, "name": name, "input": input}}


REPLIES = {
    "text": reply([{"text": "a"}]),
    "texts": reply([{"text": "a\n"}, {"text": ""}, {"text": '\u00e9"<&>'}]),
    "first text empty": reply([{"text": ""}, {"text": "b"}]),
    "empty": reply([]),
    "reasoning": reply([{"reasoningContent": {"reasoningText": {"text": "hm", "signature": "s"}}}, {"text": "a"}]),
    "tool": reply([used({"a": 1})], "tool_use"),
    "text and tools": reply([{"text": "a"}, used({}), used({"x": []}, "t2", "g")], "tool_use"),
    "arguments": reply([used({"s": '\u00e9\U0001f600"\\/\b\f\n\r\t\x01\x7f\u2028', "i": 12345678901234567890, "z": 0,
                              "f": [1.0, 0.1, 1e16, 123456789.125, 1e-5, 1.5e300, -0.0], "t": True, "x": None, "o": {"b": {"a": []}}})], "tool_use"),
    **{f"stop {s}": reply([{"text": "a"}], s) for s in (
        "max_tokens", "stop_sequence", "tool_use", "guardrail_intervened", "content_filtered", "model_context_window_exceeded", "new")},
    "no usage": reply([{"text": "a"}], usage={}),
    "cache": reply([{"text": "a"}], usage={"inputTokens": 3, "outputTokens": 4, "totalTokens": 12, "cacheReadInputTokens": 5, "cacheWriteInputTokens": 0}),
}

START, STOP = {"messageStart": {"role": "assistant"}}, {"messageStop": {"stopReason": "end_turn"}}
META = {"metadata": {"usage": {"inputTokens": 3, "outputTokens": 4, "totalTokens": 7}, "metrics": {"latencyMs": 5}}}


def delta(i, **d):
    return {"contentBlockDelta": {"contentBlockIndex": i, "delta": d}}


def halt(i):
    return {"contentBlockStop": {"contentBlockIndex": i}}


def begun(i, id, name):
    return {"contentBlockStart": {"contentBlockIndex": i, "start": {"toolUse": {"toolUseId": id, "name": name}}}}


HELLO = [delta(0, text="Hel"), delta(0, text="lo \u00e9\n"), halt(0)]
TOOLS = [begun(1, "t1", "f"), delta(1, toolUse={"input": ""}), delta(1, toolUse={"input": '{"a": "'}), delta(1, toolUse={"input": 'x"}'}), halt(1),
         begun(2, "t2", "g"), delta(2, toolUse={"input": "{}"}), halt(2)]
STREAMS = {
    "text": [START, *HELLO, STOP, META],
    "empty": [START, STOP, META],
    "empty text": [START, delta(0, text=""), halt(0), STOP, META],
    "tools": [START, *HELLO, *TOOLS, {"messageStop": {"stopReason": "tool_use"}}, META],
    "reasoning": [START, delta(0, reasoningContent={"text": "hm"}), delta(0, reasoningContent={"signature": "s"}), halt(0), delta(1, text="a"), halt(1),
                  {"messageStop": {"stopReason": "max_tokens"}}, META],
    "filtered": [START, *HELLO, {"messageStop": {"stopReason": "content_filtered"}}, META],
}

COMPLETIONS = {
    "plain": {"prompt": "hi"},
    "all": {"prompt": "hi", "max_tokens": 3, "stop": ["x"], "temperature": 1.5, "top_k": 3, "n": 1},
    "top_p": {"prompt": "hi", "top_p": 0.3},
    "top_p 0": {"prompt": "hi", "top_p": 0},
    "n 3": {"prompt": "hi", "n": 3},
    "temperature 0": {"prompt": "hi", "temperature": 0},
    "human": {"prompt": "Human: hi"},
    "wrapped": {"prompt": "\n\nHuman: hi\n\nAssistant:", "stop": ["\n\nHuman:", "y"]},
    "escapes": {"prompt": 'a "b" \n \u00e9 <x>'},
    "many tokens": {"prompt": "hi", "max_tokens": 9000},
    "too many tokens": {"prompt": "hi", "max_tokens": 1000001},
    "model": {"prompt": "hi", "model": "m"},
    "extras": {"prompt": "hi", "seed": 1, "stream": False, "max_completion_tokens": 9, "presence_penalty": 0.5},
    "native cohere": {"prompt": "hi", "num_generations": 2},
    "native ai21": {"prompt": "hi", "maxTokens": 2},
}

COMPLETION_REPLIES = [
    (TITAN, "one", {"inputTextTokenCount": 4, "results": [{"tokenCount": 5, "outputText": "\nx \u00e9", "completionReason": "FINISH"}]}),
    (TITAN, "two", {"inputTextTokenCount": 4, "results": [{"outputText": "a"}, {"outputText": "b"}]}),
    (TITAN, "none", {}),
    (COHERE, "two", {"id": "i", "generations": [{"id": "1", "text": "a"}, {"id": "2", "text": "b"}], "prompt": "p"}),
    (AI21, "two", {"id": 1, "prompt": {}, "completions": [{"data": {"text": "a"}, "finishReason": {"reason": "endoftext"}}, {"data": {"text": "b"}}]}),
    (OLD, "stop", {"completion": " a", "stop_reason": "stop_sequence", "stop": "\n\nHuman:"}),
    (OLD, "length", {"completion": ' "a"', "stop_reason": "max_tokens"}),
]

EMBEDDINGS = {
    "one": {"input": "hi"},
    "list of one": {"input": ["hi"]},
    "several": {"input": ["a", "b \u00e9", "c\n"]},
    "extras": {"input": "hi", "dimensions": 256, "encoding_format": "float"},
    "model": {"input": "hi", "model": "m"},
}


def case(name, kind, model, given):
    return {"name": name, "kind": kind, "model": model, "in": given}


def refusable(c, make):
    try:
        c["want"] = make()
    except Exception as e:
        if not hasattr(e, "status_code"):
            raise
        c["status"], c["detail"] = e.status_code, e.detail
    return c


def dump(payload):
    return jsonable_encoder(payload, exclude_none=True)


def chat_case(name, body):
    given = dump(chat.RequestPayload(**copy.deepcopy(body)))

    def make():
        payload = copy.deepcopy(given)
        p = provider()
        p.check_for_model_field(payload)
        want = p._build_converse_kwargs(payload.pop("messages"), payload)
        del want["modelId"]
        return want
    return refusable(case(name, "chat", CLAUDE, given), make)


def chat_reply(name, body):
    out = provider()._converse_to_chat_response(copy.deepcopy(body))
    out.provider = "bedrock"
    return {**case(name, "chat_reply", CLAUDE, body), "want": jsonable_encoder(out)}


async def chat_stream(name, events):
    p = provider()
    client = mock.Mock()
    client.converse_stream.return_value = {"stream": copy.deepcopy(events)}
    chunks = []
    with mock.patch.object(p, "get_bedrock_client", lambda: client):
        async for c in p._chat_stream(chat.RequestPayload(messages=user())):
            c.provider = "bedrock"
            chunks.append(jsonable_encoder(c))
    return {**case(name, "chat_stream", CLAUDE, events), "want": chunks}


def completions_case(model, name, body):
    payload = completions.RequestPayload(**copy.deepcopy(body))
    sent = {}

    class Sent(Exception):
        pass

    def request(b):
        sent.update(b)
        raise Sent

    def make():
        p = provider(model, "llm/v1/completions")
        with mock.patch.object(p, "_request", request):
            try:
                asyncio.run(p._completions(payload))
            except Sent:
                return sent
    return refusable(case(name, "completions", model, dump(payload)), make)


def completions_reply(model, name, body):
    p = provider(model, "llm/v1/completions")
    with mock.patch.object(p, "_request", lambda _: copy.deepcopy(body)):
        out = asyncio.run(p._completions(completions.RequestPayload(prompt="hi")))
    return {**case(name, "completions_reply", model, body), "want": jsonable_encoder(out)}


def embeddings_case(name, body, replies=None):
    model = "amazon.titan-embed-text-v2:0"
    payload = embeddings.RequestPayload(**copy.deepcopy(body))
    sent, answers = [], list(replies or [])

    def invoke(body, **_):
        sent.append(json.loads(body))
        answer = answers.pop(0) if answers else {"embedding": [0.5], "inputTextTokenCount": 1}
        return {"body": io.BytesIO(json.dumps(answer).encode())}

    def make():
        p = provider(model, "llm/v1/embeddings")
        client = mock.Mock()
        client.invoke_model.side_effect = invoke
        with mock.patch.object(p, "get_bedrock_client", lambda: client):
            out = asyncio.run(p._embeddings(payload))
        return jsonable_encoder(out) if replies else sent
    c = case(name, "embeddings_reply" if replies else "embeddings", model, replies or dump(payload))
    return refusable(c, make)


def main():
    cases = [chat_case(n, b) for n, b in CHAT.items()]
    cases += [chat_reply(n, b) for n, b in REPLIES.items()]
    cases += [asyncio.run(chat_stream(n, e)) for n, e in STREAMS.items()]
    for model in (TITAN, COHERE, AI21, OLD, "meta.llama3-8b-instruct-v1:0", "arn:aws:bedrock:us-east-1:1:provisioned-model/x"):
        cases += [completions_case(model, n, b) for n, b in COMPLETIONS.items()]
    cases += [completions_reply(*r) for r in COMPLETION_REPLIES]
    cases += [embeddings_case(n, b) for n, b in EMBEDDINGS.items()]
    cases += [embeddings_case("one", {"input": "a"}, [{"embedding": [0.5, -1.25e-05, 1.0], "inputTextTokenCount": 3}]),
              embeddings_case("two", {"input": ["a", "b"]}, [{"embedding": [0.5], "inputTextTokenCount": 3}, {"embedding": [2.5], "inputTextTokenCount": 4}]),
              embeddings_case("no count", {"input": "a"}, [{"embedding": [0.5]}])]
    for c in cases:
        sys.stdout.write(json.dumps(c, separators=(",", ":")) + "\n")


with mock.patch("time.time", lambda: 1700000000.0):
    main()
