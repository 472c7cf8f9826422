"""The search for photos of a delivery: begun once, moved on by each attempt, and who could have the photos."""

import hashlib
import threading
from datetime import UTC, datetime, timedelta

import pytest
from tests.store.photographed import NETWORK, add_photo, consignments

from palletflow.store import photo_windows, quarantined_files
from palletflow.store.connection import connect
from palletflow.store.missing_photos import missing_photos
from palletflow.store.photo_windows import FOUND, NONE, OPEN, SKIPPED, PhotoWindow
from palletflow.store.quarantined_files import QuarantinedFile

T0 = datetime(2026, 7, 13, 14, 21, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PAUSE = timedelta(seconds=30)
NUMBER = "60000000017"
ANSWER, OTHER = hashlib.sha256(b"1").digest(), hashlib.sha256(b"2").digest()


@pytest.fixture
def one(conn) -> int:
    return consignments(conn, NUMBER)[0]


def window(conn, one: int) -> PhotoWindow:
    held = photo_windows.of_consignment(conn, one)
    assert held
    return held


def attempt(conn, one: int, minute: float = 0, *, found=False, answer=None, closes=False) -> PhotoWindow:
    covered = T0 + minute * MINUTE
    photo_windows.attempted(conn, one, covered, found=found, answer=answer, closes=closes)
    return window(conn, one)


@pytest.mark.rule("PW-5-2")
def test_a_search_begins_once(conn, one):
    assert photo_windows.of_consignment(conn, one) is None
    assert photo_windows.begin(conn, one, T0, single=False)
    assert not photo_windows.begin(conn, one, T0 + MINUTE, single=True)
    assert window(conn, one) == PhotoWindow(one, T0, False, 0, None, False, None, OPEN)


@pytest.mark.rule("PW-5-4", "PW-5-10")
def test_attempts_move_it_on_and_the_last_one_closes_it(conn, one):
    photo_windows.begin(conn, one, T0, single=False)
    assert attempt(conn, one, 0)[3:] == (1, T0, False, None, OPEN)
    assert attempt(conn, one, 1, answer=ANSWER)[3:] == (2, T0 + MINUTE, False, ANSWER, OPEN)
    assert attempt(conn, one, 15, closes=True)[3:] == (3, T0 + 15 * MINUTE, False, ANSWER, NONE)


@pytest.mark.rule("PW-5-25")
def test_what_was_found_stays_found_and_the_last_file_stays_known(conn, one):
    photo_windows.begin(conn, one, T0, single=False)
    attempt(conn, one, 0, found=True, answer=ANSWER)
    assert attempt(conn, one, 1)[5:] == (True, ANSWER, OPEN)
    assert attempt(conn, one, 15, answer=OTHER, closes=True)[5:] == (True, OTHER, FOUND)


def test_an_attempt_that_is_written_down_late_does_not_move_it_back(conn, one):
    photo_windows.begin(conn, one, T0, single=False)
    attempt(conn, one, 4)
    assert attempt(conn, one, 2).attempted_at == T0 + 4 * MINUTE


@pytest.mark.rule("PW-5-36")
def test_what_is_found_after_the_window_makes_it_found(conn, one):
    photo_windows.begin(conn, one, T0, single=False)
    attempt(conn, one, 15, closes=True)
    assert attempt(conn, one, 60).state == NONE
    assert attempt(conn, one, 180, found=True).state == FOUND


@pytest.mark.rule("PW-5-37")
@pytest.mark.parametrize(("closed", "state"), [(False, OPEN), (True, FOUND)])
def test_a_look_by_hand_leaves_the_schedule_alone(conn, one, closed, state):
    photo_windows.begin(conn, one, T0, single=False)
    before = attempt(conn, one, 15, closes=closed)
    photo_windows.looked(conn, one, found=False)
    assert window(conn, one) == before
    photo_windows.looked(conn, one, found=True)
    assert window(conn, one) == before._replace(found=True, state=state)


@pytest.mark.rule("PW-5-35")
def test_what_is_not_looked_for_is_skipped_but_not_what_was_closed(conn, one):
    photo_windows.begin(conn, one, T0, single=False)
    photo_windows.skip(conn, one)
    assert window(conn, one).state == SKIPPED
    [other] = consignments(conn, "60000000025")
    photo_windows.begin(conn, other, T0, single=False)
    attempt(conn, other, 15, closes=True)
    photo_windows.skip(conn, other)
    assert window(conn, other).state == NONE


@pytest.mark.rule("PW-5-14")
def test_a_connection_has_started_when_it_first_ran(conn):
    assert photo_windows.started(conn, "palletways_123", T0) == T0
    assert photo_windows.started(conn, "palletways_123", T0 + MINUTE) == T0
    assert photo_windows.started(conn, "palletways_124", T0 + MINUTE) == T0 + MINUTE


# Asked by hand


@pytest.mark.rule("PW-5-37")
def test_one_number_is_asked_for_once_in_thirty_seconds(conn):
    def ask(seconds: float, number: str = NUMBER) -> bool:
        return photo_windows.ask(conn, NETWORK, number, T0 + timedelta(seconds=seconds), PAUSE)

    assert [ask(0), ask(0), ask(29.9), ask(0, "60000000025"), ask(30), ask(59)] == [
        True, False, False, True, True, False,
    ]  # fmt: skip


@pytest.mark.rule("PW-5-37")
def test_of_two_who_ask_at_the_same_time_one_is_let_through(conn, dsn):
    answers = []
    with connect(dsn) as other:
        with conn.transaction():
            answers.append(photo_windows.ask(conn, NETWORK, NUMBER, T0, PAUSE))
            second = threading.Thread(
                target=lambda: answers.append(photo_windows.ask(other, NETWORK, NUMBER, T0, PAUSE))
            )
            second.start()
        second.join()
    assert sorted(answers) == [False, True]


# Whose photos they are


@pytest.mark.rule("PW-5-6")
def test_consignments_with_the_number_hold_it_unless_their_order_is_cancelled(conn, one):
    assert photo_windows.holders(conn, NETWORK, "60000000099") == []
    assert photo_windows.holders(conn, "nexus", NUMBER) == []
    assert photo_windows.holders(conn, NETWORK, NUMBER) == [one]
    [other] = consignments(conn, NUMBER)
    assert photo_windows.holders(conn, NETWORK, NUMBER) == [one, other]
    conn.execute(
        "UPDATE orders SET cancelled_at = now() WHERE id = (SELECT order_id FROM consignments WHERE id = %s)", (one,)
    )
    assert photo_windows.holders(conn, NETWORK, NUMBER) == [other]


# Deliveries without a photo


@pytest.mark.rule("PW-5-36", "PW-5-10")
def test_deliveries_without_a_photo_are_listed_after_some_hours(conn):
    early, late, found, skipped, single = consignments(conn, *(f"6000000000{n}" for n in range(5)))
    for place, one in enumerate((early, late, found, skipped, single)):
        photo_windows.begin(conn, one, T0 + place * MINUTE, single=one == single)
    attempt(conn, found, found=True)
    attempt(conn, early, 15, closes=True)
    photo_windows.skip(conn, skipped)
    file = QuarantinedFile(NETWORK, "60000000000", "malformed", "", ANSWER, 1, "podimages@portal", "")
    quarantined_files.add(conn, file, T0)

    listed = missing_photos(conn, T0 + 9 * MINUTE)
    assert [missing.consignment_id for missing in listed] == [early, late, single]
    assert (listed[0].tracking_number, listed[0].attempts, listed[0].quarantined) == ("60000000000", 1, ["malformed"])
    assert [missing.consignment_id for missing in missing_photos(conn, T0)] == [early]
    assert missing_photos(conn, T0 + 9 * MINUTE, "nexus") == []


@pytest.mark.rule("PW-5-36")
@pytest.mark.parametrize("whole_order", [False, True])
def test_a_photo_of_our_own_is_a_photo_too(conn, whole_order):
    one, other = consignments(conn, NUMBER, "60000000025")
    for each in (one, other):
        photo_windows.begin(conn, each, T0, single=False)
    add_photo(conn, one, "door", whole_order=whole_order)
    left = [missing.consignment_id for missing in missing_photos(conn, T0)]
    assert left == ([] if whole_order else [other])


@pytest.mark.rule("PW-5-36")
def test_cancelled_orders_owe_no_photo(conn, one):
    photo_windows.begin(conn, one, T0, single=False)
    conn.execute("UPDATE orders SET cancelled_at = now()")
    assert missing_photos(conn, T0) == []
