"""What a Palletforce connection may say (contract 1.1 and the settings that other sections name)."""

import traceback
from pathlib import Path
from typing import Any

import pytest

from palletflow.network_errors import Misconfigured
from palletflow.networks.palletforce import settings

PACKAGE = Path(settings.__file__).parents[2]
HOST = "https://apiuat.palletforce.net/api/ExternalScanning"
KEY = "canary-of-tests"


def parse(host: str | None = HOST, password: str | None = KEY, **extra: Any) -> settings.Settings:
    return settings.parse("palletforce_900", host, password, extra)


def complaint(host: str | None = HOST, password: str | None = KEY, **extra: Any) -> str:
    with pytest.raises(Misconfigured) as caught:
        parse(host, password, **extra)
    text = str(caught.value)
    assert text.startswith("Settings through connection 'palletforce_900': ")
    assert "Correct the connection" in text
    return text


@pytest.mark.rule("PF-1.1-1")
@pytest.mark.parametrize(
    ("host", "base_url"),
    [
        (HOST, HOST),
        (f"{HOST}/", HOST),
        (f"  {HOST}//  ", HOST),
        ("apiuat.palletforce.net/api/ExternalScanning", HOST),
        ("HTTPS://apiuat.palletforce.net/api/ExternalScanning", HOST),
        ("gateway.example.com:8443/palletforce", "https://gateway.example.com:8443/palletforce"),
        ("192.0.2.7", "https://192.0.2.7"),
        ("https://[2001:db8::7]:8443/api", "https://[2001:db8::7]:8443/api"),
        ("https://bücher.example/api", "https://bücher.example/api"),
    ],
)
def test_the_host_is_the_whole_address(host, base_url):
    assert parse(host).base_url == base_url


@pytest.mark.rule("PF-1.1-1")
@pytest.mark.parametrize("host", [None, "", "   ", "/", "https://", "https:///", "http://"])
def test_an_empty_host_is_a_configuration_error_that_shows_a_good_one(host):
    assert "the Host is empty; give the complete address, e.g. https://" in complaint(host)


@pytest.mark.rule("PF-1.1-1")
@pytest.mark.parametrize(
    "host",
    [
        "ftp://files.example.com/api",
        "file:///etc/passwd",
        "https:///api/ExternalScanning",
        "https://[::1/api",
        "https://example.com:port/api",
        "https://example.com:99999/api",
        "https://exam ple.com/api",
        "https://example.com/ap i",
        "https://example.com/api\nX: y",
        "https://" + "a" * 64 + ".example.com/api",
        "https://.example.com/api",
        "https://example..com/api",
        "https://example.com/api?env=uat",
        "https://example.com/api#top",
    ],
)
def test_a_host_that_is_no_address_is_refused(host):
    assert "is not a web address" in complaint(host)


@pytest.mark.rule("PF-1.1-1", "PF-1.1-14")
def test_a_secret_in_the_host_is_refused_and_not_shown():
    text = complaint("https://haulier:canary@example.com/api")

    assert "user name or password" in text
    assert "canary" not in text


@pytest.mark.rule("PF-1.1-2")
@pytest.mark.parametrize("allow", [{}, {"allow_http": False}, {"allow_http": "false"}, {"allow_http": ""}])
@pytest.mark.parametrize("host", ["http://127.0.0.1:8099/api", "HTTP://127.0.0.1:8099/api"])
def test_unprotected_http_is_refused(host, allow):
    assert "http:// and would send the access key unprotected" in complaint(host, **allow)


@pytest.mark.rule("PF-1.1-2")
@pytest.mark.parametrize("allow", [True, "true", " True "])
def test_unprotected_http_must_be_allowed_by_name(allow):
    assert parse("http://127.0.0.1:8099/api/", allow_http=allow).base_url == "http://127.0.0.1:8099/api"


@pytest.mark.rule("PF-1.1-3")
def test_no_live_address_is_written_down_anywhere_in_the_package():
    files = [file for file in PACKAGE.rglob("*") if file.suffix in (".py", ".yaml", ".json")]

    assert len(files) > 20
    assert [file for file in files if "api.palletforce.net" in file.read_text("utf-8").replace("//apiuat.", "")] == []


@pytest.mark.rule("PF-1.1-6")
@pytest.mark.parametrize("password", [None, "", "  ", "\n"])
def test_an_empty_access_key_is_a_configuration_error(password):
    assert "Password (access key) is empty" in complaint(password=password)


@pytest.mark.rule("PF-1.1-6")
def test_blanks_around_a_pasted_access_key_do_not_belong_to_it():
    assert parse(password=f" {KEY}\n").access_key == KEY


@pytest.mark.rule("PF-1.1-6", "PF-1.1-14")
@pytest.mark.parametrize("password", ["canary\r\nX-Evil: yes", "canary\tof", "canary\x00", "canary–dash", "канарейка"])
def test_an_access_key_no_header_can_carry_is_refused_and_not_shown(password):
    with pytest.raises(Misconfigured, match="Password") as caught:
        parse(password=password)

    said = "".join(traceback.format_exception(caught.value))
    assert password not in said
    assert repr(password)[1:-1] not in said
    assert "canary" not in said


@pytest.mark.rule("PF-1.1-14")
def test_settings_do_not_show_the_access_key():
    assert KEY not in f"{parse()!r}{parse()}"
    assert parse().access_key == KEY


@pytest.mark.rule("PF-1.1-7", "PF-1.1-10", "PF-1.1-11", "PF-1.1-12", "PF-2.4-4", "PF-2.4-6", "PF-2.4-14", "PF-2.5-2")
def test_without_extra_the_contract_holds():
    plain = parse()

    assert plain.client_id_header == "x-ibm-client-id"
    assert (plain.connect_timeout_s, plain.read_timeout_s) == (5, 20)
    assert plain.max_in_flight == 2
    assert (plain.time_zone, plain.datetime_format) == ("Europe/London", "%Y-%m-%dT%H:%M:%S")
    assert (plain.pull_window_h, plain.pull_overlap_min, plain.page_size) == (24, 15, 100)
    assert plain.lookup_by == ("trackingNumber", "uniqueTransactionNumber", "window")
    assert not plain.allow_http
    assert not plain.import_unaccepted


@pytest.mark.rule("PF-1.1-13")
def test_every_operation_goes_by_the_contracts_name_unless_renamed():
    renamed = parse(operations={"UploadTracking": "PushTracking", "DownloadLabel": ""})
    names = (
        "UploadManifest",
        "DownloadLabel",
        "DownloadTracking",
        "DownloadManifest",
        "FetchManifest",
        "UploadTracking",
    )

    assert [parse().operation(name) for name in names] == [
        "UploadManifest", "DownloadLabel", "DownloadTracking", "DownloadManifest", "DownloadManifest", "UploadTracking",
    ]  # fmt: skip
    assert renamed.operation("UploadTracking") == "PushTracking"
    assert renamed.operation("DownloadLabel") == "DownloadLabel"


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("allow_http", "true", True),
        ("import_unaccepted", "FALSE", False),
        ("connect_timeout_s", "2.5", 2.5),
        ("read_timeout_s", "40", 40),
        ("max_in_flight", "4", 4),
        ("page_size", "250", 250),
        ("page_size", 250.0, 250),
        ("pull_window_h", "12", 12),
        ("pull_overlap_min", "0", 0),
        ("depot_codes", "900, 901", ("900", "901")),
        ("depot_codes", " 900 901,", ("900", "901")),
        ("depot_codes", ["012"], ("012",)),
        ("depot_codes", "012", ("012",)),
        ("lookup_by", "window, trackingNumber", ("window", "trackingNumber")),
        ("client_id_header", "", ""),
    ],
)
def test_form_fields_come_as_text(name, text, value):
    found = getattr(parse(**{name: text}), name)

    assert found == value
    assert type(found) is type(value) or isinstance(value, int)


@pytest.mark.rule("PF-1.1-7")
def test_an_empty_form_field_means_the_default_but_for_the_header():
    names = [name for name in settings.READERS if name != "client_id_header"]

    assert parse(**dict.fromkeys(names, "")) == parse(**dict.fromkeys([*names, "client_id_header"], None)) == parse()
    assert parse(client_id_header="").client_id_header == ""


@pytest.mark.rule("PF-3-1")
@pytest.mark.parametrize("codes", ["9", "90", "9000", "90A", "900;901", ["900", "1"], [12], 900, ["900", None]])
def test_depot_codes_have_three_digits(codes):
    assert "Extra 'depot_codes' is not usable: " in complaint(depot_codes=codes)


BAD = [
    ("allow_http", "yes", "neither true nor false"),
    ("allow_http", 1, "neither true nor false"),
    ("import_unaccepted", [], "neither true nor false"),
    ("client_id_header", "x ibm", "no header name"),
    ("client_id_header", "x-ibm\r\nX-Evil", "no header name"),
    ("client_id_header", 5, "no header name"),
    ("connect_timeout_s", "0", "not between 0.1 and 120"),
    ("connect_timeout_s", "soon", "soon"),
    ("connect_timeout_s", True, "no number"),
    ("read_timeout_s", "nan", "not between 0.1 and 600"),
    ("read_timeout_s", "inf", "not between 0.1 and 600"),
    ("read_timeout_s", [20], "no number"),
    ("max_in_flight", 0, "not between 1 and 16"),
    ("max_in_flight", "2.5", "no whole number"),
    ("page_size", "0", "not between 1 and 1000"),
    ("page_size", 1001, "not between 1 and 1000"),
    ("page_size", "99.5", "no whole number"),
    ("pull_window_h", 0, "not between 0.25 and 167"),
    ("pull_window_h", 168, "not between 0.25 and 167"),
    ("pull_overlap_min", -1, "not between 0 and 1440"),
    ("datetime_format", "soon", "date and time to the second"),
    ("datetime_format", "%Y-%m-%d", "date and time to the second"),
    ("datetime_format", "%Y-%m-%dT%H:%M", "date and time to the second"),
    ("datetime_format", 5, "date and time to the second"),
    ("time_zone", "London", "no time zone"),
    ("time_zone", "Europe", "no time zone"),
    ("time_zone", "../etc/passwd", "no time zone"),
    ("time_zone", 0.5, "no time zone"),
    ("operations", "DownloadManifest", "give a JSON object"),
    ("operations", {"Downloadmanifest": "X"}, "'Downloadmanifest' is not one of UploadManifest, "),
    ("operations", {"DownloadManifest": 5}, "'5' is not"),
    ("status_classes", {"404": "FINE"}, "'FINE' is not one of AUTH, THROTTLED, CONFIG, REJECTED, UNKNOWN"),
    ("status_classes", {"4xx": "AUTH"}, "'4xx' is not"),
    ("status_classes", ["404"], "give a JSON object"),
    ("auth_error_pattern", "(", "missing ), unterminated subpattern"),
    ("auth_error_pattern", 5, "no pattern"),
    ("lookup_by", "barcode", "'barcode' is not allowed there"),
    ("lookup_by", [], "give at least one"),
    ("lookup_by", ",", "give at least one"),
    ("lookup_by", {"window": 1}, "give a list"),
    ("lookup_delays_s", [], "each later than the one before"),
    ("lookup_delays_s", [60, 30], "each later than the one before"),
    ("resend_after_unknown", "always", "'always' is not one of once, never"),
    ("duplicate_error_pattern", "(", "missing ), unterminated subpattern"),
    ("duplicate_precheck", "ask", "'ask' is not one of block, network"),
    ("notification_error_pattern", "(", "missing ), unterminated subpattern"),
    ("notification_retry", "no", "neither true nor false"),
    ("precreated_mode", "take", "'take' is not one of upload, fetch"),
    ("accepted_status", "X", "'X' is not one of Y, N"),
    ("transaction_prefix", "A B", "1 to 10 letters and digits"),
    ("system_id", "1", "'1' is not 3 digits"),
    ("tracking_mode", "window", "'window' is not one of number, depot"),
    ("tracking_keep_days", -1, "not between 0 and 365"),
    ("tracking_max_days", 0, "not between 1 and 365"),
    ("upload_batch", 101, "not between 1 and 100"),
    ("all_barcodes_rule", "any", "'any' is not one of same_effect, same_code"),
    ("echo_window_s", "a minute", "a minute"),
    ("derive_delv", "no", "neither true nor false"),
]


@pytest.mark.parametrize(("name", "value", "reason"), BAD)
def test_a_bad_value_is_refused_with_connection_field_and_reason(name, value, reason):
    text = complaint(**{name: value})

    assert f"Extra '{name}' is not usable: " in text
    assert reason in text.split("is not usable: ")[1]


def test_each_setting_has_a_bad_value_above():
    assert {name for name, *_ in BAD} | {"depot_codes"} == set(settings.READERS)


def test_an_unknown_setting_is_named_with_the_known_ones():
    text = complaint(pagesize=100, overlap=KEY)

    assert "Extra has unknown settings overlap, pagesize; known: accepted_status, all_barcodes_rule, " in text
    assert KEY not in text


@pytest.mark.parametrize("name", ["access_key", "base_url", "connection"])
def test_what_the_connection_itself_says_is_no_setting(name):
    assert f"unknown settings {name};" in complaint(**{name: "x"})


def test_the_readme_names_every_setting():
    """Extra is checked against these names, so the table must not fall behind."""
    page = Path(settings.__file__).with_name("README.md").read_text("utf-8")
    assert [name for name in settings.READERS if f"`{name}`" not in page] == []
