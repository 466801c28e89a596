"""The gateway under test, as the environment names it, and its clients."""

import os
import ssl
from dataclasses import dataclass

# MLflow reads these when it calls; set before it is imported, as a user would.
os.environ["MLFLOW_TRACKING_TOKEN"] = os.environ["SLUICE_TOKEN"]
os.environ["MLFLOW_TRACKING_SERVER_CERT_PATH"] = os.environ["SLUICE_CA"]
# A failure must be seen at once, not after MLflow's four minutes of retries.
os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"

import openai  # noqa: E402
import pytest  # noqa: E402
import requests  # noqa: E402
from mlflow.deployments import get_deploy_client  # noqa: E402


@dataclass(frozen=True)
class Backend:
    """A provider behind the gateway: its chat endpoint and what it answers."""

    provider: str
    endpoint: str
    model: str
    voice: str

    def heard(self, text):
        return f"{self.model} at the {self.voice} stand-in heard: {text}"

    def got(self, result):
        return f"{self.model} at the {self.voice} stand-in got from the tool: {result}"


OPENAI = Backend("openai", "chat-openai", "gpt-4o-mini", "OpenAI")
ANTHROPIC = Backend("anthropic", "chat-anthropic", "claude-sonnet-4-5", "Anthropic")


@pytest.fixture(params=[OPENAI, ANTHROPIC], ids=lambda b: b.provider)
def backend(request):
    return request.param


@pytest.fixture(scope="session")
def url():
    return os.environ["SLUICE_URL"]


@pytest.fixture
def mlflow_client(url):
    return get_deploy_client(url)


@pytest.fixture
def make_openai(url):
    """Makes a client of OpenAI's SDK; http2 chooses the protocol."""

    def make(api_key=os.environ["SLUICE_TOKEN"], http2=False):
        tls = ssl.create_default_context(cafile=os.environ["SLUICE_CA"])
        http = openai.DefaultHttpxClient(verify=tls, http2=http2)
        return openai.OpenAI(base_url=url + "/v1", api_key=api_key, http_client=http, max_retries=0)

    return make


@pytest.fixture
def sdk(make_openai):
    return make_openai()


class Admin:
    """REST as the administrator; what was made is deleted at the end."""

    def __init__(self, url):
        self.base = url + "/api/aigateway/v1/endpoints"
        self.http = requests.Session()
        # Without this a ~/.netrc or REQUESTS_CA_BUNDLE of the machine has a say.
        self.http.trust_env = False
        self.http.verify = os.environ["SLUICE_CA"]
        self.http.headers["Authorization"] = "Bearer " + os.environ["SLUICE_ADMIN_TOKEN"]
        self.made = []

    def endpoint(self, name, backend, model, everyone=True):
        """Makes a chat endpoint and returns its name."""
        key = os.environ[f"SLUICE_{backend.provider.upper()}_KEY"]
        reply = self.http.post(
            self.base,
            json={
                "endpointName": name,
                "endpointType": "llm/v1/chat",
                "modelProvider": backend.provider,
                "modelName": model,
                "modelConfig": {f"{backend.provider}_api_key": key},
                "endpointPermissions": {"isEveryoneAllowed": everyone, "userIds": []},
            },
            timeout=10,
        )
        assert reply.status_code == 200, reply.text
        self.made.append(name)
        return name

    def close(self):
        for name in self.made:
            reply = self.http.delete(f"{self.base}/{name}", timeout=10)
            assert reply.status_code == 200, reply.text


@pytest.fixture
def admin(url):
    admin = Admin(url)
    yield admin
    admin.close()
