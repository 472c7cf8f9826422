"""Links for customers on the desk: made, shown once, listed and revoked."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from tests.desk.conftest import Served
from tests.desk.desk_orders import order
from tests.desk.pages.conftest import KEY
from tests.desk.test_customer_view import TRACK, deployment, get

from palletflow.desk.pages.forms import FormTokens
from palletflow.desk.track import TOKEN, create_track
from palletflow.store.connection import connect


@pytest.fixture
def page(api, pages, monkeypatch, tmp_path):
    monkeypatch.setenv("PALLETFLOW_DEPLOYMENT", str(deployment(tmp_path)))
    api.post("/orders", order(), 201)
    [consignment] = api.get("/orders/SO-1")["consignments"]
    return f"/consignment/{consignment['id']}/links"


def once(page: str) -> str:
    """What makes each form that makes a link its own."""
    return re.search(r'name="once" value="([^"]+)"', page)[1]


def links(page: str) -> list[str]:
    """The new links on a page."""
    return sorted(set(re.findall(rf"http://[^\"<]+{TRACK}/[\w-]+", page)))


def test_a_link_is_made_shown_once_and_revoked(desk, looker, stranger, page, dsn, store):
    assert "No link was given out yet" in desk.get(page).text
    assert "It opens the page for 14 days" in desk.get(page).text
    made = desk.post(page, on=page, status=200, once=once(desk.get(page).text))
    [address] = links(made.text)
    assert made.headers["Cache-Control"] == "private, no-store"
    token = address.rpartition("/")[2]
    assert TOKEN.fullmatch(token)
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
    refused = desk.post(page, status=409, once="o" * 22)
    assert "customer_view" in refused.text


def test_a_consignment_that_there_is_not_has_no_links(desk):
    desk.get("/consignment/99/links", 404)
    desk.post("/consignment/99/links", status=404, once="o" * 22)


def test_a_form_that_is_sent_twice_makes_one_link_and_shows_it_both_times(desk, pages, page, store):
    first, second = once(desk.get(page).text), once(desk.get(page).text)
    # Of two quick presses a browser shows the second answer alone.
    with ThreadPoolExecutor(4) as pressing:
        answers = list(
            pressing.map(lambda browser: browser.post(page, status=200, once=first), [pages("clerk") for _ in range(4)])
        )
    [[address]] = {tuple(links(answer.text)) for answer in answers}
    assert store.execute("SELECT count(*) FROM customer_links").fetchone() == (1,)
    # Another form makes another one; a form that was nobody's makes none.
    [other] = links(desk.post(page, status=200, once=second).text)
    assert other != address
    desk.post(page, status=422)
    desk.post(page, status=422, once="short")

    # What was revoked does not come back.
    [_, oldest] = re.findall(rf"{page}/\d+/revoke", desk.get(page).text)
    desk.post(oldest, on=page)
    again = desk.post(page, once=first)
    assert again.headers["Location"].endswith(f"{page}?said=link-revoked")
    assert store.execute("SELECT kind FROM activity WHERE kind LIKE 'customer%' ORDER BY id").fetchall() == [
        ("customer link made",), ("customer link made",), ("customer link revoked",),
    ]  # fmt: skip


def test_the_same_words_make_another_link_for_another_consignment_and_another_person():
    token = FormTokens(KEY).secret
    assert token("clerk", "customer link", "1", "o") == FormTokens(KEY).secret("clerk", "customer link", "1", "o")
    others = {
        token("clerk", "customer link", "2", "o"),
        token("mike", "customer link", "1", "o"),
        token("clerk", "customer link", "1", "p"),
        FormTokens(b"another key").secret("clerk", "customer link", "1", "o"),
    }
    assert len(others) == 4
    assert token("clerk", "customer link", "1", "o") not in others
