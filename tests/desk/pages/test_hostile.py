"""The desk before strangers and strangers' texts, for every route that the application has: none can be forgotten."""

import re
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
import requests
from psycopg.types.json import Jsonb
from tests.desk.pages import lively, waiting
from tests.desk.pages.conftest import BASE, KEY, LOGIN, by_header
from tests.desk.test_customer_view import deployment

from palletflow.desk.needs import CAUSES
from palletflow.desk.pages import consignment, forms
from palletflow.desk.pages.app import create_pages
from palletflow.desk.pages.forms import FIELD, FormTokens
from palletflow.intake.template import Fault
from palletflow.store import customer_links

FORM = "application/x-www-form-urlencoded"
QUERIES = ("q", "network", "depot", "role", "status", "origin", "after")
FIELDS = ("document_id", "visible", "record", "cell:a", "cell:%00")
SUBJECTS = ("parked work 9999999999999999999999", "parked work x", "parked work %00")
RECORDS = (
    '"\\ud800"', '{"a":"\\u0000"}', '{"\\ud800":1e999}', "[" * 3000 + "]" * 3000, "9" * 5000, '"' + "\\" * 50_001,
)  # fmt: skip
# Of an address that takes a value: what nobody means, and the order store may take amiss.
ODD = (
    "0", "-1", "9223372036854775808", "9" * 5000, "1e3", "%00", "%ED%A0%80", "%F0%9F%9A%9A", "..%2f..%2fetc%2fpasswd",
    "'%20OR%201=1--", "%0d%0aX-Made: up", "a" * 3000,
)  # fmt: skip
READING = ("GET", "HEAD", "OPTIONS")
SCRIPT = "\"><script>alert(1)</script>'"
ADDRESS = "javascript:alert(1)//"
WORD = SCRIPT + ADDRESS
LIVE = ("script", "iframe", "object", "embed", "base", "style")
# Columns that hold words of ours: code of ours chooses by them what is done.
OURS = ("key", "network", "stream", "media_type", "connection", "raw", "corrected")
TEXTS = """
SELECT table_name, column_name, udt_name FROM information_schema.columns
JOIN information_schema.tables USING (table_schema, table_name)
WHERE table_schema = 'public' AND table_type = 'BASE TABLE' AND is_generated = 'NEVER'
  AND udt_name IN ('text', '_text') AND table_name <> 'alembic_version'
"""


def routes() -> list[tuple[str, str]]:
    """(method, path) of every address, those that FastAPI adds by itself included."""
    app: Any = create_pages(by_header, lambda: pytest.fail("no connection is wanted"), KEY, None).application  # type: ignore[arg-type]
    return [(method, route.path) for route in app.routes for method in route.methods]


def filled(path: str, value: str = "1") -> str:
    return re.sub(r"{[^}]+}", value, path)


EVERY = routes()
WRITES = [path for method, path in EVERY if method not in READING]


def test_every_route_is_there_to_be_tried():
    assert len(EVERY) > 30
    assert len(WRITES) > 15


def test_without_a_login_there_is_nothing(stranger, store, pipelines):
    for path in {filled(path) for _, path in EVERY} | {"/nothing", "//example.com/", "/docs"}:
        for method in ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "get"):
            answer = requests.request(
                method, stranger.url + path, timeout=30, allow_redirects=False, cookies={"_token": "x"}
            )
            assert (method, path, answer.status_code) == (method, path, 401)
            assert "no-store" in answer.headers["Cache-Control"]
    assert not store.execute("SELECT 1 FROM activity").fetchall()
    assert not pipelines.runs


def test_nobody_writes_without_permission_and_a_form_of_his_own_page(desk, looker, store, pipelines, monkeypatch):
    tokens = FormTokens(KEY)
    good = tokens.make("clerk")
    with monkeypatch.context() as earlier:
        earlier.setattr(forms, "GOOD_FOR", timedelta(seconds=-1))
        stale = tokens.make("clerk")
    until, _, signature = good.partition(".")
    bad = {
        "none": "", "of somebody else": tokens.make("looker"), "of another house": FormTokens(b"other").make("clerk"),
        "stale": stale, "made longer": f"{int(until) + 9}.{signature}", "endless": "9" * 5000,
        "not a number": f"x.{signature}", "not signed": f"{until}.", "no letters": f"{until}.\ud7ff\x00é",
    }  # fmt: skip
    for path in map(filled, WRITES):
        looker.post(path, status=403)
        for why, token in bad.items():
            answer = requests.post(desk.url + path, {FIELD: token}, headers={LOGIN: "clerk"}, timeout=30)
            assert (path, why, answer.status_code) == (path, why, 403)
        # A token where no form of ours has it: in the address, as JSON, as another site's page.
        for more in (
            {"params": {FIELD: good}},
            {"json": {FIELD: good}},
            {"data": {FIELD: good}, "headers": {"Sec-Fetch-Site": "cross-site"}},
            {"data": {FIELD: good}, "headers": {"Sec-Fetch-Site": "same-site"}},
        ):
            headers = {LOGIN: "clerk", **more.pop("headers", {})}  # type: ignore[dict-item]
            answer = requests.post(desk.url + path, headers=headers, timeout=30, **more)  # type: ignore[arg-type]
            assert (path, answer.status_code) == (path, 403)
    fields = "&".join(f"f{number}=" for number in range(1001))
    for many in (f"{fields}&{FIELD}={good}", "&" * 2_000_000):
        answer = requests.post(desk.url + filled(WRITES[0]), many, headers={LOGIN: "clerk"}, timeout=30)
        assert answer.status_code in (403, 413)
    assert not store.execute("SELECT 1 FROM activity").fetchall()
    assert not pipelines.runs


def test_odd_addresses_and_fields_are_refused_and_break_nothing(desk, store):
    number = lively.palletforce(store)
    record = waiting.quarantined(store, {"a": "b"}, Fault("NO", "a", "no"))

    def answered(method: str, path: str, **more: Any) -> None:
        answer = desk._session.request(method, desk.url + path, timeout=30, allow_redirects=False, **more)
        assert (method, path, more, answer.status_code < 500) == (method, path, more, True)
        assert "X-Made" not in answer.headers

    token = FormTokens(KEY).make("clerk")
    for odd in ODD:
        for method, path in EVERY:
            if "{" in path and method in ("GET", "POST"):
                answered(method, filled(path, odd), data={FIELD: token} if method == "POST" else None)
        for name in QUERIES:
            answered("GET", f"/find?{name}={odd}")
        answered("GET", f"/consignment/{number}?older={odd}&said={odd}")
        answered("GET", f"/attention/parked?group={odd}")
        answered("GET", f"/attention/quarantine?network={odd}")
        for path in (f"/consignment/{number}/photo", f"/quarantine/{record}/preview", f"/quarantine/{record}/correct"):
            body = "&".join(f"{name}={odd}" for name in FIELDS)
            answered("POST", path, data=f"{body}&{FIELD}={token}", headers={"Content-Type": FORM})
    for code in CAUSES:
        for action in ("one", "end"):
            for odd in SUBJECTS:
                body = f"subject={odd}&{FIELD}={token}"
                answered("POST", f"/attention/{code}/{action}", data=body, headers={"Content-Type": FORM})
    for odd in RECORDS:
        answered("POST", f"/quarantine/{record}/preview", data={"record": odd, FIELD: token})


@pytest.mark.parametrize("text", ["<" * 200_000, "<a>" * 60_000, "[" * 900 + "1," * 90_000 + "1" + "]" * 900])
def test_a_record_that_is_meant_to_be_large_when_laid_out_stays_small(text):
    laid_out = consignment.pretty(text)
    assert len(laid_out) < 100 * len(text)
    assert laid_out.replace(" ", "").replace("\n", "") == text


class Tags(HTMLParser):
    """What a browser makes of a page: where it leads, and what is live of it, which should be nothing."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.leads_to: set[str] = set()
        self.live: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in LIVE:
            self.live.append(tag)
        for name, value in attrs:
            if name.startswith("on") or name in ("style", "srcdoc"):
                self.live.append(name)
            if name in ("href", "src", "action", "formaction"):
                if not re.match(r"/(?!/)|#|https?://", value or ""):
                    self.live.append(str(value))
                if name in ("href", "src"):
                    self.leads_to.add(str(value).partition("#")[0])


def poison(store: psycopg.Connection) -> set[tuple[str, str]]:
    """Puts what would run into every text that is kept, and says where; the order store keeps some as they are."""
    written = set()
    for table, column, kind in store.execute(TEXTS).fetchall():
        if column in OURS:
            continue
        value = f"{column} || %s" if kind == "_text" else f"%s || {column} || %s"
        given: Any = ([WORD],) if kind == "_text" else (ADDRESS, SCRIPT)
        try:
            if store.execute(f"UPDATE {table} SET {column} = {value}".encode(), given).rowcount:
                written.add((table, column))
        except psycopg.IntegrityError:
            continue
    return written


def test_what_strangers_wrote_runs_on_no_page(store, desk, monkeypatch, tmp_path):
    monkeypatch.setenv("PALLETFLOW_DEPLOYMENT", str(deployment(tmp_path)))
    lively.palletforce(store, WORD), lively.nexus(store, WORD), lively.palletways(store, WORD)
    failed = waiting.consignment(store, dispatch_state="failed")
    waiting.task(store, failed, faults=Jsonb([dict.fromkeys(("field", "code", "reason", "remedy"), WORD)]))
    for key, fault in ((WORD, "BAD_FORMAT"), ("K 2", "BAD_FORMAT"), ("K 3", "UNKNOWN_CUSTOMER")):
        waiting.quarantined(store, {WORD: WORD, "notes": [WORD]}, Fault(fault, "notes", WORD), key=key)
    store.execute("INSERT INTO connection_flags (connection, reason) VALUES ('nexus_pgd302', %s)", (WORD,))
    customer_links.make(store, failed, "T" * 43, 14, WORD)
    assert len(poison(store)) > 90
    seen: dict[str, int] = {}
    todo = {"/", "/attention/quarantine", f"/find?q={quote(WORD)}", f"/nothing{quote(WORD)}"}
    while todo:
        path = todo.pop()
        answer = desk._session.get(desk.url + path, timeout=30, allow_redirects=False)
        assert (path, answer.status_code) == (path, 404 if path.startswith("/nothing") else 200)
        seen[path] = answer.text.count("alert(1)")
        if answer.headers["Content-Type"].startswith("text/html"):
            tags = Tags(answer.text)
            assert (path, tags.live) == (path, [])
            assert "default-src 'none'; style-src 'self'" in answer.headers["Content-Security-Policy"]
            assert "frame-ancestors 'self'" in answer.headers["Content-Security-Policy"]
            inside = {address.removeprefix(BASE) for address in tags.leads_to if address.startswith(f"{BASE}/")}
            todo |= inside - seen.keys()
        elif not path.startswith("/static/"):
            assert "sandbox" in answer.headers["Content-Security-Policy"]
        if not path.startswith("/static/"):
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert "private" in answer.headers["Cache-Control"]
    plain = {path.partition("?")[0] for path in seen}
    for method, path in EVERY:
        pattern = re.sub(r"{[^}]+}", "[^/]+", path)
        if method == "GET" and path != "/static/{icon}.svg":
            assert any(re.fullmatch(pattern, one) for one in plain), path
    # It was there to be run.
    for some in ("/", "/find", "/consignment/1", "/consignment/1/raw", "/documents/1/preview", "/attention/parked"):
        assert any(count for path, count in seen.items() if path.partition("?")[0] == some), some
    assert any(count for path, count in seen.items() if path.startswith("/quarantine/"))
