"""The Palletways simulator's rate limit, faults, records and control paths do what section 8 of the contract says."""

import contextlib
import logging
import socket
import struct
import time
from datetime import timedelta
from urllib.parse import quote, quote_plus

import pytest
import requests
from tests.networks.palletways.simulated import START, SimulatedPalletways

from palletflow.networks.palletways.simulator import KEYS

GONE = (requests.ConnectionError, requests.Timeout)


def called(sim, times, method="keytest", **more):
    for _ in range(times):
        assert sim.call(method, **more).status_code == 200


def is_answered(sim, *, timeout=0.4):
    try:
        return sim.call("keytest", timeout=timeout).status_code == 200
    except GONE:
        return False


# The rate limit and its ban (1.4)


@pytest.mark.rule("PW-8-14")
def test_call_101_in_a_minute_bans_for_15_minutes(palletways_sim):
    palletways_sim.switch(rate_limit="on", ban_style="refuse")
    called(palletways_sim, 50)
    palletways_sim.advance(59)
    # Every call counts, whatever its answer, on either host and with any key.
    called(palletways_sim, 30, "podimages", portal=True)
    called(palletways_sim, 15, "nothing", key="wrong")
    palletways_sim.switch(http_code=500)
    assert {palletways_sim.call("keytest").status_code for _ in range(5)} == {500}
    palletways_sim.switch(http_code="off")
    assert palletways_sim.look("journal")["bans"] == {}
    assert not is_answered(palletways_sim)
    until = START + timedelta(seconds=59, minutes=15)
    assert palletways_sim.look("journal")["bans"] == {"127.0.0.1": until.isoformat()}
    palletways_sim.advance(15 * 60 - 1)
    assert not is_answered(palletways_sim)
    palletways_sim.advance(1)
    called(palletways_sim, 100)
    assert not is_answered(palletways_sim)


@pytest.mark.rule("PW-8-14")
def test_the_window_slides(palletways_sim):
    palletways_sim.switch(rate_limit="on")
    for _ in range(4):
        called(palletways_sim, 50)
        palletways_sim.advance(30)
    palletways_sim.advance(60)
    called(palletways_sim, 100)
    assert palletways_sim.largest_in_60_s() == 100


@pytest.mark.rule("PW-8-14", "PW-8-2")
def test_the_limit_can_be_off_counts_all_the_same_and_does_not_count_control(palletways_sim):
    called(palletways_sim, 103)
    assert palletways_sim.largest_in_60_s() == 103
    assert palletways_sim.look("journal")["bans"] == {}


@pytest.mark.rule("PW-8-15")
def test_calls_in_a_ban_may_extend_it(palletways_sim):
    palletways_sim.switch(rate_limit="on", ban_style="reset", ban_extend="on")
    called(palletways_sim, 100)
    assert not is_answered(palletways_sim)
    palletways_sim.advance(14 * 60)
    assert not is_answered(palletways_sim)
    palletways_sim.advance(14 * 60)
    assert not is_answered(palletways_sim)
    palletways_sim.advance(15 * 60)
    assert is_answered(palletways_sim)


@pytest.mark.rule("PW-8-15")
@pytest.mark.parametrize("style", ["hang", "refuse", "reset"])
def test_how_a_ban_feels(palletways_sim, style):
    palletways_sim.switch(rate_limit="on", ban_style=style)
    called(palletways_sim, 100)
    host, _, port = palletways_sim.root.removeprefix("http://").rpartition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connected:
        connected.sendall(b"GET /keytest HTTP/1.1\r\nHost: simulator\r\n\r\n")
        if style == "hang":
            connected.settimeout(0.3)
            with pytest.raises(TimeoutError):
                connected.recv(1)
        elif style == "refuse":
            assert connected.recv(1) == b""
        else:
            with pytest.raises(ConnectionResetError):
                connected.recv(1)
    [entry] = palletways_sim.journal()[100:]
    assert (entry["status"], entry["fault"]) == (None, "banned")
    assert palletways_sim.control("lift_ban") == {"bans": {}}
    assert is_answered(palletways_sim)


# Faults of single methods


@pytest.mark.rule("PW-8-16")
def test_a_method_hangs_and_the_others_answer(palletways_sim):
    palletways_sim.switch(hang={"getNotes": "on"})
    with pytest.raises(requests.ReadTimeout):
        palletways_sim.call("getnotes", "delta", "0", timeout=0.3)
    assert is_answered(palletways_sim)
    palletways_sim.switch(hang="off")
    assert palletways_sim.call("getNotes", "delta", "0").status_code == 200


@pytest.mark.rule("PW-8-16")
@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
def test_http_codes_strike_after_some_calls_and_run_out(palletways_sim, status):
    palletways_sim.switch(http_code={"keytest": {"value": status, "times": 2, "after": 1, "retry_after": 7}})
    answers = [palletways_sim.call("keytest") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, status, status, 200]
    assert answers[1].headers["Retry-After"] == "7"
    assert palletways_sim.call("getNotes", "delta", "0").status_code == 200
    assert [entry["fault"] for entry in palletways_sim.journal("keytest")] == [None, "http_code", "http_code", None]


@pytest.mark.rule("PW-8-16")
def test_an_http_error_keeps_a_call_from_the_network(palletways_sim):
    palletways_sim.switch(http_code=500)
    assert palletways_sim.post("createConsignment", commit="yes").status_code == 500
    palletways_sim.switch(http_code=200)
    assert palletways_sim.post("createConsignment", commit="yes").status_code == 200


@pytest.mark.rule("PW-8-16")
def test_an_answer_comes_late_or_breaks_off(palletways_sim):
    one = palletways_sim.add()
    palletways_sim.photo(one)
    palletways_sim.switch(slow={"podimages": 20})
    with pytest.raises(requests.ReadTimeout):
        palletways_sim.call("podimages", one, portal=True, timeout=0.3)
    palletways_sim.switch(slow=0.05)
    assert palletways_sim.call("podimages", one, portal=True).content.startswith(b"%PDF-")
    palletways_sim.switch(slow="off", drop_mid_body={"podimages": 1000})
    given = {"apikey": palletways_sim.keys["123"]}
    with requests.get(f"{palletways_sim.portal}podimages/{one}", given, stream=True, timeout=30) as answer:
        assert int(answer.headers["Content-Length"]) > 100_000
        pieces = answer.iter_content(500)
        assert (next(pieces) + next(pieces)).startswith(b"%PDF-")
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            next(pieces)
    assert palletways_sim.journal("podimages")[-1]["fault"] == "drop_mid_body"


@pytest.mark.rule("PW-8-17", "PW-1.3-6", "PW-1.3-7")
def test_keys_go_wrong(palletways_sim):
    def said(method="keytest", **more):
        return palletways_sim.call(method, **more).text

    palletways_sim.switch(key_fault="missing")
    assert "not specified" in said()
    palletways_sim.switch(key_fault={"podimages": "wrong"})
    assert "not authorised" in said("podimages", portal=True)
    assert "OK" in said()
    palletways_sim.switch(key_fault="customer_only")
    assert "not authorised" in said()
    assert "OK" in said(key=palletways_sim.customer_key)
    palletways_sim.switch(key_fault="none")
    assert "OK" in said()


# Records, without keys


def forms(key):
    return {key, quote(key), quote(key, safe=""), quote_plus(key)}


@pytest.mark.rule("PW-8-2", "PW-1.1-13")
def test_the_journal_has_every_call_and_no_key(palletways_sim):
    one = palletways_sim.add()
    palletways_sim.call("getConsignment", one, outputformat="xml")
    palletways_sim.call("podimages", one, portal=True, key="some/other+key=")
    palletways_sim.post("createConsignment", key=palletways_sim.customer_key, commit="no", data="<a>1</a>")
    palletways_sim.call("getConsignment", palletways_sim.keys["124"], key="")
    text = palletways_sim.session.get(f"{palletways_sim.root}/_sim/journal", timeout=30).text
    for key in (*KEYS, "some/other+key="):
        assert not [form for form in forms(key) if form in text]
    first, second, third, fourth = palletways_sim.journal()
    assert (first["host"], first["method"], first["arguments"]) == ("api2", "getConsignment", [one])
    assert (first["params"], first["key"]) == ({"apikey": "***", "outputformat": "xml"}, "sim.123")
    assert (first["time"], first["status"], first["verb"]) == (START.isoformat(), 200, "GET")
    assert (second["host"], second["key"]) == ("portal", "wrong")
    assert (third["key"], third["params"]["data"], third["verb"]) == ("sim.customer.123", "<a>1</a>", "POST")
    assert (fourth["key"], fourth["arguments"]) == ("missing", ["***"])
    assert palletways_sim.look("journal")["total"] == 4
    assert palletways_sim.journal("podimages") == [second]


@pytest.mark.rule("PW-1.1-13", "PW-8-32")
def test_the_servers_own_log_has_no_key(caplog):
    with caplog.at_level(logging.INFO, "uvicorn.access"):
        served = SimulatedPalletways(log_config=None, log_level="info")
        for key in KEYS:
            served.call("keytest", key=key, output="xml")
        served.stop()
    logged = [record.getMessage() for record in caplog.records if record.name == "uvicorn.access"]
    lines = [line for line in logged if "/keytest" in line]
    assert len(lines) == len(KEYS)
    assert all("apikey=***&output=xml" in line for line in lines)
    assert not [line for line in lines for key in KEYS for form in forms(key) if form in line]


# Control


@pytest.mark.rule("PW-8-3")
def test_the_clock_stands_moves_and_runs(palletways_sim):
    assert palletways_sim.now() == START
    palletways_sim.advance(90)
    assert palletways_sim.now() == START + timedelta(seconds=90)
    assert palletways_sim.control("clock", now="2026-07-13T11:00:00+01:00")["now"] == "2026-07-13T10:00:00+00:00"
    assert palletways_sim.control("clock", run=True)["frozen"] is False
    assert palletways_sim.control("reset") == {"seed": 1, "now": START.isoformat(), "frozen": True}


@pytest.mark.rule("PW-8-1")
def test_equal_requests_give_equal_answers(palletways_sim):
    def story():
        palletways_sim.reset()
        one = palletways_sim.add(role="delivering")
        palletways_sim.photo(one)
        return [
            palletways_sim.call("getConsignment", one).content,
            palletways_sim.call("podimages", one, portal=True).content,
            palletways_sim.call("getLabelsByTID", one).content,
        ]

    assert story() == story()


def test_a_reset_forgets_everything(palletways_sim):
    one = palletways_sim.add()
    palletways_sim.switch(wrapper="on", http_code={"getNotes": 500}, pages=[["a", 0]], tracking_delay_s=5)
    palletways_sim.call("getConsignment", one)
    palletways_sim.advance(60)
    palletways_sim.reset()
    assert palletways_sim.held() == []
    assert palletways_sim.journal() == []
    assert palletways_sim.largest_in_60_s() == 0
    switches = palletways_sim.switch()
    assert (switches["wrapper"], switches["http_code"], switches["pages"], switches["tracking_delay_s"]) == (
        "auto", {}, [], 0,
    )  # fmt: skip
    assert palletways_sim.now() == START


def test_changes_show_at_once(palletways_sim):
    one = palletways_sim.add(role="requesting")
    changed = palletways_sim.change(one, delivery_depot="124", overrides={"Lifts": "", "Extra": "new"})
    assert changed["delivery_depot"] == "124"
    [row] = palletways_sim.data("getConsignment", one)
    shown = row["Manifest"]["Depot"]["Account"]["Consignment"][0]
    assert (shown["DeliveryDepot"], shown["Lifts"], shown["Extra"]) == ("124", "", "new")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("switches", {"wrapper": "sometimes"}),
        ("switches", {"no_such": "on"}),
        ("switches", {"hang": 5}),
        ("switches", {"http_code": {"keytest": 418}}),
        ("switches", {"http_code": {"value": 500, "times": 0}}),
        ("switches", {"tracking_delay_s": -1}),
        ("switches", {"pages": ["a"]}),
        ("switches", {"name_taken": "a.jpg"}),
        ("consignments", {"depot": "456"}),
        ("consignments", {"role": "owning"}),
        ("consignments", {"account": "NOBODY"}),
        ("consignments", {"due_date": "tomorrow"}),
        ("consignments", {"bill_units": {"FULL": 1}}),
        ("consignments", {"count": 0}),
        ("consignments", {"colour": "red"}),
        ("consignments", {"delivery": {"street": "x"}}),
        ("consignments", {"at": "yesterday"}),
        ("clock", {"advance_s": -1}),
        ("clock", {"now": "2020-01-01T00:00:00+00:00"}),
        ("clock", {"run": True, "advance_s": 1}),
        ("consignments/{one}/status", {}),
        ("consignments/{one}/notes", {"Text": "x"}),
        ("consignments/{one}/photos", {"content": "bm8gcGljdHVyZQ=="}),
        ("consignments/{one}/change", {"number": "1"}),
    ],
)
def test_control_that_makes_no_sense_is_refused_and_changes_nothing(palletways_sim, path, body):
    one = palletways_sim.add()
    before = palletways_sim.switch(), palletways_sim.held(), palletways_sim.now()
    answer = requests.post(f"{palletways_sim.root}/_sim/{path.format(one=one)}", json=body, timeout=30)
    assert answer.status_code == 422
    assert answer.json()["error"]
    assert (palletways_sim.switch(), palletways_sim.held(), palletways_sim.now()) == before


@pytest.mark.parametrize(("verb", "path"), [("GET", "nothing"), ("POST", "nothing"), ("POST", "consignments/1/status")])
def test_control_paths_that_are_none(palletways_sim, verb, path):
    answer = requests.request(verb, f"{palletways_sim.root}/_sim/{path}", timeout=30)
    assert answer.status_code == 404
    assert answer.json()["error"]


def test_a_caller_that_goes_away_disturbs_nobody(palletways_sim):
    palletways_sim.switch(hang={"keytest": {"value": True, "times": 1}})
    host, _, port = palletways_sim.root.removeprefix("http://").rpartition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connected:
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connected.sendall(b"GET /keytest HTTP/1.1\r\nHost: simulator\r\n\r\n")
        # Else the reset may overtake the call, and the next one would be left hanging.
        deadline = time.monotonic() + 30
        while not palletways_sim.journal("keytest"):
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert is_answered(palletways_sim, timeout=30)


def test_a_stopping_server_waits_for_nobody_who_hangs():
    served = SimulatedPalletways()
    served.switch(hang="on")
    host, _, port = served.root.removeprefix("http://").rpartition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connected:
        connected.sendall(b"GET /keytest HTTP/1.1\r\nHost: simulator\r\n\r\n")
        served.stop()
        connected.settimeout(30)
        with contextlib.suppress(ConnectionResetError):
            assert connected.recv(1) == b""
