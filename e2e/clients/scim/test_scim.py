"""A directory keeps users and groups by SCIM: the compliance check of scim2-tester, and what comes of it."""

import os
import ssl
import sys

import pytest
import requests

if sys.version_info < (3, 11):
    pytest.skip("the SCIM client is for Python 3.11", allow_module_level=True)

import httpx2  # noqa: E402
from scim2_client.engines.httpx2 import SyncSCIMClient  # noqa: E402
from scim2_models import SCIMException  # noqa: E402
from scim2_tester import Status, check_server  # noqa: E402

URL, CA = os.environ["SLUICE_URL"], os.environ["SLUICE_CA"]


@pytest.fixture(scope="module")
def admin():
    session = requests.Session()
    session.headers["Authorization"] = "Bearer " + os.environ["SLUICE_ADMIN_TOKEN"]
    session.verify, session.trust_env = CA, False

    def call(method, path, **more):
        reply = session.request(method, URL + "/api/sluice/v1" + path, **more)
        reply.raise_for_status()
        return reply.json() if reply.content else None

    return call


@pytest.fixture(scope="module")
def scim(admin):
    account = admin(
        "POST", "/users", json={"userName": "directory", "kind": "service-account", "roles": ["provisioner"]}
    )
    token = admin("POST", "/tokens", json={"name": "scim", "userId": account["id"]})["token"]
    client = httpx2.Client(
        base_url=URL + "/scim/v2",
        headers={"Authorization": "Bearer " + token},
        verify=ssl.create_default_context(cafile=CA),
    )
    yield SyncSCIMClient(client)
    client.close()


def test_compliance(scim):
    results = check_server(scim)
    assert len(results) > 50
    bad = [r for r in results if r.status not in (Status.SUCCESS, Status.SKIPPED)]
    assert not bad, "\n".join(f"{r.title} {r.resource_type}: {r.reason}" for r in bad)


def test_who_is_provisioned_may_call_until_disabled(scim, admin):
    scim.discover()
    User, Group = scim.get_resource_model("User"), scim.get_resource_model("Group")
    user = scim.create(User(user_name="scim-jane", display_name="Jane", active=True))
    group = scim.create(Group(display_name="scim-quants", members=[{"value": user.id}]))
    assert admin("GET", "/organizations/" + group.id)["memberDetails"][0]["source"] == "scim"

    token = admin("POST", "/tokens", json={"name": "jane", "userId": user.id})["token"]

    def call():
        return requests.get(URL + "/v1/models", headers={"Authorization": "Bearer " + token}, verify=CA).status_code

    assert call() == 200
    user = scim.query(User, user.id)  # its groups have changed, and so its version
    user.active = False
    scim.replace(user)
    assert call() == 401

    with pytest.raises(SCIMException, match="already"):
        scim.create(User(user_name="SCIM-JANE"))
    scim.delete(Group, group.id)
    scim.delete(User, user.id)
    names = [u["userName"] for u in admin("GET", "/users?limit=1000")["users"]]
    assert "scim-jane" not in names
