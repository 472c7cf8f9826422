"""The order API in the running house: Airflow's own logins, permissions and connection to the order store."""

import json
import os
import subprocess
import time
from typing import Any

from tests.e2e.logins import Login

from palletflow.desk.app import PREFIX, create_app

BASE = f"/palletflow{PREFIX}"
ORDER = {
    "key": "E2E-1",
    "customer": "ACME",
    "reference": "E2E-1",
    "consignments": [
        {
            "network": "palletforce",
            "service": "A",
            "collection_date": "2026-07-13",
            "weight_kg": 850,
            "pallet_types": ["F", "F"],
            "delivery": {"name": "Receiver", "street": "2 High Street", "town": "Leeds", "postcode": "LS1 1AA"},
        }
    ],
}


async def nobody_yet(_request: Any, _writes: bool) -> Any:
    raise AssertionError("no request is made")


def every_route() -> list[tuple[str, str]]:
    """(method, path) of everything the application answers, the published OpenAPI included."""
    app: Any = create_app(nobody_yet, lambda: None).application  # type: ignore[arg-type,return-value]
    return [(method, f"/palletflow{route.path}") for route in app.routes for method in sorted(route.methods)]


def test_no_route_is_open(house):
    nobody = Login(house, None)
    forged = Login(house, "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.")
    routes = [*every_route(), ("GET", "/palletflow/"), ("GET", "/palletflow/docs"), ("POST", "/palletflow/x")]
    assert len(routes) > 15
    for method, path in routes:
        for login in (nobody, forged):
            answer = login(method, path)
            assert (method, path, answer.status_code) == (method, path, 401)
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            if method != "HEAD":
                assert set(answer.json()) == {"message", "errors"}


def test_who_may_only_look_cannot_write(viewer):
    for method, path in every_route():
        answer = viewer(method, path)
        if method in ("GET", "HEAD"):
            assert answer.status_code in (200, 404, 422), f"{method} {path}: {answer.text}"
        else:
            assert answer.status_code == 403, f"{method} {path}: {answer.text}"


def test_an_order_is_made_and_seen_by_others_under_the_name_of_its_maker(admin, viewer):
    made = admin("POST", f"{BASE}/orders", json=ORDER)
    assert made.status_code == 201, made.text
    seen = viewer("GET", f"{BASE}/orders/E2E-1")
    assert seen.json()["consignments"][0]["pickup"]["name"] == "Acme Widgets Ltd"
    after, entries = {}, []
    deadline = time.monotonic() + 60
    # The feed shows what is certain: an import that was under way before has to end first.
    while not entries and time.monotonic() < deadline:
        feed = viewer("GET", f"{BASE}/changes", params={"limit": 1000, **after}).json()
        after = {"after": feed["next"]}
        entries = [one for one in feed["changes"] if one["order"]["key"] == "E2E-1"]
        time.sleep(0 if feed["more"] else 0.2)
    assert [(one["kind"], one["actor"]) for one in entries] == [("created", "ops")]


def test_the_openapi_is_published_to_those_who_are_logged_in(viewer):
    published = viewer("GET", f"{BASE}/openapi.json").json()
    assert published["servers"] == [{"url": "/palletflow"}]
    assert f"{PREFIX}/orders/{{order}}" in published["paths"]


def test_the_lines_of_the_readme_run_as_they_are(house, tmp_path):
    readme = (house.settings.project / "README.md").read_text()
    lines = readme.partition("<!-- orders:")[2].partition("```sh\n")[2].partition("```")[0]
    assert lines.count("call ") >= 8
    assert house.login.password
    environment = {**os.environ, "PALLETFLOW": house.api.base_url, "PASSWORD": house.login.password, "NO_PROXY": "*"}
    done = subprocess.run(
        ["bash", "-eu", "-c", lines], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines() if line.strip()]
    made, changed, assigned, completed, found, order, changes = answers
    assert (made["outcome"], changed["outcome"]) == ("created", "updated")
    assert (tmp_path / "labels.pdf").read_bytes().startswith(b"%PDF-")
    assert assigned["consignments"][0]["dispatch_state"] == "todo"
    assert completed["consignments"][0]["dispatch_state"] == "waiting"
    assert [one["key"] for one in found["orders"]] == ["SO-1001"]
    assert order["consignments"][0]["surcharges"] == ["TL"]
    assert changes["changes"]
