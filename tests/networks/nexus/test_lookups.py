"""Nexus's ids by its names (contract 2.9)."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest
from tests.networks.nexus.answering import DEADLINE_S, answered

from palletflow.network_errors import Rejected
from palletflow.networks.nexus.errors import NexusServerError, UnknownName
from palletflow.networks.nexus.lookups import Lookups, folded
from palletflow.store import lookup_cache
from palletflow.store.connection import connect

SERVICES = [
    {"id": 4001, "name": "Standard Collection"},
    {"id": 4103, "name": "Economy Book In"},
    {"id": 4104, "name": "Economy Timed"},
]


@pytest.fixture
def lookups_of(clock):
    def make(client, **ids):
        return Lookups(client, ids, clock)

    return make


@pytest.fixture
def told(serve, client_of, lookups_of):
    """Look-ups of a server that gives these rows, each reading from the beginning the next, the last for ever."""

    def make(*readings, **ids):
        begun = 0

        def answer(connection, request):
            nonlocal begun
            offset = int(dict(parse_qsl(urlsplit(request.path).query))["offset"])
            begun += offset == 0
            rows = readings[min(begun, len(readings)) - 1]
            connection.sendall(answered(200, rows[offset : offset + 100]))

        server = serve(answer)
        return lookups_of(client_of(server.url), **ids), server

    return make


# Names to ids


@pytest.mark.rule("NX-2.9-4", "NX-2.9-5")
@pytest.mark.parametrize(
    "name",
    [
        "Economy Book In",
        "ECONOMY BOOK IN",
        "  economy  book\tin ",
        "Economy Book-In",
        "economy (book-in)",
        "ECONOMY_BOOK.IN",
    ],
)
def test_a_name_is_found_whatever_its_case_blanks_and_punctuation(told, conn, name):
    lookups, _ = told(SERVICES)

    assert lookups.id_of(conn, "services", "B+BI", name) == 4103


@pytest.mark.rule("NX-2.9-4")
def test_names_are_compared_in_full():
    assert folded("  Straße — Süd\n") == folded("STRASSE-süd") == "strasse süd"
    assert folded("Book In") != folded("BookIn") != folded("Book In 2")
    assert folded(" –-_ ") == ""


@pytest.mark.rule("NX-2.9-5")
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Economy", "NX115: 'Economy' (B) is not there exactly once; there is 'Economy Book In', 'Economy Timed', "),
        ("", "NX115: the empty name of 'B' is not there exactly once; there is 'Economy Book In'"),
        ("--", "NX115: '--' (B) is not there exactly once"),
    ],
)
def test_a_name_that_is_not_there_is_refused_with_those_that_are(told, conn, name, said):
    lookups, _ = told(SERVICES)

    with pytest.raises(UnknownName) as caught:
        lookups.id_of(conn, "services", "B", name)

    assert said in str(caught.value)
    assert str(caught.value).startswith("services through connection 'nexus_test': NX115")
    assert "force the id under ids" in str(caught.value)
    error = caught.value
    assert (error.code, error.lookup, error.local_code, error.wanted) == ("NX115", "services", "B", name)
    assert error.candidates == ("Economy Book In", "Economy Timed", "Standard Collection")
    assert isinstance(error, Rejected)


@pytest.mark.rule("NX-2.9-5")
def test_a_name_that_is_there_twice_is_refused_with_both(told, conn):
    lookups, _ = told([*SERVICES, {"id": 4999, "name": "economy-timed"}])

    with pytest.raises(UnknownName) as caught:
        lookups.id_of(conn, "services", "B+TD", "Economy Timed")

    assert {candidate.split(" = ")[1] for candidate in caught.value.candidates} == {"4104", "4999"}


@pytest.mark.rule("NX-2.9-5")
def test_rows_that_say_the_same_twice_or_nothing_do_no_harm(told, conn):
    lookups, _ = told([*SERVICES, {"id": "4104", "name": "Economy Timed", "x": 1}, {"name": "Economy Timed"}, {}])

    assert lookups.id_of(conn, "services", "B+TD", "Economy Timed") == 4104


def test_of_many_names_some_are_shown(told, conn):
    lookups, _ = told([{"id": number, "name": f"Service {number}"} for number in range(300)])

    with pytest.raises(UnknownName) as caught:
        lookups.id_of(conn, "services", "A", "Premium")

    assert len(caught.value.candidates) == 20


@pytest.mark.rule("NX-2.9-6")
def test_an_id_can_be_forced(told, conn):
    lookups, server = told(SERVICES, services={"B+BI": "77"})

    assert lookups.id_of(conn, "services", "B+BI", "no such name") == 77
    assert server.all_requests == []
    assert lookups.id_of(conn, "services", "B+TD", "Economy Timed") == 4104


# Ids to names


@pytest.mark.rule("NX-2.9-7", "NX-11-22")
def test_an_id_that_is_not_known_reads_the_lookup_anew_once(told, conn):
    lookups, server = told(SERVICES, [*SERVICES, {"id": 4200, "name": "Night"}])

    assert lookups.name_of(conn, "services", 4103) == "Economy Book In"
    assert len(server.requests) == 2
    assert lookups.name_of(conn, "services", 4200) == "Night"
    assert len(server.requests) == 4

    for _ in range(3):
        assert lookups.name_of(conn, "services", 9) == ""
    assert len(server.requests) == 6


@pytest.mark.rule("NX-2.9-7")
def test_a_name_that_is_new_at_nexus_is_found_by_reading_anew_once(told, conn):
    lookups, server = told(SERVICES, [*SERVICES, {"id": 4200, "name": "Night"}])
    assert lookups.rows(conn, "services") == SERVICES

    assert lookups.id_of(conn, "services", "N", "Night") == 4200

    for _ in range(3):
        with pytest.raises(UnknownName):
            lookups.id_of(conn, "services", "D", "Dawn")
    assert len(server.requests) == 6


@pytest.mark.rule("NX-2.9-2", "NX-11-5", "NX-11-6")
def test_no_id_is_ours_when_nexus_shifts_them_all(nexus_sim, nexus_client, lookups_of, conn):
    first = lookups_of(nexus_client()).id_of(conn, "services", "A", "Premium")
    nexus_sim.control("options", shift_ids=1000)
    lookups = lookups_of(nexus_client())

    # The id that was kept is not Nexus's any more; the new one in a reply tells.
    assert lookups.id_of(conn, "services", "A", "Premium") == first
    assert lookups.name_of(conn, "services", first + 1000) == "Premium"
    assert lookups.id_of(conn, "services", "A", "Premium") == first + 1000


# Kept in the order store


@pytest.mark.rule("NX-2.9-1", "NX-2.9-3")
def test_a_lookup_is_read_whole_and_kept_for_a_day_for_every_run_of_the_connection(
    nexus_sim, nexus_client, lookups_of, conn, clock
):
    nexus_sim.control("options", limit_max=3)
    for passed_h, readings in ((0, 1), (23.9, 1), (0.1, 2), (1, 2)):
        clock.pass_s(passed_h * 3600)
        lookups = lookups_of(nexus_client())  # another run, with a memory of its own
        assert len(lookups.rows(conn, "consignmentStatuses")) == 15
        assert lookups.rows(conn, "consignmentStatuses")[0]["name"]
        begun = [one for one in nexus_sim.requests("consignmentstatuses") if one["query"].get("offset") == "0"]
        assert len(begun) == readings


@pytest.mark.rule("NX-2.9-3")
def test_how_long_it_is_kept_is_a_setting(serve, client_of, lookups_of, conn, clock):
    server = serve(answered(200, SERVICES))
    client = client_of(server.url, lookup_ttl_h=1)
    lookups = lookups_of(client)
    for passed_s, calls in ((0, 2), (3599, 2), (1, 4), (1, 4)):
        clock.pass_s(passed_s)
        lookups.rows(conn, "services")
        assert len(server.requests) == calls


@pytest.mark.rule("NX-2.9-3")
def test_each_connection_and_lookup_is_kept_by_itself(conn, clock):
    kept = lookup_cache.Kept([{"id": 1, "name": "a"}], clock())
    lookup_cache.write(conn, "nexus_pgd302", "services", kept)

    assert lookup_cache.read(conn, "nexus_pgd302", "services") == kept
    assert lookup_cache.read(conn, "nexus_ukd101", "services") is None
    assert lookup_cache.read(conn, "nexus_pgd302", "depots") is None


@pytest.mark.rule("NX-2.9-3")
def test_what_was_read_later_stays(conn, clock):
    newer = lookup_cache.Kept([{"id": 2}], clock())
    lookup_cache.write(conn, "nexus_test", "services", newer)
    lookup_cache.write(conn, "nexus_test", "services", lookup_cache.Kept([{"id": 1}], clock() - timedelta(hours=1)))
    assert lookup_cache.read(conn, "nexus_test", "services") == newer

    later = lookup_cache.Kept([], clock() + timedelta(hours=1))
    lookup_cache.write(conn, "nexus_test", "services", later)
    assert lookup_cache.read(conn, "nexus_test", "services") == later


def test_what_no_database_takes_as_text_does_not_stop_a_lookup(told, conn, client_of, lookups_of):
    body = json.dumps([{"id": 1, "name": "Nul\0 and half \ud83d a pair", "\0": ["\ud83d", {"x": None, "y": 1.5}]}])
    lookups, _ = told(json.loads(body))

    found = lookups.rows(conn, "services")

    assert found == [{"id": 1, "name": "Nul and half ? a pair", "": ["?", {"x": None, "y": 1.5}]}]
    assert lookup_cache.read(conn, "nexus_test", "services").rows == found


def test_a_failed_reading_keeps_nothing(serve, client_of, lookups_of, conn):
    server = serve(answered(200, SERVICES[:1]), *[answered(500)] * 6, answered(200, SERVICES))
    lookups = lookups_of(client_of(server.url))

    with pytest.raises(NexusServerError):
        lookups.rows(conn, "services")
    assert lookup_cache.read(conn, "nexus_test", "services") is None

    assert lookups.rows(conn, "services") == SERVICES


def test_threads_share_one_reading(serve, client_of, lookups_of, dsn):
    together = threading.Barrier(4)
    server = serve(answered(200, SERVICES))
    lookups = lookups_of(client_of(server.url))

    def find():
        with connect(dsn) as conn:
            together.wait(DEADLINE_S)
            return lookups.id_of(conn, "services", "B+TD", "Economy Timed")

    with ThreadPoolExecutor(4) as pool:
        assert [found.result(DEADLINE_S) for found in [pool.submit(find) for _ in range(4)]] == [4104] * 4

    assert len(server.requests) == 2


def test_a_thread_that_waits_for_the_database_keeps_no_other_from_reading_on(told, dsn):
    lookups, server = told(SERVICES)
    with connect(dsn) as first, connect(dsn) as second, ThreadPoolExecutor(1) as pool:
        with first.transaction():
            lookups.rows(first, "services")  # kept, and not committed
            waiting = pool.submit(lookups.name_of, second, "services", 9)
            while len(server.requests) < 4:
                time.sleep(0.005)
            assert lookups.name_of(first, "services", 4103) == "Economy Book In"
        assert waiting.result(DEADLINE_S) == ""
