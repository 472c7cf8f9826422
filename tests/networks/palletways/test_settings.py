"""What a connection to the web services says, checked (contract 1.1, 1.2, 1.4 and the settings of 2 to 7)."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.networks.palletways.clients import CANARY, KEY

from palletflow.network_errors import Misconfigured
from palletflow.networks.palletways import settings
from palletflow.networks.palletways.connection_types import WEB_SERVICES
from palletflow.networks.palletways.record import is_tracking_id
from palletflow.networks.palletways.settings import READERS

README = Path(settings.__file__).with_name("README.md")


def parsed(login="123", password=KEY, **extra):
    return settings.parse("palletways_123", login, password, extra)


@pytest.mark.rule("PW-1.1-1", "PW-1.1-2", "PW-1.1-7", "PW-1.1-8", "PW-1.4-2")
def test_what_holds_when_nothing_else_is_said():
    found = parsed()
    assert (found.depot, found.key, found.key_kind) == ("123", KEY, "depot")
    assert found.base("api2") == "https://api.palletways.com"
    assert found.base("portal") == "https://portal.palletways.com/api"
    assert found.capabilities == ("photos_in", "photos_out")
    assert found.own_depots == ("123",)
    assert (found.output_format, found.submit_style) == ("xml", "form")
    assert (found.rate_group, found.calls_per_minute, found.background_calls_per_minute) == (
        "palletways-egress",
        60,
        40,
    )
    assert found.photo_schedule_minutes == (0, 1, 2, 4, 7, 10, 15)
    assert found.completed_codes == (900,)
    assert found.photos_enabled_at is None


@pytest.mark.parametrize(
    ("login", "password", "said"),
    [
        ("", KEY, "the Login is no depot number of 3 digits"),
        (None, KEY, "the Login is no depot number"),
        ("12", KEY, "the Login is no depot number"),
        ("١٢٣", KEY, "the Login is no depot number"),
        ("123", "", r"the Password \(API key\) is empty"),
        ("123", None, r"the Password \(API key\) is empty"),
        ("123", f"{KEY}\n{KEY}", "a character that no key has"),
    ],
)
def test_login_and_password_are_checked(login, password, said):
    with pytest.raises(Misconfigured, match=said) as told:
        parsed(login, password)
    assert CANARY not in str(told.value)


def test_blanks_around_login_and_key_are_slips():
    found = parsed(" 123 ", f" {KEY}\n")
    assert (found.depot, found.key) == ("123", KEY)


@pytest.mark.rule("PW-1.1-13")
def test_no_repr_shows_the_key():
    assert CANARY not in repr(parsed())


@pytest.mark.rule("PW-1.1-1", "PW-1.1-2")
@pytest.mark.parametrize("name", ["api2_base", "portal_base"])
@pytest.mark.parametrize(
    ("given", "becomes"),
    [
        ("https://api.example.com", "https://api.example.com"),
        (" https://api.example.com/v2/ ", "https://api.example.com/v2"),
        ("https://api.example.com:8443//", "https://api.example.com:8443"),
    ],
)
def test_base_addresses_are_made_whole(name, given, becomes):
    assert getattr(parsed(**{name: given}), name) == becomes


@pytest.mark.parametrize("name", ["api2_base", "portal_base"])
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("http://api.example.com/", "would send the API key unprotected"),
        ("https://me:canary@api.example.com/", "it holds a user name or password"),
        ("ftp://api.example.com/", "it is no web address"),
        ("https://api.example.com/?apikey=canary", "it is no web address"),
        ("api.example.com", "it is no web address"),
    ],
)
def test_base_addresses_that_are_none(name, given, said):
    with pytest.raises(Misconfigured, match=f"Extra '{name}'.*{said}") as told:
        parsed(**{name: given})
    assert CANARY not in str(told.value)


def test_a_simulator_may_be_reached_without_tls():
    assert parsed(api2_base="http://127.0.0.1:8090/", allow_http=True).api2_base == "http://127.0.0.1:8090"


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("photos_in, dispatch", ("photos_in", "dispatch")),
        (["import", "import"], ("import",)),
        ([], ()),
        ("", ("photos_in", "photos_out")),
        (None, ("photos_in", "photos_out")),
    ],
)
def test_capabilities(given, found):
    assert parsed(capabilities=given).capabilities == found
    assert parsed(capabilities=given).can("dispatch") == ("dispatch" in found)


@pytest.mark.rule("PW-1.4-2", "PW-1.4-3")
@pytest.mark.parametrize(("given", "background"), [(90, 60), (60, 40), ("30", 20), (1, 1), (2, 1)])
def test_background_work_has_two_thirds_of_the_calls(given, background):
    assert parsed(calls_per_minute=given).background_calls_per_minute == background


@pytest.mark.rule("PW-1.4-2")
@pytest.mark.parametrize("given", [0, 91, 100, -1, 59.5, "many", True])
def test_more_calls_than_get_one_banned_cannot_be_set(given):
    with pytest.raises(Misconfigured, match="Extra 'calls_per_minute' is not usable"):
        parsed(calls_per_minute=given)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("2026-07-13T09:00:00+01:00", datetime(2026, 7, 13, 8, tzinfo=UTC)),
        ("2026-07-13T09:00:00Z", datetime(2026, 7, 13, 9, tzinfo=UTC)),
    ],
)
def test_a_moment_has_an_offset(given, found):
    assert parsed(photos_enabled_at=given).photos_enabled_at == found


@pytest.mark.parametrize("given", ["2026-07-13T09:00:00", "2026-07-13", "soon", 5])
def test_a_moment_without_an_offset_is_none(given):
    with pytest.raises(Misconfigured, match="Extra 'photos_enabled_at' is not usable"):
        parsed(photos_enabled_at=given)


@pytest.mark.parametrize(
    ("name", "given", "found"),
    [
        ("photo_schedule_minutes", "0, 3, 20", (0, 3, 20)),
        ("photo_schedule_minutes", [0, 0.5], (0, 0.5)),
        ("late_schedule", "1 24 168", (1, 24, 168)),
        ("completed_codes", "900, 950", (900, 950)),
        ("completed_codes", [900, "900"], (900,)),
        ("own_depots", "123 124", ("123", "124")),
        ("label_words", "FROM, BOOK IN,TAIL-LIFT", ("FROM", "BOOK IN", "TAIL-LIFT")),
        ("tracking_id_pattern", r"^600\d{8}$", r"600\d{8}"),
        ("photo_methods", "getPodByTrackingId@portal", ("getPodByTrackingId@portal",)),
        ("manifest_depot_node", "Number", "Number"),
        ("timezone", "Europe/Madrid", "Europe/Madrid"),
    ],
)
def test_settings_are_read(name, given, found):
    assert getattr(parsed(**{name: given}), name) == found


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("photo_schedule_minutes", "3, 1"),
        ("photo_schedule_minutes", []),
        ("photo_schedule_minutes", "1, 1"),
        ("late_schedule", "0"),
        ("completed_codes", []),
        ("completed_codes", "delivered"),
        ("own_depots", "12"),
        ("own_depots", []),
        ("label_words", ["FROM", " "]),
        ("tracking_id_pattern", "("),
        ("tracking_id_pattern", 6),
        ("photo_methods", "podimages"),
        ("photo_methods", "keytest@api2"),
        ("status_methods", "getDynConStatus@elsewhere"),
        ("key_kind", "master"),
        ("capabilities", "everything"),
        ("capabilities", 3),
        ("submit_style", "json"),
        ("output_format", "XML"),
        ("timezone", "London"),
        ("timezone", "../../etc/passwd"),
        ("rate_group", ""),
        ("rate_group", "a b"),
        ("photo_match", "almost"),
    ],
)
def test_settings_that_are_wrong_are_named(name, given):
    if given == "":
        assert getattr(parsed(**{name: given}), name) == getattr(parsed(), name)
        return
    with pytest.raises(Misconfigured, match=f"connection 'palletways_123': Extra '{name}' is not usable"):
        parsed(**{name: given})


def test_a_typing_slip_does_not_go_unnoticed():
    with pytest.raises(Misconfigured, match="unknown settings photo_in_at; known: allow_http, "):
        parsed(photo_in_at="2026-07-13T09:00:00Z")


@pytest.mark.rule("PW-3-1")
@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("60000000017", True),
        ("600001", True),
        ("12345", False),
        ("6" * 15, False),
        ("60000000017\n", False),
        ("٦٠٠٠٠٠١", False),
    ],
)
def test_what_a_tracking_id_looks_like(text, is_one):
    assert is_tracking_id(text, parsed().tracking_id_pattern) == is_one


@pytest.mark.rule("PW-1.2-14")
def test_times_of_the_network_are_local_ones():
    summer = datetime(2026, 7, 13, 12, tzinfo=parsed().zone)
    assert summer.utcoffset() == timedelta(hours=1)


def test_every_setting_is_described():
    described = set(re.findall(r"`([a-z0-9_]+)`", "".join(re.findall(r"^\| (`.*?) \|", README.read_text(), re.M))))
    assert set(READERS) <= described
    assert set(WEB_SERVICES["conn-fields"]) <= set(READERS)
