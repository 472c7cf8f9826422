"""What a status does to an order: the real client, simulator, poll and order store (contract 2.5, 4.1, 4.2)."""

from datetime import timedelta

import pytest
from tests.conftest import NOW
from tests.networks.palletways.tracked import at

from palletflow.networks.palletways.pod import refresh_pod
from palletflow.networks.palletways.status_import import reset
from palletflow.networks.palletways.work import PHOTO_DOWNLOAD
from palletflow.orders.lifecycle import Reason

HOUR = timedelta(hours=1)


def on(hour, minute=0):
    """An instant of that day as the simulator takes it."""
    return at(hour, minute).isoformat()


def reach(yard, one, *codes):
    """Lets a consignment reach codes, one every five minutes, each polled."""
    for code in codes:
        yard.later(minutes=5)
        yard.sim.status(one, code)
        yard.poll()


# On its way


@pytest.mark.rule("PW-4.1-1")
def test_the_goods_are_followed_from_code_to_code(yard):
    one = yard.create()
    found = []
    for code in (25, 50, 100, 300, 350, 500, 550, 700, 800, 900):
        reach(yard, one, code)
        found.append(yard.whereabouts(one))

    assert found == [
        "CREATED", "CREATED", "CREATED", "AT_COLLECTION_DEPOT", "TRUNKED", "AT_HUB", "LEFT_HUB", "AT_DELIVERY_DEPOT",
        "OUT_FOR_DELIVERY", "DELIVERED",
    ]  # fmt: skip
    assert yard.codes(one) == ["25", "50", "100", "300", "350", "500", "550", "700", "800", "900"]


@pytest.mark.rule("PW-2.6-2")
def test_codes_between_two_polls_are_told_by_notes(yard):
    one = yard.create()
    yard.poll()
    yard.later(hours=3)
    for code, hour in ((300, 11), (500, 12), (700, 13)):
        yard.sim.status(one, code, at=on(hour))

    yard.poll()

    assert yard.events(one)[1:] == [
        ("300", "AT_COLLECTION_DEPOT", at(11)), ("500", "AT_HUB", at(12)), ("700", "AT_DELIVERY_DEPOT", at(13)),
    ]  # fmt: skip


@pytest.mark.rule("PW-4.1-1")
@pytest.mark.parametrize(
    ("code", "reason", "name"), [(15, Reason.REJECTED, "REJECTED"), (675, Reason.HELD, "STOCK HELD")]
)
def test_an_exception_has_a_person_look_at_the_order_and_may_be_left_again(yard, code, reason, name):
    one = yard.create()
    reach(yard, one, code)

    assert yard.rows("SELECT lifecycle_status, exception_reason FROM consignments") == [("EXCEPTION", reason)]
    assert yard.review(one) == f"Palletways shows {code} {name} since 2026-07-13 09:35 UTC; see what is to be done"
    reach(yard, one, 700)
    assert yard.rows("SELECT lifecycle_status, exception_reason FROM consignments") == [("AT_DELIVERY_DEPOT", None)]


@pytest.mark.rule("PW-4.1-2")
def test_an_unknown_code_is_kept_counted_and_told_once_and_is_no_progress(yard):
    one, other = yard.create(), yard.create()
    yard.sim.switch(unknown_code=905)
    reach(yard, one, 800)
    lines = yard.lines

    assert yard.codes(one) == ["800", "905"]
    assert yard.whereabouts(one) == "OUT_FOR_DELIVERY"
    assert yard.delivery(one) is None
    assert yard.rows("SELECT network, code, sum(events) FROM unknown_codes GROUP BY 1, 2") == [("palletways", "905", 2)]
    said = [line for line in lines if "905" in line]
    assert said == ["Palletways sent the status code 905, which nobody here knows; it is kept as history. "
                    "Add it to status_map of the Palletways template"]  # fmt: skip
    assert yard.codes(other) == ["905"]
    reach(yard, other, 700)
    assert not [line for line in yard.lines if "905" in line]


def test_the_template_may_give_an_unknown_code_a_meaning(yard):
    yard.template(status_map={"810": {"name": "AT THE DOOR", "status": "ARRIVED"}})
    one = yard.create()
    reach(yard, one, 810)

    assert yard.whereabouts(one) == "ARRIVED"


# By our role


@pytest.mark.parametrize("role", ["requesting", "collecting", "requesting and collecting"])
def test_where_others_deliver_the_delivery_stop_follows(yard, role):
    one = yard.create(role)
    yard.sim.status(one, 800, at=on(9))
    yard.sim.status(one, 900, at=on(10), pod_at=on(9, 50), signatory="J SMITH")

    yard.poll()

    assert yard.stop(one) == (at(9), at(9, 50), "CLEAN", "J SMITH")
    assert yard.completed(one) == {"delivery"}


def test_where_we_deliver_the_others_part_follows_and_the_delivery_is_our_own_peoples(yard):
    one = yard.create("delivery")
    yard.sim.status(one, 300, at=on(8))
    yard.sim.status(one, 700, at=on(9))
    yard.sim.status(one, 900, at=on(10))

    yard.poll()

    assert yard.completed(one) == {"pickup", "delivery_depot"}
    assert yard.stop(one, "pickup")[1] == at(8)
    assert yard.stop(one) == (None, None, None, "")
    assert yard.whereabouts(one) == "DELIVERED"


def test_where_both_legs_are_ours_our_own_people_say_it_all(yard):
    one = yard.create("both legs")
    reach(yard, one, 800, 900)

    assert yard.completed(one) == set()
    assert yard.whereabouts(one) == "CREATED"
    assert yard.codes(one) == ["800", "900"]
    # Its photos are looked for all the same, and it is asked for no more.
    assert yard.waiting() == [(PHOTO_DOWNLOAD, str(yard.id(one)))]
    assert yard.rows("SELECT ended_at IS NOT NULL FROM tracking_polls") == [(True,)]


def test_what_our_own_people_reported_of_a_stop_counts_more(yard):
    one = yard.create()
    yard.report(one, "delivery", "completed", at(9, 15), outcome="DAMAGED", reason="wet", signatory="OUR DRIVER")
    yard.sim.status(one, 900, at=on(10))

    yard.poll()

    assert yard.stop(one)[1:] == (at(9, 15), "DAMAGED", "OUR DRIVER")


# Complete


@pytest.mark.rule("PW-4.1-3", "PW-5-2")
def test_the_first_completed_code_begins_the_search_for_photos_once(yard):
    one = yard.create()
    reach(yard, one, 900)

    assert yard.waiting() == [(PHOTO_DOWNLOAD, str(yard.id(one)))]
    assert yard.rows("SELECT begun_at, single FROM photo_windows") == [(yard.now, False)]
    yard.conn.execute("DELETE FROM work_items")
    reach(yard, one, 700, 900)
    assert yard.waiting() == []


@pytest.mark.rule("PW-4.1-3")
def test_the_connection_says_which_codes_complete(yard):
    yard.extra = {"completed_codes": [910, 920]}
    one, other = yard.create(), yard.create()
    reach(yard, one, 900)
    reach(yard, other, 920)

    assert yard.whereabouts(one) == "CREATED"
    assert yard.delivery(one) is None
    assert yard.whereabouts(other) == "DELIVERED"
    assert yard.waiting() == [(PHOTO_DOWNLOAD, str(yard.id(other)))]


@pytest.mark.rule("PW-4.1-3", "PW-2.5-2")
def test_a_note_of_completion_alone_completes_nothing(yard):
    one = yard.create()
    yard.sim.note(one, StatusCode="900", PodDate="2026-07-13", PodTime="10:00:00")

    assert yard.poll().completed == 0

    assert yard.codes(one) == ["100"]
    assert yard.delivery(one) is None


@pytest.mark.rule("PW-4.1-4")
def test_a_lower_code_after_completion_is_kept_and_changes_nothing(yard):
    one = yard.create()
    reach(yard, one, 800, 900)
    queries = ("SELECT lifecycle_status, exception_reason FROM consignments", "SELECT * FROM stops ORDER BY kind",
               "SELECT * FROM network_deliveries", "SELECT ended_at FROM tracking_polls",
               "SELECT review_reason FROM orders")  # fmt: skip
    before = [yard.rows(query) for query in queries]

    reach(yard, one, 700, 675, 800)

    assert yard.codes(one) == ["800", "900", "700", "675", "800"]
    assert [yard.rows(query) for query in queries] == before


@pytest.mark.rule("PW-4.1-4")
def test_a_status_that_falls_back_by_itself_is_kept_and_changes_nothing(yard):
    one = yard.create()
    reach(yard, one, 900)
    yard.sim.switch(status_regress="on")
    yard.later(minutes=5)
    yard.sim.note(one, StatusCode="700")

    yard.poll()

    assert "700" in yard.codes(one)
    assert yard.whereabouts(one) == "DELIVERED"


@pytest.mark.rule("PW-4.1-4")
def test_an_operator_resets_it_and_what_came_since_counts(yard):
    one = yard.create()
    reach(yard, one, 500, 900, 700)

    assert reset(yard.conn, yard.plan, yard.id(one), actor="ops")

    assert yard.whereabouts(one) == "AT_DELIVERY_DEPOT"
    assert yard.stop(one)[1:] == (None, None, "")
    assert yard.delivery(one) is None
    assert yard.rows(
        "SELECT actor, changes -> 'lifecycle_status' FROM activity WHERE kind = 'delivery taken back'"
    ) == [("ops", ["DELIVERED", "AT_DELIVERY_DEPOT"])]
    assert [status for _, status, _ in yard.events(one)] == ["AT_HUB", "UNKNOWN", "AT_DELIVERY_DEPOT"]
    # It is asked for again, and may be completed again.
    yard.later(minutes=15)
    assert yard.poll().asked == 1
    assert yard.whereabouts(one) == "AT_DELIVERY_DEPOT"
    reach(yard, one, 900)
    assert yard.whereabouts(one) == "DELIVERED"
    assert yard.stop(one)[1] == yard.now


@pytest.mark.rule("PW-4.1-4", "PW-5-1")
def test_photos_of_the_delivery_after_a_reset_are_looked_for(yard):
    one = yard.create()
    reach(yard, one, 900)
    reset(yard.conn, yard.plan, yard.id(one), actor="ops")
    yard.conn.execute("DELETE FROM work_items")
    yard.later(hours=5)

    reach(yard, one, 800, 900)

    assert yard.rows("SELECT begun_at, state FROM photo_windows") == [(yard.now, "open")]
    assert ("photo_download", str(yard.id(one))) in yard.waiting()


@pytest.mark.rule("PW-4.1-4")
def test_what_is_not_complete_cannot_be_reset(yard):
    one = yard.create()
    reach(yard, one, 800)

    assert not reset(yard.conn, yard.plan, yard.id(one), actor="ops")
    assert not reset(yard.conn, yard.plan, 999, actor="ops")
    assert yard.whereabouts(one) == "OUT_FOR_DELIVERY"


@pytest.mark.rule("PW-4.1-4")
def test_a_reset_leaves_what_our_own_people_reported(yard):
    one = yard.create()
    yard.report(one, "delivery", "completed", at(9, 15), signatory="OUR DRIVER")
    reach(yard, one, 900)

    assert reset(yard.conn, yard.plan, yard.id(one), actor="ops")

    assert yard.whereabouts(one) == "DELIVERED"
    assert yard.stop(one)[1] == at(9, 15)


# When and to whom


@pytest.mark.rule("PW-4.2-1")
def test_the_pod_gives_moment_and_signatory(yard):
    one = yard.create()
    yard.sim.status(one, 900, at=on(10, 20), pod_at=on(10, 5), signatory="J SMITH")

    yard.poll()

    assert yard.delivery(one) == (at(10, 5), "minute", "J SMITH")
    assert yard.rows("SELECT changes ->> 'delivered' FROM activity WHERE kind = 'statuses read'") == [
        ('[null, "2026-07-13T09:05:00+00:00, signed by J SMITH"]',)
    ]


@pytest.mark.rule("PW-4.2-1")
def test_a_pod_that_was_corrected_corrects_the_delivery(yard):
    one = yard.create()
    yard.sim.status(one, 900, at=on(10, 20), signatory="J SMITH")
    yard.poll()
    yard.later(minutes=5)
    number = yard.sim.one(one)["notes"][-1]["sys_note"]
    yard.sim.note(one, at=yard.now.isoformat(), sys_note=number, PodTime="10:01:00", PodSignature="A JONES")

    yard.poll()

    assert yard.delivery(one) == (at(10, 1), "minute", "A JONES")
    assert yard.stop(one)[1:] == (at(10, 1), "CLEAN", "A JONES")


@pytest.mark.rule("PW-4.2-2")
def test_a_pod_without_a_time_gives_the_day(yard):
    one = yard.create()
    yard.sim.status(one, 900, at=on(10, 20), signatory=None)
    yard.sim.note(one, PodDate="2026-07-13", PodTime="", PodSignature="J SMITH")

    yard.poll()

    assert yard.delivery(one) == (at(10, 20), "day", "J SMITH")
    assert yard.rows("SELECT changes ->> 'delivered' FROM activity WHERE kind = 'statuses read'") == [
        ('[null, "2026-07-13, signed by J SMITH"]',)
    ]


@pytest.mark.rule("PW-4.2-3", "PW-4.2-4")
def test_without_a_pod_the_status_gives_an_estimate_until_it_appears(yard):
    one = yard.create()
    yard.sim.status(one, 900, at=on(10, 20), signatory=None)
    asked = yard.asked
    yard.poll()

    # At T0 the notes of the one are read.
    assert yard.calls(asked) == ["getNotes delta", f"getDynConStatus {one}", "getNotes trackingId"]
    assert yard.delivery(one) == (at(10, 20), "status", "")
    assert yard.stop(one)[1:] == (at(10, 20), None, "")
    assert yard.rows("SELECT changes ->> 'delivered' FROM activity WHERE kind = 'statuses read'") == [
        ('[null, "2026-07-13T09:20:00+00:00 (estimated)"]',)
    ]
    yard.later(minutes=15)
    refresh(yard, one)
    assert yard.delivery(one) == (at(10, 20), "status", "")
    yard.sim.note(one, PodDate="2026-07-13", PodTime="10:11:00", PodSignature="LATE")
    refresh(yard, one)
    assert yard.delivery(one) == (at(10, 11), "minute", "LATE")
    assert yard.stop(one)[1:] == (at(10, 11), "CLEAN", "LATE")
    asked = yard.asked
    refresh(yard, one)
    assert yard.asked == asked


def refresh(yard, one):
    refresh_pod(yard.conn, yard.access(), yard.id(one), seen_at=yard.now, actor="tester")


@pytest.mark.rule("PW-4.2-3")
@pytest.mark.parametrize("shape", ["legacy", "glossary"])
def test_without_any_time_it_is_the_one_at_which_we_first_saw_it(yard, shape):
    yard.sim.switch(status_shape=shape)
    one = yard.create()
    yard.sim.status(one, 900, note=False)

    yard.poll()

    assert yard.delivery(one) == (NOW, "seen", "")
    assert yard.rows("SELECT time_estimated FROM tracking_events") == [(True,)]
    assert yard.rows("SELECT begun_at, single FROM photo_windows") == [(NOW, False)]


@pytest.mark.rule("PW-4.2-4")
def test_notes_that_cannot_be_read_at_completion_do_not_hold_it_up(yard):
    one = yard.create()
    yard.sim.status(one, 900, note=False)
    access = yard.access()

    def fail(_):
        from palletflow.networks.palletways.errors import NoAnswer

        raise NoAnswer("palletways_123", "getNotes", "no answer")

    access.client.notes_of = fail

    assert yard.poll(using=access).completed == 1
    assert any(line.startswith(f"Notes of {one}: getNotes") for line in yard.lines)
    assert yard.waiting() == [(PHOTO_DOWNLOAD, str(yard.id(one)))]


def test_the_pod_of_what_is_gone_is_not_asked_for(yard):
    asked = yard.asked
    refresh_pod(yard.conn, yard.access(), 999, seen_at=NOW, actor="tester")
    assert yard.asked == asked


# Shapes


@pytest.mark.rule("PW-2.5-1", "PW-2.5-2", "PW-2.4-3")
@pytest.mark.parametrize("shape", ["dyn", "legacy", "glossary"])
@pytest.mark.parametrize("switches", [{}, {"default_format": "xml", "wrapper": "on"}, {"single_as": "object"}])
def test_every_shape_of_the_answer_is_read(yard, shape, switches):
    yard.sim.switch(status_shape=shape, **switches)
    one = yard.create()
    yard.sim.status(one, 800)

    yard.poll()

    assert yard.whereabouts(one) == "OUT_FOR_DELIVERY"
