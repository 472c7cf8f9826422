"""Dates, lists and places on the wire (contract 1.3, 2)."""

from datetime import UTC, date, datetime, time

import pytest

from palletflow.networks.nexus import wire
from palletflow.networks.nexus.mapper import Mapper
from palletflow.networks.nexus.times import Formats
from palletflow.networks.nexus.wire import Unreadable, read_wire

FORMATS = Formats()
OWN = Formats(date="%d/%m/%Y", time="%H.%M", datetime="%d/%m/%Y %H:%M:%S%z")


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


@pytest.mark.rule("NX-1-5")
def test_days_and_times_of_day():
    assert FORMATS.write_day(date(2030, 1, 5)) == "2030-01-05"
    assert FORMATS.write_time(time(9, 5, 59)) == "09:05"
    assert (FORMATS.read_day("2030-01-05"), FORMATS.read_time("09:05")) == (date(2030, 1, 5), time(9, 5))
    assert (OWN.write_day(date(2030, 1, 5)), OWN.write_time(time(9, 5))) == ("05/01/2030", "09.05")
    assert (OWN.read_day("05/01/2030"), OWN.read_time("09.05")) == (date(2030, 1, 5), time(9, 5))


@pytest.mark.rule("NX-1-5")
@pytest.mark.parametrize("text", ["09:05:30", "09:05:30.000", "0905"])
def test_a_time_of_day_may_have_seconds(text):
    assert FORMATS.read_time(text).replace(second=0) == time(9, 5)


@pytest.mark.rule("NX-1-5", "NX-1-6")
@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2030-01-09T10:31:00+00:00", utc(2030, 1, 9, 10, 31)),
        ("2030-01-09T10:31:00Z", utc(2030, 1, 9, 10, 31)),
        ("2030-07-09T10:31:00+01:00", utc(2030, 7, 9, 9, 31)),
        ("2030-07-09T10:31:00.123+02:00", datetime(2030, 7, 9, 8, 31, 0, 123_000, UTC)),
        ("2030-01-09T10:31:00", utc(2030, 1, 9, 10, 31)),
        ("2030-07-09T10:31:00", utc(2030, 7, 9, 9, 31)),
        ("2030-07-09 10:31", utc(2030, 7, 9, 9, 31)),
        ("2030-07-09", utc(2030, 7, 8, 23)),
        # The hour that comes twice: the earlier one. The hour that does not come: as if clocks had not gone forward.
        ("2030-10-27T01:30:00", utc(2030, 10, 27, 0, 30)),
        ("2030-10-27T02:00:00", utc(2030, 10, 27, 2)),
        ("2030-03-31T01:30:00", utc(2030, 3, 31, 1, 30)),
    ],
)
def test_a_moment_without_an_offset_is_london_wall_time(text, moment):
    assert FORMATS.read_moment(text) == moment
    assert FORMATS.read_moment(text).tzinfo is UTC


@pytest.mark.rule("NX-1-6", "NX-11-26")
def test_a_moments_day_is_londons():
    assert FORMATS.read_day("2030-07-08T23:30:00+00:00") == date(2030, 7, 9)
    assert FORMATS.read_day("2030-07-08T23:30:00") == date(2030, 7, 8)
    assert FORMATS.local_day(utc(2030, 7, 8, 23, 30)) == date(2030, 7, 9)
    assert FORMATS.moment_of(date(2030, 10, 27), time(1, 30)) == utc(2030, 10, 27, 0, 30)


@pytest.mark.rule("NX-1-7")
def test_what_we_send_has_an_offset():
    summer = datetime.fromisoformat("2030-07-09T10:31:59.999+01:00")
    assert FORMATS.write_moment(summer) == "2030-07-09T09:31:59+00:00"
    assert OWN.write_moment(summer) == "09/07/2030 09:31:59+0000"
    assert OWN.read_moment("09/07/2030 10:31:59+0100") == utc(2030, 7, 9, 9, 31, 59)
    assert OWN.read_moment("2030-07-09T10:31:59") == utc(2030, 7, 9, 9, 31, 59)


@pytest.mark.parametrize(
    "text",
    [
        "", "soon", "2030-13-01", "2030-02-30T10:00:00", "10:31", "0001-01-01T00:00:00+05:00", "0001-01-01T00:00:00Z",
    ],
)  # fmt: skip
def test_what_is_no_moment_is_refused(text):
    with pytest.raises(ValueError, match=r".*"):
        FORMATS.read_moment(text)


@pytest.mark.parametrize("text", ["", "soon", "25:00", "2030-01-09"])
def test_what_is_no_time_of_day_is_refused(text):
    with pytest.raises(ValueError, match=r".*"):
        FORMATS.read_time(text)


# JSON


def test_numbers_that_are_none_of_ours_become_text():
    found = wire.parse(b'{"a": NaN, "b": -Infinity, "c": 12345678901234567890123, "d": 7, "e": 1.5}')
    assert found == {"a": "NaN", "b": "-Infinity", "c": "12345678901234567890123", "d": 7, "e": 1.5}
    assert wire.parse(b'{"a": ' + b"9" * 10_000 + b"}") == {"a": "9" * 10_000}


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"a": ', b"\xff\xfe", b'{"a":' * 100_000])
def test_what_is_no_json_is_unreadable(body):
    with pytest.raises(Unreadable):
        wire.parse(body)


@pytest.mark.rule("NX-2.3-17")
@pytest.mark.parametrize(
    ("paths", "found"),
    [
        (["status.name"], "At Hub"),
        (["STATUS.Name"], "At Hub"),
        (["name", "status.name"], "At Hub"),
        (["nothing", "colDate", "delDateTime"], None),
        (["colDate.x"], None),
        (["pallets.barcode"], None),
        ([], None),
        (["empty"], ""),
        (["zero"], 0),
    ],
)
def test_the_first_place_that_is_not_null_counts(paths, found):
    record = {"status": {"id": 9004, "name": "At Hub"}, "colDate": None, "pallets": [{}], "empty": "", "zero": 0}
    assert wire.first_of(record, paths) == found


@pytest.mark.parametrize("record", [None, [], "text", 7])
def test_nothing_stands_in_what_is_no_object(record):
    assert wire.first_of(record, ["a"]) is None


@pytest.mark.parametrize(
    ("row", "id_", "name"),
    [
        ({"id": 4001, "name": " Premium "}, 4001, "Premium"),
        ({"customerID": 20001, "name": "Acme"}, 20001, "Acme"),
        ({"id": None, "customerID": "20001"}, 20001, ""),
        ({"ID": "004", "NAME": 7}, 4, "7"),
        ({"id": "A1"}, None, ""),
        ({"id": -1}, None, ""),
        ({"id": 1.5}, None, ""),
        ({"id": True}, None, ""),
        ({"id": "1" * 30}, None, ""),
        ({}, None, ""),
    ],
)
def test_rows_of_lookups(row, id_, name):
    contract = read_wire({})
    assert (contract.lookup_id(row), contract.lookup_name(row)) == (id_, name)


@pytest.mark.rule("NX-2.9-1")
def test_where_the_parts_of_a_lookups_row_stand_is_said_in_the_template():
    own = read_wire({"lookup": {"id": ["key.number"], "name": ["text", "title"]}})
    row = {"id": 1, "key": {"number": 7}, "text": None, "title": "Premium"}
    assert (own.lookup_id(row), own.lookup_name(row)) == (7, "Premium")


def test_the_shipped_template_says_of_the_wire_what_the_contract_says(plan):
    shipped, contract = read_wire(Mapper(plan).template.sections), read_wire({})

    row = {"id": 1, "attachmentType": {"name": "POD"}, "fileName": "a.jpg", "url": "u", "createdDate": "c"}
    assert shipped.attachment(row) == contract.attachment(row) == ("1", "POD", "a.jpg", "u", "c")
    assert shipped.lookup_id({"customerID": 7, "name": "a"}) == contract.lookup_id({"id": 7}) == 7
    assert (shipped.upload, shipped.upload_mb) == (contract.upload, contract.upload_mb)
    assert shipped.path("get", 7) == contract.path("get", 7)
    assert shipped.formats.write_day(date(2030, 1, 5)) == "2030-01-05"
