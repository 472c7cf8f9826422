"""An order that an import made of a consignment of our own: what it has gathered becomes ours."""

from datetime import UTC, datetime

import pytest
from tests.networks.palletforce.dispatching import content

from palletflow.documents.fingerprints import Fingerprint
from palletflow.store import orders, photo_prints, photo_windows, twins, work_items

NETWORK, NUMBER = "nexus", "700001"


@pytest.fixture
def pair(conn) -> tuple[int, int]:
    """Ids of our own consignment and of its twin, which has a file fetched and one that could not be."""
    conn.execute("INSERT INTO customers (code, name) VALUES ('ACME', 'Acme Widgets Ltd')")
    row = {**content(), "network": NETWORK, "our_roles": ["requesting"], "given": {}}
    head = {"customer": "ACME", "reference": "SO-1", "reference_2": "", "copied_from": None, "consignments": [row]}
    both = orders.insert(conn, [{**head, "key": "ours"}, {**head, "key": NUMBER}], "tester", "order API")
    conn.execute("UPDATE orders SET source = %s WHERE source_key = %s", (NETWORK, NUMBER))
    made = {order.key: order.consignments[0] for order in both}
    own_id, twin_id = made["ours"], made[NUMBER]
    conn.execute("UPDATE consignments SET tracking_number = %s, registered = true WHERE id = %s", (NUMBER, twin_id))
    conn.execute(
        "INSERT INTO document_exchanges (consignment_id, direction, code, kind, name, network_id) "
        "VALUES (%(twin)s, 'fetched', 'POD', 'POD', 'a.jpg', '3001'), "
        "(%(twin)s, 'fetched', 'POD', 'POD', 'b.jpg', '3002')",
        {"twin": twin_id},
    )
    return own_id, twin_id


def test_files_that_were_fetched_for_the_twin_are_not_fetched_again(conn, pair):
    ours, twin = pair
    conn.execute(
        "INSERT INTO document_exchanges (consignment_id, direction, code, kind, name, network_id) "
        "VALUES (%s, 'fetched', 'POD', 'POD', 'a.jpg', '3001')",
        (ours,),
    )
    with conn.transaction():
        twins.merge(conn, ours, NETWORK, NUMBER, "tester")

    held = "SELECT consignment_id, network_id FROM document_exchanges ORDER BY consignment_id, network_id"
    assert conn.execute(held).fetchall() == [(ours, "3001"), (ours, "3002"), (twin, "3001")]


def test_work_that_the_twin_waits_for_is_done_for_ours(conn, pair):
    """Else nobody would look for the POD of what was delivered before it was known to be ours."""
    ours, twin = pair
    with conn.transaction():
        work_items.enqueue(conn, NETWORK, "document_fetch", [twin])
        work_items.enqueue(conn, NETWORK, "status_export", [ours, twin])
    [held] = work_items.claim(conn, NETWORK, "document_fetch", 1, 60)
    with conn.transaction():
        twins.merge(conn, ours, NETWORK, NUMBER, "tester")
    work_items.complete(conn, [held])

    waiting = [(one.kind, one.key) for one in work_items.listed(conn, parked=False)]
    # That of the twin ends by itself: there is no such consignment at the network any more.
    assert set(waiting) == {("document_fetch", str(ours)), ("status_export", str(ours)), ("status_export", str(twin))}


def test_the_search_for_photos_goes_on_for_ours_with_what_is_known(conn, pair):
    ours, twin = pair
    now = datetime.now(UTC)
    one, other = (Fingerprint(bytes([digit]) * 32, 640, 480, b"h" * 32, b"g" * 4096, True) for digit in (1, 2))
    photo_windows.begin(conn, twin, now, single=False)
    photo_prints.add(conn, twin, [one, other], document_id=None, origin=photo_prints.FETCHED)
    photo_prints.add(conn, ours, [one], document_id=None, origin=photo_prints.UPLOADED)
    with conn.transaction():
        twins.merge(conn, ours, NETWORK, NUMBER, "tester")

    window = photo_windows.of_consignment(conn, ours)
    assert window is not None
    assert window.begun_at == now
    assert {known.exact for known in photo_prints.known(conn, ours)} == {one.exact, other.exact}


def test_what_the_network_said_is_under_way_stays_so(conn, pair):
    ours, twin = pair
    conn.execute("UPDATE stops SET started_at = now() WHERE (consignment_id, kind) = (%s, 'delivery')", (twin,))
    with conn.transaction():
        twins.merge(conn, ours, NETWORK, NUMBER, "tester")

    begun = conn.execute("SELECT kind FROM stops WHERE consignment_id = %s AND started_at IS NOT NULL", (ours,))
    assert begun.fetchall() == [("delivery",)]
