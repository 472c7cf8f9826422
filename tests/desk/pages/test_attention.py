"""Needs attention: every cause appears when its state exists and goes when it is mended; people do things once."""

import html
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from tests.desk.desk_orders import DEPLOYMENT
from tests.desk.pages.waiting import NOW, ago, change, consignment, document, quarantined, task, work

from palletflow.desk.needs import CAUSES, needs
from palletflow.desk.plan import Networks, Plans
from palletflow.intake.template import Fault
from palletflow.store import barcodes, quarantine, syncs, work_items

SCRIPT = "<script>alert(1)</script>"
SHA = bytes(32)


@pytest.fixture
def networks(store, monkeypatch) -> Networks:
    monkeypatch.setenv("PALLETFLOW_DEPLOYMENT", str(DEPLOYMENT))
    return Plans().current(store)


@pytest.fixture
def waits(store, networks) -> Callable[[], dict[str, int]]:
    """How much there is of every cause but the syncs, which nothing runs here."""

    def counted() -> dict[str, int]:
        found: dict[str, int] = {}
        for one in needs(store, networks, NOW):
            if one.cause != "syncs":
                found[one.cause] = found.get(one.cause, 0) + one.count
        return found

    return counted


def registered(store, **columns):
    given = {"tracking_number": f"900{consignment(store)}", "registered": True, "dispatch_state": "completed"}
    return consignment(store, **given | columns)


def imported(store, consignment_id, pallet):
    """The network has scanned a pallet at the hub."""
    store.execute(
        "INSERT INTO tracking_events (consignment_id, direction, pallet_number, barcode, code, status, occurred_at)"
        " VALUES (%s, 'imported', %s, %s, 'ARRH', 'AT_HUB', %s)",
        (consignment_id, pallet, f"barcode {pallet}", ago(hours=5)),
    )


def _failed(store):
    one = consignment(store, dispatch_state="failed")
    task(store, one, faults=json.dumps([{"code": "X", "field": "f", "reason": "no postcode", "remedy": "Enter it"}]))
    return lambda: change(store, one, dispatch_state="completed"), "no postcode"


def _unknown(store):
    one = consignment(store, dispatch_state="unknown")
    task(store, one, sent_at=ago(hours=1))
    item = work(store, "dispatch", one, last_error="Left to a person", parked_at=ago(minutes=5))
    # As soon as it is looked up again, it goes on by itself.
    return lambda: work_items.requeue(store, ids=[item]), "Left to a person"


def _in_no_queue(store):
    one = consignment(store, dispatch_state="waiting")
    task(store, one)
    return lambda: work(store, "dispatch", one), "nothing of it is in the work queue"


def _parked(store):
    one = work(store, "network_labels", consignment(store), last_error="HTTP 500", parked_at=ago(hours=1))
    return lambda: work_items.requeue(store, ids=[one]), "HTTP 500"


def _overdue(store):
    one = work(store, "label", consignment(store, "nexus"), "nexus", due_at=ago(minutes=30), last_error="lease lost")
    return lambda: store.execute("DELETE FROM work_items WHERE id = %s", (one,)), "lease lost"


def _review(store):
    of = "WHERE id = (SELECT order_id FROM consignments WHERE id = %s)"
    one = (consignment(store),)
    store.execute(f"UPDATE orders SET review_reason = 'Cancelled in the network' {of}".encode(), one)
    return lambda: store.execute(f"UPDATE orders SET review_reason = NULL {of}".encode(), one), "Cancelled in the"


def _pod(store):
    one = registered(
        store, network="nexus", lifecycle_status="DELIVERED", delivered_at=ago(days=3), delivery_depot="UKD9"
    )
    return lambda: document(store, one, "POD", f"pod of {one}.jpg"), "Delivered by UKD9"


def _photo(store):
    one = registered(store, network="palletways", lifecycle_status="OUT_FOR_DELIVERY")
    store.execute(
        "INSERT INTO photo_windows (consignment_id, begun_at, single) VALUES (%s, %s, false)", (one, ago(days=3))
    )
    return lambda: document(store, one, "PHOTO", f"photo of {one}.jpg"), "looked for 0 times"


def _never_scanned(store):
    one = registered(store, collection_date=ago(days=3).date())
    imported(store, one, 1)
    return lambda: imported(store, one, 2), "pallet 2 of 2"


def _not_manifested(store):
    one = consignment(store, dispatch_state="todo")
    store.execute(
        "INSERT INTO movements (consignment_id, event, scan, pallet_number, depot, at, actor)"
        " VALUES (%s, 'scanned', 'onto_trunk', 1, '900', %s, 'mike')",
        (one, ago(hours=1)),
    )
    return lambda: change(store, one, tracking_number="9001", registered=True, dispatch_state="completed"), "onto trunk"


def _foreign(store):
    one = registered(store, lifecycle_status="AT_HUB")
    barcodes.keep(store, one, None, "FOREIGN1")
    return lambda: change(store, one, lifecycle_status="DELIVERED"), "FOREIGN1"


def _drift(store):
    one = registered(store, lifecycle_status="AT_HUB")
    with store.transaction():
        barcodes.expect(store, [(one, 1, "OLD1"), (one, 2, "OLD2")], "tester", "test")
    document(store, one, "LABEL", "label.pdf", barcode="OLD1", pallet_number=1)
    with store.transaction():
        barcodes.adopt(store, one, {1: "NEW1"}, "tester", "test")
    return lambda: change(store, one, lifecycle_status="DELIVERED"), "OLD1 is now NEW1"


def _refused_photo(store):
    one = registered(store, network="palletways", lifecycle_status="OUT_FOR_DELIVERY")
    photos = [document(store, one, "PHOTO", f"{number} of {one}.jpg") for number in (1, 2)]
    store.execute(
        "INSERT INTO photo_uploads (document_id, consignment_id, state, code, reason)"
        " VALUES (%s, %s, 'refused', 'TOO_LARGE', 'has 9 MB')",
        (photos[0], one),
    )
    return lambda: store.execute(
        "INSERT INTO photo_uploads (document_id, consignment_id, state, tracking_number, number, name, size, sha256,"
        " uploaded_at) VALUES (%s, %s, 'uploaded', '1', 1, 'a', 1, %s, now())",
        (photos[1], one, SHA),
    ), "has 9 MB"


def _given_up(store):
    one = registered(store, network="nexus")
    store.execute(
        "INSERT INTO document_exchanges (consignment_id, direction, code, kind, name, network_id, reason, given_up_at)"
        " VALUES (%s, 'fetched', 'MPOD', 'POD', 'a.jpg', '7', 'is no picture', %s)",
        (one, ago(hours=2)),
    )
    return lambda: store.execute(
        "UPDATE document_exchanges SET given_up_at = NULL, reason = NULL, done_at = now()"
    ), "Fetching MPOD a.jpg: is no picture"


def _status(store):
    one = registered(store)
    store.execute(
        "INSERT INTO tracking_events (consignment_id, direction, pallet_number, barcode, code, status, occurred_at,"
        " refused_at, refusal) VALUES (%s, 'exported', 1, 'B', 'POD', 'DELIVERED', %s, %s, 'No such consignment')",
        (one, ago(hours=5), ago(hours=4)),
    )
    return lambda: store.execute("UPDATE tracking_events SET sent_at = now() WHERE refusal IS NOT NULL"), "No such"


def _eta(store):
    one = registered(store, network="nexus")
    store.execute(
        "INSERT INTO eta_exports (consignment_id, refused_route, refused_eta, refusal, refused_at)"
        " VALUES (%s, 'R1', %s, 'In the past', now())",
        (one, NOW),
    )
    return lambda: change(store, one, lifecycle_status="DELIVERED"), "In the past"


def _stale(store):
    one = registered(store, network="palletways")
    store.execute("INSERT INTO stale_consignments VALUES (%s, %s)", (one, ago(days=2)))
    return lambda: store.execute("DELETE FROM stale_consignments"), "CREATED, expected on"


def _file(store):
    store.execute(
        "INSERT INTO quarantined_files (network, tracking_number, reason, detail, method, url, received_at, seen_at)"
        " VALUES ('palletways', '60000000017', 'malformed', 'no image in it', 'getPhoto', '', %s, %s)",
        (ago(hours=1), ago(hours=1)),
    )
    return lambda: store.execute("DELETE FROM quarantined_files"), "no image in it"


def _rejected_file(store):
    def read(digest, at, outcome, reason):
        store.execute(
            "INSERT INTO inbound_batches (network, stream, party, run, pages, records, created, updated, unchanged,"
            " rejected, ignored, fetched_at)"
            " VALUES ('palletforce', 'orders file', 'a.csv', '', 0, 0, 0, 0, 0, 0, 0, now())"
        )
        store.execute(
            "INSERT INTO inbound_files (network, stream, name, sha256, size, outcome, reason, batch_id, run, read_at)"
            " VALUES ('palletforce', 'orders file', 'a.csv', %s, 1, %s, %s,"
            " CASE WHEN %s::text IS NULL THEN (SELECT max(id) FROM inbound_batches) END, 'test', %s)",
            (digest, outcome, reason, reason, at),
        )

    read(SHA, ago(hours=3), "REJECTED", "is an Excel workbook")
    return lambda: read(bytes([1] * 32), ago(hours=1), "DONE", None), "is an Excel workbook"


def _code(store):
    store.execute("INSERT INTO unknown_codes VALUES ('palletways', '999', %s, 4)", (NOW.date(),))
    return lambda: store.execute("DELETE FROM unknown_codes"), "4 times"


def _lost(store):
    one = registered(store)
    document(store, one, "PAPERWORK", "gone.pdf")
    store.execute("INSERT INTO lost_documents SELECT sha256, now() FROM documents WHERE name = 'gone.pdf'")
    return lambda: store.execute("DELETE FROM lost_documents"), "gone.pdf"


def _connection(store):
    store.execute(
        "INSERT INTO connection_flags (connection, reason) VALUES ('nexus_pgd302', 'The password was refused')"
    )
    return lambda: store.execute("DELETE FROM connection_flags"), "The password was refused"


def _silent(store):
    store.execute("INSERT INTO call_windows (rate_group, silent_since, probe_at) VALUES ('pw', now(), now())")
    return lambda: store.execute("DELETE FROM call_windows"), "banned"


def _mandatory(store):
    one = registered(store, our_roles=["delivery"], lifecycle_status="DELIVERED", delivered_at=ago(hours=20))
    store.execute(
        "UPDATE stops SET completed_at = %s WHERE consignment_id = %s AND kind = 'delivery'", (ago(hours=20), one)
    )

    def tell():
        for code in ("DELV", "DONR", "ARDL", "POD"):
            store.execute(
                "INSERT INTO tracking_events (consignment_id, direction, barcode, code, status, occurred_at, sent_at,"
                " delivery_order, total_deliveries) VALUES (%s, 'exported', '', %s, 'DELIVERED', %s, now(), 1, 1)",
                (one, code, ago(hours=20)),
            )

    return tell, "Misses DELV, DONR"


def _quarantine(store):
    quarantined(store, {"a": 1}, Fault("BAD_FORMAT", "weight", "weight: 'heavy' is not a number"))
    return lambda: quarantine.take_out(store, [one.id for one in quarantine.listed(store)], "tester"), "heavy"


STATES = {
    "dispatch": (_failed, _unknown, _in_no_queue),
    "parked": (_parked,),
    "overdue": (_overdue,),
    "review": (_review,),
    "pods": (_pod,),
    "photos": (_photo,),
    "never-scanned": (_never_scanned,),
    "not-manifested": (_not_manifested, _foreign),
    "barcodes": (_drift,),
    "documents": (_refused_photo, _given_up),
    "statuses": (_status,),
    "etas": (_eta,),
    "stale": (_stale,),
    "files": (_file,),
    "rejected-files": (_rejected_file,),
    "unknown-codes": (_code,),
    "lost-documents": (_lost,),
    "connections": (_connection, _silent),
    "mandatory": (_mandatory,),
    "quarantine": (_quarantine,),
}


def test_every_cause_appears_when_its_state_exists_and_goes_when_it_is_mended(store, waits, desk):
    assert set(STATES) == set(CAUSES) - {"syncs"}
    for cause, makers in STATES.items():
        for make in makers:
            mend, said = make(store)
            assert waits() == {cause: 1}, make.__name__
            assert said in html.unescape(desk.get(f"/attention/{cause}").text), make.__name__
            mend()
            assert waits() == {}, f"after {make.__name__}"
    assert "No record is in quarantine" in desk.get("/attention/quarantine").text
    _parked(store)
    assert CAUSES["parked"].title in desk.get("/attention").text


def test_what_goes_on_by_itself_or_is_nobodys_here_is_not_told_of(store, waits):
    task(store, consignment(store, dispatch_state="waiting"), completed_at=NOW)
    looked_up = consignment(store, dispatch_state="unknown")
    task(store, looked_up, sent_at=ago(hours=1))
    work(store, "dispatch", looked_up)
    cancelled = consignment(store, dispatch_state="failed")
    task(store, cancelled)
    store.execute(
        "UPDATE orders SET cancelled_at = now() FROM consignments c WHERE c.order_id = orders.id AND c.id = %s",
        (cancelled,),
    )
    work(store, "label", 1, due_at=ago(minutes=5))
    long_ago = ago(days=3).date()
    registered(store, collection_date=long_ago, our_roles=["collecting", "delivery"])
    registered(store, collection_date=long_ago, our_roles=[])
    registered(store, collection_date=NOW.date())
    consignment(store, collection_date=long_ago)
    delivered = {"lifecycle_status": "DELIVERED", "delivered_at": ago(days=3)}
    registered(store, network="nexus", **delivered, our_roles=["requesting", "delivery"])
    registered(store, network="nexus", **delivered | {"delivered_at": ago(hours=1)})
    registered(store, network="palletforce", **delivered)  # which has no PODs to fetch
    barcodes.keep(store, registered(store, **delivered), None, "OF THE PAST")

    assert waits() == {}


def test_a_booking_is_no_scan_and_a_status_of_the_whole_consignment_is_one_of_every_pallet(store, waits):
    one = registered(store, collection_date=ago(days=3).date())
    event = (
        "INSERT INTO tracking_events (consignment_id, direction, barcode, code, status, occurred_at)"
        " VALUES (%s, 'imported', '', %s, %s, now())"
    )
    store.execute(event, (one, "Booked", "CREATED"))
    assert waits() == {"never-scanned": 1}
    store.execute(event, (one, "At Hub", "AT_HUB"))
    assert waits() == {}


def test_a_sync_that_never_ran_and_one_that_is_late_are_told_of(store, networks):
    """Long after the deployment file first named them."""
    later = NOW + timedelta(days=1)
    late = {one.network: one.count for one in needs(store, networks, later) if one.cause == "syncs"}
    assert set(late) == {"palletforce", "nexus", "palletways"}
    for network, stream, party in syncs.listed(store):
        syncs.succeeded(
            store, network, stream, party, at=later, next_due_at=later + timedelta(minutes=5), lag=timedelta(0)
        )
    assert [one for one in needs(store, networks, later) if one.cause == "syncs"] == []


def test_where_one_network_has_much_the_others_are_not_hidden(store, networks):
    store.execute(
        "INSERT INTO work_items (network, kind, key, due_at, last_error, parked_at)"
        " SELECT 'nexus', 'label', n::text, now(), 'HTTP 50' || n % 3, now() FROM generate_series(1, 1500) n"
    )
    work(store, "label", "x", "palletways", last_error="HTTP 404", parked_at=ago(hours=1))
    found = [(one.network, one.count, one.more) for one in needs(store, networks, NOW) if one.cause == "parked"]
    assert found == [("nexus", 1000, True), ("palletways", 1, False)]


def test_parked_work_of_one_cause_is_tried_again_together_and_by_one(store, desk):
    ours = consignment(store, "nexus")
    many = [
        work(store, "label", key, "nexus", last_error=f"HTTP 500 at attempt {key}", parked_at=ago(hours=1))
        for key in (ours, 900001, 900002)
    ]
    other = work(store, "label", 900003, "nexus", last_error="The login was refused", parked_at=ago(hours=1))
    page = desk.get("/attention/parked").text
    assert page.count("of the same cause") == 1
    group = page.split('name="group" value="')[1][:16]
    assert desk.get("/attention/parked", params={"group": group}).text.count("HTTP 500") == 3

    desk.post("/attention/parked/all", on="/attention/parked", group=group)

    assert [one.id for one in work_items.listed(store, parked=True)] == [other]
    assert store.execute(
        "SELECT consignment_id, kind, actor, source FROM activity WHERE subject = %s", (f"parked work {many[0]}",)
    ).fetchall() == [(ours, "work requeued", "clerk", "order desk")]
    # Pressed again, by somebody whose page is old: nothing is left to do.
    desk.post("/attention/parked/all", group=group)
    desk.post("/attention/parked/one", subject=f"parked work {other}")
    assert work_items.listed(store, parked=True) == []


def test_what_failed_is_sent_again_and_what_is_unknown_is_looked_up(store, desk):
    failed, unknown = (consignment(store, dispatch_state=state) for state in ("failed", "unknown"))
    for one in (failed, unknown):
        task(store, one, sent_at=ago(hours=1))
    work(store, "dispatch", unknown, last_error="Left to a person", parked_at=ago(minutes=5))
    # It is in one list, and not in two.
    assert "No work is parked" in desk.get("/attention/parked").text

    desk.post("/attention/dispatch/all", on="/attention/dispatch")

    states = store.execute("SELECT id, dispatch_state FROM consignments ORDER BY id").fetchall()
    assert states == [(failed, "waiting"), (unknown, "unknown")]
    assert {one.key for one in work_items.listed(store, parked=False)} == {str(failed), str(unknown)}
    kinds = "SELECT kind FROM activity WHERE actor = 'clerk' ORDER BY id"
    assert store.execute(kinds).fetchall() == [("dispatch task completed",), ("look-up asked for",)]


def test_what_can_be_asked_for_again_is_asked_for(store, desk, pipelines):
    for make in (_pod, _photo, _status, _eta, _given_up, _stale, _review):
        make(store)
    for cause in ("pods", "photos", "statuses", "etas", "documents", "stale"):
        desk.post(f"/attention/{cause}/all")
    for subject, _ in store.execute("SELECT 'review of order ' || id, id FROM orders").fetchall():
        desk.post("/attention/review/one", subject=subject)

    kinds = sorted({one.kind for one in work_items.listed(store, parked=False)})
    assert kinds == ["document_fetch", "eta_export", "status_export"]
    [run] = pipelines.runs
    assert (run.dag_id, run.by) == ("palletways_fetch_photos", "clerk")
    assert store.execute("SELECT count(*) FROM stale_consignments").fetchone() == (0,)
    assert store.execute("SELECT count(*) FROM orders WHERE review_reason IS NOT NULL").fetchone() == (0,)


def test_photos_are_looked_for_once_however_often_it_is_pressed(store, desk, pages, pipelines):
    _photo(store)
    path = "/attention/photos/all"
    # Two people at once, each of whom presses twice.
    with ThreadPoolExecutor(4) as pressing:
        list(pressing.map(lambda browser: browser.post(path), [pages("clerk") for _ in range(4)]))
    assert [run.dag_id for run in pipelines.runs] == ["palletways_fetch_photos"]
    assert store.execute("SELECT count(*) FROM activity WHERE kind = 'photos looked for'").fetchone() == (1,)

    # One more is looked for by itself, and after a while the first one can be again.
    _photo(store)
    desk.post(path)
    first, second = (run.conf["tracking_ids"] for run in pipelines.runs)
    assert first not in second
    store.execute("UPDATE activity SET at = at - interval '1 minute'")
    desk.post(path)
    assert set(pipelines.runs[-1].conf["tracking_ids"].split(", ")) == {first, second}


def test_what_nobody_can_mend_is_taken_off_the_list_and_the_history_says_by_whom(store, desk, waits):
    _foreign(store)
    page = html.unescape(desk.get("/attention/not-manifested").text)
    subject = page.split('name="subject" value="')[1].split('"')[0]

    desk.post("/attention/not-manifested/end", on="/attention/not-manifested", subject=subject)

    assert waits() == {}
    assert store.execute("SELECT kind, actor FROM activity WHERE subject = %s", (subject,)).fetchall() == [
        ("seen to", "clerk")
    ]
    _parked(store)
    parked = next(one for one in work_items.listed(store, parked=True))
    desk.post("/attention/parked/end", status=409, subject=f"parked work {parked.id}")
    assert waits() == {"parked": 1}


def test_a_list_is_filtered_by_network_and_bounded(store, desk):
    for number in range(205):
        work(store, "label", number, "nexus", due_at=ago(hours=1))
    work(store, "dispatch", "x", "palletforce", due_at=ago(hours=2))
    whole = desk.get("/attention/overdue").text
    assert "there are more" in whole
    assert "Palletforce 1" in " ".join(whole.split())
    ours = desk.get("/attention/overdue", params={"network": "palletforce"}).text
    assert ours.count("not tried yet") == 1
    assert "Nothing of this in Elsewhere" in desk.get("/attention/overdue", params={"network": "elsewhere"}).text
    desk.get("/attention/nothing", status=404)
    desk.get("/attention/parked", status=422, params={"group": "' OR 1"})


def test_what_others_wrote_is_escaped_everywhere(store, desk):
    _failed(store)
    store.execute("UPDATE orders SET review_reason = %s, reference = %s, source_key = %s || id", (SCRIPT,) * 3)
    store.execute("UPDATE dispatch_tasks SET faults = %s", (json.dumps([{"reason": SCRIPT, "remedy": SCRIPT}]),))
    work(store, SCRIPT, SCRIPT, last_error=SCRIPT, parked_at=ago(hours=1))
    work(store, SCRIPT, SCRIPT + "2", last_error=SCRIPT, due_at=ago(hours=1))
    _rejected_file(store)
    store.execute("UPDATE inbound_files SET name = %s, reason = %s", (SCRIPT, SCRIPT))
    _file(store)
    store.execute("UPDATE quarantined_files SET tracking_number = %s, detail = %s, reason = %s", (SCRIPT,) * 3)
    store.execute("INSERT INTO connection_flags (connection, reason) VALUES (%s, %s)", (SCRIPT, SCRIPT))
    store.execute("INSERT INTO unknown_codes VALUES ('palletways', %s, %s, 1)", (SCRIPT, NOW.date()))
    quarantined(store, {SCRIPT: SCRIPT}, Fault(SCRIPT, SCRIPT, SCRIPT), stream=SCRIPT, key=SCRIPT)
    quarantined(store, {SCRIPT: 2}, Fault(SCRIPT, SCRIPT, SCRIPT), stream=SCRIPT, key=SCRIPT)
    pages = [desk.get("/attention").text]
    for cause in CAUSES:
        pages.append(desk.get(f"/attention/{cause}").text)
        for part in pages[-1].split("group=")[1:]:
            pages.append(desk.get(f"/attention/{cause}", params={"group": part[:16]}).text)
    assert sum(SCRIPT in page for page in pages) == 0
    assert sum(html.escape(SCRIPT) in page for page in pages) >= 8


def test_strangers_and_lookers_do_nothing_and_no_other_site_makes_anybody(store, desk, looker, stranger):
    _parked(store)
    paths = ["one", "all", "end"]
    assert '<form method="post"' in desk.get("/attention/parked").text
    shown = looker.get("/attention/parked").text
    assert "HTTP 500" in shown
    assert '<form method="post"' not in shown
    stranger.get("/attention", status=401)
    stranger.get("/attention/parked", status=401)
    for path in paths:
        looker.post(f"/attention/parked/{path}", status=403, subject="x")
        stranger.post(f"/attention/parked/{path}", status=401, subject="x")
        desk.post(f"/attention/parked/{path}", status=403, subject="x", form_token="1.forged")
    assert len(work_items.listed(store, parked=True)) == 1


def test_a_pipeline_that_airflow_does_not_have_is_said_and_nothing_is_written(store, desk, pipelines):
    _photo(store)
    pipelines.held.clear()
    answer = desk.post("/attention/photos/all", status=503)
    assert "palletways_fetch_photos" in answer.text
    assert store.execute("SELECT count(*) FROM activity WHERE actor = 'clerk'").fetchone() == (0,)


def test_an_empty_house_says_so(desk, store):
    for network, stream, party in syncs.listed(store):
        syncs.succeeded(store, network, stream, party, at=NOW, next_due_at=NOW + timedelta(hours=1), lag=timedelta(0))
    assert "Nothing needs a person just now" in desk.get("/attention").text
