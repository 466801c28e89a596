"""Clients of the providers' own SDKs, straight at the stand-ins."""

import os
import ssl

import anthropic
import boto3
import botocore.config
import cohere
import google.auth.credentials
import google.genai
import httpx
import mistralai.client
import openai
import pytest

KEY = "sk-good"


def _tls():
    return ssl.create_default_context(cafile=os.environ["STANDIN_CA"])


def openai_client(url, **kwargs):
    kwargs = {"api_key": KEY, "max_retries": 0, **kwargs}
    return openai.OpenAI(base_url=url + "/v1", http_client=openai.DefaultHttpxClient(verify=_tls()), **kwargs)


@pytest.fixture
def make_openai():
    """Makes a client of the OpenAI stand-in, with the SDK's options."""
    return lambda **kwargs: openai_client(os.environ["STANDIN_OPENAI"], **kwargs)


@pytest.fixture
def azure():
    return openai.AzureOpenAI(
        azure_endpoint=os.environ["STANDIN_OPENAI"],
        api_key=KEY,
        api_version="2024-10-21",
        max_retries=0,
        http_client=openai.DefaultHttpxClient(verify=_tls()),
    )


@pytest.fixture
def practice():
    return openai_client(os.environ["STANDIN_PRACTICE"])


# SDK 2 asks for API version 2026-10-21, whose Messages differ (no temperature,
# for one). The gateway and the stand-in speak this one, so this one is checked.
ANTHROPIC_VERSION = {"anthropic-version": "2023-06-01"}


@pytest.fixture
def make_anthropic():
    """Makes a client of the Anthropic stand-in, with the SDK's options."""
    return lambda **kwargs: anthropic.Anthropic(
        base_url=os.environ["STANDIN_ANTHROPIC"],
        http_client=anthropic.DefaultHttpxClient(verify=_tls()),
        **{"api_key": KEY, "max_retries": 0, "default_headers": ANTHROPIC_VERSION, **kwargs},
    )


def _httpx():
    return httpx.Client(verify=_tls(), timeout=30)


@pytest.fixture
def make_gemini():
    """Makes a client of the Gemini API at the stand-in."""
    made = []  # a client that nobody holds closes itself

    def make(api_key=KEY):
        options = {"base_url": os.environ["STANDIN_GOOGLE"], "client_args": {"verify": _tls()}}
        made.append(google.genai.Client(api_key=api_key, http_options=options))
        return made[-1]

    yield make
    for client in made:
        client.close()


class Token(google.auth.credentials.Credentials):
    """A token that somebody else fetched."""

    def __init__(self, token):
        super().__init__()
        self.token = token

    def refresh(self, request):
        raise AssertionError("the token needs no refresh")


@pytest.fixture
def vertex():
    """A client of Vertex AI at the stand-in."""
    return google.genai.Client(
        vertexai=True,
        project="my-project",
        location="us-central1",
        credentials=Token(KEY),
        http_options={"base_url": os.environ["STANDIN_GOOGLE"], "client_args": {"verify": _tls()}},
    )


@pytest.fixture
def vertex_anthropic():
    """Anthropic's client of Claude on Vertex AI."""
    return anthropic.AnthropicVertex(
        project_id="my-project",
        region="us-central1",
        access_token=KEY,
        base_url=os.environ["STANDIN_GOOGLE"] + "/v1",
        max_retries=0,
        http_client=anthropic.DefaultHttpxClient(verify=_tls()),
    )


ACCESS_KEY = "AKIDSTANDIN"
SECRET_KEY = "secret/with+signs="


def aws(service, url, **keys):
    keys = {"aws_access_key_id": ACCESS_KEY, "aws_secret_access_key": SECRET_KEY, **keys}
    return boto3.client(
        service,
        region_name="us-east-1",
        endpoint_url=url,
        verify=os.environ["STANDIN_CA"],
        config=botocore.config.Config(retries={"total_max_attempts": 1}),
        **keys,
    )


@pytest.fixture
def make_bedrock():
    """Makes boto3's client of the Bedrock stand-in, with other keys."""
    return lambda **keys: aws("bedrock-runtime", os.environ["STANDIN_BEDROCK"], **keys)


@pytest.fixture
def sts():
    return aws("sts", os.environ["STANDIN_STS"])


@pytest.fixture
def make_cohere():
    """Makes a client of the Cohere stand-in, of version 1 or 2."""
    return lambda kind=cohere.ClientV2, key=KEY: kind(
        key, base_url=os.environ["STANDIN_COHERE"], httpx_client=_httpx(), max_retries=0
    )


@pytest.fixture
def make_mistral():
    """Makes a client of the Mistral stand-in."""
    return lambda key=KEY: mistralai.client.Mistral(
        api_key=key, server_url=os.environ["STANDIN_MISTRAL"], client=_mistral_http()
    )


def _mistral_http():
    # The SDK has moved to a fork of httpx, whose clients it wants.
    import httpx2

    return httpx2.Client(verify=_tls(), timeout=30)
