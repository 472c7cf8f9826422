"""What Palletforce's statuses mean, without network and order store (contract 2.3, 3 and 5)."""

import itertools
import json
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from palletflow.networks.palletforce import barcodes, settings, statuses
from palletflow.networks.palletforce.mapper import preview
from palletflow.networks.palletforce.statuses import Rules
from palletflow.orders.lifecycle import Outcome, Reason, Status
from palletflow.orders.tracking import Event

NOW = datetime(2026, 7, 13, 9, 30, tzinfo=UTC)
NUMBER = "9000010000123"
BOTH = (1, 2)
OUTCOMES = ("POD", "PODD", "PODE", "DMGD", "ABRT")


def code_of(pallet: int, depot: str = "901", service: str = "A") -> str:
    return barcodes.build(depot, service, NUMBER, pallet)


@pytest.fixture
def made(plan):
    def make(**extra) -> Rules:
        parsed = settings.parse("palletforce_900", "https://example.com", "key", extra)
        return Rules(preview(plan).template.sections["statuses"], parsed)

    return make


@pytest.fixture
def rules(made) -> Rules:
    return made()


@pytest.fixture
def event(rules):
    """Makes an event of a pallet, so many hours after NOW; pallet None is all of them."""

    def make(code: str, hours: float, pallet: int | None = 1, barcode: str | None = None, **extra) -> Event:
        meaning = rules.codes.get(code)
        return Event(
            code=code,
            status=meaning.status if meaning else Status.UNKNOWN,
            reason=meaning.reason if meaning else None,
            barcode=barcode if barcode is not None else ("" if pallet is None else code_of(pallet)),
            pallet=pallet,
            at=NOW + timedelta(hours=hours),
            **{
                "estimated": False,
                "depot": "",
                "signatory": "",
                "note": "",
                "latitude": "",
                "longitude": "",
                "echo": False,
                "raw": {},
                **extra,
            },
        )

    return make


def read(rules, *elements, known=None):
    return statuses.read(list(elements), NUMBER, rules=rules, aliases={}, known=known or {}, now=NOW)


# Reading the wire


@pytest.mark.rule("PF-2.3-3", "PF-2.3-4", "PF-2.3-5")
def test_an_element_becomes_an_event_and_what_is_absent_is_empty(rules):
    full = {
        "trackingNumber": NUMBER, "barcode": code_of(2), "eventCode": "POD", "eventDateTime": "2026-07-14T10:12:00",
        "depot": "901", "signatory": "J SMITH", "note": "left side", "latitude": "53.8", "longitude": "-1.5",
    }  # fmt: skip
    bare = {"eventCode": "POC", "eventDateTime": "2026-07-13T14:05:00"}

    [delivered, collected] = read(rules, full, bare).events

    assert delivered.pallet == 2
    assert (delivered.status, delivered.at) == (Status.DELIVERED, datetime(2026, 7, 14, 9, 12, tzinfo=UTC))
    assert (delivered.depot, delivered.signatory, delivered.note) == ("901", "J SMITH", "left side")
    assert (delivered.latitude, delivered.longitude) == ("53.8", "-1.5")
    assert delivered.raw["eventcode"] == "POD"
    assert (collected.barcode, collected.pallet, collected.depot, collected.signatory) == ("", None, "", "")


@pytest.mark.rule("PF-2.3-7")
@pytest.mark.parametrize(
    "given",
    [
        {"eventDateTime": "2026-07-13T14:05:00"},
        {"eventDateTime": "2026-07-13 14:05"},
        {"eventDateTime": "2026-07-13T13:05:00Z"},
        {"eventDateTime": "2026-07-13T14:05:00+01:00"},
        {"eventDateTime": "2026-07-13 14:05:00 +0100"},
        {"eventDateTime": "2026-07-13T14:05:00.0000000"},
        {"eventDateTime": "202607131405"},
        {"eventDateTime": "20260713140500"},
        {"eventDateTime": "13/07/2026 14:05"},
        {"eventDateTime": "13/07/2026 14:05:00"},
        {"eventDate": "2026-07-13", "eventTime": "14:05"},
        {"eventDate": "20260713", "eventTime": "1405"},
        {"eventDate": "13/07/2026", "eventTime": "140500"},
        {" EventDateTime ": " 2026-07-13T14:05:00 "},
    ],
    ids=str,
)
def test_times_are_read_leniently(rules, given):
    [event] = read(rules, {"eventCode": "POC", **given}).events

    assert (event.at, event.estimated) == (datetime(2026, 7, 13, 13, 5, tzinfo=UTC), False)


@pytest.mark.rule("PF-2.3-7")
def test_a_time_of_day_with_one_digit_and_a_time_in_winter(rules):
    [event] = read(rules, {"eventCode": "POC", "eventDate": "13/01/2026", "eventTime": "7:05"}).events

    assert event.at == datetime(2026, 1, 13, 7, 5, tzinfo=UTC)


@pytest.mark.rule("PF-2.3-7")
@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("%m/%d/%Y %H:%M:%S", "07/08/2026 14:05:00"),
        ("%Y%m%d%H%M%S", "20260708140500"),
        ("%H:%M:%S %d.%m.%Y", "14:05:00 08.07.2026"),
    ],
)
def test_the_connections_own_form_comes_first(made, form, text):
    [event] = read(made(datetime_format=form), {"eventCode": "POC", "eventDateTime": text}).events

    assert event.at == datetime(2026, 7, 8, 13, 5, tzinfo=UTC)


@pytest.mark.rule("PF-2.3-8")
def test_without_a_time_the_order_of_the_list_is_kept_and_the_time_is_marked(rules):
    codes = ["SCOT", "POC", "ARRD", "ARRH"]

    events = read(rules, *({"eventCode": code} for code in codes)).events

    assert [event.code for event in sorted(events, key=rules.order)] == codes
    assert all(event.estimated and event.at - NOW < timedelta(seconds=1) for event in events)


@pytest.mark.rule("PF-2.3-8")
@pytest.mark.parametrize("text", ["soon", "2026-13-45T99:99:99", "9" * 40, "0000-00-00", "31/02/2026 10:00"])
def test_a_time_that_is_none_counts_as_no_time_and_is_said(rules, text):
    found = read(rules, {"eventCode": "POC", "eventDateTime": text})

    assert found.events[0].estimated
    assert "a time that is none" in found.faults[0]


@pytest.mark.parametrize(
    "bad",
    [None, 7, "POC", [], {}, {"eventCode": ""}, {"eventCode": None}, {"eventCode": {"a": 1}}, {"barcode": code_of(1)},
     {"eventCode": "POC", "trackingNumber": "9000010000999"}],
    ids=str,
)  # fmt: skip
def test_a_bad_element_is_said_and_stops_no_other(rules, bad):
    good = {"eventCode": "POC", "eventDateTime": "2026-07-13T14:05:00"}

    found = read(rules, bad, good)

    assert [event.code for event in found.events] == ["POC"]
    assert len(found.faults) == 1


def test_texts_that_no_database_takes_are_made_storable(rules):
    [event] = read(
        rules, {"eventCode": "po\x00c"[:2] + "c", "note": "a\x00b\ud800c\n", "x" * 3: "\x00", "barcode": "9" * 500}
    ).events

    assert (event.code, event.note) == ("POC", "a b c")
    assert len(event.barcode) <= 60
    json.dumps(event.raw).encode()
    assert "\x00" not in "".join(event.raw.values())


# Dedupe


@pytest.mark.rule("PF-2.3-9")
def test_equal_events_are_one_and_another_barcode_code_or_time_is_another(event):
    one = event("POC", 1)
    others = [event("POC", 1, 2), event("SCOT", 1), event("POC", 2)]

    found = statuses.news([one], [one, one, *others, *others])

    assert sorted(found.events, key=repr) == sorted(others, key=repr)


@pytest.mark.rule("PF-2.3-9", "PF-2.3-8")
def test_without_a_time_barcode_and_code_decide_and_the_real_time_replaces_the_estimate(event):
    guessed, later_guess, real = event("POC", 3, estimated=True), event("POC", 4, estimated=True), event("POC", 1)

    assert statuses.news([guessed], [later_guess]) == ([], [])
    assert statuses.news([real], [guessed]) == ([], [])
    assert statuses.news([guessed], [real]) == ([], [real])
    assert statuses.news([guessed], [real, real]) == ([], [real])
    assert statuses.news([], [guessed, real]) == ([real], [])
    another = event("POC", 2)
    assert statuses.news([guessed], [real, another]) == ([another], [real])


# Effects by role


def effect(rules, role, *events, pallets=BOTH):
    roles = role if isinstance(role, list) else [role]
    return statuses.effects(events, pallets, roles, rules)


@pytest.mark.parametrize(
    ("role", "code", "stop", "kind"),
    [
        pytest.param("delivery", "POC", "pickup", "completed_at", marks=pytest.mark.rule("PF-5-1")),
        pytest.param("collecting", "SCOT", "collection_depot", "completed_at", marks=pytest.mark.rule("PF-5-2")),
        pytest.param("delivery", "ARRD", "delivery_depot", "completed_at", marks=pytest.mark.rule("PF-5-5")),
        pytest.param("collecting", "ARDL", "delivery", "arrived_at", marks=pytest.mark.rule("PF-5-8")),
        pytest.param("collecting", "POD", "delivery", "completed_at", marks=pytest.mark.rule("PF-5-9")),
        pytest.param("collecting", "PODD", "delivery", "completed_at", marks=pytest.mark.rule("PF-5-10")),
        pytest.param("collecting", "PODE", "delivery", "completed_at", marks=pytest.mark.rule("PF-5-10")),
        pytest.param("collecting", "DMGD", "delivery", "completed_at", marks=pytest.mark.rule("PF-5-11")),
        pytest.param("collecting", "ABRT", "delivery", "completed_at", marks=pytest.mark.rule("PF-5-11")),
        pytest.param("requesting", "POC", "pickup", "completed_at", marks=pytest.mark.rule("PF-5-17")),
        pytest.param("requesting", "ARDL", "delivery", "arrived_at", marks=pytest.mark.rule("PF-5-17")),
        pytest.param("requesting", "POD", "delivery", "completed_at", marks=pytest.mark.rule("PF-5-17")),
    ],
)
@pytest.mark.rule("PF-5-15")
def test_a_status_of_all_pallets_moves_a_stop_at_the_latest_time(rules, event, role, code, stop, kind):
    first, last = event(code, 1, 2), event(code, 3, 1)

    assert effect(rules, role, first) == {}
    found = effect(rules, role, first, last)

    assert list(found) == [stop]
    assert getattr(found[stop], kind) == last.at


@pytest.mark.parametrize(
    ("role", "codes"),
    [
        pytest.param("delivery", ["SCOT", "ARRH", "SRID", "DELV", "DONR", "ARDL", *OUTCOMES], id="delivery"),
        pytest.param("collecting", ["POC", "ARRH", "SRID", "ARRD", "DELV", "DONR"], id="collecting"),
        pytest.param("requesting", ["SCOT", "ARRH", "SRID", "ARRD", "DELV", "DONR"], id="requesting"),
    ],
)
@pytest.mark.rule("PF-5-3", "PF-5-4", "PF-5-6", "PF-5-7")
def test_all_other_codes_are_history(rules, event, role, codes):
    events = [event(code, hours, None) for hours, code in enumerate(codes)]

    assert effect(rules, role, *events) == {}


@pytest.mark.rule("PF-5-6")
def test_delv_never_completes_a_delivery(rules, event):
    for roles in (["collecting"], ["delivery"], ["requesting"], ["requesting", "collecting"]):
        assert effect(rules, roles, event("DELV", 1, None)) == {}


@pytest.mark.rule("PF-5-17")
def test_requesting_acts_only_without_a_leg_of_ours(rules, event):
    collected = event("POC", 1, None)

    assert effect(rules, ["requesting", "collecting"], collected) == {}
    assert list(effect(rules, ["requesting", "delivery"], collected)) == ["pickup"]


@pytest.mark.rule("PF-5-18")
def test_where_both_legs_are_ours_statuses_are_history_only(rules, event):
    events = [event(code, hours, None) for hours, code in enumerate(rules.codes)]

    assert effect(rules, ["requesting", "collecting", "delivery"], *events) == {}


@pytest.mark.rule("PF-5-19")
def test_an_echo_has_no_effect(rules, event):
    assert effect(rules, "collecting", event("SCOT", 1, None, echo=True)) == {}


# All barcodes, outcomes


@pytest.mark.rule("PF-5-13")
def test_pallets_are_counted_not_barcodes_seen(rules, event):
    """A third pallet of which nothing was ever heard holds the stop."""
    events = [event("POC", 1, 1), event("POC", 1, 2)]

    assert effect(rules, "delivery", *events, pallets=(1, 2, 3)) == {}
    assert effect(rules, "delivery", *events, event("POC", 1, 3), pallets=(1, 2, 3))
    # A barcode of a pallet that is not on the consignment counts for none.
    assert effect(rules, "delivery", event("POC", 1, 1), event("POC", 1, 4)) == {}
    # One pallet's old and new barcode are still one pallet.
    assert effect(rules, "delivery", event("POC", 1, 1), event("POC", 2, 1, code_of(1, "902"))) == {}


@pytest.mark.rule("PF-5-13", "PF-2.3-4")
def test_a_status_without_a_barcode_is_of_all_pallets(rules, event):
    assert effect(rules, "delivery", event("POC", 1, None))["pickup"].completed_at


@pytest.mark.rule("PF-5-14")
@pytest.mark.parametrize("worse", range(len(OUTCOMES) - 1))
def test_codes_of_one_effect_count_together_and_the_worst_outcome_is_the_consignments(rules, event, worse):
    ordered = ["ABRT", "DMGD", "PODD", "PODE", "POD"]
    bad, good = ordered[worse], ordered[worse + 1]

    found = effect(rules, "collecting", event(bad, 1, 1, note="torn"), event(good, 2, 2, signatory="J SMITH"))

    assert found["delivery"].outcome == rules.codes[bad].outcome
    assert (found["delivery"].reason, found["delivery"].signatory) == ("torn", "J SMITH")


@pytest.mark.rule("PF-5-14")
def test_the_rule_same_code_waits_until_all_pallets_have_the_same_one(made, event):
    strict = made(all_barcodes_rule="same_code")
    mixed = [event("POD", 1, 1), event("PODD", 1, 2)]

    assert effect(strict, "collecting", *mixed) == {}
    assert effect(strict, "collecting", *mixed, event("POD", 2, 2))["delivery"].outcome is Outcome.CLEAN


@pytest.mark.rule("PF-5-14")
def test_each_pallet_has_its_latest_outcome(rules, event):
    events = [event("ABRT", 1, None), event("POD", 20, 1), event("PODE", 21, 2)]

    found = effect(rules, "collecting", *events)["delivery"]

    assert (found.outcome, found.completed_at) == (Outcome.EXCEPTION, NOW + timedelta(hours=21))


@pytest.mark.rule("PF-5-16")
@pytest.mark.parametrize("again", ["DELV", "ARDL"])
def test_a_new_attempt_reopens_the_outcome_and_not_the_stop(rules, event, again):
    failed = event("ABRT", 1, None, note="closed")

    found = effect(rules, "collecting", failed, event(again, 20, 2))["delivery"]

    assert (found.completed_at, found.outcome, found.reason) == (failed.at, None, "")


@pytest.mark.rule("PF-5-16")
@pytest.mark.parametrize("code", ["POD", "PODD", "PODE", "DMGD"])
def test_only_a_failed_delivery_is_reopened(rules, event, code):
    found = effect(rules, "collecting", event(code, 1, None), event("DELV", 20, None))["delivery"]

    assert found.outcome == rules.codes[code].outcome


@pytest.mark.rule("PF-5-20")
def test_of_the_same_time_the_rank_decides(rules, event):
    at_once = [event(code, 1, None) for code in rules.codes]
    random.Random(1).shuffle(at_once)

    codes = [event.code for event in sorted(at_once, key=rules.order)]

    assert codes[:8] == ["POC", "SCOT", "ARRH", "SRID", "ARRD", "DELV", "DONR", "ARDL"]
    assert set(codes[8:]) == set(OUTCOMES)
    # A new attempt at the very moment of the failure comes before it.
    assert effect(rules, "collecting", event("ABRT", 1, None), event("DELV", 1, None))["delivery"].outcome


@pytest.mark.rule("PF-5-20")
@pytest.mark.parametrize("seed", range(40))
def test_any_order_and_doubling_of_the_same_events_has_the_same_effects(rules, event, seed):
    draw = random.Random(seed)
    codes = [draw.choice([*rules.codes, "ZZZZ"]) for _ in range(draw.randint(1, 12))]
    events = [event(code, draw.randint(0, 6), draw.choice([1, 2, 2, None])) for code in codes]
    role = draw.choice(["delivery", "collecting", "requesting"])
    wanted = effect(rules, role, *statuses.news([], events).events)

    for _ in range(5):
        shuffled = draw.sample(events * 2, len(events) * 2)
        cut = draw.randint(0, len(shuffled))
        held = statuses.news([], shuffled[:cut]).events
        everything = [*held, *statuses.news(held, shuffled[cut:]).events]
        assert effect(rules, role, *everything) == wanted


# Echoes


@pytest.mark.rule("PF-5-19")
@pytest.mark.parametrize(("seconds", "is_ours"), [(0, True), (60, True), (61, False), (-60, True), (-61, False)])
def test_what_we_told_is_known_again_within_the_window(rules, event, seconds, is_ours):
    told = event("POC", 1)
    heard = told._replace(at=told.at + timedelta(seconds=seconds))

    assert statuses.is_echo(heard, [told], rules) is is_ours


@pytest.mark.rule("PF-5-19")
def test_another_barcode_or_code_is_no_echo_and_the_window_is_a_setting(made, rules, event):
    told = event("POC", 1)

    assert not statuses.is_echo(event("POC", 1, 2), [told], rules)
    assert not statuses.is_echo(event("SCOT", 1), [told], rules)
    assert statuses.is_echo(event("POC", 1.5), [told], made(echo_window_s="1800"))
    assert statuses.is_echo(event("POC", 5, estimated=True), [told], rules)


@pytest.mark.rule("PF-5-19")
def test_an_echo_is_known_in_the_hour_that_autumn_has_twice(rules, event):
    """The wire has no offset: told at the second 01:30, it is read back as the first."""
    second = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    told = event("POC", 0)._replace(at=second)
    heard = told._replace(at=rules.local_time.read(rules.local_time.write(second)))

    assert heard.at == second - timedelta(hours=1)
    assert statuses.is_echo(heard, [told], rules)


# When polling ends


@pytest.mark.rule("PF-2.3-10")
def test_polling_ends_once_all_pallets_have_pod_podd_or_pode(rules, event):
    def ended(*events):
        return statuses.ended_at(events, BOTH, rules)

    assert ended(event("POD", 1, 1)) is None
    assert ended(event("POD", 1, 1), event("PODD", 3, 2)) == NOW + timedelta(hours=3)
    assert ended(event("PODE", 2, None)) == NOW + timedelta(hours=2)
    for code in ("ABRT", "DMGD", "ARDL"):
        assert ended(event("POD", 1, 1), event(code, 3, 2)) is None
    assert ended(event("POD", 1, None, echo=True))


# Barcodes


ROUTING = statuses.Routing(NUMBER, "901", "A", NOW)


def drifted(rules, *events, current=None, known=None, routing=ROUTING):
    ours = {1: code_of(1), 2: code_of(2)} if current is None else current
    return statuses.drift(events, BOTH, ours, known or set(ours.values()), routing, rules)


@pytest.mark.rule("PF-3-14")
def test_a_status_confirms_the_expected_barcode(rules, event):
    found = drifted(rules, event("POC", 1, 1))

    assert (found.confirmed, found.adopted, found.older, found.foreign) == ([code_of(1)], [], [], [])


@pytest.mark.rule("PF-3-16")
@pytest.mark.parametrize(("depot", "service"), [("902", "A"), ("901", "B"), ("902", "B")])
def test_a_changed_barcode_of_the_same_pallet_is_adopted(rules, event, depot, service):
    new = code_of(1, depot, service)

    found = drifted(rules, event("POC", 1, 1, new))

    assert (found.adopted, found.confirmed) == ([(1, new)], [new])


@pytest.mark.rule("PF-3-16")
def test_the_newest_status_decides_in_whatever_order_they_come(rules, event):
    old, new = event("POC", 1, 1), event("SCOT", 2, 1, code_of(1, "902"))

    for events in itertools.permutations([old, new]):
        assert drifted(rules, *events).adopted == [(1, code_of(1, "902"))]
    # Once adopted, an old status that comes late changes nothing.
    found = drifted(rules, old, new, current={1: code_of(1, "902"), 2: code_of(2)})
    assert (found.adopted, found.older) == ([], [(1, code_of(1))])


@pytest.mark.rule("PF-3-16")
def test_a_status_older_than_the_routing_does_not_bring_the_old_barcode_back(rules, event):
    rerouted = replace_routing(at=NOW + timedelta(hours=5))
    current = {1: code_of(1), 2: code_of(2)}

    found = drifted(rules, event("POC", 1, 1, code_of(1, "902")), current=current, routing=rerouted)

    assert (found.adopted, found.older) == ([], [(1, code_of(1, "902"))])


def replace_routing(**changes):
    return ROUTING._replace(**changes)


@pytest.mark.rule("PF-3-17")
@pytest.mark.parametrize("foreign", ["PALLET-7", "506901A9000010000999" + "01", code_of(1) + "X", code_of(9)])
def test_a_barcode_of_other_shape_number_or_pallet_is_history(rules, event, foreign):
    pallet = statuses.pallet_of(foreign, NUMBER, {})

    found = drifted(rules, event("POC", 1, pallet, foreign))

    assert (found.adopted, found.confirmed, found.older, found.foreign) == ([], [], [], [foreign])
    assert effect(rules, "delivery", event("POC", 1, pallet, foreign)) == {}


@pytest.mark.rule("PF-3-13", "PF-3-16")
def test_a_superseded_barcode_still_stands_for_its_pallet():
    assert statuses.pallet_of(code_of(2, "902", "C"), NUMBER, {}) == 2
    assert statuses.pallet_of("506901A900001000099901", NUMBER, {"506901A900001000099901": 1}) == 1


# The tables


@pytest.mark.rule(
    "PF-5-1", "PF-5-2", "PF-5-3", "PF-5-4", "PF-5-5", "PF-5-6", "PF-5-7", "PF-5-8", "PF-5-9", "PF-5-10", "PF-5-11"
)
def test_the_vocabulary_of_every_code(rules):
    assert {code: (row.status, row.reason, row.outcome) for code, row in rules.codes.items()} == {
        "POC": (Status.COLLECTED, None, None),
        "SCOT": (Status.TRUNKED, None, None),
        "ARRH": (Status.AT_HUB, None, None),
        "SRID": (Status.AT_DELIVERY_DEPOT, None, None),
        "ARRD": (Status.AT_DELIVERY_DEPOT, None, None),
        "DELV": (Status.OUT_FOR_DELIVERY, None, None),
        "DONR": (Status.OUT_FOR_DELIVERY, None, None),
        "ARDL": (Status.ARRIVED, None, None),
        "POD": (Status.DELIVERED, None, Outcome.CLEAN),
        "PODD": (Status.DELIVERED, Reason.DAMAGED, Outcome.DAMAGED),
        "PODE": (Status.DELIVERED, Reason.OTHER, Outcome.EXCEPTION),
        "DMGD": (Status.EXCEPTION, Reason.DAMAGED, Outcome.DAMAGED),
        "ABRT": (Status.EXCEPTION, Reason.NOT_DELIVERED, Outcome.NOT_DELIVERED),
    }


def test_every_code_that_the_tables_name_has_a_meaning(rules):
    section = rules.section
    named = [
        *section["worst_first"],
        *section["reopened"]["after"],
        *section["reopened"]["by"],
        *(code for stops in section["status_effects"].values() for kinds in stops.values() for codes in kinds.values()
          for code in codes),
        *(code for codes in section["export_codes"].values() for code in codes.values()),
        *section["derived"],
        *section["derived"].values(),
        *(code for groups in section["mandatory"].values() for group in groups for code in group),
    ]  # fmt: skip
    assert set(named) <= set(rules.codes)


@pytest.mark.rule("PF-5-17")
def test_a_deployment_changes_the_effects_in_its_own_template(plan, tmp_path, event):
    own = tmp_path / "template.yaml"
    own.write_text("statuses: {status_effects: {requesting: {pickup: {completed: [SCOT]}}}}\n")
    network = replace(plan.networks["palletforce"], template=Path(own))
    parsed = settings.parse("palletforce_900", "https://example.com", "key", {})
    changed = preview(replace(plan, networks={"palletforce": network})).template.sections["statuses"]

    rules = Rules(changed, parsed)

    assert list(effect(rules, "requesting", event("SCOT", 1, None))) == ["pickup"]
    assert effect(rules, "requesting", event("POC", 1, None)) == {}
