"""Writes streams.json: streams of ConverseStream and InvokeModelWithResponseStream
as bytes, framed here by the specification of the framing, and what botocore reads
from them.

    pip install boto3 && python streams.py > streams.json

Each stream: {"name", "frames" (base64), "events" (what botocore's own event
stream parser makes of the frames), "error" (the exception it raises, if any)}.
"""
import base64, binascii, json, struct, sys

import botocore.session
from botocore.eventstream import EventStream
from botocore.exceptions import EventStreamError
from botocore.parsers import EventStreamJSONParser

SERVICE = botocore.session.get_session().get_service_model("bedrock-runtime")


def frame(payload, **headers):
    head = b""
    for name, value in headers.items():
        name, value = (":" + name.replace("_", "-")).encode(), value.encode()
        head += bytes([len(name)]) + name + b"\x07" + struct.pack(">H", len(value)) + value
    start = struct.pack(">II", 16 + len(head) + len(payload), len(head))
    start += struct.pack(">I", binascii.crc32(start))
    whole = start + head + payload
    return whole + struct.pack(">I", binascii.crc32(whole))


def event(name, payload):
    body = json.dumps({**payload, "p": "abcdefghijklmnop"}, ensure_ascii=False).encode()
    return frame(body, event_type=name, content_type="application/json", message_type="event")


def failed(name, payload):
    return frame(json.dumps(payload).encode(), exception_type=name, content_type="application/json", message_type="exception")


START = event("messageStart", {"role": "assistant"})
META = event("metadata", {"usage": {"inputTokens": 10, "outputTokens": 5, "totalTokens": 22, "cacheReadInputTokens": 4, "cacheWriteInputTokens": 3},
                          "metrics": {"latencyMs": 400}})


def stop(reason, **more):
    return event("messageStop", {"stopReason": reason, **more})


def delta(i, **d):
    return event("contentBlockDelta", {"contentBlockIndex": i, "delta": d})


def halt(i):
    return event("contentBlockStop", {"contentBlockIndex": i})


def begun(i, **start):
    return event("contentBlockStart", {"contentBlockIndex": i, "start": start})


STREAMS = {
    "text": START + delta(0, text="Hel") + delta(0, text="lo \u00e9\U0001f600") + halt(0) + stop("end_turn") + META,
    "reasoning, text, tools": START
        + delta(0, reasoningContent={"text": "hm"}) + delta(0, reasoningContent={"text": " so"}) + delta(0, reasoningContent={"signature": "c2ln"}) + halt(0)
        + delta(1, reasoningContent={"redactedContent": "cmVk"}) + halt(1)
        + delta(2, text="I look.") + halt(2)
        + begun(3, toolUse={"toolUseId": "tooluse_1", "name": "f"}) + delta(3, toolUse={"input": '{"a":'}) + delta(3, toolUse={"input": '"x"}'}) + halt(3)
        + begun(4, toolUse={"toolUseId": "tooluse_2", "name": "g"}) + halt(4)
        + stop("tool_use") + META,
    "length": START + delta(0, text="cut") + halt(0) + stop("max_tokens") + META,
    "stop sequence": START + delta(0, text="a") + halt(0) + stop("stop_sequence", additionalModelResponseFields={"stop_sequence": "END"}) + META,
    "answer by tool": START + begun(0, toolUse={"toolUseId": "t", "name": "answer_as_json_8c1f"}) + delta(0, toolUse={"input": '{"a":1}'}) + halt(0)
        + stop("tool_use") + META,
    "throttled": START + delta(0, text="a") + failed("throttlingException", {"message": "Too many tokens, please wait before trying again."}),
    "model failed": failed("modelStreamErrorException", {"message": "The system encountered an unexpected error", "originalStatusCode": 500}),
    "broken off": START + delta(0, text="a"),
}


class Raw:
    def __init__(self, data):
        self.data = data

    def stream(self):
        yield self.data

    def close(self):
        pass


def read(data):
    shape = SERVICE.operation_model("ConverseStream").output_shape.members["stream"]
    events = []
    try:
        for e in EventStream(Raw(data), shape, EventStreamJSONParser(), "ConverseStream"):
            events.append(e)
    except EventStreamError as e:
        return events, e.response["Error"]["Code"]
    return events, None


def plain(v):
    return base64.b64encode(v).decode() if isinstance(v, bytes) else str(v)


out = []
for name, data in STREAMS.items():
    events, error = read(data)
    out.append({"name": name, "frames": base64.b64encode(data).decode(), "events": events, **({"error": error} if error else {})})
json.dump(out, sys.stdout, indent=1, default=plain)
print()
