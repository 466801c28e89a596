"""The gateway under test, as the environment names it, and its clients."""

import functools
import os
import ssl

# MLflow reads these when it calls; set before it is imported, as a user would.
os.environ["MLFLOW_TRACKING_TOKEN"] = os.environ["SLUICE_TOKEN"]
os.environ["MLFLOW_TRACKING_SERVER_CERT_PATH"] = os.environ["SLUICE_CA"]
# A failure must be seen at once, not after MLflow's four minutes of retries.
os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"

import anthropic  # noqa: E402
import google.genai  # noqa: E402
import openai  # noqa: E402
import pytest  # noqa: E402
import requests  # noqa: E402
from mlflow.deployments import get_deploy_client  # noqa: E402
from targets import ALL, ANTHROPIC, FORMATS, OPENAI, over  # noqa: E402

TOKEN = os.environ["SLUICE_TOKEN"]


@pytest.fixture(**over([OPENAI, ANTHROPIC]))
def backend(request):
    """The two providers whose clients the gateway's own routes are."""
    return request.param


@pytest.fixture(**over(ALL))
def target(request):
    """Every kind of provider."""
    return request.param


@pytest.fixture(**over(FORMATS))
def format_of(request):
    """A provider for each format."""
    return request.param


@pytest.fixture(scope="session")
def url():
    return os.environ["SLUICE_URL"]


@functools.cache  # reading the CAs takes longer than a call
def tls():
    return ssl.create_default_context(cafile=os.environ["SLUICE_CA"])


@pytest.fixture(scope="session")
def tls_context():
    return tls()


@pytest.fixture
def mlflow_client(url):
    return get_deploy_client(url)


@pytest.fixture(scope="session")
def make_openai(url):
    """Makes a client of OpenAI's SDK; http2 chooses the protocol."""

    def make(api_key=TOKEN, http2=False, path="/v1", max_retries=0):
        http = openai.DefaultHttpxClient(verify=tls(), http2=http2)
        return openai.OpenAI(base_url=url + path, api_key=api_key, http_client=http, max_retries=max_retries)

    return make


@pytest.fixture(scope="session")
def sdk(make_openai):
    return make_openai()


@pytest.fixture(scope="session")
def make_anthropic(url):
    """Makes a client of Anthropic's SDK."""

    def make(api_key=TOKEN, path="", **kwargs):
        http = anthropic.DefaultHttpxClient(verify=tls())
        return anthropic.Anthropic(
            base_url=url + path, http_client=http, **{"api_key": api_key, "max_retries": 0, **kwargs}
        )

    return make


@pytest.fixture(scope="session")
def make_gemini(url):
    """Makes a client of Google's SDK."""
    made = []  # a client that nobody holds closes itself

    def make(api_key=TOKEN, path="/gemini", **kwargs):
        options = {"base_url": url + path, "client_args": {"verify": tls()}, **kwargs}
        made.append(google.genai.Client(api_key=api_key, http_options=options))
        return made[-1]

    yield make
    for client in made:
        client.close()


class Admin:
    """REST as the administrator; what was made is deleted at the end."""

    def __init__(self, url):
        self.url = url
        self.base = url + "/api/aigateway/v1/endpoints"
        self.http = requests.Session()
        # Without this a ~/.netrc or REQUESTS_CA_BUNDLE of the machine has a say.
        self.http.trust_env = False
        self.http.verify = os.environ["SLUICE_CA"]
        self.http.headers["Authorization"] = "Bearer " + os.environ["SLUICE_ADMIN_TOKEN"]
        self.made = []

    def endpoint(self, name, backend, model, everyone=True, config=None):
        """Makes a chat endpoint and returns its name."""
        reply = self.http.post(
            self.base,
            json={
                "endpointName": name,
                "endpointType": "llm/v1/chat",
                "modelProvider": backend.provider,
                "modelName": model,
                "modelConfig": {**backend.config, **(config or {})},
                "endpointPermissions": {"isEveryoneAllowed": everyone, "userIds": []},
            },
            timeout=10,
        )
        assert reply.status_code == 200, reply.text
        self.made.append(name)
        return name

    def targets(self, name, *targets):
        """Puts (backend, model) pairs behind an endpoint, tried in turn."""
        body = [
            {"name": f"t{i}", "order": i, "modelProvider": b.provider, "modelName": model, "modelConfig": b.config}
            for i, (b, model) in enumerate(targets)
        ]
        path = f"{self.url}/api/sluice/v1/endpoints/{name}/targets"
        reply = self.http.put(path, json={"headTimeout": "20s", "targets": body}, timeout=10)
        assert reply.status_code == 200, reply.text

    def record(self, exchange):
        """What the audit trail has of an exchange."""
        reply = self.http.get(f"{self.url}/api/sluice/v1/audit/{exchange}", timeout=10)
        assert reply.status_code == 200, reply.text
        return reply.json()

    def outcome(self, exchange):
        """How the exchange ended, by its record."""
        return self.record(exchange)["outcome"]

    def close(self):
        for name in self.made:
            reply = self.http.delete(f"{self.base}/{name}", timeout=10)
            assert reply.status_code == 200, reply.text


@pytest.fixture
def admin(url):
    admin = Admin(url)
    yield admin
    admin.close()


@pytest.fixture(scope="session")
def lasting(url):
    """The administrator whose endpoints stay until the last test."""
    admin = Admin(url)
    yield admin
    admin.close()


@pytest.fixture(scope="session")
def failing(lasting):
    """Names an endpoint at a provider whose model fails as its name says."""

    @functools.cache
    def make(backend, model):
        return lasting.endpoint(f"{model}-at-{backend.provider}", backend, model)

    return make
