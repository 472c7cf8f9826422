"""The customer view: a page for whoever has its link, and nothing for anybody else."""

import secrets
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
import requests
from starlette.applications import Starlette
from starlette.routing import Mount
from tests.desk.conftest import Served
from tests.desk.desk_orders import DEPLOYMENT, order
from tests.documents.photo_files import jpeg, photo

from palletflow.desk import track
from palletflow.documents import media
from palletflow.documents.storage import open_storage
from palletflow.store import customer_links, documents
from palletflow.store.connection import connect
from palletflow.store.documents import Document

TRACK = "/palletflow/track"
PHOTO = jpeg(photo(3, (400, 300)))
CANARY = "CANARY<script>&"
# Words of ours, fixed by what the bytes are.
OURS = {("documents", "media_type")}


def deployment(folder: Path, more: str = "customer_view: {days: 14}\n") -> Path:
    for file in DEPLOYMENT.parent.glob("*.yaml"):
        shutil.copy(file, folder)
    place = folder / DEPLOYMENT.name
    place.write_text(place.read_text("utf-8") + more, "utf-8")
    return place


@pytest.fixture
def site(served, dsn, monkeypatch, tmp_path) -> Iterator[str]:
    """Where customers' pages are, beside the order API `api` over the same order store."""
    monkeypatch.setenv("PALLETFLOW_DEPLOYMENT", str(deployment(tmp_path)))
    server = Served(Starlette(routes=[Mount(TRACK, app=track.create_track(lambda: connect(dsn)))]))
    yield server.url + TRACK
    server.stop()


@pytest.fixture
def consignment(api) -> int:
    api.post("/orders", order(), 201)
    [made] = api.get("/orders/SO-1")["consignments"]
    return int(made["id"])


def made(conn, consignment) -> str:
    """The token of a new link."""
    token = secrets.token_urlsafe(32)
    assert customer_links.make(conn, consignment, token, 14, "clerk")
    return token


@pytest.fixture
def link(site, conn, consignment) -> str:
    """The address of the consignment's page."""
    return f"{site}/{made(conn, consignment)}"


def keep(conn, consignment, data=PHOTO, *, visible=True, whole_order=False, **more) -> int:
    [(order_id,)] = conn.execute("SELECT order_id FROM consignments WHERE id = %s", (consignment,)).fetchall()
    kept = open_storage().put(data)
    document = Document(
        order_id,
        None if whole_order else consignment,
        None,
        "PHOTO",
        "photo.jpg",
        media.JPEG,
        kept.size,
        kept.sha256,
        "test",
        "tester",
        customer_visible=visible,
    )
    return documents.add(conn, document._replace(**more))


def get(address, status=200, **more):
    answer = requests.get(address, timeout=30, **more)
    assert answer.status_code == status, answer.text
    assert "noindex" in answer.headers["X-Robots-Tag"]
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "no-store" in answer.headers["Cache-Control"]
    assert "script-src" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    return answer


def listed_documents(page: str) -> list[str]:
    return [part.split('"')[0] for part in page.split('href="')[1:] if "/documents/" in part.split('"')[0]]


def test_the_page_says_where_it_is_and_when_it_comes(link, conn, consignment):
    page = get(link).text
    assert "Booked, and not collected yet" in page
    assert "Planned for Mon 13 July 2026" in page
    assert "<dd>2</dd>" in page
    conn.execute("UPDATE consignments SET lifecycle_status = 'OUT_FOR_DELIVERY' WHERE id = %s", (consignment,))
    conn.execute(
        "UPDATE stops SET eta_from = %s, eta_to = %s WHERE (consignment_id, kind) = (%s, 'delivery')",
        (datetime(2026, 7, 14, 9, tzinfo=UTC), datetime(2026, 7, 14, 11, tzinfo=UTC), consignment),
    )
    page = get(link).text
    # In British summer time.
    assert "Expected Tue 14 July 2026, 10:00 to 12:00" in page
    assert 'aria-current="step">Out for delivery' in page
    conn.execute("UPDATE consignments SET lifecycle_status = 'DELIVERED' WHERE id = %s", (consignment,))
    conn.execute(
        "UPDATE stops SET completed_at = %s WHERE (consignment_id, kind) = (%s, 'delivery')",
        (datetime(2026, 7, 14, 9, 40, tzinfo=UTC), consignment),
    )
    page = get(link).text
    assert '<h1 class="good">Delivered</h1>' in page
    assert "Tue 14 July 2026, 10:40" in page
    assert "Expected" not in page


def test_what_went_wrong_is_said_and_what_is_cancelled_is_cancelled(link, conn, api, consignment):
    conn.execute(
        "UPDATE consignments SET lifecycle_status = 'EXCEPTION', exception_reason = 'REFUSED' WHERE id = %s",
        (consignment,),
    )
    conn.execute("UPDATE stops SET completed_at = now(), outcome = 'NOT_DELIVERED' WHERE kind = 'delivery'")
    page = get(link).text
    assert "The delivery was refused." in page
    assert "Not settled yet" in page
    api("DELETE", "/orders/SO-1")
    conn.execute("UPDATE orders SET cancelled_at = coalesce(cancelled_at, now())")
    page = get(link).text
    assert '<h1 class="bad">Cancelled</h1>' in page
    assert "refused" not in page
    assert "Delivery" not in page


def test_only_documents_for_customers_are_there(link, conn, api, site, consignment):
    shown = keep(conn, consignment)
    whole = keep(conn, consignment, jpeg(photo(4, (300, 300))), whole_order=True, kind="POD")
    hidden = keep(conn, consignment, jpeg(photo(5, (300, 300))), visible=False)
    stale = keep(conn, consignment, jpeg(photo(6, (300, 300))), kind="LABEL")
    documents.mark_stale(conn, consignment, "LABEL")
    api.post("/orders", order("SO-2"), 201)
    [other] = api.get("/orders/SO-2")["consignments"]
    foreign = keep(conn, other["id"], jpeg(photo(7, (300, 300))))

    addresses = listed_documents(get(link).text)
    names = {number: track.name_of(documents.by_id(conn, number)) for number in (shown, whole, hidden, stale, foreign)}
    root = site.removesuffix(TRACK)
    assert [address.rpartition("/")[2] for address in addresses] == [names[shown], names[whole]]
    fetched = get(root + addresses[0])
    assert fetched.content == PHOTO
    assert fetched.headers["Content-Disposition"].startswith('attachment; filename="photo.jpg"')
    assert get(f"{root}{addresses[0]}/thumbnail").headers["Content-Type"] == "image/png"
    for number in (hidden, stale, foreign):
        get(f"{link}/documents/{names[number]}", 404)
        get(f"{link}/documents/{names[number]}/thumbnail", 404)
    documents.show_customers(conn, shown, False, "clerk", "test")
    get(root + addresses[0], 404)
    get(f"{root}{addresses[0]}/thumbnail", 404)


def test_nothing_of_ours_and_of_others_is_on_the_page(link, conn, fetch, consignment, site):
    keep(conn, consignment, kind="POD")
    columns = fetch(
        """
        SELECT table_name, column_name, udt_name FROM information_schema.columns
        WHERE table_schema = 'public' AND is_generated = 'NEVER' AND udt_name IN ('text', '_text')
          AND table_name NOT IN ('customer_links', 'alembic_version')
        """
    )
    written = set()
    for table, column, kind in columns:
        value = f"{column} || %s" if kind == "_text" else f"coalesce({column}, '') || %s"
        canary = [CANARY] if kind == "_text" else CANARY
        try:
            changed = conn.execute(f"UPDATE {table} SET {column} = {value}", (canary,)).rowcount
        except psycopg.IntegrityError:
            continue  # a word of ours
        if (table, column) in OURS:
            conn.execute(f"UPDATE {table} SET {column} = replace({column}, %s, '')", (CANARY,))
        elif changed:
            written.add((table, column))
    assert {
        ("orders", "reference"), ("customers", "name"), ("stops", "name"), ("stops", "postcode"),
        ("stops", "signatory"), ("consignments", "tracking_number"), ("consignments", "notes"),
        ("consignments", "requesting_depot"), ("documents", "name"), ("documents", "actor"),
        ("documents", "source"), ("pallets", "pallet_type"), ("activity", "actor"),
    } <= written  # fmt: skip
    answer = get(link)
    [address] = listed_documents(answer.text)
    fetched = get(site.removesuffix(TRACK) + address)
    for answered in (answer, fetched):
        assert "CANARY" not in str(answered.headers)
    assert "CANARY" not in answer.text
    # No ids of ours either.
    without_random_words = answer.text.replace(address, "").replace(urlsplit(link).path, "")
    assert f"/{consignment}" not in without_random_words


def test_whoever_has_no_good_link_learns_nothing(link, conn, site, monkeypatch, tmp_path, consignment):
    nothing = get(f"{site}/{'A' * 43}", 404)

    def same(address: str) -> None:
        answer = get(address, 404)
        assert answer.text == nothing.text
        drop = {"date"}
        assert {k: v for k, v in answer.headers.items() if k.lower() not in drop} == {
            k: v for k, v in nothing.headers.items() if k.lower() not in drop
        }

    for address in (
        f"{site}/", f"{site}/short", f"{link}x", f"{link}/", f"{link}/documents", f"{link}/documents/1",
        f"{site}/%00", f"{site}/{'é' * 43}", f"{link[:-1]}{'A' if link[-1] != 'A' else 'B'}",
    ):  # fmt: skip
        same(address)
    for method in ("POST", "PUT", "DELETE"):
        answer = requests.request(method, link, timeout=30)
        assert (answer.status_code, answer.text) == (404, nothing.text)

    # The clock is the order store's.
    [(until,)] = conn.execute("SELECT expires_at - now() FROM customer_links").fetchall()
    assert 13 <= until.days <= 14
    conn.execute("UPDATE customer_links SET expires_at = now() + interval '1 hour'")
    get(link)
    conn.execute("UPDATE customer_links SET expires_at = now()")
    same(link)

    second = f"{site}/{made(conn, consignment)}"
    [newest, oldest] = customer_links.listed(conn, consignment)
    assert (oldest.expired, newest.expired, newest.last_seen_at) == (True, False, None)
    get(second)
    assert customer_links.listed(conn, consignment)[0].last_seen_at is not None
    assert not customer_links.revoke(conn, consignment + 1, newest.id, "clerk")
    assert customer_links.revoke(conn, consignment, newest.id, "clerk")
    assert not customer_links.revoke(conn, consignment, newest.id, "clerk")
    same(second)

    third = f"{site}/{made(conn, consignment)}"
    get(third)
    deployment(tmp_path, "")
    same(third)
    deployment(tmp_path)
    get(third)
    kinds = [kind for (kind,) in conn.execute("SELECT kind FROM activity WHERE kind LIKE 'customer%' ORDER BY id")]
    assert kinds == ["customer link made", "customer link made", "customer link revoked", "customer link made"]


def test_links_are_not_in_the_order_store(conn, consignment, fetch):
    tokens = {made(conn, consignment) for _ in range(5)}
    stored = str(fetch("SELECT l::text FROM customer_links l")) + str(fetch("SELECT a::text FROM activity a"))
    assert not any(token in stored for token in tokens)


def test_the_web_servers_log_does_not_have_the_link(site, link, dsn):
    """It notes the path that the request has when all is answered, as Airflow's does."""
    logged = []
    track_app = Starlette(routes=[Mount(TRACK, app=track.create_track(lambda: connect(dsn)))])

    async def logging_app(scope, receive, send):
        await track_app(scope, receive, send)
        if scope["type"] == "http":
            logged.append(scope["path"])

    server = Served(logging_app)
    try:
        for path in ("", "/documents/1", "/documents/1/thumbnail", "/nothing"):
            requests.get(server.url + TRACK + link.removeprefix(site) + path, timeout=30)
    finally:
        server.stop()
    assert logged == [f"{TRACK}/***"] * 4


def test_a_style_sheet_is_all_that_is_loaded(link, site):
    page = get(link).text
    [style] = [part.split('"')[0] for part in page.split('rel="stylesheet" href="')[1:]]
    answer = requests.get(site.removesuffix(TRACK) + style, timeout=30)
    assert (answer.status_code, answer.headers["Content-Type"].split(";")[0]) == (200, "text/css")
    assert "<script" not in page
    assert "style=" not in page


def test_strangers_wait_for_few_places_and_are_sent_away_when_too_many_do(monkeypatch, dsn):
    monkeypatch.setattr(track, "PLACES", 1)
    monkeypatch.setattr(track, "MOST_WAITING", 1)
    inside, go_on = threading.Semaphore(0), threading.Event()

    def slow():
        inside.release()
        go_on.wait(30)
        return connect(dsn)

    server = Served(Starlette(routes=[Mount(TRACK, app=track.create_track(slow))]))
    address = f"{server.url}{TRACK}/{'A' * 43}"
    try:
        with ThreadPoolExecutor(3) as others:
            first = others.submit(get, address, 404)
            assert inside.acquire(timeout=30)
            # One is worked on, so of two more one waits and one is sent away.
            more = [others.submit(requests.get, address, timeout=30) for _ in range(2)]
            done, waiting = wait(more, 30, FIRST_COMPLETED)
            [away], [later] = done, waiting
            assert (away.result().status_code, away.result().headers["Cache-Control"]) == (503, "private, no-store")
            go_on.set()
            first.result(30)
            assert later.result(30).status_code == 404
    finally:
        go_on.set()
        server.stop()
