"""When photos of a delivery are looked for, which of them are new, what they are called and who sees them."""

import io
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from PIL import Image

from palletflow.documents import fingerprints
from palletflow.documents.fingerprints import Fingerprint
from palletflow.networks.palletways import photos, settings
from palletflow.networks.palletways.photos import Attempt, Schedule, Search
from palletflow.networks.palletways.simulator import pictures

T0 = datetime(2026, 7, 13, 14, 21, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
SEARCH = Search(T0, single=False)


def schedule(**extra) -> Schedule:
    return photos.read_schedule(settings.parse("palletways_123", "123", "key", extra))


def play(search: Search, plan: Schedule, late: dict[int, timedelta] | None = None) -> list[tuple[float, Attempt]]:
    """Every attempt with its minute after T0, when each is made at its time; `late`: how much later the nth is made."""
    made = []
    while (at := photos.next_at(search, plan)) is not None:
        now = at + (late or {}).get(len(made), timedelta())
        attempt = photos.due(search, plan, now)
        assert attempt, "what is due is made"
        made.append(((now - search.begun_at) / MINUTE, attempt))
        search = search._replace(attempted_at=attempt.covers, closed=search.closed or attempt.closes)
    return made


# When


@pytest.mark.rule("PW-5-3", "PW-5-4")
def test_attempts_are_made_at_seven_moments_up_to_fifteen_minutes():
    made = play(SEARCH, schedule())
    assert [minute for minute, _ in made] == [0, 1, 2, 4, 7, 10, 15]
    assert [attempt.closes for _, attempt in made] == [False] * 6 + [True]
    assert not any(attempt.late for _, attempt in made)


@pytest.mark.rule("PW-5-4")
def test_all_attempts_are_made_even_after_photos_were_found():
    assert len(play(SEARCH._replace(found=True), schedule())) == 7


@pytest.mark.rule("PW-5-4")
def test_the_connection_may_say_other_moments():
    assert [minute for minute, _ in play(SEARCH, schedule(photo_schedule_minutes=[0, 5, 20]))] == [0, 5, 20]


@pytest.mark.rule("PW-5-4", "PW-5-16")
@pytest.mark.parametrize(
    ("late", "minutes"),
    [
        ({0: 0.9 * MINUTE}, [0.9, 1, 2, 4, 7, 10, 15]),
        ({1: 4 * MINUTE}, [0, 5, 7, 10, 15]),
        ({0: 14 * MINUTE}, [14, 15]),
        ({3: 11 * MINUTE}, [0, 1, 2, 15]),
        ({0: 40 * MINUTE}, [40]),
        ({6: 600 * MINUTE}, [0, 1, 2, 4, 7, 10, 615]),
    ],
)
def test_missed_attempts_are_one_and_the_last_comes_at_the_end_or_later(late, minutes):
    made = play(SEARCH, schedule(), late)
    assert [round(minute, 6) for minute, _ in made] == minutes
    assert made[-1][1].closes
    assert minutes[-1] >= 15


@pytest.mark.rule("PW-5-4")
def test_nothing_is_due_before_its_moment_but_for_clocks_that_differ():
    search = SEARCH._replace(attempted_at=T0)
    assert photos.due(search, schedule(), T0 + 50 * timedelta(seconds=1)) is None
    early = photos.due(search, schedule(), T0 + MINUTE - timedelta(seconds=1))
    assert early == Attempt(T0 + MINUTE, closes=False, late=False)
    after = search._replace(attempted_at=early.covers)
    assert photos.next_at(after, schedule()) == T0 + 2 * MINUTE


@pytest.mark.rule("PW-5-4", "PW-5-16")
def test_a_schedule_that_became_shorter_while_a_window_was_open_closes_it():
    search = SEARCH._replace(attempted_at=T0 + 12 * MINUTE)
    shorter = schedule(photo_schedule_minutes=[0, 5, 10])
    attempt = photos.due(search, shorter, T0 + 13 * MINUTE)
    assert attempt
    assert attempt.closes
    assert photos.next_at(search._replace(attempted_at=attempt.covers, closed=True), shorter) is None


@pytest.mark.rule("PW-5-2", "PW-5-14", "PW-5-15")
@pytest.mark.parametrize(
    ("completed_at", "enabled_at", "single"),
    [
        (T0 - MINUTE, T0 - HOUR, False),
        (None, T0 - HOUR, False),
        (T0 - 24 * HOUR, T0 - 48 * HOUR, False),
        (T0 - 25 * HOUR, T0 - 48 * HOUR, True),
        (T0 - HOUR, T0 - MINUTE, None),
        (T0 - 25 * HOUR, T0 - 24 * HOUR, None),
        (None, T0 + MINUTE, None),
    ],
)
def test_what_was_completed_before_the_start_gets_nothing_and_what_is_seen_a_day_late_one_attempt(
    completed_at, enabled_at, single
):
    assert photos.is_single(completed_at, T0, enabled_at) is single


@pytest.mark.rule("PW-5-15")
def test_a_single_attempt_is_all_there_is_and_can_wait():
    search = Search(T0, single=True)
    made = play(search, schedule(late_catch_up=True, late_scope="all"), {0: 3 * HOUR})
    assert made == [(180, Attempt(T0 + 3 * HOUR, closes=True, late=True))]
    assert not photos.asks_for_latest(search, made[0][1])


@pytest.mark.rule("PW-5-36")
def test_the_late_catch_up_is_off_until_it_is_asked_for():
    assert schedule().late == ()
    made = play(SEARCH, schedule(late_catch_up=True))
    assert [minute / 60 for minute, _ in made[7:]] == [1, 3, 8, 24, 72, 168]
    assert all(attempt.late and not attempt.closes for _, attempt in made[7:])
    shorter = play(SEARCH, schedule(late_catch_up=True, late_schedule=[2]))
    assert [minute / 60 for minute, _ in shorter[7:]] == [2]


@pytest.mark.rule("PW-5-36")
@pytest.mark.parametrize(("scope", "late"), [("missing", 0), ("all", 6)])
def test_late_checks_look_for_what_has_photos_only_when_they_are_for_all(scope, late):
    made = play(SEARCH._replace(found=True), schedule(late_catch_up=True, late_scope=scope))
    assert len(made) == 7 + late


@pytest.mark.rule("PW-5-36", "PW-5-16")
def test_missed_late_checks_are_one_too():
    made = play(SEARCH, schedule(late_catch_up=True), {7: 4 * HOUR})
    assert [minute / 60 for minute, _ in made[7:]] == [5, 8, 24, 72, 168]


@pytest.mark.rule("PW-4.2-4", "PW-5-13")
def test_notes_are_read_with_the_first_attempt_the_last_of_the_window_and_late_ones():
    plan = schedule(late_catch_up=True, late_schedule=[1])
    search, read = SEARCH, []
    for _, attempt in play(SEARCH, plan):
        read.append(photos.reads_pod(search, attempt))
        search = search._replace(attempted_at=attempt.covers, closed=search.closed or attempt.closes)
    assert read == [True, False, False, False, False, False, True, True]


@pytest.mark.rule("PW-2.8-4")
def test_the_latest_image_is_asked_for_once_when_a_window_would_close_empty():
    attempts = [attempt for _, attempt in play(SEARCH, schedule(late_catch_up=True))]
    assert [photos.asks_for_latest(SEARCH, attempt) for attempt in attempts] == [False] * 6 + [True] + [False] * 6
    assert not any(photos.asks_for_latest(SEARCH._replace(found=True), attempt) for attempt in attempts)


# Which


@cache
def fingerprint(name: str, like: str = "") -> Fingerprint:
    """Of a photo of its own, or of the photo `like` after it was encoded again at a quality that is the name."""
    data = pictures.reencoded(pictures.photo(like), int(name)) if like else pictures.photo(name)
    with Image.open(io.BytesIO(data)) as image:
        return fingerprints.of(image)


@cache
def scan(name: str) -> Fingerprint:
    """Of a signed note, all of them on one form."""
    with Image.open(io.BytesIO(pictures.scan(name))) as image:
        return fingerprints.of(image)


@pytest.mark.rule("PW-5-5", "PW-5-22")
def test_photos_with_other_pixels_are_new_and_those_with_the_same_are_not():
    a, b, c = map(fingerprint, "abc")
    assert photos.fresh([a, b, c], [], "near") == [0, 1, 2]
    assert photos.fresh([a, b, c], [b], "near") == [0, 2]
    assert photos.fresh([c, a, b], [a, b, c], "near") == []


@pytest.mark.rule("PW-5-22")
@pytest.mark.parametrize("how", ["near", "exact"])
def test_the_same_page_twice_in_one_file_is_one_photo(how):
    a, b = map(fingerprint, "ab")
    assert photos.fresh([a, b, a, b], [], how) == [0, 1]


@pytest.mark.rule("PW-5-23")
def test_a_photo_that_was_encoded_again_is_known_unless_only_equal_pixels_count():
    stored, again = fingerprint("a"), fingerprint("60", like="a")
    assert photos.fresh([again], [stored], "near") == []
    assert photos.fresh([again], [stored], "exact") == [0]


@pytest.mark.rule("PW-5-24")
def test_signed_notes_on_one_form_are_all_new():
    assert photos.fresh([scan("SMITH"), scan("JONES")], [scan("PATEL")], "near") == [0, 1]


@pytest.mark.rule("PW-5-24")
def test_pages_of_one_file_that_are_near_each_other_stay_several():
    assert photos.fresh([fingerprint("a"), fingerprint("60", like="a")], [], "near") == [0, 1]


@pytest.mark.rule("PW-5-24")
def test_a_known_photo_stands_for_one_page_of_a_file_and_no_more():
    stored = [fingerprint("90", like="door"), fingerprint("80", like="door")]
    again = [fingerprint(quality, like="door") for quality in ("70", "60", "50")]
    assert photos.fresh(again[:2], stored, "near") == []
    assert photos.fresh(again, stored, "near") == [2]


@pytest.mark.rule("PW-5-24")
def test_a_known_photo_that_came_with_equal_pixels_stands_for_no_other():
    stored = fingerprint("90", like="door")
    assert photos.fresh([stored, fingerprint("80", like="door")], [stored], "near") == [1]


@pytest.mark.rule("PW-5-24")
def test_pages_find_a_partner_each_when_there_is_a_way(monkeypatch):
    """The first page is near both known photos, the second only near the one that the first would take."""
    fetched, known = [fingerprint("f1"), fingerprint("f2")], [fingerprint("k1"), fingerprint("k2")]
    near = {(fetched[0], known[0]), (fetched[0], known[1]), (fetched[1], known[0])}
    monkeypatch.setattr(photos, "same", lambda one, other, how: how == "near" and (one, other) in near)
    assert photos.fresh(fetched, known, "near") == []


# Names and who sees them


@pytest.mark.rule("PW-5-11")
@pytest.mark.parametrize(
    ("number", "media_type", "name"),
    [
        (1, "image/jpeg", "60000000017_photo_01.jpg"),
        (12, "image/png", "60000000017_photo_12.png"),
        (100, "application/pdf", "60000000017_photo_100.pdf"),
    ],
)
def test_a_photo_is_called_after_its_consignment_and_counted(number, media_type, name):
    assert photos.file_name("60000000017", number, media_type) == name


@pytest.mark.rule("PW-5-9")
@pytest.mark.parametrize(
    ("customers", "default", "visible"),
    [
        ({}, False, False),
        ({}, True, True),
        ({"ACM001": {"photos_visible": True}}, False, True),
        ({"ACM001": {"photos_visible": False}}, True, False),
        ({"ACM001": {}}, True, True),
        ({"FOX002": {"photos_visible": True}}, False, False),
    ],
)
def test_customers_see_photos_as_their_account_says_else_as_the_connection_does(customers, default, visible):
    assert photos.is_visible(customers, "ACM001", default) is visible


@pytest.mark.rule("PW-5-9")
def test_customers_see_no_photos_until_somebody_says_so():
    assert settings.parse("palletways_123", "123", "key", {}).photos_customer_visible is False
