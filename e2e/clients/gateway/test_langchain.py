"""LangChain's MLflow classes, which are made of MLflow's own client."""

import json
import os
import warnings

import pytest
import requests
from conftest import TOKEN
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from targets import ANTHROPIC, BEDROCK, COHERE, GEMINI, OPENAI

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the package is said to move
    from langchain_community.chat_models import ChatMlflow
    from langchain_community.embeddings import MlflowCohereEmbeddings, MlflowEmbeddings
    from langchain_community.llms import Mlflow


@pytest.fixture
def chat(url, target):
    return ChatMlflow(target_uri=url, endpoint=target.endpoint)


def test_chat(chat, target):
    reply = chat.invoke([SystemMessage("Be brief."), HumanMessage("one"), AIMessage("two"), HumanMessage("three")])
    assert reply.content == target.heard("three")


class Streaming:
    """What MLflow's client is to LangChain, with the stream that it lacks.

    LangChain reads Databricks' chunks, which leave out what is null and begin
    with the role. MLflow's own server writes nulls, and so does this gateway.
    """

    def __init__(self, url):
        self.url = url

    def predict_stream(self, endpoint, inputs):
        with requests.post(
            f"{self.url}/endpoints/{endpoint}/invocations",
            json={**inputs, "stream": True},
            headers={"Authorization": "Bearer " + TOKEN},
            verify=os.environ["SLUICE_CA"],
            stream=True,
            timeout=30,
        ) as reply:
            assert reply.status_code == 200, reply.text
            for line in reply.iter_lines():
                if line and line != b"data: [DONE]":
                    chunk = json.loads(line.removeprefix(b"data: "))
                    for choice in chunk["choices"]:
                        given = {k: v for k, v in choice["delta"].items() if v is not None}
                        choice["delta"] = {"role": "assistant", **given}
                    yield chunk


def test_chat_stream(chat, url, target):
    chat._client = Streaming(url)
    pieces = list(chat.stream("Tell me a joke"))
    text = target.heard("Tell me a joke")
    assert "".join(p.content for p in pieces) == text
    assert sum(bool(p.content) for p in pieces) == len(text.split())


def test_no_stream_without_databricks(url):
    """MLflow's client has streams of Databricks only; no request is made."""
    with pytest.raises(NotImplementedError):
        list(ChatMlflow(target_uri=url, endpoint="practice").stream("Tell me a joke"))


def test_limits(url, format_of):
    text = format_of.heard("Tell me a joke")
    limited = ChatMlflow(target_uri=url, endpoint=format_of.endpoint, max_tokens=3)
    assert limited.invoke("Tell me a joke").content == " ".join(text.split()[:3])
    stopped = ChatMlflow(target_uri=url, endpoint=format_of.endpoint, stop=[" stand-in"])
    if format_of is COHERE:  # as MLflow's own server has it
        with pytest.raises(requests.exceptions.HTTPError, match="Parameter stop is not supported for Cohere chat"):
            stopped.invoke("Tell me a joke")
        return
    assert stopped.invoke("Tell me a joke").content.strip() == text.split(" stand-in")[0]


# MLflow tells Cohere nothing of tools.
@pytest.mark.parametrize("caller", [OPENAI, ANTHROPIC, GEMINI, BEDROCK], ids=lambda b: b.provider)
def test_tools(url, caller):
    @tool
    def get_weather(location: str) -> str:
        """Weather of a place."""
        return "sunny"

    model = ChatMlflow(target_uri=url, endpoint=caller.endpoint).bind_tools([get_weather])
    asked = HumanMessage("What is the weather in Paris?")
    reply = model.invoke([asked])
    [call] = reply.tool_calls
    assert (call["name"], call["args"]) == ("get_weather", {"location": "Paris"})
    reply = model.invoke([asked, reply, ToolMessage("sunny", tool_call_id=call["id"])])
    assert reply.content == caller.got("sunny")


@pytest.mark.parametrize(
    "endpoint, model, voice",
    [
        ("completions-openai", "gpt-3.5-turbo-instruct", "OpenAI"),
        ("completions-cohere", "command", "Cohere"),
        ("completions-mosaicml", "mpt-7b-instruct", "MosaicML"),
        ("completions-ai21labs", "j2-mid", "AI21"),
    ],
)
def test_completions(url, endpoint, model, voice):
    text = Mlflow(target_uri=url, endpoint=endpoint, max_tokens=50).invoke("Say this")
    assert text.strip() == f"{model} at the {voice} stand-in heard: Say this"


@pytest.mark.parametrize("endpoint", ["openai", "gemini", "vertex_ai", "bedrock", "mistral", "mosaicml", "groq"])
def test_embeddings(url, endpoint):
    model = MlflowEmbeddings(target_uri=url, endpoint="embeddings-" + endpoint)
    first, second = model.embed_documents(["one", "two words"])
    assert first == model.embed_query("one") and first != second
    assert sum(x * x for x in first) == pytest.approx(1, abs=1e-4)


def test_cohere_embeddings(url):
    """Cohere wants to know what the vectors are for."""
    model = MlflowCohereEmbeddings(target_uri=url, endpoint="embeddings-cohere")
    assert len(model.embed_documents(["a", "b"])) == 2 and len(model.embed_query("a")) > 100


def test_failures(url):
    with pytest.raises(requests.exceptions.HTTPError, match="404"):
        ChatMlflow(target_uri=url, endpoint="nowhere").invoke("hi")
