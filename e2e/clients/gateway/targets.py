"""The endpoints of the gateway under test, and what answers behind them."""

import json
import os
from dataclasses import dataclass

with open(os.environ["SLUICE_ENDPOINTS"], encoding="utf-8") as file:
    # The rig's table (rig.ProviderEndpoint), with the stand-ins' credentials.
    TABLE = {e["Name"]: e for e in json.load(file)}


def _own(name, kind, provider, model):
    key = os.environ[f"SLUICE_{provider.upper()}_KEY"]
    config = {f"{provider}_api_key": key}
    TABLE[name] = {"Name": name, "Type": kind, "Provider": provider, "Model": model, "Config": config}


_own("chat-openai", "chat", "openai", "gpt-4o-mini")
_own("chat-anthropic", "chat", "anthropic", "claude-sonnet-4-5")
_own("completions-openai", "completions", "openai", "gpt-3.5-turbo-instruct")
_own("completions-anthropic", "completions", "anthropic", "claude-2.1")
_own("embeddings-openai", "embeddings", "openai", "text-embedding-3-small")


@dataclass(frozen=True)
class Backend:
    """A provider behind the gateway: its chat endpoint and what it answers."""

    provider: str
    endpoint: str
    model: str
    voice: str

    def heard(self, text, model=""):
        if self.provider == "practice":
            head, images, tail = text.partition(" (1 image)")
            return f'Hello! This is the practice model. You said: "{head}"{images}{tail}'
        return f"{model or self.model} at the {self.voice} stand-in heard: {text}"

    def got(self, result):
        if self.provider == "practice":
            return f"This is the practice model. The tool answered: {result}"
        return f"{self.model} at the {self.voice} stand-in got from the tool: {result}"

    @property
    def config(self):
        return TABLE[self.endpoint]["Config"]


def _backend(name, voice, model=""):
    row = TABLE["chat-" + name]
    return Backend(row["Provider"], row["Name"], model or row["Model"], voice)


OPENAI = _backend("openai", "OpenAI")
ANTHROPIC = _backend("anthropic", "Anthropic")
AZURE = _backend("azure", "OpenAI", model="my-deployment")
GEMINI = _backend("gemini", "Gemini")
VERTEX = _backend("vertex_ai", "Gemini")
VERTEX_CLAUDE = _backend("vertex-claude", "Vertex")
VERTEX_MAAS = _backend("vertex-maas", "MaaS")
BEDROCK = _backend("bedrock", "Bedrock")
COHERE = _backend("cohere", "Cohere")
MISTRAL = _backend("mistral", "Mistral")
TOGETHER = _backend("togetherai", "Together")
DATABRICKS = _backend("databricks", "Databricks")
GROQ = _backend("groq", "Groq")
PRACTICE = Backend("practice", "practice", "practice", "")

# One of each kind of API, and of each way to reach it.
ALL = [
    OPENAI, ANTHROPIC, AZURE, GEMINI, VERTEX, VERTEX_CLAUDE, VERTEX_MAAS, BEDROCK, COHERE, MISTRAL, TOGETHER,
    DATABRICKS, GROQ, PRACTICE,
]  # fmt: skip
# One of each kind of API.
FORMATS = [OPENAI, ANTHROPIC, GEMINI, BEDROCK, COHERE]


def over(backends):
    """Parameters of a fixture or test for these backends."""
    return {"params": backends, "ids": lambda b: b.endpoint.removeprefix("chat-")}
