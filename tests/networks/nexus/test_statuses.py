"""What Nexus's statuses mean and do, and what we owe it, without network and order store (contract 2.8, 7.5, 8, 10)."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from palletflow.networks.nexus import reports, statuses
from palletflow.networks.nexus.mapper import Mapper
from palletflow.networks.nexus.reports import Attempts
from palletflow.networks.nexus.simulator.lookups import STATUSES
from palletflow.networks.nexus.statuses import Eta, Rules
from palletflow.networks.nexus.times import Formats
from palletflow.orders.lifecycle import Outcome, Reason, Status
from palletflow.orders.tracking import Event, StopEffect
from palletflow.store.status_exports import ExportFacts, Kept, Movement

NOW = datetime(2026, 7, 13, 9, 30, tzinfo=UTC)
BARCODES = {1: "1044000700001001", 2: "1044000700001002"}
BOTH = (1, 2)


def at(hours: float) -> datetime:
    return NOW + timedelta(hours=hours)


def utc(day: int, hour: int, minute: int, month: int = 7) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


@pytest.fixture
def mapper(plan) -> Mapper:
    return Mapper(plan)


@pytest.fixture
def rules(mapper) -> Rules:
    return Rules(mapper.template.sections, Formats())


@pytest.fixture
def made(mapper):
    """Rules with some sections of the template replaced."""

    def make(**sections) -> Rules:
        return Rules({**mapper.template.sections, **sections}, Formats())

    return make


@pytest.fixture
def event(rules):
    """Makes an event of a pallet, so many hours after NOW; pallet None is all of them."""

    def make(name: str, hours: float, pallet: int | None = 1, **extra) -> Event:
        meaning = rules.meaning(name)
        plain = {
            "code": name, "status": meaning.status, "reason": meaning.reason,
            "barcode": BARCODES[pallet] if pallet else "", "pallet": pallet, "at": at(hours), "estimated": False,
            "depot": "", "signatory": "", "note": "", "latitude": "", "longitude": "", "echo": False, "raw": {},
        }  # fmt: skip
        return Event(**{**plain, **extra})

    return make


# What names mean


MEANINGS = {
    "Booked": (Status.CREATED, None),
    "Manifested": (Status.CREATED, None),
    "Collected": (Status.COLLECTED, None),
    "At Collecting Depot": (Status.AT_COLLECTION_DEPOT, None),
    "At Hub": (Status.AT_HUB, None),
    "In Transit": (Status.TRUNKED, None),
    "At Delivery Depot": (Status.AT_DELIVERY_DEPOT, None),
    "Out for Delivery": (Status.OUT_FOR_DELIVERY, None),
    "Delivered": (Status.DELIVERED, None),
    "Refused": (Status.EXCEPTION, Reason.REFUSED),
    "Failed Delivery": (Status.EXCEPTION, Reason.NOT_DELIVERED),
    "Damaged": (Status.EXCEPTION, Reason.DAMAGED),
    "Short": (Status.EXCEPTION, Reason.SHORT),
    "Returned": (Status.EXCEPTION, Reason.RETURNED),
    "Cancelled": (Status.CANCELLED, None),
}
OTHER_WORDS = {
    "CANCELED by depot": (Status.CANCELLED, None),
    "Deleted": (Status.CANCELLED, None),
    "Delivery refused": (Status.EXCEPTION, Reason.REFUSED),
    "Not delivered": (Status.EXCEPTION, Reason.NOT_DELIVERED),
    "Not Collected": (Status.EXCEPTION, Reason.NOT_DELIVERED),
    "Missing pallet": (Status.EXCEPTION, Reason.SHORT),
    "Returned to depot": (Status.EXCEPTION, Reason.RETURNED),
    "Held at customs": (Status.EXCEPTION, Reason.HELD),
    "  out  FOR delivery ": (Status.OUT_FOR_DELIVERY, None),
    "POD received": (Status.DELIVERED, None),
    "Arrived at delivery depot": (Status.AT_DELIVERY_DEPOT, None),
    "Arrived Hub": (Status.AT_HUB, None),
    "In hub": (Status.AT_HUB, None),
    "Left hub": (Status.LEFT_HUB, None),
    "Departed": (Status.TRUNKED, None),
    "On trunk": (Status.TRUNKED, None),
    "At depot": (Status.AT_COLLECTION_DEPOT, None),
    "Entered": (Status.CREATED, None),
    "Accepted": (Status.CREATED, None),
    "Hub": (Status.UNKNOWN, None),
    "Podium booked": (Status.CREATED, None),
    "Weighed": (Status.UNKNOWN, None),
    "": (Status.UNKNOWN, None),
}


@pytest.mark.rule("NX-8-1", "NX-8-2", "NX-8-3", "NX-8-4", "NX-8-5", "NX-8-6", "NX-8-7", "NX-8-8", "NX-8-14", "NX-8-15")
def test_every_status_of_the_simulated_network_has_its_meaning(rules):
    assert {name: tuple(rules.meaning(name)) for name in STATUSES} == MEANINGS


@pytest.mark.rule("NX-8-9", "NX-8-14", "NX-8-15", "NX-8-16")
@pytest.mark.parametrize(("name", "meaning"), OTHER_WORDS.items(), ids=OTHER_WORDS)
def test_other_names_are_read_by_patterns_in_their_order_whatever_their_case(rules, name, meaning):
    assert tuple(rules.meaning(name)) == meaning
    assert tuple(rules.meaning(name.upper())) == meaning


@pytest.mark.rule("NX-8-14")
def test_an_exact_name_goes_before_all_patterns(made):
    exact = {"Returned  to Hub": {"status": "AT_HUB"}, "Delivered Short": {"status": "DELIVERED", "reason": "SHORT"}}
    rules = made(status_map={"exact": exact, "patterns": [{"find": "returned", "status": "EXCEPTION"}]})

    assert tuple(rules.meaning("returned TO hub")) == (Status.AT_HUB, None)
    assert tuple(rules.meaning("Delivered short")) == (Status.DELIVERED, Reason.SHORT)
    # An exception always has a reason.
    assert tuple(rules.meaning("Returned")) == (Status.EXCEPTION, Reason.OTHER)


@pytest.mark.rule("NX-8-16")
@pytest.mark.parametrize(
    ("depot", "delivery_depot", "status"),
    [
        ("PGD302", "PGD302", Status.AT_DELIVERY_DEPOT),
        ("pgd302", "PGD302", Status.AT_DELIVERY_DEPOT),
        ("PGD310", "PGD302", Status.AT_COLLECTION_DEPOT),
        (None, "PGD302", Status.AT_COLLECTION_DEPOT),
        (None, "", Status.AT_COLLECTION_DEPOT),
    ],
)
def test_at_a_depot_means_the_delivery_depot_when_that_is_where_it_was(rules, depot, delivery_depot, status):
    [event] = read(rules, row("Arrived at depot", depotCode=depot), delivery_depot=delivery_depot).events

    assert event.status is status


# Reading the history


def row(name="Collected", **changes):
    plain = {
        "id": 550001, "status": {"id": 9003, "name": name}, "dateTime": "2026-07-13T15:20:00+00:00",
        "depotCode": "PGD302", "barcode": BARCODES[1], "signatory": None, "notes": None,
    }  # fmt: skip
    return {**plain, **changes}


def read(rules, *rows, names=None, delivery_depot="", pallets=None):
    return statuses.read(
        rows,
        rules=rules,
        names=names or {},
        pallets={code: pallet for pallet, code in BARCODES.items()} if pallets is None else pallets,
        delivery_depot=delivery_depot,
        now=NOW,
    )


@pytest.mark.rule("NX-2.8-1", "NX-7-18")
def test_a_row_becomes_an_event_and_what_is_null_is_empty(rules):
    [full, bare] = read(
        rules,
        row("Delivered", barcode=BARCODES[2], signatory="A Person", notes="left side"),
        row(depotCode=None, barcode=None),
    ).events

    assert (full.code, full.status, full.at) == (
        "Delivered",
        Status.DELIVERED,
        datetime(2026, 7, 13, 15, 20, tzinfo=UTC),
    )
    assert (full.barcode, full.pallet, full.depot) == (BARCODES[2], 2, "PGD302")
    assert (full.signatory, full.note, full.raw["id"]) == ("A Person", "left side", "550001")
    assert (bare.barcode, bare.pallet, bare.depot, bare.signatory, bare.note) == ("", None, "", "", "")


@pytest.mark.rule("NX-1-6")
@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-07-13T15:20:00", datetime(2026, 7, 13, 14, 20, tzinfo=UTC)),
        ("2026-01-13 15:20", datetime(2026, 1, 13, 15, 20, tzinfo=UTC)),
        ("2026-07-13T15:20:00Z", datetime(2026, 7, 13, 15, 20, tzinfo=UTC)),
        ("2026-10-25T01:30:00", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
    ],
)
def test_times_without_an_offset_are_londons(rules, text, moment):
    [event] = read(rules, row(dateTime=text)).events

    assert (event.at, event.estimated) == (moment, False)


@pytest.mark.parametrize("wrong", [{"dateTime": None}, {"dateTime": "yesterday"}], ids=str)
def test_without_a_time_the_order_of_the_history_is_kept_and_the_time_is_marked(rules, wrong):
    found = read(rules, row("Manifested", **wrong), row("Booked", **wrong))

    assert [event.estimated for event in found.events] == [True, True]
    assert NOW < found.events[0].at < found.events[1].at < NOW + timedelta(seconds=1)
    assert len(found.faults) == (2 if wrong["dateTime"] else 0)


@pytest.mark.rule("NX-2.9-7", "NX-11-22")
def test_a_status_that_comes_as_an_id_alone_gets_the_name_that_was_looked_up(rules):
    rows = [row(status={"id": 9003, "name": None}), row(status={"id": 77}), row(status=None), row("Booked")]

    assert statuses.nameless(rows, rules) == {9003, 77}
    found = read(rules, *rows, names={9003: "Collected", 77: ""})

    assert [(event.code, event.status) for event in found.events] == [
        ("Collected", Status.COLLECTED),
        ("status 77", Status.UNKNOWN),
        ("Booked", Status.CREATED),
    ]
    assert found.faults == ["Row 3 of the status history has no status"]


@pytest.mark.rule("NX-2.8-1")
def test_the_template_says_where_a_rows_fields_stand(made, mapper):
    places = {**mapper.template.sections["history"], "name": ["state", "status.text"], "at": ["occurredAt", "dateTime"]}
    rules = made(history=places)

    [event] = read(rules, row(status={"text": "At Hub"}, dateTime="2026-07-13T15:20:00Z")).events

    assert (event.code, event.status, event.at.hour) == ("At Hub", Status.AT_HUB, 15)


@pytest.mark.parametrize(
    "hostile",
    [{"notes": "\x00" + "n" * 5000}, {"barcode": {"no": "text"}}, {"signatory": ["a"]}, {"status": {"name": "\ud800x"}},
     {"dateTime": 5}, {"status": {"id": "9" * 40, "name": None}}],
    ids=str,
)  # fmt: skip
def test_a_hostile_row_is_cut_to_what_can_be_stored(rules, hostile):
    [event] = read(rules, row(**hostile)).events

    assert all(len(text) <= 500 and "\x00" not in text for text in (event.code, event.barcode, event.note))
    event.code.encode()


# What is new


@pytest.mark.rule("NX-7-18", "NX-11-23")
def test_an_equal_status_is_no_news_however_often_it_comes(event):
    held = [event("Collected", 1), event("Collected", 1, pallet=2)]

    found = statuses.news(
        held, [*held, event("Collected", 1, pallet=None), event("Collected", 2), event("At Hub", 1)] * 2
    )

    assert [(one.code, one.barcode, one.at) for one in found] == [
        ("Collected", "", at(1)),
        ("Collected", BARCODES[1], at(2)),
        ("At Hub", BARCODES[1], at(1)),
    ]


def test_a_status_without_a_time_is_news_once(event):
    guessed = event("Collected", 0, estimated=True)

    assert statuses.news([], [guessed, guessed._replace(at=at(1))]) == [guessed]
    assert statuses.news([guessed], [guessed._replace(at=at(5))]) == []
    assert statuses.news([event("Collected", 1)], [guessed]) == []
    assert statuses.news([guessed], [event("Collected", 1)]) == [event("Collected", 1)]


@pytest.mark.rule("NX-8-27")
@pytest.mark.parametrize(
    ("read_back", "is_echo"),
    [
        ({"hours": 5}, True),
        ({"hours": 5 + 50 / 3600}, True),
        ({"hours": 5 + 70 / 3600}, False),
        ({"hours": 5, "pallet": None}, True),
        ({"hours": 5, "name": "COLLECTED"}, True),
        ({"hours": 5, "name": "At Hub"}, False),
        ({"hours": 9, "estimated": True}, True),
    ],
    ids=str,
)
def test_what_we_told_ourselves_is_an_echo(event, read_back, is_echo):
    told = [event("Collected", 5, pallet=None)]

    found = event(**{"name": "Collected", **read_back})

    assert statuses.is_echo(found, told, timed=True) is is_echo


@pytest.mark.rule("NX-8-27", "NX-1-6")
def test_an_echo_is_known_again_in_the_doubled_hour_of_autumn(rules, event):
    told = event("Collected", 0, at=datetime(2026, 10, 25, 1, 30, tzinfo=UTC))
    [read_back] = read(rules, row(dateTime="2026-10-25T01:30:00")).events

    assert read_back.at != told.at
    assert statuses.is_echo(read_back, [told], timed=True)


def test_without_a_history_the_name_alone_tells_an_echo(event):
    told = [event("Collected", 5, pallet=None)]

    assert statuses.is_echo(event("Collected", 9, pallet=None), told, timed=False)
    assert not statuses.is_echo(event("At Hub", 5, pallet=None), told, timed=False)


# Without a history


def shown(mapper, rules, **fields):
    return statuses.shown(mapper.reading.reply(fields), rules, NOW)


@pytest.mark.rule("NX-2.8-2", "NX-11-22")
@pytest.mark.parametrize(
    ("fields", "moment"),
    [
        ({"status": {"name": "At Hub"}, "colDate": "2026-07-10", "delDateTime": "2026-07-11T10:00:00Z"}, NOW),
        ({"status": {"name": "Delivered"}, "delDateTime": "2026-07-13T10:00:00"}, at(-0.5)),
        ({"status": {"name": "Delivered"}, "delDateTime": None, "colDate": "2026-07-10"}, NOW),
        ({"status": {"name": "Delivered"}, "delDateTime": "soon"}, NOW),
        ({"status": {"name": "Collected"}, "colDate": "2026-07-13"}, NOW),
        ({"status": {"name": "Collected"}, "colDate": "2026-07-10"}, datetime(2026, 7, 10, 22, 59, tzinfo=UTC)),
        (
            {"status": {"name": "Collected"}, "colDate": "2026-07-10T08:00:00Z"},
            datetime(2026, 7, 10, 22, 59, tzinfo=UTC),
        ),
        ({"status": {"name": "Collected"}}, NOW),
    ],
    ids=str,
)
def test_the_consignments_own_status_has_the_time_that_fits_it(mapper, rules, fields, moment):
    found = shown(mapper, rules, **fields)

    assert (found.code, found.at, found.barcode, found.pallet) == (fields["status"]["name"], moment, "", None)


@pytest.mark.rule("NX-2.8-2")
def test_each_change_of_the_consignments_status_is_one_event(mapper, rules, event):
    assert shown(mapper, rules, status=None) is None
    hub = shown(mapper, rules, status={"name": "At Hub"})

    assert statuses.changed([], None) == []
    assert statuses.changed([], hub) == [hub]
    assert statuses.changed([event("Collected", 1), event("At Hub", 0)], hub) == []
    # What counts is what was heard last, and that may come back.
    assert statuses.changed([event("At Hub", 5), event("Collected", 1)], hub) == [hub]


# What they do to stops


@pytest.mark.rule("NX-8-2", "NX-8-4", "NX-8-5", "NX-8-6", "NX-8-12")
@pytest.mark.parametrize(
    ("roles", "moved"),
    [
        (["delivery"], {"pickup": "completed", "delivery_depot": "completed"}),
        (["requesting", "delivery"], {"pickup": "completed", "delivery_depot": "completed"}),
        (["collecting"], {"delivery": "completed"}),
        (["requesting"], {"delivery": "completed"}),
        (["requesting", "collecting"], {"delivery": "completed"}),
        (["collecting", "delivery"], {}),
        (["requesting", "collecting", "delivery"], {}),
        ([], {}),
    ],
    ids=str,
)
def test_what_moves_depends_on_our_role(event, roles, moved):
    course = [event(name, hours, pallet=None) for hours, name in enumerate(STATUSES[:9])]

    found = statuses.effects(course, BOTH, roles)

    assert {stop: "completed" for stop, effect in found.items() if effect.completed_at} == moved


@pytest.mark.rule("NX-8-5")
def test_out_for_delivery_starts_the_delivery_and_ends_nothing(event):
    found = statuses.effects([event("Out for Delivery", 3, pallet=None)], BOTH, ["requesting"])

    assert found == {"delivery": StopEffect(None, None, None, "", "", started_at=at(3))}
    assert statuses.effects([event("Out for Delivery", 3, pallet=None)], BOTH, ["delivery"]) == {}


@pytest.mark.rule("NX-8-8")
@pytest.mark.parametrize("name", ["Refused", "Failed Delivery", "Damaged", "Short", "Returned", "Not collected"])
def test_an_exception_completes_nothing(event, name):
    for roles in (["delivery"], ["requesting"], ["collecting"]):
        assert statuses.effects([event(name, 3, pallet=None)], BOTH, roles) == {}


@pytest.mark.rule("NX-8-11", "NX-11-23")
def test_a_stop_moves_only_when_every_barcode_has_the_status(event):
    first, second = event("Collected", 1), event("Collected", 4, pallet=2)

    assert statuses.effects([first], BOTH, ["delivery"]) == {}
    assert statuses.effects([first, event("At Hub", 5, pallet=2)], BOTH, ["delivery"]) == {}
    assert statuses.effects([second, first], BOTH, ["delivery"])["pickup"].completed_at == at(4)
    assert statuses.effects([first, event("Collected", 9, pallet=None)], BOTH, ["delivery"])[
        "pickup"
    ].completed_at == at(9)
    # A barcode of none of our pallets counts for none.
    unknown = event("Collected", 2)._replace(barcode="77", pallet=None)
    assert statuses.effects([first, unknown], BOTH, ["delivery"]) == {}
    assert statuses.effects([], (), ["delivery"]) == {}


@pytest.mark.rule("NX-8-11")
def test_an_event_without_barcode_counts_for_all(event):
    found = statuses.effects([event("Delivered", 2, pallet=None, signatory="A Person")], BOTH, ["collecting"])

    assert found["delivery"] == StopEffect(None, at(2), Outcome.CLEAN, "", "A Person")


@pytest.mark.rule("NX-8-10")
def test_it_happens_once_at_the_first_time_that_all_have_it(event):
    course = [
        event("Delivered", 2),
        event("Delivered", 3, pallet=2),
        event("Delivered", 9),
        event("Delivered", 9, pallet=2),
    ]

    assert statuses.effects(course, BOTH, ["requesting"])["delivery"].completed_at == at(3)


@pytest.mark.rule("NX-8-27")
def test_what_we_told_moves_nothing(event):
    assert statuses.effects([event("Collected", 1, pallet=None, echo=True)], BOTH, ["delivery"]) == {}


def test_a_delivery_with_a_reason_is_unclean(made, event):
    damaged = {"status": Status.DELIVERED, "reason": Reason.DAMAGED, "note": "torn"}
    short = {"status": Status.DELIVERED, "reason": Reason.SHORT, "note": "one box"}

    [worst] = statuses.effects(
        [event("A", 1, **short), event("B", 2, pallet=2, **damaged)], BOTH, ["requesting"]
    ).values()
    [other] = statuses.effects([event("A", 1, pallet=None, **short)], BOTH, ["requesting"]).values()

    assert (worst.outcome, worst.reason) == (Outcome.DAMAGED, "torn")
    assert (other.outcome, other.reason) == (Outcome.EXCEPTION, "one box")


@pytest.mark.rule("NX-7-19", "NX-11-23")
def test_any_order_of_arrival_comes_to_the_same(event):
    course = [
        event("Collected", 1), event("Collected", 2, pallet=2), event("Out for Delivery", 5, pallet=None),
        event("Delivered", 7, signatory="A"), event("Delivered", 8, pallet=2, signatory="B"),
    ]  # fmt: skip
    for roles in (["delivery"], ["requesting"]):
        in_order = statuses.effects(course, BOTH, roles)
        assert all(statuses.effects(list(other), BOTH, roles) == in_order for other in itertools.permutations(course))


# When it is expected


@pytest.mark.rule("NX-10-12")
@pytest.mark.parametrize(
    ("fields", "eta"),
    [
        (("2026-07-14", "10:20", "10:20", "11:20"), Eta(utc(14, 9, 20), utc(14, 10, 20))),
        (("2026-07-14", "10:20", None, None), Eta(utc(14, 9, 20), None)),
        (("2026-07-14", None, "08:00", "12:00"), Eta(utc(14, 7, 0), utc(14, 11, 0))),
        # An end that lies before it is of something else.
        (("2026-01-14", "14:00:00", None, "12:00"), Eta(utc(14, 14, 0, month=1), None)),
        (("2026-07-14", None, None, "12:00"), None),
        (("2026-07-14", None, None, None), None),
        ((None, "10:20", "10:20", "11:20"), None),
        (("soon", "10:20", None, None), None),
        (("2026-07-14", "later", None, None), None),
    ],
    ids=str,
)  # fmt: skip
def test_when_the_delivering_depot_expects_to_be_there(mapper, rules, fields, eta):
    names = ("estimatedDelDate", "estimatedDelTime", "startWindow", "endWindow")
    reply = mapper.reading.reply(dict(zip(names, fields, strict=True)))

    assert statuses.eta(reply, rules) == eta


# Barcodes


@pytest.mark.rule("NX-3-4")
@pytest.mark.parametrize(
    ("listed", "current", "adopted"),
    [
        (["A", "B"], {1: "A", 2: "B"}, {}),
        (["B", "A"], {1: "A", 2: "B"}, {}),
        (["A", "C"], {1: "A", 2: "B"}, {2: "C"}),
        (["C", "A"], {1: "A", 2: "B"}, {2: "C"}),
        (["C", "D"], {1: "A", 2: "B"}, {1: "C", 2: "D"}),
        (["C", "D"], {}, {1: "C", 2: "D"}),
        (["C", "B"], {2: "B"}, {1: "C"}),
        # None of these says which pallet has which.
        (["C"], {1: "A", 2: "B"}, {}),
        (["C", ""], {1: "A", 2: "B"}, {}),
        (["C", "C"], {1: "A", 2: "B"}, {}),
        ([], {1: "A", 2: "B"}, {}),
    ],
    ids=str,
)
def test_barcodes_that_nexus_lists_are_taken_where_a_pallet_needs_one(listed, current, adopted):
    assert statuses.drift(listed, BOTH, current).adopted == adopted


# What we owe


_ids = itertools.count(1)


def stop(place: str, event: str, hours: float, outcome: str | None = None, **extra) -> Movement:
    if (place, event) == ("delivery", "completed"):
        outcome = outcome or "CLEAN"
    return moved(event, place, None, hours, outcome=outcome, **extra)


def scan(what: str, pallet: int, hours: float) -> Movement:
    return moved("scanned", what, pallet, hours)


def moved(event, place, pallet, hours, outcome=None, reason="", signatory="") -> Movement:
    return Movement(next(_ids), event, place, pallet, at(hours), outcome, reason, signatory, "", "")


@pytest.fixture
def owed(mapper, rules):
    """What is owed after these movements, as (template's key, hours after NOW)."""

    def told(role: str, *movements: Movement, kept=(), pallets=2, **names):
        facts = ExportFacts(
            "700001", True, "completed", [role], "PGD302", "PGD302",
            dict.fromkeys(range(1, pallets + 1), ""), list(movements), set(),
        )  # fmt: skip
        export = {**mapper.template.sections["status_export"], **names}
        found = reports.owed(facts, role, list(kept), rules, export)
        return [(one.key, (one.at - NOW) / timedelta(hours=1)) for one in found]

    return told


def kept(status: str, hours: float, *, sent: bool = True, refusal: str = "", code: str = "") -> Kept:
    return Kept(next(_ids), code or status, status, at(hours), sent, refusal)


@pytest.mark.rule("NX-8-17", "NX-8-19", "NX-8-20", "NX-8-21", "NX-8-22", "NX-8-23")
def test_each_role_tells_of_its_own_stops(owed):
    round_trip = [
        stop("pickup", "arrived", 0.5), stop("pickup", "completed", 1), stop("collection_depot", "arrived", 2),
        stop("collection_depot", "completed", 3), stop("delivery_depot", "arrived", 10),
        stop("delivery_depot", "completed", 12), stop("delivery", "arrived", 13), stop("delivery", "completed", 14),
    ]  # fmt: skip

    assert owed("collecting", *round_trip) == [("COLLECTED", 1), ("AT_COLLECTION_DEPOT", 2)]
    assert owed("delivery", *round_trip) == [("AT_DELIVERY_DEPOT", 10), ("OUT_FOR_DELIVERY", 12), ("DELIVERED", 14)]


@pytest.mark.rule("NX-8-12")
@pytest.mark.parametrize(
    ("roles", "role"),
    [
        (["requesting"], None),
        (["collecting", "delivery"], None),
        (["requesting", "collecting", "delivery"], None),
        ([], None),
        (["requesting", "collecting"], "collecting"),
        (["requesting", "delivery"], "delivery"),
    ],
    ids=str,
)
def test_the_role_in_which_we_tell(roles, role):
    assert reports.telling_role(roles) == role


@pytest.mark.rule("NX-8-20")
def test_a_collection_depot_that_reports_only_the_leaving_was_reached_by_then(owed):
    assert owed("collecting", stop("collection_depot", "completed", 3)) == [("AT_COLLECTION_DEPOT", 3)]


@pytest.mark.rule("NX-8-21", "NX-8-22", "NX-8-26")
def test_scans_tell_only_once_every_pallet_has_one(owed):
    assert owed("delivery", scan("receipt", 1, 5)) == []
    assert owed("delivery", scan("receipt", 1, 5), scan("trunk_arrival", 2, 6)) == [("AT_DELIVERY_DEPOT", 6)]
    loaded = [scan("onto_delivery_vehicle", 2, 8), scan("onto_delivery_vehicle", 1, 7)]
    assert owed("delivery", *loaded) == [("OUT_FOR_DELIVERY", 8)]
    # The stop speaks for all of them.
    assert owed("delivery", scan("onto_delivery_vehicle", 1, 7), stop("delivery_depot", "completed", 7.5)) == [
        ("OUT_FOR_DELIVERY", 7.5)
    ]
    assert owed("collecting", scan("onto_trunk", 1, 4), scan("onto_trunk", 2, 4)) == []


@pytest.mark.rule("NX-8-23")
@pytest.mark.parametrize(
    ("outcome", "reason", "key"),
    [
        ("CLEAN", "", "DELIVERED"),
        ("DAMAGED", "torn", "DELIVERED"),
        ("EXCEPTION", "one box short", "DELIVERED"),
        ("NOT_DELIVERED", "", "NOT_DELIVERED"),
        ("NOT_DELIVERED", "closed", "NOT_DELIVERED"),
        ("NOT_DELIVERED", "Refused by goods in", "REFUSED"),
        ("NOT_DELIVERED", "pallet damaged", "DAMAGED"),
        # Without a name of its own it is what it is.
        ("NOT_DELIVERED", "one short", "NOT_DELIVERED"),
        ("NOT_DELIVERED", "delivered next door", "NOT_DELIVERED"),
    ],
    ids=str,
)
def test_how_a_delivery_ended_decides_what_is_told(owed, outcome, reason, key):
    assert owed("delivery", stop("delivery", "completed", 14, outcome, reason=reason)) == [(key, 14)]


@pytest.mark.rule("NX-8-18")
def test_an_empty_name_switches_a_status_off(owed):
    course = [stop("delivery_depot", "arrived", 10), stop("delivery", "completed", 14)]

    assert owed("delivery", *course, AT_DELIVERY_DEPOT="") == [("DELIVERED", 14)]
    refused = stop("delivery", "completed", 14, "NOT_DELIVERED", reason="refused")
    assert owed("delivery", refused, REFUSED="") == [("NOT_DELIVERED", 14)]


@pytest.mark.rule("NX-8-26")
def test_a_status_is_owed_once_however_often_its_stop_is_reported(owed):
    again = [stop("delivery", "completed", 15), stop("delivery", "completed", 14, signatory="A Person")]

    assert owed("delivery", *again) == [("DELIVERED", 14)]
    assert owed("delivery", *again, kept=[kept("DELIVERED", 15)]) == []
    # One that may have gone is known again by its time, even if an earlier one is reported meanwhile.
    assert owed("delivery", *again, kept=[kept("DELIVERED", 15, sent=False)]) == [("DELIVERED", 15)]
    assert owed("delivery", *again, kept=[kept("DELIVERED", 15, sent=False, refusal="HTTP 400")]) == [("DELIVERED", 15)]
    dropped = kept("DELIVERED", 14, sent=False, refusal=f"{reports.DROPPED}too old")
    assert owed("delivery", *again, kept=[dropped]) == []


@pytest.mark.rule("NX-8-26")
def test_a_delivery_that_is_tried_again_is_another_stop(owed):
    course = [
        stop("delivery_depot", "completed", 7), stop("delivery", "completed", 9, "NOT_DELIVERED"),
        stop("delivery_depot", "completed", 31), stop("delivery", "completed", 33, "NOT_DELIVERED"),
        stop("delivery_depot", "completed", 55), stop("delivery", "completed", 57),
    ]  # fmt: skip

    assert owed("delivery", *course) == [
        ("OUT_FOR_DELIVERY", 7), ("NOT_DELIVERED", 9), ("OUT_FOR_DELIVERY", 31), ("NOT_DELIVERED", 33),
        ("OUT_FOR_DELIVERY", 55), ("DELIVERED", 57),
    ]  # fmt: skip
    told = [kept("OUT_FOR_DELIVERY", 7), kept("EXCEPTION", 9), kept("OUT_FOR_DELIVERY", 31)]
    assert owed("delivery", *course, kept=told) == [("NOT_DELIVERED", 33), ("OUT_FOR_DELIVERY", 55), ("DELIVERED", 57)]


@pytest.mark.rule("NX-8-26")
def test_statuses_of_one_moment_go_in_the_order_of_a_course(owed):
    course = [
        stop("delivery", "completed", 9),
        stop("delivery_depot", "completed", 9),
        stop("delivery_depot", "arrived", 9),
    ]

    assert [key for key, _ in owed("delivery", *course)] == ["AT_DELIVERY_DEPOT", "OUT_FOR_DELIVERY", "DELIVERED"]


@pytest.fixture
def one(mapper, rules):
    """A status that is owed: out for delivery at hour 7, a failed delivery at 9, out again at 31; by its hour."""
    movements = [
        stop("delivery_depot", "completed", 7),
        stop("delivery", "completed", 9, "NOT_DELIVERED", reason="closed", signatory="nobody"),
        stop("delivery_depot", "completed", 31),
    ]
    facts = ExportFacts(
        "700001", True, "completed", ["delivery"], "PGD310", "PGD302", dict.fromkeys(BOTH, ""), movements, set()
    )

    def at_hour(hours: float, **replaced):
        names = mapper.template.sections["status_export"]
        [found] = [one for one in reports.owed(facts, "delivery", [], rules, names) if one.at == at(hours)]
        return found._replace(**replaced)

    at_hour.attempts = Attempts(movements)
    return at_hour


@pytest.mark.rule("NX-8-27", "NX-8-28")
def test_what_the_history_has_of_all_pallets_in_this_attempt_is_there(event, one):
    def is_there(owed, *events):
        return reports.in_history(owed, events, 2, one.attempts)

    assert not is_there(one(7))
    assert is_there(one(7), event("Out for Delivery", 7, pallet=None))
    assert is_there(one(7), event("OUT FOR DELIVERY", 6.5), event("Out for Delivery", 6.6, pallet=2))
    assert not is_there(one(7), event("Out for Delivery", 7))
    assert not is_there(one(7), event("Delivered", 7, pallet=None))
    assert not is_there(one(31), event("Out for Delivery", 7, pallet=None))
    assert is_there(one(31), event("Out for Delivery", 31, pallet=None))


@pytest.mark.rule("NX-8-28")
def test_without_a_history_the_consignments_status_tells_what_may_have_arrived(event, one):
    begun, held = (kept("OUT_FOR_DELIVERY", 7, sent=False, refusal=refusal) for refusal in ("", "held: off"))

    assert not reports.in_status(one(7), None)
    assert reports.in_status(one(7), event("Out for Delivery", 7, pallet=None))
    assert not reports.in_status(one(7, kept=begun), event("At Hub", 5, pallet=None))
    # Beyond it: one that never left us is sent, one that may have is not sent twice.
    assert not reports.in_status(one(7), event("Delivered", 8, pallet=None))
    assert not reports.in_status(one(7, kept=held), event("Delivered", 8, pallet=None))
    assert reports.in_status(one(7, kept=begun), event("Delivered", 8, pallet=None))


@pytest.mark.rule("NX-2.8-3", "NX-8-23", "NX-1-7")
def test_what_goes_to_nexus(mapper, rules, one):
    fields = mapper.template.sections["status_post"]
    failed = reports.element(one(9), "PGD302", 4)

    assert (failed["status"], failed["reason"], failed["pallet"]) == ("EXCEPTION", "NOT_DELIVERED", None)
    assert reports.body(failed, 9011, rules, fields) == {
        "statusID": 9011, "dateTime": "2026-07-13T18:30:00+00:00", "depotCode": "PGD302", "signatory": "nobody",
        "notes": "clos",
    }  # fmt: skip
    loaded = reports.body(reports.element(one(7), "PGD302", 250), 9008, rules, {**fields, "note": "remark"})
    assert (loaded["signatory"], loaded["remark"]) == (None, None)
