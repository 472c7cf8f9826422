"""Whatever Nexus does to any call of a dispatch, each order ends as one consignment there with one label (contract 11).

Every fault of the simulator meets every call: the login, the look-ups, the create, the searches, the label, the cancel.
A person acts only where the contract gives it to one.
"""

import pytest
from tests.networks.dispatching import faults
from tests.networks.nexus.dispatching import House
from tests.networks.nexus.test_cancel import DELETE, GET, assert_taken_back
from tests.networks.nexus.test_dispatch import CREATE, SEARCH

LOGIN = {"method": "POST", "path": "account/login"}
# Effect, its options, whether Nexus may have carried out what it struck.
STRUCK = [
    ("slow", {"seconds": 1}, True),
    ("timeout", {"accept": False}, False),
    ("timeout", {"accept": True}, True),
    ("drop", {"accept": False}, False),
    ("drop", {"accept": True}, True),
    ("garbage", {"accept": False}, False),
    ("garbage", {"accept": True}, True),
    ("empty", {"accept": False}, False),
    ("empty", {"accept": True}, True),
    ("html", {"accept": False}, False),
    ("html", {"accept": True}, True),
    ("truncated", {}, True),
    ("http_500", {"accept": False}, False),
    ("http_500", {"accept": True, "form": "html"}, True),
    ("http_502", {"accept": False, "form": "empty"}, False),
    ("http_502", {"accept": True}, True),
    ("http_503", {"accept": True, "retry_after": 1}, True),
    ("http_504", {"accept": True}, True),
]
NOT_TAKEN = [
    ("http_401", {}),
    ("http_429", {}),
    ("http_429", {"retry_after": 1}),
    ("http_429", {"retry_after": 100_000}),
]
# What may befall a call that is made again by itself.
READS = [
    ("timeout", {}),
    ("drop", {}),
    ("garbage", {}),
    ("empty", {}),
    ("html", {}),
    ("truncated", {}),
    ("http_500", {"form": "html"}),
    ("http_502", {"form": "empty"}),
    ("http_503", {"retry_after": 1}),
    ("http_408", {}),
    *NOT_TAKEN,
]
# More than the client asks by itself.
TIMES = 7


def named(listed):
    return [f"{effect} {' '.join(map(str, options.values()))}".strip() for effect, options, *_ in listed]


def assert_dispatched(house: House, order: int) -> None:
    """The end state the contract demands, on both sides."""
    task = house.task(order)
    [held] = house.of_order(order)
    assert (task.state, task.attempt, task.faults) == ("completed", 1, [])
    assert (house.fact(order, "tracking_number"), house.fact(order, "registered")) == (str(held["consignmentID"]), True)
    assert house.fact(order, "consignment_number") == held["consignmentNumber"]
    assert house.fact(order, "our_roles") == ["requesting", "collecting"]
    assert house.barcodes() == [(code, "confirmed") for code in held["barcodes"]]
    [label] = house.labels(order)
    assert (label.name, label.stale_at) == (f"label_{held['consignmentNumber']}.pdf", None)
    assert house.items(parked=True) == house.items(parked=False) == {}
    assert house.rows("SELECT count(*) FROM orders") == [(1,)]


# The create


@pytest.mark.rule("NX-6-6", "NX-6-7", "NX-6-9", "NX-6-10", "NX-6-12", "NX-1-24", "NX-1-25", "NX-11-15")
@pytest.mark.parametrize(("effect", "options", "taken"), STRUCK, ids=named(STRUCK))
def test_the_create_is_struck(haulier, effect, options, taken):
    haulier.nexus.fault(effect, **CREATE, **options)
    order = haulier.sent()
    assert bool(haulier.of_order(order)) == taken
    assert haulier.state(order) == ("completed" if taken else "unknown")
    haulier.play_out()

    assert_dispatched(haulier, order)
    assert len(haulier.creates()) == (1 if taken else 2)


@pytest.mark.rule("NX-6-10", "NX-11-15")
@pytest.mark.parametrize(("effect", "options", "taken"), STRUCK, ids=named(STRUCK))
def test_the_create_is_struck_twice(haulier, effect, options, taken):
    haulier.nexus.fault(effect, times=2, **CREATE, **options)
    order = haulier.sent()
    haulier.play_out()

    if not taken:
        assert (haulier.state(order), haulier.of_order(order)) == ("unknown", [])
        assert len(haulier.items(parked=True)) == 1
        haulier.send_again(order)
        haulier.play_out()
    assert_dispatched(haulier, order)


@pytest.mark.rule("NX-1-22", "NX-1-14", "NX-11-13", "NX-11-14")
@pytest.mark.parametrize(("effect", "options"), NOT_TAKEN, ids=named(NOT_TAKEN))
def test_what_was_certainly_not_taken_is_sent_later(haulier, effect, options):
    haulier.nexus.fault(effect, times=2, **CREATE, **options)
    order = haulier.sent()
    task = haulier.task(order)
    assert (task.state, task.sent_at) == ("waiting", None)
    haulier.play_out()

    assert_dispatched(haulier, order)
    assert haulier.searches() == []


@pytest.mark.rule("NX-11-16", "NX-6-11")
@pytest.mark.parametrize("accept", [True, False])
def test_a_409_is_searched_for(haulier, accept):
    haulier.nexus.fault("http_409", **CREATE, accept=accept)
    order = haulier.sent()
    haulier.play_out()
    if not accept:
        assert faults(haulier.task(order)) == {"consignment_number": "number_taken"}
        assert haulier.of_order(order) == []
        return
    assert_dispatched(haulier, order)
    assert len(haulier.creates()) == 1


@pytest.mark.rule("NX-11-17", "NX-2.4-17")
@pytest.mark.parametrize(
    ("effect", "options"),
    [
        ("without", {"fields": ["consignmentID"]}),
        ("without", {"fields": ["pallets"]}),
        ("without", {"fields": ["pallets.barcode"]}),
        ("without", {"fields": ["consignmentID", "consignmentNumber", "status", "pallets"]}),
        ("with_status", {"status": 200}),
    ],
)
def test_a_create_s_answer_lacks_something(haulier, effect, options):
    haulier.nexus.fault(effect, **CREATE, **options)
    order = haulier.sent()
    haulier.play_out()

    assert_dispatched(haulier, order)
    assert len(haulier.creates()) == 1


# What comes before and after


@pytest.mark.rule("NX-11-13", "NX-11-14")
@pytest.mark.parametrize("path", [LOGIN, {"method": "GET", "path": "services"}], ids=["login", "look-up"])
@pytest.mark.parametrize(("effect", "options"), READS, ids=named(READS))
def test_login_and_look_ups_are_struck(haulier, effect, options, path):
    haulier.nexus.fault(effect, times=2, **path, **options)
    order = haulier.sent()
    haulier.play_out()

    assert_dispatched(haulier, order)
    assert len(haulier.creates()) == 1


@pytest.mark.rule("NX-6-9", "NX-6-10", "NX-11-15")
@pytest.mark.parametrize("accept", [True, False], ids=["stored", "lost"])
@pytest.mark.parametrize(("effect", "options"), READS, ids=named(READS))
def test_the_searches_after_a_lost_answer_are_struck(haulier, effect, options, accept):
    haulier.nexus.fault("timeout", **CREATE, accept=accept)
    order = haulier.order()
    haulier.nexus.fault(effect, times=TIMES, **SEARCH, **options)
    haulier.dispatch(order)
    haulier.work()
    haulier.play_out()

    assert_dispatched(haulier, order)
    assert len(haulier.creates()) == (1 if accept else 2)


@pytest.mark.rule("NX-6-7", "NX-11-15")
@pytest.mark.parametrize(("effect", "options"), READS, ids=named(READS))
def test_what_is_found_cannot_be_read_at_first(haulier, effect, options):
    haulier.nexus.fault("timeout", **CREATE, accept=True)
    haulier.nexus.fault(effect, times=TIMES, **GET, **options)
    order = haulier.sent()
    haulier.play_out()

    assert_dispatched(haulier, order)
    assert len(haulier.creates()) == 1


@pytest.mark.parametrize(("effect", "options"), READS, ids=named(READS))
def test_reading_back_is_struck(haulier, effect, options):
    haulier.nexus.fault(effect, times=TIMES, **GET, **options)
    order = haulier.sent()
    assert haulier.state(order) == "completed"
    haulier.play_out()

    assert_dispatched(haulier, order)
    assert len(haulier.creates()) == 1


@pytest.mark.rule("NX-11-18", "NX-6-6")
@pytest.mark.parametrize("envelope", ["bare", "wrapped", "two_arrays"])
def test_searches_come_in_any_envelope(haulier, envelope):
    haulier.nexus.control("options", list_envelope=envelope)
    haulier.template("list: {member: consignments}")
    haulier.nexus.fault("timeout", **CREATE, accept=True)
    order = haulier.sent()
    haulier.play_out()

    assert_dispatched(haulier, order)


@pytest.mark.rule("NX-11-18", "NX-6-7")
def test_what_nexus_does_not_show_contradicts_nothing(haulier):
    haulier.nexus.control("options", absent_fields=["customerID"], null_fields=["customerReference"])
    haulier.nexus.fault("timeout", **CREATE, accept=True)
    order = haulier.sent()
    haulier.play_out()

    assert_dispatched(haulier, order)
    assert len(haulier.creates()) == 1


@pytest.mark.rule("NX-11-13")
def test_a_login_that_is_refused_keeps_the_work_until_it_is_mended(haulier):
    haulier.nexus.fault("http_401", times=None, **LOGIN)
    order = haulier.sent()
    logins = len([call for call in haulier.calls() if call == "POST /account/login"])
    assert (haulier.state(order), logins) == ("waiting", 1)
    assert haulier.task(order).sent_at is None
    assert haulier.rows("SELECT connection FROM connection_flags") == [("nexus_pgd302",)]

    haulier.nexus.control("faults", clear=True)
    haulier.settle()
    haulier.play_out()
    assert_dispatched(haulier, order)


@pytest.mark.rule("NX-6-2")
def test_a_network_that_is_down_is_waited_for(haulier):
    haulier.base_url = "http://127.0.0.1:9/v1/"
    order = haulier.sent()
    task = haulier.task(order)
    assert (task.state, task.sent_at) == ("waiting", None)
    haulier.base_url = haulier.nexus.base_url
    haulier.settle()
    haulier.play_out()

    assert_dispatched(haulier, order)


# The cancel


@pytest.mark.rule("NX-1-23", "NX-6-18", "NX-6-19", "NX-11-26")
@pytest.mark.parametrize(("effect", "options"), READS, ids=named(READS))
def test_the_cancel_is_struck(haulier, effect, options):
    order = haulier.sent()
    haulier.later(2)
    haulier.nexus.fault(effect, times=TIMES, **DELETE, **options)
    haulier.cancel(order)
    haulier.play_out()

    assert_taken_back(haulier, order)
    assert len(haulier.creates()) == 1


@pytest.mark.rule("NX-6-19")
@pytest.mark.parametrize(("effect", "options"), READS, ids=named(READS))
def test_the_get_that_decides_is_struck(haulier, effect, options):
    order = haulier.sent()
    haulier.later(2)
    haulier.nexus.scan(int(haulier.fact(order, "tracking_number")), "Cancelled")
    haulier.nexus.fault(effect, times=TIMES, **GET, **options)
    haulier.cancel(order)
    haulier.play_out()

    assert_taken_back(haulier, order)
