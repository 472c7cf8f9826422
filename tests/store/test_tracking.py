"""Statuses in the order store: kept once, counted, and whose turn it is; what barcodes become."""

from datetime import UTC, date, datetime, timedelta

import pytest

from palletflow.orders.lifecycle import Outcome, Status
from palletflow.orders.tracking import Event, StopEffect
from palletflow.store import barcodes, status_exports, tracking

NOW = datetime(2026, 7, 13, 9, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def one(simulator, pull, fetch) -> int:
    """A consignment of two pallets that depot 901 collects."""
    [number] = simulator.create(
        depot="901",
        role="requested",
        at=(NOW - 2 * HOUR).isoformat(),
        fields={
            "requestingDepot": "905",
            "collectingDepot": "901",
            "deliveryDepot": "906",
            "serviceName": "A",
            "pallets": [{"palletType": "F", "numberofPallets": "2"}],
        },
    )
    pull("901")
    return fetch("SELECT id FROM consignments WHERE tracking_number = %s", number)[0][0]


def event(code: str = "SCOT", hours: float = 1, **extra) -> Event:
    told = {
        "code": code, "status": Status.TRUNKED, "reason": None, "barcode": "X1", "pallet": 1,
        "at": NOW + hours * HOUR, "estimated": False, "depot": "901", "signatory": "J SMITH", "note": "n",
        "latitude": "1.5", "longitude": "-2", "echo": False, "raw": {"eventcode": code},
    }  # fmt: skip
    return Event(**{**told, **extra})


def test_what_is_stored_is_read_back_as_it_was(conn, one):
    stored = [event(), event("POC", 0, pallet=None, barcode="", echo=True), event("ZZZZ", 2, status=Status.UNKNOWN)]
    with conn.transaction():
        tracking.store(conn, one, stored)
        held = tracking.locked(conn, one)

    assert sorted(held.imported, key=repr) == sorted(stored, key=repr)
    assert (held.exported, held.pallets, held.roles) == ([], [1, 2], ["collecting"])


@pytest.mark.rule("PF-2.3-9")
def test_an_equal_status_is_kept_once_whoever_stores_it(conn, one, fetch):
    guessed = event("POC", 5, estimated=True)
    for _ in range(2):
        tracking.store(conn, one, [event(), event(hours=2), event(barcode="X2"), guessed])
    tracking.store(conn, one, [guessed._replace(at=NOW)])

    assert fetch("SELECT count(*) FROM tracking_events") == [(4,)]

    tracking.give_time(conn, one, event("POC", 1))
    assert fetch("SELECT occurred_at, time_estimated FROM tracking_events WHERE code = 'POC'") == [(NOW + HOUR, False)]


def test_a_stop_moves_once_and_is_never_uncompleted(conn, one, fetch):
    done = StopEffect(NOW, NOW + HOUR, Outcome.DAMAGED, "torn", "J SMITH")
    assert len(tracking.move_stops(conn, one, {"delivery": done})) == 5
    assert tracking.move_stops(conn, one, {"delivery": done}) == {}
    assert tracking.move_stops(conn, one, {"delivery": StopEffect(None, None, None, "", "")}) == {}
    assert tracking.move_stops(conn, one, {}) == {}

    changes = tracking.move_stops(conn, one, {"delivery": done._replace(outcome=None, reason="")})

    assert changes == {"delivery.outcome": ["DAMAGED", None], "delivery.reason": ["torn", ""]}
    assert fetch("SELECT completed_at FROM stops WHERE kind = 'delivery'") == [(NOW + HOUR,)]


def test_a_stop_that_is_under_way_has_started(conn, one, fetch):
    under_way = StopEffect(None, None, None, "", "", started_at=NOW)
    assert not tracking.any_started(conn, one)
    assert tracking.move_stops(conn, one, {"delivery": under_way}) == {"delivery.started_at": [None, NOW.isoformat()]}
    assert tracking.any_started(conn, one)
    assert tracking.move_stops(conn, one, {"delivery": StopEffect(None, NOW + HOUR, Outcome.CLEAN, "", "")})
    assert fetch("SELECT started_at, completed_at FROM stops WHERE kind = 'delivery'") == [(NOW, NOW + HOUR)]


@pytest.mark.rule("NX-10-12")
def test_a_delivery_is_expected_until_its_stop_has_started(conn, one, fetch):
    assert tracking.expect(conn, one, NOW, NOW + HOUR) == {
        "delivery.eta_from": [None, NOW.isoformat()], "delivery.eta_to": [None, (NOW + HOUR).isoformat()],
    }  # fmt: skip
    assert tracking.expect(conn, one, NOW, NOW + HOUR) == {}
    assert tracking.expect(conn, one, NOW, None) == {"delivery.eta_to": [(NOW + HOUR).isoformat(), None]}

    tracking.move_stops(conn, one, {"delivery": StopEffect(None, None, None, "", "", started_at=NOW)})

    assert tracking.expect(conn, one, NOW + HOUR, None) == {}
    assert fetch("SELECT eta_from, eta_to FROM stops WHERE kind = 'delivery'") == [(NOW, None)]


def test_that_nothing_has_changed_is_noted_now_and_then(conn, one, fetch):
    def polled(minutes: float, ended_at=None):
        tracking.polled(conn, one, NOW + timedelta(minutes=minutes), ended_at, timedelta(minutes=15))
        [(at, ended)] = fetch("SELECT polled_at, ended_at FROM tracking_polls")
        return (at - NOW) / timedelta(minutes=1), ended

    assert [polled(minutes)[0] for minutes in (0, 14, 15, 16, 10, 30)] == [0, 0, 15, 15, 15, 30]
    assert polled(31, NOW) == (31, NOW)
    # An older reading takes nothing back.
    assert polled(20, None) == (31, NOW)


def test_what_was_read_is_forgotten_and_what_was_told_is_not(conn, one, fetch):
    tracking.store(conn, one, [event()])
    tracking.polled(conn, one, NOW, None)
    fetch("INSERT INTO tracking_events (consignment_id, direction, barcode, code, status, occurred_at) "
          "VALUES (%s, 'exported', '', 'POC', 'COLLECTED', now()) RETURNING 1", one)  # fmt: skip

    tracking.forget(conn, one)

    assert fetch("SELECT direction FROM tracking_events") == [("exported",)]
    assert fetch("SELECT * FROM tracking_polls") == []


def test_what_was_kept_to_tell_waits_for_a_reason_goes_or_is_refused(conn, one):
    def kept():
        return [(row.code, row.status, row.is_sent, row.refusal) for row in status_exports.kept(conn, one)]

    element = {
        "pallet": None, "barcode": "", "code": "Collected", "status": "COLLECTED", "reason": None, "at": NOW,
        "depot": "901", "signatory": "", "note": "", "latitude": "", "longitude": "", "delivery_order": None,
        "total_deliveries": None, "movement_id": None,
    }  # fmt: skip
    [id_] = status_exports.write(conn, one, [element]).values()
    assert kept() == [("Collected", "COLLECTED", False, "")]

    status_exports.hold(conn, [id_], "off")
    assert kept() == [("Collected", "COLLECTED", False, "off")]
    status_exports.answered(conn, [], {id_: "no"})
    status_exports.hold(conn, [id_], None)
    assert kept() == [("Collected", "COLLECTED", False, "")]

    status_exports.answered(conn, [id_], {})
    status_exports.hold(conn, [id_], "late")
    assert kept() == [("Collected", "COLLECTED", True, "")]


@pytest.mark.rule("PF-5-12")
def test_an_unknown_code_is_the_first_of_its_day_once(conn, fetch):
    today, tomorrow = date(2026, 7, 13), date(2026, 7, 14)

    said = [tracking.unknown_code(conn, "palletforce", "ZZZZ", day, 2) for day in (today, today, tomorrow)]

    assert said == [True, False, True]
    assert fetch("SELECT day, events FROM unknown_codes ORDER BY day") == [(today, 4), (tomorrow, 2)]


def test_when_statuses_went_to_and_fro(conn, one):
    assert tracking.exchange(conn, one) == (None, None, None)
    tracking.store(conn, one, [event()])
    tracking.polled(conn, one, NOW, None)
    tracking.asked(conn, one, NOW - HOUR)

    found = tracking.exchange(conn, one)

    assert found.imported_at
    assert (found.exported_at, found.polled_at) == (None, NOW)


def test_a_consignment_that_is_gone_is_none(conn):
    assert tracking.locked(conn, 999999) is None
    assert tracking.holders(conn, "palletforce", ["9999999999999"]) == []
    assert tracking.asker(conn, "palletforce", "9999999999999", ["901"]) is None


def test_what_was_sent_stays_as_it_was_sent(conn, one, fetch):
    """A worker whose lease ended meets what its successor has sent."""
    element = {
        "pallet": 1, "barcode": "X1", "code": "POC", "status": "COLLECTED", "reason": None, "at": NOW, "depot": "901",
        "signatory": "", "note": "", "latitude": "", "longitude": "", "delivery_order": None, "total_deliveries": None,
        "movement_id": None,
    }  # fmt: skip
    [id_] = status_exports.write(conn, one, [element]).values()
    status_exports.answered(conn, [], {id_: "no"})
    assert status_exports.write(conn, one, [{**element, "barcode": "X2"}]) == {0: id_}
    status_exports.answered(conn, [id_], {})

    assert status_exports.write(conn, one, [{**element, "barcode": "X3"}, {**element, "pallet": 2}]).keys() == {1}
    status_exports.answered(conn, [], {id_: "too late"})

    assert fetch("SELECT barcode, refusal FROM tracking_events WHERE id = %s AND sent_at IS NOT NULL", id_) == [
        ("X2", None)
    ]
    assert (1, "POC", NOW) in status_exports.facts(conn, one).told


# Barcodes


def held(fetch):
    return fetch("SELECT pallet_number, barcode, state FROM pallet_barcodes ORDER BY pallet_number, barcode")


@pytest.mark.rule("PF-3-14", "PF-3-16")
def test_a_new_barcode_of_one_pallet_leaves_the_others_alone(conn, one, fetch):
    [(_, first, _), (_, second, _)] = held(fetch)
    with conn.transaction():
        barcodes.confirm(conn, one, [first, second])
        barcodes.adopt(conn, one, {1: "NEW"}, "tester", "test")

    assert held(fetch) == [(1, first, "superseded"), (1, "NEW", "expected"), (2, second, "confirmed")]

    with conn.transaction():
        barcodes.adopt(conn, one, {1: first}, "tester", "test")
    assert held(fetch) == [(1, first, "expected"), (1, "NEW", "superseded"), (2, second, "confirmed")]


@pytest.mark.rule("PF-3-17")
def test_foreign_and_older_barcodes_are_kept_and_may_become_current(conn, one, fetch):
    with conn.transaction():
        for _ in range(2):
            barcodes.keep(conn, one, None, "PALLET-7")
            barcodes.keep(conn, one, 2, "OLDER")
    assert (None, "PALLET-7", "foreign") in held(fetch)
    assert (2, "OLDER", "superseded") in held(fetch)

    with conn.transaction():
        barcodes.adopt(conn, one, {2: "PALLET-7"}, "tester", "test")
    assert (2, "PALLET-7", "expected") in held(fetch)
