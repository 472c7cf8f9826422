"""The page that finds consignments, over real HTTP."""

import html
import re
from urllib.parse import quote

import pytest
from tests.desk.desk_orders import order

from palletflow.store import desk_search
from palletflow.store.connection import connect

SCRIPT = "<script>alert(1)</script>"
ESCAPED = html.escape(SCRIPT)


@pytest.fixture
def ordered(api, store):
    """Enters an order and gives the id of its consignment."""

    def enter(key, **more):
        made = api.post("/orders", order(key, **more), 201)
        return store.execute("SELECT id FROM consignments WHERE order_id = %s", (made["id"],)).fetchone()[0]

    return enter


@pytest.fixture
def number(store):
    """Gives a consignment what a network would give it."""

    def give(consignment, tracking_number, *barcodes):
        store.execute(
            "UPDATE consignments SET tracking_number = %s, registered = true, consignment_number = 'C' || id,"
            " requesting_depot = '900', collecting_depot = '900', delivery_depot = '456',"
            " our_roles = '{requesting,collecting}' WHERE id = %s",
            (tracking_number, consignment),
        )
        for position, barcode in enumerate(barcodes):
            store.execute(
                "INSERT INTO pallet_barcodes (consignment_id, pallet_number, barcode, state, superseded_at)"
                " VALUES (%s, 1, %s, %s, CASE WHEN %s THEN now() END)",
                (consignment, barcode, "superseded" if position else "expected", bool(position)),
            )

    return give


def listed(answer):
    """The consignments of a page, in its order."""
    return [int(id_) for id_ in re.findall(r'class="name" href="[^"]*/consignment/(\d+)"', answer.text)]


def link(answer, text):
    """The address, below the desk's own, of the link with this text."""
    return html.unescape(re.search(rf'href="/palletflow/desk([^"]*)"[^>]*>{text}<', answer.text)[1])


def test_a_number_leads_straight_to_its_consignment(desk, ordered, number):
    consignment = ordered("SO-1", reference="PO 77", reference_2="J-5")
    number(consignment, "9000010000001", "506456A900001000000101", "506099A900001000000101")
    ordered("SO-2")
    for typed in (
        *("9000010000001", " 9000 0100 00001 ", f"C{consignment}", "so-1", "PO 77", "j-5"),
        *("506456A900001000000101", "506099a900001000000101"),
    ):
        answer = desk.get("/find", 303, params={"q": typed, "network": "nexus"})
        assert answer.headers["location"] == f"/palletflow/desk/consignment/{consignment}", typed


@pytest.mark.parametrize("entered", ["BLUE VAN-7A", "blue van-7a", "Blue Van-7A", "Blue van-7a"])
@pytest.mark.parametrize("typed", ["blue van-7a", "BLUE VAN-7A", "Blue van-7A"])
def test_capitals_make_no_difference(desk, ordered, store, entered, typed):
    where = "/palletflow/desk/consignment/{}"
    for column in ("source_key", "reference", "reference_2"):
        consignment = ordered(f"SO-{column}")
        store.execute(f"UPDATE orders SET {column} = %s WHERE source_key = %s".encode(), (entered, f"SO-{column}"))
        assert desk.get("/find", 303, params={"q": typed}).headers["location"] == where.format(consignment)
        store.execute("DELETE FROM orders")
    on_trip, delivered = ordered("SO-1"), ordered("SO-2")
    store.execute(
        "INSERT INTO dispatch_tasks (consignment_id, trip, resource, auto_complete) VALUES (%s, %s, 'X', false)",
        (on_trip, entered),
    )
    store.execute("UPDATE stops SET route = %s WHERE kind = 'delivery' AND consignment_id = %s", (entered, delivered))
    assert listed(desk.get("/find", params={"q": typed})) == [delivered, on_trip]
    # The customer's code, and a part of the name.
    store.execute("UPDATE customers SET code = %s WHERE code = 'ACME'", (entered,))
    store.execute("UPDATE dispatch_tasks SET trip = 'other'")
    assert listed(desk.get("/find", params={"q": typed})) == [delivered, on_trip]


def test_where_capitals_do_matter_the_page_says_so(desk, ordered):
    ordered("SO-1", reference="mcDuff 7")
    assert "a capital within a word" in desk.get("/find?q=MCDUFF 7").text
    desk.get("/find", 303, params={"q": "mcDuff 7"})


def test_what_fits_several_is_listed_with_what_it_was_found_by(desk, looker, ordered, number):
    first, second = ordered("SO-1", reference="TWICE"), ordered("SO-2", reference="TWICE")
    number(first, "9000010000001", "506456A900001000000101", "ONCE")
    number(second, "9000010000002", "506456A900001000000201", "ONCE")
    answer = looker.get("/find?q=twice")
    assert listed(answer) == [second, first]
    assert answer.text.count("found by reference") == 2
    assert desk.get("/find?q=ONCE").text.count("found by earlier barcode") == 2
    for typed in ("LS1 1AA", "ls11aa", "ls1"):
        assert listed(desk.get("/find", params={"q": typed})) == [second, first]
    row = desk.get("/find?q=widgets").text.split("<tbody>")[1]
    for told in ("9000010000002", "Acme Widgets Ltd", "Leeds", "LS1 1AA", "Palletforce", "no dispatch task"):
        assert told in row
    assert re.search(r"<strong[^>]*>900</strong> → 456", row)


def test_filters_narrow_it_down_and_stay_in_the_form(desk, ordered, store):
    ours, other = ordered("SO-1"), ordered("SO-2")
    store.execute(
        "UPDATE consignments SET network = 'nexus', lifecycle_status = 'DELIVERED', delivery_depot = 'UKD101'"
        " WHERE id = %s",
        (other,),
    )
    assert listed(desk.get("/find")) == [other, ours]
    for filters in ("network=nexus", "status=DELIVERED", "depot=ukd101&role=delivery", "origin=api&status=DELIVERED"):
        assert listed(desk.get(f"/find?{filters}")) == [other], filters
    answer = desk.get("/find?q=ACME&network=nexus&status=DELIVERED&depot=UKD101")
    assert '<option value="nexus" selected>' in answer.text
    assert '<option value="DELIVERED" selected>' in answer.text
    assert 'name="depot" value="UKD101"' in answer.text
    assert link(answer, "Without filters") == "/find?q=ACME"
    none = desk.get("/find?q=ACME&depot=999")
    assert "2 consignments fit “ACME”, but none of them fits the filters" in none.text
    assert listed(desk.get(link(none, "Search without filters"))) == [other, ours]
    assert "There is no status “LOST”" in desk.get("/find?status=LOST").text


def test_older_pages_go_on_where_the_last_one_ended(desk, ordered, store, monkeypatch):
    monkeypatch.setattr(desk_search, "PAGE", 2)
    made = [ordered(f"SO-{position}") for position in range(5)]
    answer = desk.get("/find?q=acme&origin=api")
    seen = listed(answer)
    # What comes meanwhile moves nothing.
    ordered("SO-9")
    while 'rel="next"' in answer.text:
        answer = desk.get(link(answer, "Older"))
        seen += listed(answer)
    assert seen == made[::-1]
    assert link(answer, "Newest") == "/find?q=acme&origin=api"


def test_a_search_without_end_offers_to_go_on(desk, ordered, monkeypatch):
    monkeypatch.setattr(desk_search, "PATIENCE_S", 0)
    monkeypatch.setattr(desk_search, "FIRST_STRETCH", 1)
    first = ordered("SO-1", service="B")
    ordered("SO-2")
    answer = desk.get("/find?depot=900")
    assert "None was found among all that came since" in answer.text
    on = link(answer, "Search further back")
    assert f"after={first + 1}" in on
    assert "There are no older ones" in desk.get(on).text


def test_what_the_order_store_cannot_answer_in_time_asks_to_narrow_it_down(desk, ordered, dsn, monkeypatch):
    ordered("SO-1")
    monkeypatch.setattr(desk_search, "TOO_LONG_MS", 50)
    with connect(dsn) as other, other.transaction():
        other.execute("LOCK TABLE consignments")
        assert "took too long and was stopped" in desk.get("/find?q=acme").text


def test_nothing_found_says_what_to_do_and_shows_a_record_in_quarantine(desk, store):
    assert "There are no consignments yet" in desk.get("/find").text
    assert "What can be typed" in desk.get("/find").text
    assert "Nothing is known by “9000010000009”" in desk.get("/find?q=9000010000009").text
    store.execute(
        "INSERT INTO inbound_batches (network, stream, party, run, pages, records, created, updated, unchanged,"
        " rejected, ignored, fetched_at) VALUES ('palletforce', 'depot_pull', '900', 'r', 1, 1, 0, 0, 0, 1, 0, now())"
    )
    [(record,)] = store.execute(
        "INSERT INTO inbound_records (batch_id, network, stream, record_key, raw, raw_digest, read_at, outcome,"
        " reason_code, field, reason, warnings) SELECT id, network, stream, '9000010000009', '{}', 'x', now(),"
        " 'rejected', 'BAD_FORMAT', '', 'x', '{}' FROM inbound_batches RETURNING id"
    ).fetchall()
    assert (
        link(desk.get("/find?q=9000010000009"), "A record of this number is in quarantine") == f"/quarantine/{record}"
    )


def test_script_in_every_field_is_text(desk, ordered, number, store):
    consignment = ordered("SO-1")
    ordered("SO-2")
    number(consignment, SCRIPT)
    store.execute("UPDATE consignments SET consignment_number = %s, collecting_depot = %s, delivery_depot = %s,"
                  " requesting_depot = 'x' || %s", [SCRIPT] * 4)  # fmt: skip
    store.execute("UPDATE orders SET source_key = %s || id, reference = %s || 'r'", [SCRIPT] * 2)
    store.execute("UPDATE customers SET name = %s, code = %s || id", [SCRIPT] * 2)
    store.execute("UPDATE stops SET town = %s, postcode = %s, route = %s", [SCRIPT] * 3)
    address = "/find?" + "&".join(f"{name}={quote(SCRIPT)}" for name in ("q", "depot"))
    for shown in (desk.get("/find"), desk.get(f"/find?q={quote(SCRIPT)}"), desk.get(address)):
        assert SCRIPT not in shown.text
        assert ESCAPED in shown.text
    for name in ("network", "role", "status", "origin", "after"):
        assert SCRIPT not in desk.get(f"/find?q=x&{name}={quote(SCRIPT)}").text


def test_odd_input_is_looked_for_and_not_found(desk, ordered):
    ordered("SO-1")
    for typed in ("%00", "a%00b", "%25", "_", "'", "%22", "%5C", "%F0%9F%9A%9B", "%ED%A0%80", "%FF", "a" * 3000):
        for address in (f"/find?q={typed}&depot=x", f"/find?q=x&depot={typed[:50]}", f"/find?q=x&after={typed[:50]}"):
            assert listed(desk.get(address)) == [], address
    assert "not fit this address" in desk.get("/find?depot=" + "a" * 101, 422).text


def test_odd_places_to_go_on_from_begin_anew(desk, ordered):
    consignment = ordered("SO-1")
    for after in ("-1", "x", "9" * 18, "9" * 40, "1.5", "¹"):
        assert listed(desk.get("/find", params={"q": "acme", "after": after})) == [consignment]


def test_only_who_is_logged_in_finds_anything(stranger, desk):
    stranger.get("/find?q=acme", 401)
    # From every other page the box in its header leads here.
    assert '<form class="quick" action="/palletflow/desk/find"' in desk.get("/nothing-here", 404).text
