"""The search of the order desk: what was typed, filters, paging, and its bounds. Over a few thousand seeded rows."""

import itertools
import subprocess
import sys
from pathlib import Path

import pytest

from palletflow.store import desk_search
from palletflow.store.connection import connect
from palletflow.store.desk_search import Filters, TooLong
from palletflow.store.search_words import read

SEED = Path(__file__).parents[2] / "tools" / "seed.py"
COUNT = 4000
ALL = """
SELECT c.id, c.network, c.requesting_depot, c.collecting_depot, c.delivery_depot, c.our_roles, c.lifecycle_status,
       c.dispatch_state, o.source, o.reference, o.customer_id
FROM consignments c JOIN orders o ON o.id = c.order_id ORDER BY c.id DESC
"""


@pytest.fixture(scope="module")
def seeded(postgres, migrated):
    with connect(postgres.dsn("postgres")) as admin:
        admin.execute(f"CREATE DATABASE seeded_for_search TEMPLATE {migrated}".encode())
    dsn = postgres.dsn("seeded_for_search")
    subprocess.run([sys.executable, SEED, dsn, str(COUNT)], check=True, capture_output=True)
    with connect(dsn) as conn:
        yield conn


@pytest.fixture(scope="module")
def everything(seeded):
    return seeded.execute(ALL).fetchall()


@pytest.fixture
def one(seeded):
    """Reads one value."""
    return lambda query: seeded.execute(query).fetchone()[0]


def ids(conn, text="", filters=None):
    """All that is found, page after page; every page but the last leads on."""
    found, after = [], None
    while True:
        part = desk_search.find(conn, read(text), filters or Filters(), after)
        assert len(part.hits) <= desk_search.PAGE
        found += [hit.id for hit in part.hits]
        after = part.after
        if after is None:
            return found


def ways(conn, text):
    return {(hit.id, hit.by) for hit in desk_search.find(conn, read(text), Filters()).hits}


def fits(row, filters):
    _, network, *depots, roles, status, state, source, _, _ = row
    by_role = dict(zip(("requesting", "collecting", "delivery"), depots, strict=True))
    if filters.depot:
        depot = filters.depot in ([by_role[filters.role]] if filters.role else depots)
    else:
        depot = filters.role in ["", *roles]
    return (
        depot
        and filters.network in ("", network)
        and filters.status in ("", status, state)
        and filters.origin in ("", source)
    )


FILTERS = [
    Filters(),
    Filters(network="nexus"),
    Filters(depot="900"),
    Filters(depot="900", role="delivery"),
    Filters(role="collecting", status="EXCEPTION"),
    Filters(status="completed", origin="api"),
    Filters(origin="palletforce orders file", status="DELIVERED"),
    Filters(network="palletways", depot="124", role="requesting", status="DELIVERED", origin="api"),
    Filters(network="nexus", depot="900"),
]


@pytest.mark.parametrize("filters", FILTERS, ids=lambda one: " ".join(filter(None, one)) or "none")
def test_pages_give_all_that_fits_once_the_newest_first(seeded, everything, filters, monkeypatch):
    expected = [row[0] for row in everything if fits(row, filters)]
    assert ids(seeded, filters=filters) == expected
    # With no time at all every page reads one short stretch; nothing is lost between them.
    monkeypatch.setattr(desk_search, "FIRST_STRETCH", 300)
    monkeypatch.setattr(desk_search, "PATIENCE_S", 0)
    assert ids(seeded, filters=filters) == expected


def test_a_search_that_ran_out_of_time_says_how_far_back_it_came(seeded, monkeypatch):
    impossible = Filters(network="nexus", depot="900")
    with monkeypatch.context() as patched:
        patched.setattr(desk_search, "FIRST_STRETCH", 300)
        patched.setattr(desk_search, "PATIENCE_S", 0)
        found = desk_search.find(seeded, read(""), impossible)
    [(seen,)] = seeded.execute("SELECT created_at FROM consignments WHERE id = %s", (found.after,)).fetchall()
    assert (found.hits, found.back_to) == ([], seen)
    last = desk_search.find(seeded, read(""), impossible)
    assert (last.hits, last.after, last.back_to) == ([], None, None)


@pytest.mark.parametrize("most", [2, 10_000], ids=["many", "few"])
def test_what_fits_many_is_found_as_what_fits_few(seeded, everything, most, monkeypatch):
    monkeypatch.setattr(desk_search, "MOST_HITS", most)
    assert ids(seeded, "stock") == [row[0] for row in everything if row[-2] == "STOCK"]
    filters = Filters(network="nexus", status="DELIVERED")
    stock = [row[0] for row in everything if row[-2] == "STOCK" and fits(row, filters)]
    assert len(stock) > 1
    assert ids(seeded, "STOCK", filters) == stock
    names = seeded.execute("SELECT id FROM customers WHERE name ILIKE '%widgets%'").fetchall()
    assert ids(seeded, "Widgets") == [row[0] for row in everything if (row[-1],) in names]


def test_what_fits_many_by_one_way_and_one_by_another_is_all_found(seeded, everything, monkeypatch):
    monkeypatch.setattr(desk_search, "MOST_HITS", 2)
    task = seeded.execute(
        "SELECT c.id FROM dispatch_tasks d JOIN consignments c ON c.id = d.consignment_id"
        " JOIN orders o ON o.id = c.order_id WHERE reference <> 'STOCK' ORDER BY c.id DESC LIMIT 1"
    ).fetchone()[0]
    with seeded.transaction(force_rollback=True):
        seeded.execute("UPDATE dispatch_tasks SET trip = 'STOCK' WHERE consignment_id = %s", (task,))
        stock = [row[0] for row in everything if row[-2] == "STOCK" or row[0] == task]
        assert ids(seeded, "STOCK") == stock
        assert (task, "trip") in ways(seeded, "STOCK")


def test_every_kind_of_number_is_found_and_says_by_what(seeded, one):
    columns = "tracking_number, consignment_number, source_key, reference_2, transaction_number, c.id"
    *numbers, consignment = seeded.execute(
        f"SELECT {columns} FROM consignments c JOIN orders o ON o.id = c.order_id"
        " JOIN dispatch_tasks d ON d.consignment_id = c.id"
        " WHERE registered AND c.network = 'palletforce' AND source = 'api' AND reference_2 <> '' LIMIT 1"
    ).fetchone()
    named = ("tracking number", "consignment number", "order key", "second reference", "transaction number")
    for number, by in zip(numbers, named, strict=True):
        assert (consignment, by) in ways(seeded, number), by
        assert (consignment, by) in ways(seeded, f"  {number.lower()}\t"), by
    for state, by in (("confirmed", "barcode"), ("superseded", "earlier barcode")):
        barcode = one(f"SELECT barcode FROM pallet_barcodes WHERE state = '{state}' LIMIT 1")
        held = one(f"SELECT consignment_id FROM pallet_barcodes WHERE barcode = '{barcode}'")
        found = desk_search.find(seeded, read(barcode), Filters())
        assert [(hit.id, hit.by) for hit in found.hits] == [(held, by)]
        assert found.only == held
    [(trip, held)] = seeded.execute("SELECT trip, consignment_id FROM dispatch_tasks LIMIT 1").fetchall()
    assert (held, "trip") in ways(seeded, trip)
    [(route, held)] = seeded.execute("SELECT route, consignment_id FROM stops WHERE route <> '' LIMIT 1").fetchall()
    assert (held, "delivery trip") in ways(seeded, route)


def test_postcodes_are_found_however_they_are_written_and_by_their_first_half(seeded, one):
    [(held, postcode)] = seeded.execute(
        "SELECT consignment_id, postcode FROM stops WHERE postcode LIKE 'L_1 %' AND kind = 'delivery' LIMIT 1"
    ).fetchall()
    outward = postcode.split()[0]
    for text in (postcode, postcode.lower(), postcode.replace(" ", ""), f" {outward}  {postcode[-3:].lower()} "):
        assert (held, "delivery postcode") in ways(seeded, text), text
    # The first half is whole: LS1 is not LS11.
    found = ids(seeded, outward.lower())
    of_outward = f"SELECT DISTINCT consignment_id FROM stops WHERE postcode LIKE '{outward} %' ORDER BY 1 DESC"
    assert found == [id_ for (id_,) in seeded.execute(of_outward)]
    assert one(f"SELECT count(*) FROM stops WHERE postcode LIKE '{outward}_ %'")


def test_only_a_number_of_one_consignment_leads_straight_to_it(seeded, one):
    [(customer,)] = seeded.execute("SELECT code FROM customers JOIN orders ON customer_id = customers.id LIMIT 1")
    assert desk_search.find(seeded, read(customer), Filters()).only is None
    key = one("SELECT source_key FROM orders o WHERE source = 'api' AND (SELECT count(*) FROM consignments"
              " WHERE order_id = o.id) = 2 LIMIT 1")  # fmt: skip
    found = desk_search.find(seeded, read(key), Filters())
    assert (len(found.hits), found.only) == (2, None)


def test_what_the_filters_leave_out_is_counted(seeded, one):
    key = one("SELECT source_key FROM orders WHERE source = 'api' LIMIT 1")
    found = desk_search.find(seeded, read(key), Filters(origin="nexus"))
    assert (found.hits, found.unfiltered > 0) == ([], True)


def test_every_way_goes_by_an_index(seeded):
    """A way without one reads a table from end to end though that is all but forbidden here."""
    values = {**read("LS1")._asdict(), "customers": [1]}
    seeded.execute("SET enable_seqscan = off")
    for way, (tables, condition) in desk_search.LOOK_UPS.items():
        query = f"EXPLAIN SELECT c.id FROM {tables} WHERE {condition}"
        plan = "\n".join(line for (line,) in seeded.execute(query.encode(), values, prepare=False))
        assert "Seq Scan" not in plan, way
    seeded.execute("RESET enable_seqscan")


def test_the_origins_are_those_that_orders_came_from(seeded):
    assert desk_search.origins(seeded) == ["api", "nexus", "palletforce", "palletforce orders file", "palletways"]


def test_a_search_that_the_order_store_cannot_answer_in_time_ends(seeded, postgres, monkeypatch):
    monkeypatch.setattr(desk_search, "TOO_LONG_MS", 50)
    with connect(postgres.dsn("seeded_for_search")) as other, other.transaction():
        other.execute("LOCK TABLE consignments")
        with pytest.raises(TooLong):
            desk_search.find(seeded, read(""), Filters())
    assert desk_search.find(seeded, read(""), Filters()).hits


ODD = [
    "",
    " ",
    "\0",
    "a\0b",
    "%",
    "_",
    "'",
    '"',
    "\\",
    "--",
    "{}",
    "%(ids)s",
    "£",
    "x" * 500,
    "\ud800",
    "\u202e",
    "0" * 99,
]


def test_odd_texts_find_what_they_find(seeded):
    for text in ODD:
        typed = read(text)
        assert len(typed.text) <= 100
        desk_search.find(seeded, typed, Filters())
    for text, filters in itertools.product(("%", "\0"), (Filters(depot="%"), Filters(origin="'"))):
        assert desk_search.find(seeded, read(text), filters).hits == []
    assert read(" ls1\n1aa ").postcode == "LS11AA"
    assert read("\0") == read("")
