"""What connections to Nexus and Optimize may say (contract 1 and the settings that other sections name)."""

from pathlib import Path
from typing import Any

import pytest

from palletflow.network_errors import Misconfigured
from palletflow.networks.nexus import settings

HOST = "https://s-nexus-rest-api-test.pallex.com/v1/"
URL = HOST.rstrip("/")
PASSWORD = "canary-of-tests"
README = Path(settings.__file__).with_name("README.md")


def parse(host: str | None = HOST, login: str | None = "haulier", password: str | None = PASSWORD, **extra: Any) -> Any:
    return settings.parse("nexus_pgd302", host, login, password, extra)


def optimize(host: str | None = HOST, password: str | None = PASSWORD, **extra: Any) -> settings.OptimizeSettings:
    return settings.parse_optimize("nexus_optimize", host, password, extra)


def complaint(read: Any = parse, /, **given: Any) -> str:
    with pytest.raises(Misconfigured) as caught:
        read(**given)
    text = str(caught.value)
    assert text.startswith("Settings through connection 'nexus_")
    assert "Correct the connection" in text
    assert "canary" not in text
    return text


# Host, Login and Password


@pytest.mark.rule("NX-1-1")
@pytest.mark.parametrize("read", [parse, optimize])
@pytest.mark.parametrize(
    ("host", "base_url"),
    [
        (HOST, URL),
        (f"  {URL}  ", URL),
        ("s-nexus-rest-api-test.pallex.com/v1/", URL),
        ("HTTPS://s-nexus-rest-api-test.pallex.com/v1//", URL),
        ("gateway.example.com:8443/nexus/v1", "https://gateway.example.com:8443/nexus/v1"),
        ("https://[2001:db8::7]:8443/v1/", "https://[2001:db8::7]:8443/v1"),
    ],
)
def test_the_host_is_the_whole_address(read, host, base_url):
    assert read(host).base_url == base_url


@pytest.mark.rule("NX-1-1")
@pytest.mark.parametrize("read", [parse, optimize])
@pytest.mark.parametrize(
    ("host", "said"),
    [
        (None, "the Host is empty; give the complete address, e.g. https://"),
        (" / ", "the Host is empty"),
        ("ftp://files.example.com/v1", "is not a web address"),
        ("https://example.com/v1?x=1", "is not a web address"),
        ("https://exam ple.com/v1", "is not a web address"),
        ("https://example.com:port/v1", "is not a web address"),
        ("https://haulier:canary@example.com/v1", "user name or password"),
        ("http://127.0.0.1:8090/v1/", "begins with http:// and would send the"),
    ],
)
def test_a_host_that_is_no_address_is_refused(read, host, said):
    assert said in complaint(read, host=host)


@pytest.mark.parametrize("read", [parse, optimize])
def test_unprotected_http_must_be_allowed_by_name(read):
    assert read("http://127.0.0.1:8090/v1/", allow_http="true").base_url == "http://127.0.0.1:8090/v1"
    assert "begins with http://" in complaint(read, host="http://127.0.0.1:8090/v1/", allow_http=False)


@pytest.mark.rule("NX-2.1-1")
@pytest.mark.parametrize("empty", [None, "", "  "])
def test_login_and_password_are_needed(empty):
    assert "the Login (user name) is empty" in complaint(login=empty)
    assert "the Password is empty" in complaint(password=empty)
    assert "the Password (API key) is empty" in complaint(optimize, password=empty)


@pytest.mark.rule("NX-2.1-1")
def test_a_password_is_taken_as_it_is_and_a_user_name_without_blanks_around_it():
    found = parse(login=" haulier\n", password=" Pässwörd 1 ")
    assert (found.login, found.password) == ("haulier", " Pässwörd 1 ")


@pytest.mark.rule("NX-10-2")
@pytest.mark.parametrize("key", ["canary\r\nX-Evil: yes", "canary–dash"])
def test_an_api_key_that_no_header_can_carry_is_refused_and_not_shown(key):
    assert "no HTTP header can carry" in complaint(optimize, password=key)


@pytest.mark.rule("NX-1-13", "NX-1-34")
def test_settings_do_not_show_the_secret():
    for found in (parse(), optimize()):
        assert PASSWORD not in f"{found!r}{found}"
    assert parse().password == optimize().api_key == PASSWORD


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://Nexus.example.com/v1", ("https", "nexus.example.com", 443)),
        ("https://nexus.example.com.:443", ("https", "nexus.example.com", 443)),
        ("http://127.0.0.1:8090/v1", ("http", "127.0.0.1", 8090)),
        ("http://127.0.0.1", ("http", "127.0.0.1", 80)),
    ],
)
def test_an_origin_is_scheme_host_and_port(url, origin):
    assert settings.origin(url) == origin


# Extra


@pytest.mark.rule(
    "NX-1-8", "NX-1-10", "NX-1-15", "NX-1-22", "NX-1-28", "NX-1-29", "NX-1-33", "NX-2.2-2", "NX-2.2-10", "NX-2.2-11",
    "NX-2.2-14", "NX-2.4-2", "NX-2.8-1", "NX-2.9-3",
)  # fmt: skip
def test_without_extra_the_contract_holds():
    plain = parse()

    assert (plain.connect_timeout_s, plain.read_timeout_s, plain.rate_per_second) == (10, 60, 2)
    assert (plain.token_ttl_s, plain.auth_renew, plain.auth_cooldown_s) == (3600, "login", 60)
    assert (plain.retry_after_cap_s, plain.max_download_mb, plain.attachment_hosts) == (300, 25, ())
    assert (plain.array_style, plain.page_size, plain.page_overlap) == ("repeat", 100, 5)
    assert (plain.window_chunk_days, plain.overlap_days, plain.lookup_ttl_h) == (31, 2, 24)
    assert (plain.customer_id_as, plain.dispatch_imported, plain.allow_cross_network) == ("string", "adopt", False)
    assert (plain.reconcile_delays, plain.label_retry_h) == ((5, 30, 120), 24)
    assert (plain.status_history, plain.status_export, plain.status_export_max_age_h) == ("auto", False, 48)
    assert (plain.pod_chase_days, plain.allow_http) == (14, False)


@pytest.mark.rule("NX-10-2", "NX-10-6", "NX-10-9", "NX-10-11")
def test_without_extra_the_contract_holds_for_optimize():
    plain = optimize()

    assert (plain.path, plain.key_header) == ("etas", "X-Api-Key")
    assert (plain.window_minutes, plain.threshold_minutes, plain.require_in_progress) == (60, 15, False)
    assert (plain.connect_timeout_s, plain.read_timeout_s, plain.retry_after_cap_s) == (10, 60, 300)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("status_export", "true", True),
        ("rate_per_second", "0.5", 0.5),
        ("page_size", "250", 250),
        ("page_overlap", 0, 0),
        ("attachment_hosts", "files.example.com, 127.0.0.1:8091", ("files.example.com", "127.0.0.1:8091")),
        ("attachment_hosts", ["[2001:db8::7]:443"], ("[2001:db8::7]:443",)),
        ("reconcile_delays", "1, 2.5 30", (1, 2.5, 30)),
        ("reconcile_delays", [1, 2], (1, 2)),
        ("token_ttl_s", "1800", 1800),
        ("status_history", "off", "off"),
    ],
)
def test_form_fields_come_as_text(name, text, value):
    assert getattr(parse(**{name: text}), name) == value


@pytest.mark.parametrize(
    ("read", "readers"), [(parse, settings.READERS), (optimize, settings.OPTIMIZE_READERS)], ids=["nexus", "optimize"]
)
def test_an_empty_form_field_means_the_default(read, readers):
    assert read(**dict.fromkeys(readers, "")) == read(**dict.fromkeys(readers)) == read()


BAD = [
    ("allow_http", "yes", "neither true nor false"),
    ("connect_timeout_s", "0", "not between 0.1 and 120"),
    ("read_timeout_s", "soon", "soon"),
    ("rate_per_second", 0, "not between 0.01 and 1000"),
    ("token_ttl_s", "nan", "not between 1 and 604800"),
    ("auth_renew", "again", "'again' is not one of login, refresh"),
    ("auth_cooldown_s", -1, "not between 0 and 86400"),
    ("retry_after_cap_s", "inf", "not between 1 and 3600"),
    ("attachment_hosts", "https://files.example.com", "is not allowed there"),
    ("attachment_hosts", "files.example.com/x", "is not allowed there"),
    ("attachment_hosts", "user@files.example.com", "is not allowed there"),
    ("attachment_hosts", ",", "give at least one"),
    ("max_download_mb", 0, "not between 0.01 and 500"),
    ("array_style", "json", "'json' is not one of repeat, comma, brackets"),
    ("page_size", "99.5", "no whole number"),
    ("page_size", 1001, "not between 1 and 1000"),
    ("page_overlap", -1, "not between 0 and 999"),
    ("window_chunk_days", 32, "not between 1 and 31"),
    ("overlap_days", 32, "not between 0 and 31"),
    ("lookup_ttl_h", True, "no number"),
    ("customer_id_as", "number", "'number' is not one of string, integer"),
    ("allow_cross_network", 1, "neither true nor false"),
    ("dispatch_imported", "ask", "'ask' is not one of adopt, refuse"),
    ("reconcile_delays", [30, 5], "each later than the one before"),
    ("reconcile_delays", [], "each later than the one before"),
    ("label_retry_h", 721, "not between 0 and 720"),
    ("status_history", "never", "'never' is not one of auto, on, off"),
    ("status_export", "on", "neither true nor false"),
    ("status_export_max_age_h", -1, "not between 0 and 720"),
    ("pod_chase_days", 366, "not between 0 and 365"),
]
OPTIMIZE_BAD = [
    ("allow_http", "yes", "neither true nor false"),
    ("connect_timeout_s", 0, "not between 0.1 and 120"),
    ("read_timeout_s", 0, "not between 0.1 and 600"),
    ("retry_after_cap_s", 0, "not between 1 and 3600"),
    ("path", "https://evil.example/etas", "is not a path such as etas"),
    ("path", "etas?x=1", "is not a path such as etas"),
    ("path", "//evil.example/etas", "is not a path such as etas"),
    ("path", 7, "is not a path such as etas"),
    ("key_header", "X Key", "no header name"),
    ("key_header", "X-Key\r\nX-Evil", "no header name"),
    ("window_minutes", 0, "not between 1 and 1440"),
    ("threshold_minutes", -1, "not between 0 and 1440"),
    ("require_in_progress", "no", "neither true nor false"),
]


@pytest.mark.parametrize(
    ("read", "name", "value", "reason"), [(parse, *bad) for bad in BAD] + [(optimize, *bad) for bad in OPTIMIZE_BAD]
)
def test_a_bad_value_is_refused_with_connection_field_and_reason(read, name, value, reason):
    text = complaint(read, **{name: value})

    assert f"Extra '{name}' is not usable: " in text
    assert reason in text.split("is not usable: ")[1]


def test_each_setting_has_a_bad_value_above():
    assert {name for name, *_ in BAD} == set(settings.READERS)
    assert {name for name, *_ in OPTIMIZE_BAD} == set(settings.OPTIMIZE_READERS)


@pytest.mark.parametrize("name", ["pagesize", "password", "base_url", "depots", "depot_connections"])
def test_a_setting_there_is_not_is_named_with_those_there_are(name):
    said = f"Extra has unknown settings {name}; known: allow_"
    with pytest.raises(Misconfigured, match=said):
        settings.parse("nexus_pgd302", HOST, "haulier", PASSWORD, {name: "x"})
    with pytest.raises(Misconfigured, match=said):
        settings.parse_optimize("nexus_optimize", HOST, PASSWORD, {name: "x"})


def test_the_readme_names_every_setting():
    """Extra is checked against these names, so the tables must not fall behind."""
    nexus, _, optimize_ = README.read_text("utf-8").partition("## Optimize")
    assert [name for name in settings.READERS if f"`{name}`" not in nexus] == []
    assert [name for name in settings.OPTIMIZE_READERS if f"`{name}`" not in optimize_] == []


@pytest.mark.rule("NX-1-1")
def test_no_live_address_is_written_down_anywhere_in_the_package():
    files = [file for file in README.parent.rglob("*") if file.suffix in (".py", ".yaml", ".json")]

    assert len(files) > 20
    assert [file for file in files if "//rest-api-nexus.pallex.com" in file.read_text("utf-8")] == []
