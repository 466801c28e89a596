"""Clients of the providers' own SDKs, straight at the stand-ins."""

import os
import ssl

import anthropic
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
