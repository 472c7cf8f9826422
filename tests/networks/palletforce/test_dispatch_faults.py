"""Whatever the network does to any call of a dispatch, each order ends as one consignment of it (contract 1.3, 7).

Every fault of the simulator meets every call: the upload, the fetches, the labels. A person acts only where the
contract gives it to one.
"""

import pytest
from tests.networks.palletforce.dispatching import House

# Fault, its options, whether the network may have taken what it struck.
GATEWAY = [
    ("slow", {"seconds": 1}, True),
    ("timeout_before_accept", {}, False),
    ("timeout_after_accept", {}, True),
    ("reset", {"accept": False}, False),
    ("reset", {"accept": True}, True),
    ("truncated_json", {}, True),
    ("empty_body", {"accept": False}, False),
    ("empty_body", {"accept": True}, True),
    ("html_500", {"accept": False}, False),
    ("html_500", {"accept": True}, True),
    ("http_502", {"accept": False}, False),
    ("http_502", {"accept": True}, True),
    ("http_401", {}, False),
    ("http_429", {}, False),
    ("http_503", {}, False),
    ("http_503", {"retry_after": 1}, False),
]
NAMES = [f"{fault} {' '.join(map(str, options.values()))}".strip() for fault, options, _ in GATEWAY]


def assert_dispatched(house: House, order: int) -> None:
    """The end state the contract demands, on both sides."""
    task = house.task(order)
    [held] = house.of_order(order)
    assert task.state == "completed"
    assert (house.fact(order, "tracking_number"), house.fact(order, "registered")) == (held["trackingNumber"], True)
    assert house.fact(order, "consignment_number") == held["consignmentNumber"]
    assert task.attempt == 1
    assert house.fact(order, "delivery_depot") == "901"
    assert [code for (code,) in house.rows("SELECT barcode FROM pallet_barcodes ORDER BY pallet_number")] == held[
        "barcodes"
    ]
    labels = house.rows(
        "SELECT pallet_number, barcode FROM documents WHERE kind = 'NETWORK_LABEL' ORDER BY pallet_number"
    )
    assert labels == [(1, held["barcodes"][0]), (2, held["barcodes"][1])]
    assert house.items(parked=True) == house.items(parked=False) == {}
    assert house.rows("SELECT count(*) FROM orders") == [(1,)]


@pytest.mark.rule("PF-7-4", "PF-7-5", "PF-1.3-13")
@pytest.mark.parametrize(("fault", "options", "taken"), GATEWAY, ids=NAMES)
def test_the_upload_is_struck(house, fault, options, taken):
    house.simulator.fault(fault, "UploadManifest", **options)
    order = house.sent()
    held = house.of_order(order)
    assert bool(held) == taken
    unsent = fault in ("http_401", "http_429") or options.get("retry_after")
    assert house.state(order) == ("waiting" if unsent else "unknown")
    house.play_out()

    assert_dispatched(house, order)
    assert len(house.uploads()) == (1 if taken else 2)


@pytest.mark.rule("PF-7-4", "PF-7-8")
@pytest.mark.parametrize(("fault", "options", "taken"), GATEWAY, ids=NAMES)
def test_the_upload_is_struck_twice(house, fault, options, taken):
    house.simulator.fault(fault, "UploadManifest", count=2, **options)
    order = house.sent()
    house.play_out()

    if not taken and house.state(order) == "unknown":
        assert house.of_order(order) == []
        assert len(house.items(parked=True)) == 1
        house.send_again(order)
        house.work()
    assert_dispatched(house, order)


@pytest.mark.rule("PF-7-4", "PF-7-9")
@pytest.mark.parametrize(("lost", "replay"), [("timeout_before_accept", "on"), ("timeout_after_accept", "off")])
@pytest.mark.parametrize(("fault", "options", "taken"), GATEWAY, ids=NAMES)
def test_the_look_ups_after_a_lost_answer_are_struck(house, fault, options, taken, lost, replay):
    house.simulator.control("switches", transaction_replay=replay)
    house.simulator.fault(lost, "UploadManifest")
    order = house.sent()
    house.simulator.fault(fault, "DownloadManifest", count=6, **options)
    house.play_out()

    assert_dispatched(house, order)
    assert len(house.uploads()) == (2 if lost == "timeout_before_accept" else 1)


@pytest.mark.rule("PF-7-5")
@pytest.mark.parametrize(("fault", "options", "taken"), GATEWAY, ids=NAMES)
def test_routing_is_struck(house, fault, options, taken):
    house.simulator.fault(fault, "DownloadManifest", count=5, **options)
    order = house.sent()
    assert house.state(order) == "completed"
    house.play_out()

    assert_dispatched(house, order)
    assert len(house.uploads()) == 1


@pytest.mark.rule("PF-7-5", "PF-2.2-3")
@pytest.mark.parametrize(
    ("fault", "options"),
    [
        *((fault, options) for fault, options, _ in GATEWAY),
        ("label_missing", {}),
        ("label_missing", {"empty": True}),
        ("label_not_jpeg", {}),
        ("label_bad_base64", {}),
    ],
)
def test_labels_are_struck(house, fault, options):
    house.simulator.fault(fault, "DownloadLabel", count=5, **options)
    order = house.sent()
    assert house.state(order) == "completed"
    house.play_out()

    assert_dispatched(house, order)
    assert len(house.uploads()) == 1


@pytest.mark.rule("PF-2.1-25", "PF-7-4")
def test_success_without_a_code_is_looked_up(house):
    house.simulator.fault("success_without_code", "UploadManifest")
    order = house.sent()
    assert house.state(order) == "unknown"
    house.later(60)

    assert_dispatched(house, order)
    assert len(house.uploads()) == 1


@pytest.mark.rule("PF-2.1-24")
def test_partial_success_is_a_success(house):
    house.simulator.fault("partial_success", "UploadManifest")
    order = house.sent()

    assert_dispatched(house, order)


@pytest.mark.rule("PF-1.3-15", "PF-7-7")
@pytest.mark.parametrize("fault", ["duplicate_tracking", "unknown_depot", "notifications_off"])
def test_a_refusal_makes_nothing_until_a_person_sends_it_again(house, fault):
    house.simulator.fault(fault, "UploadManifest")
    order = house.sent()
    house.play_out()
    assert house.state(order) == "failed"
    assert house.of_order(order) == []
    assert len(house.uploads()) == 1

    house.complete(order)
    house.work()
    assert house.state(order) == "completed"
    assert house.task(order).attempt == 2
    assert len(house.of_order(order)) == 1


@pytest.mark.rule("PF-7-5", "PF-3-15")
def test_a_barcode_that_changes_at_once_ends_in_good_labels(house):
    house.simulator.fault("barcode_changed", "UploadManifest", deliveryDepot="904")
    order = house.sent()
    house.play_out()

    [held] = house.of_order(order)
    assert held["deliveryDepot"] == house.fact(order, "delivery_depot") == "904"
    good = house.rows("SELECT barcode FROM documents WHERE kind = 'NETWORK_LABEL' AND stale_at IS NULL ORDER BY 1")
    assert [code for (code,) in good] == held["barcodes"]


@pytest.mark.rule("PF-7-8", "PF-2.1-28")
@pytest.mark.parametrize("replay", ["on", "off"])
def test_a_consignment_that_no_look_up_shows_is_not_made_twice(house, replay):
    """The network took it but shows it only by transaction number, which this connection does not use."""
    house.simulator.control("switches", transaction_replay=replay)
    house.settle(lookup_by="trackingNumber", lookup_delays_s=[60])
    house.simulator.fault("timeout_after_accept", "UploadManifest")
    order = house.sent()
    house.later(60)

    assert len(house.uploads()) == 2
    assert len(house.of_order(order)) == 1
    # A network that answers again as it did has told the number; one that refuses leaves it to a person.
    assert house.state(order) == ("completed" if replay == "on" else "failed")
