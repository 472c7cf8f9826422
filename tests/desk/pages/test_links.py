"""Links for customers on the desk: made, shown once, listed and revoked."""

import re

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from tests.desk.conftest import Served
from tests.desk.desk_orders import order
from tests.desk.test_customer_view import TRACK, deployment, get

from palletflow.desk.track import create_track
from palletflow.store.connection import connect


@pytest.fixture
def page(api, pages, monkeypatch, tmp_path):
    monkeypatch.setenv("PALLETFLOW_DEPLOYMENT", str(deployment(tmp_path)))
    api.post("/orders", order(), 201)
    [consignment] = api.get("/orders/SO-1")["consignments"]
    return f"/consignment/{consignment['id']}/links"


def test_a_link_is_made_shown_once_and_revoked(desk, looker, stranger, page, dsn, store):
    assert "No link was given out yet" in desk.get(page).text
    assert "It opens the page for 14 days" in desk.get(page).text
    made = desk.post(page, on=page, status=200)
    [address] = set(re.findall(rf"http://[^\"<]+{TRACK}/[\w-]+", made.text))
    assert made.headers["Cache-Control"] == "private, no-store"
    token = address.rpartition("/")[2]
    assert token not in desk.get(page).text

    server = Served(Starlette(routes=[Mount(TRACK, app=create_track(lambda: connect(dsn)))]))
    try:
        get(f"{server.url}{TRACK}/{token}")
        assert "never" not in desk.get(page).text
        seen = looker.get(page).text
        assert "clerk" in seen
        assert "<button" not in seen
        looker.post(page, status=403)
        revoke = re.search(rf"{page}/\d+/revoke", desk.get(page).text)[0]
        looker.post(revoke, status=403)
        get(f"{server.url}{TRACK}/{token}")
        assert desk.post(revoke, on=page).headers["Location"].endswith(f"{page}?said=link-revoked")
        get(f"{server.url}{TRACK}/{token}", 404)
    finally:
        server.stop()
    assert "revoked" in desk.get(page).text
    stranger.get(page, 401)
    stranger.post(page, status=401)
    told = store.execute("SELECT kind, actor FROM activity WHERE kind LIKE 'customer link%' ORDER BY id").fetchall()
    assert told == [("customer link made", "clerk"), ("customer link revoked", "clerk")]


def test_there_are_none_unless_the_deployment_wants_them(desk, page, monkeypatch, tmp_path):
    deployment(tmp_path, "")
    assert "switched off" in desk.get(page).text
    assert "Make a link" not in desk.get(page).text
    refused = desk.post(page, status=409)
    assert "customer_view" in refused.text


def test_a_consignment_that_there_is_not_has_no_links(desk):
    desk.get("/consignment/99/links", 404)
    desk.post("/consignment/99/links", status=404)
