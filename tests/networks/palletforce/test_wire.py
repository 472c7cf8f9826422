"""Reading Palletforce's JSON leniently (contract 1.2) and writing its local times (contract 1.1)."""

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from palletflow.networks.palletforce import wire
from palletflow.networks.palletforce.wire import LocalTime

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
FORM = "%Y-%m-%dT%H:%M:%S"
LONDON = LocalTime("Europe/London", FORM)


def nested(depth, wrap):
    value = "deep"
    for _ in range(depth):
        value = wrap(value)
    return value


# Bodies


@pytest.mark.rule("PF-1.1-8", "PF-1.2-4")
@pytest.mark.parametrize(
    ("body", "content"),
    [
        (b'{"success": true}', {"success": True}),
        (b' \r\n{"a": "\\u00e9\xc3\xa9"}\n', {"a": "éé"}),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b'{"a": 12345678901234567890123}', {"a": "12345678901234567890123"}),
        (b'{"a": ' + b"7" * 9000 + b"}", {"a": "7" * 9000}),
        (b"{}", {}),
    ],
)
def test_a_body_is_a_json_object(body, content):
    assert wire.parse(body) == content


@pytest.mark.rule("PF-1.3-7")
@pytest.mark.parametrize(
    "body",
    [b"", b" ", b"<html></html>", b'{"a": 1', b'{"a": 1}{', b"[]", b'"text"', b"7", b"null", b'{"a": "\xff"}'],
)
def test_what_is_no_json_object_is_unreadable(body):
    with pytest.raises(wire.Unreadable):
        wire.parse(body)


def test_a_body_nested_without_end_is_unreadable():
    with pytest.raises(wire.Unreadable):
        wire.parse(b'{"a":' * 200_000)


# Folding


@pytest.mark.rule("PF-1.2-1", "PF-1.2-2")
def test_keys_are_trimmed_and_lowered_and_scalars_become_text_at_every_level():
    record = {
        " Weight ": 850,
        "spaces": 1.5,
        "flag": True,
        "other": False,
        "nothing": None,
        "TEXT": "  kept as it is inside  ",
        "failureReasons ": ["  Too Heavy ", 7, None],
        "Deep ": [{"VALUE ": {" Inner": " x "}}],
    }

    assert wire.fold(record, {}) == {
        "weight": "850",
        "spaces": "1.5",
        "flag": "true",
        "other": "false",
        "nothing": "",
        "text": "kept as it is inside",
        "failurereasons": ["Too Heavy", "7", ""],
        "deep": [{"value": {"inner": "x"}}],
    }


@pytest.mark.rule("PF-1.2-6")
@pytest.mark.parametrize(
    ("record", "value"),
    [
        ({"serviceName": "A", "SERVICENAME": "B"}, "A"),
        ({"serviceName": "", "serviceName ": "B"}, "B"),
        ({"serviceName": "  ", "serviceName ": "B"}, "B"),
        ({"serviceName": None, "serviceName ": "B"}, "B"),
        ({"serviceName": [], "serviceName ": "B"}, "B"),
        ({"serviceName ": "A", "serviceName": ""}, "A"),
        ({"serviceName": "", "serviceName ": ""}, ""),
        ({"serviceName": 0, "serviceName ": "B"}, "0"),
    ],
)
def test_of_two_equal_keys_the_first_with_a_value_wins(record, value):
    assert wire.fold(record, {}) == {"servicename": value}


@pytest.mark.rule("PF-1.2-6", "PF-1.2-3")
@pytest.mark.parametrize("empty", [None, "", " ", []])
def test_so_it_is_for_fields_of_the_answer_itself(empty):
    assert wire.field({"success ": empty, "Success": "true"}, "success", {}) == "true"
    assert wire.succeeded({"success ": empty, "Success": "true"}, {})


@pytest.mark.rule("PF-1.2-8")
def test_other_names_are_known_at_every_level_and_for_the_answers_own_fields():
    aliases = {"svc": "servicename", "rows": "manifests"}

    assert wire.fold({"Consignments": [{" SVC ": "A"}]}, aliases) == {"consignments": [{"servicename": "A"}]}
    assert wire.fold({"svc": "", "serviceName": "B"}, aliases) == {"servicename": "B"}
    assert wire.field({" Rows ": [1]}, "manifests", aliases) == [1]
    assert wire.field({"manifests": [], "rows": [1]}, "manifests", aliases) == [1]
    assert wire.field({"rows": [1]}, "manifests", {}) is None


@pytest.mark.rule("PF-1.2-2", "PF-1.2-7")
@pytest.mark.parametrize("wrap", [lambda inner: {"a": inner}, lambda inner: [inner]], ids=["objects", "lists"])
def test_what_is_nested_absurdly_deep_costs_only_itself(wrap):
    folded = wire.fold({"unknown": nested(50_000, wrap), "serviceName": "A"}, {})

    assert folded["servicename"] == "A"


@pytest.mark.rule("PF-1.2-3")
@pytest.mark.parametrize(
    ("success", "good"),
    [(True, True), ("true", True), ("TRUE ", True), (False, False), ("false", False), (1, False), ("yes", False)],
)
def test_success_is_true_or_the_text_true(success, good):
    assert wire.succeeded({"success": success}, {}) is good


@pytest.mark.rule("PF-1.2-5")
@pytest.mark.parametrize(
    ("reply", "texts"),
    [
        ({}, []),
        ({"failureReasons ": " Depot closed "}, ["Depot closed"]),
        ({"failureReasons": ["Depot closed", "", None, 7]}, ["Depot closed", "7"]),
        ({"failureReasons": [{"message": "a", "reason": "b"}, {"REASON ": "c"}, {"value": 5}, {}]}, ["a", "c", "5"]),
        ({"failureReasons": {"message": "a"}}, ["a"]),
        ({"message": "a", "errorMessage": "b", "errors": ["c", {"value": "d"}]}, ["a", "b", "c", "d"]),
        ({"failedConsignments": [{"failureReasons ": ["a"]}, {"failureReasons": "b"}, "?", None, 5]}, ["a", "b"]),
        ({"failedTracking": [{"failureReasons ": ["a"]}], "message": "b"}, ["a", "b"]),
        ({"failedConsignments": "none", "failedTracking": 0, "errors": False}, ["false"]),
        ({"failureReasons": [["a"]]}, []),
    ],
)
def test_every_reason_is_found(reply, texts):
    assert wire.failure_texts(reply, {}) == texts


def test_absurdly_nested_reasons_do_no_harm():
    deep = nested(50_000, lambda inner: [inner])

    assert wire.failure_texts({"failureReasons": deep, "message": "Depot closed"}, {}) == ["Depot closed"]


# Times


@pytest.mark.rule("PF-1.1-12")
@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-07-13T10:30:00", "2026-07-13T09:30:00"),
        ("2026-01-13T10:30:00", "2026-01-13T10:30:00"),
        ("2026-07-13T10:30:00.123", "2026-07-13T09:30:00.123"),
        ("2026-07-13T10:30:00.1234567", "2026-07-13T09:30:00.123456"),
        ("2026-07-13 10:30", "2026-07-13T09:30:00"),
        ("2026-07-13T10:30:00Z", "2026-07-13T10:30:00"),
        ("2026-07-13T10:30:00+01:00", "2026-07-13T09:30:00"),
        ("2026-07-13T10:30:00-05:00", "2026-07-13T15:30:00"),
        ("2026-10-25T00:59:59", "2026-10-24T23:59:59"),
        ("2026-10-25T01:00:00", "2026-10-25T00:00:00"),  # twice on the clock: the earlier moment
        ("2026-10-25T01:59:59", "2026-10-25T00:59:59"),
        ("2026-10-25T01:30:00+00:00", "2026-10-25T01:30:00"),
        ("2026-10-25T02:00:00", "2026-10-25T02:00:00"),
        ("2026-03-29T00:59:59", "2026-03-29T00:59:59"),
        ("2026-03-29T01:30:00", "2026-03-29T01:30:00"),  # never on the clock: as if it had not moved yet
        ("2026-03-29T02:00:00", "2026-03-29T01:00:00"),
    ],
)
def test_wall_clock_times_are_read_as_moments(text, moment):
    assert LONDON.read(text) == datetime.fromisoformat(moment).replace(tzinfo=UTC)


@pytest.mark.rule("PF-1.1-12")
def test_times_are_read_in_the_connections_own_zone_and_form():
    local = LocalTime("Europe/Berlin", "%d/%m/%Y %H:%M:%S")

    assert local.read("13/07/2026 11:30:00") == datetime(2026, 7, 13, 9, 30, tzinfo=UTC)
    assert local.read("2026-07-13T11:30:00") == datetime(2026, 7, 13, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026-13-01T00:00:00",
        "2026-07-13T25:00:00",
        "00000000",
        "9" * 5000,
        "0001-01-01T00:00:00+05:00",
        "9999-12-31T23:59:59-05:00",
        "10000-01-01T00:00:00",
    ],
)
def test_what_is_no_time_is_a_value_error(text):
    with pytest.raises(ValueError):  # noqa: PT011 - Python words it
        LONDON.read(text)


@pytest.mark.rule("PF-1.1-12", "PF-2.4-3", "PF-2.4-22")
@pytest.mark.parametrize(
    ("start", "end", "lower", "upper"),
    [
        # An ordinary day, and whole seconds
        ("2026-07-13T09:30:00", "2026-07-13T10:00:00", "2026-07-13T10:30:00", "2026-07-13T11:00:00"),
        ("2026-07-13T09:30:00.9", "2026-07-13T10:00:00.1", "2026-07-13T10:30:00", "2026-07-13T11:00:01"),
        # Clocks go back at 01:00 UTC: before, up to, across, inside and after the change
        ("2026-10-24T23:00:00", "2026-10-24T23:30:00", "2026-10-25T00:00:00", "2026-10-25T00:30:00"),
        ("2026-10-25T00:15:00", "2026-10-25T00:45:00", "2026-10-25T01:15:00", "2026-10-25T01:45:00"),
        ("2026-10-25T00:30:00", "2026-10-25T01:00:00", "2026-10-25T01:00:00", "2026-10-25T02:00:00"),
        ("2026-10-25T00:45:00", "2026-10-25T01:15:00", "2026-10-25T01:00:00", "2026-10-25T02:00:00"),
        ("2026-10-25T00:59:59", "2026-10-25T01:00:01", "2026-10-25T01:00:00", "2026-10-25T02:00:00"),
        ("2026-10-24T12:00:00", "2026-10-25T12:00:00", "2026-10-24T13:00:00", "2026-10-25T12:00:00"),
        ("2026-10-25T01:00:00", "2026-10-25T01:30:00", "2026-10-25T01:00:00", "2026-10-25T01:30:00"),
        ("2026-10-25T01:15:00", "2026-10-25T01:45:00", "2026-10-25T01:15:00", "2026-10-25T01:45:00"),
        ("2026-10-25T02:00:00", "2026-10-25T02:30:00", "2026-10-25T02:00:00", "2026-10-25T02:30:00"),
        # Clocks go forward at 01:00 UTC: there is nothing to double
        ("2026-03-29T00:30:00", "2026-03-29T01:00:00", "2026-03-29T00:30:00", "2026-03-29T02:00:00"),
        ("2026-03-29T00:45:00", "2026-03-29T01:15:00", "2026-03-29T00:45:00", "2026-03-29T02:15:00"),
        ("2026-03-29T01:00:00", "2026-03-29T01:30:00", "2026-03-29T02:00:00", "2026-03-29T02:30:00"),
    ],
)
def test_a_window_in_wall_clock_time(start, end, lower, upper):
    moments = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (start, end))

    assert LONDON.window(*moments) == (lower, upper)


CHANGES = {
    "London, back": ("Europe/London", "2026-10-25T01:00:00"),
    "London, forward": ("Europe/London", "2026-03-29T01:00:00"),
    "New York, back": ("America/New_York", "2026-11-01T06:00:00"),
    "Lord Howe, back by half an hour": ("Australia/Lord_Howe", "2026-04-04T15:00:00"),
}


@pytest.mark.rule("PF-1.1-12", "PF-2.4-3")
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("given_in", ["UTC", "Asia/Kathmandu"])  # 5 h 45 min ahead
@pytest.mark.parametrize("length", [1, 7, 30, 61, 300])
def test_every_moment_of_a_window_lies_within_its_wall_clock_bounds(change, given_in, length):
    """What changed at a moment carries the wall-clock time of that moment; no window may leave it out."""
    name, turn = CHANGES[change]
    zone, given = ZoneInfo(name), ZoneInfo(given_in)
    middle = datetime.fromisoformat(turn).replace(tzinfo=UTC)
    local = LocalTime(name, FORM)

    for shift in range(-360, 120, 3):
        start = middle + shift * MINUTE
        end = start + length * MINUTE
        lower, upper = local.window(start.astimezone(given), end.astimezone(given))
        assert lower < upper
        for minute in range(length):
            seen = (start + minute * MINUTE).astimezone(zone).strftime(FORM)
            assert lower <= seen < upper, f"{start} to {end}"


@pytest.mark.rule("PF-1.1-12")
def test_a_window_away_from_the_change_is_not_widened():
    zone = ZoneInfo("Europe/London")
    start = datetime(2026, 10, 25, 1, 0, tzinfo=UTC)

    for hours in (*range(-48, -1), *range(48)):
        lower, upper = LONDON.window(start + hours * HOUR, start + hours * HOUR + HOUR - MINUTE)
        assert datetime.fromisoformat(lower) == (start + hours * HOUR).astimezone(zone).replace(tzinfo=None)
        assert datetime.fromisoformat(upper) - datetime.fromisoformat(lower) == HOUR - MINUTE


@pytest.mark.rule("PF-1.2-2")
def test_numbers_python_will_not_print_stay_text():
    reply = wire.parse(json.dumps({"weight": 1}).replace("1", "1" * 6000).encode())

    assert wire.fold(reply, {}) == {"weight": "1" * 6000}
