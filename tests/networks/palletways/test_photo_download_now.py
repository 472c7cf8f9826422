"""A person fetches photos now: one attempt for each tracking ID, at any status, and what became of it."""

from datetime import timedelta

import pytest
from tests.networks.palletways.photographing import PhotoHouse

from palletflow.store import photo_windows

MINUTE = timedelta(minutes=1)
PAUSE = timedelta(seconds=30)


@pytest.fixture
def house(conn, dsn, plan, palletways_sim, tmp_path):
    made = PhotoHouse(conn, dsn, plan, palletways_sim, tmp_path / "documents")
    yield made
    made.close()


def photographed(house: PhotoHouse, *labels: str, **added) -> tuple[int, str]:
    """Id and tracking ID of a consignment with these photos at Palletways, not delivered."""
    one = house.consignment(**added)
    number = house.tracking_id(one)
    if labels:
        house.sim.photo(number, labels=list(labels))
    return one, number


@pytest.mark.rule("PW-5-37", "PW-5-8")
def test_what_became_of_each_tracking_id_is_told(house):
    new, several = photographed(house, "door")
    _, none = photographed(house)
    house.sim.photo(several, labels=["bay"])
    assert house.fetch_now(several, none) == {several: "stored 2", none: "none"}
    house.advance(PAUSE)
    assert house.fetch_now(several) == {several: "already known"}
    house.advance(PAUSE)
    house.sim.photo(several, labels=["gate"])
    assert house.fetch_now(several) == {several: "stored 1"}
    assert house.hashes(new) == house.shown_hashes(new)
    assert house.history(new) == ["photos asked for"] * 3
    assert house.said(new, "photos asked for") == [
        "stored 2 by podimages@portal", "already known by podimages@portal", "stored 1 by podimages@portal",
    ]  # fmt: skip


@pytest.mark.rule("PW-5-37")
@pytest.mark.parametrize("status", [100, 500, 700, 900])
def test_it_works_at_any_status_and_begins_no_search(house, status):
    one, number = photographed(house, "door")
    house.sim.status(number, status)
    assert house.fetch_now(number) == {number: "stored 1"}
    assert (house.window(one), house.waiting()) == (None, {})


@pytest.mark.rule("PW-5-14", "PW-5-37")
def test_it_works_for_what_was_delivered_before_the_capability_was_on(house):
    house.settle(photos_enabled_at=(house.now - MINUTE).isoformat())
    one, number = photographed(house, "door")
    house.deliver(one, timedelta(days=30))
    assert house.work() == {}
    assert house.fetch_now(number) == {number: "stored 1"}


@pytest.mark.rule("PW-5-37")
def test_the_schedule_is_left_alone(house):
    one = house.delivered(("door", 30))
    number = house.tracking_id(one)
    house.work()
    house.advance(40 * timedelta(seconds=1))
    before, waiting = house.window(one), house.waiting()
    assert house.fetch_now(number) == {number: "stored 1"}
    assert house.window(one) == before._replace(found=True)
    assert house.waiting() == waiting
    assert len(house.play_out()) == 6
    assert (house.state(one), house.calls("getPodByTrackingId")) == ("found", 0)
    assert "no photos found" not in house.history(one)


@pytest.mark.rule("PW-5-37", "PW-5-36")
def test_what_it_finds_after_the_window_ends_the_catch_up(house):
    house.settle(late_catch_up=True)
    one = house.delivered(("door", 1800))
    while house.state(one) == photo_windows.OPEN and house.advance_to_due():
        house.work()
    house.advance(20 * MINUTE)
    house.fetch_now(house.tracking_id(one))
    assert house.state(one) == "found"
    assert house.play_out() == [pytest.approx(25, abs=0.2)]
    assert house.calls("podimages") == 8


@pytest.mark.rule("PW-5-37")
def test_nobody_is_asked_again_within_thirty_seconds(house):
    _, number = photographed(house, "door")
    _, other = photographed(house)
    house.fetch_now(number)
    house.sim.photo(number, labels=["bay"])
    assert house.fetch_now(number, other) == {number: "asked less than 30 s ago", other: "none"}
    assert house.calls("podimages") == 2
    house.advance(PAUSE)
    assert house.fetch_now(number) == {number: "stored 1"}


@pytest.mark.rule("PW-5-37")
def test_one_to_fifty_tracking_ids_go_at_once_each_once(house):
    numbers = house.sim.add_many(count=51)
    with pytest.raises(ValueError, match="1 to 50 tracking IDs"):
        house.fetch_now(*numbers)
    with pytest.raises(ValueError, match="1 to 50 tracking IDs"):
        house.fetch_now()
    assert house.calls("podimages") == 0
    assert house.fetch_now(*numbers[:50], numbers[0]) == dict.fromkeys(numbers[:50], "none")
    assert house.calls("podimages") == 50


@pytest.mark.rule("PW-5-37", "PW-5-6", "PW-5-33")
def test_photos_of_what_no_order_has_are_kept_for_operators(house):
    number = house.sim.add()
    house.sim.photo(number, labels=["door"])
    assert house.fetch_now(number) == {number: "quarantined: no_single_order"}
    assert house.rows("SELECT count(*) FROM documents") == [(0,)]
    [kept] = house.quarantined()
    assert (kept.tracking_number, kept.reason) == (number, "no_single_order")


@pytest.mark.rule("PW-5-37", "PW-5-33")
def test_what_is_no_photo_is_told_and_kept(house):
    one, number = photographed(house, "door", "bay")
    house.sim.switch(pdf_fault="malformed")
    assert house.fetch_now(number) == {number: "stored 1, quarantined: malformed"}
    # Nobody waits for it to become whole.
    assert house.alerts() == [f"Palletways photos of {number}: malformed"]
    assert house.history(one) == ["file quarantined", "photos asked for"]


@pytest.mark.rule("PW-5-37", "PW-5-29")
def test_a_malformed_file_in_an_open_window_alerts_nobody_yet(house):
    one = house.delivered(("door", 0), ("bay", 0))
    house.sim.switch(pdf_fault="malformed")
    assert "quarantined: malformed" in house.fetch_now(house.tracking_id(one))[house.tracking_id(one)]
    assert house.alerts() == []


@pytest.mark.rule("PW-5-37")
def test_what_goes_wrong_with_one_stops_no_other(house):
    _, first = photographed(house, "door")
    _, second = photographed(house, "door")
    house.sim.switch(http_code={"podimages": {"value": 500, "times": 3}})
    told = house.fetch_now(first, "no tracking ID", second)
    assert told[first].startswith("failed: GET ")
    assert "HTTP 500" in told[first]
    assert told["no tracking ID"] == "refused: this is no tracking ID"
    assert told[second] == "stored 1"


@pytest.mark.rule("PW-5-37")
def test_an_answer_that_nobody_understands_is_told(house):
    _, number = photographed(house)
    house.sim.switch(photo_answer="html")
    assert "unreadable_answer" in house.fetch_now(number)[number]


@pytest.mark.rule("PW-5-37")
def test_without_the_capability_it_says_so(house):
    house.settle(capabilities=["photos_out"])
    _, number = photographed(house, "door")
    assert house.fetch_now(number) == {
        number: "refused: photos_in is not among the capabilities of connection 'palletways_123'"
    }
    assert house.calls("podimages") == 0


@pytest.mark.rule("PW-5-37")
def test_a_consignment_of_our_other_depot_is_asked_for_with_its_key(house):
    one, number = photographed(house, "door", depot="124", collection_depot="124", delivery_depot="456")
    assert house.fetch_now(number) == {number: "stored 1"}
    assert [call["key"] for call in house.sim.journal("podimages")] == ["sim.124"]
    assert len(house.documents(one)) == 1


@pytest.mark.rule("PW-5-37", "PW-2.8-3")
def test_where_no_method_is_open_it_says_so(house):
    house.settle(photo_methods=["podimages@portal"])
    house.sim.switch(podimages_open="not_authorised")
    _, number = photographed(house, "door")
    assert house.fetch_now(number)[number].startswith("failed:")
