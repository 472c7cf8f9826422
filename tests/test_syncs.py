"""Which syncs there should be, and when one of them is stale."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from palletflow import syncs
from palletflow.deployment import Deployment, NetworkDeployment, Switches
from palletflow.store import syncs as stored
from palletflow.syncs import SyncState, syncs_of

NOW = datetime(2026, 7, 13, 9, 30, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
ON = Switches(imports=True, imported_tracking_id=True, status_import=True, status_export=True)


@pytest.fixture
def changed(plan):
    """The sandbox's deployment with other switches, or other fields of a network."""

    def change(network: str, switches: Switches = ON, **fields) -> Deployment:
        ours: NetworkDeployment = replace(plan.networks[network], switches=switches, **fields)
        return replace(plan, networks={**plan.networks, network: ours})

    return change


def named(plan: Deployment) -> list[tuple[str, str, str]]:
    return [(network, sync.stream, sync.party) for network, sync in syncs.expected(plan) if not sync.once_run]


def test_each_network_says_what_it_should_be_syncing(plan):
    assert named(plan) == [
        *(("palletforce", "depot_pull", depot) for depot in ("900", "901", "902")),
        *(("palletforce", "depot_statuses", depot) for depot in ("900", "901", "902")),
        ("palletforce", "files", "folder"),
        *(("nexus", "orders", connection) for connection in ("nexus_pgd302", "nexus_ukd101", "nexus_ftd201")),
        *(("palletways", "notes", depot) for depot in ("123", "124")),
        ("palletways", "files", "folder"),
    ]


def test_every_sync_names_a_pipeline_that_is_there_and_runs_as_often_as_it_says(plan):
    """A sync's interval is that of its DAG file."""
    from croniter import croniter

    for _, sync in syncs.expected(plan):
        text = (Path(__file__).parents[1] / "dags" / f"{sync.dag_id}.py").read_text()
        [cron] = [piece for piece in text.split('"') if croniter.is_valid(piece) and piece.count(" ") == 4]
        ticks = croniter(cron, NOW)
        assert -ticks.get_next(float) + ticks.get_next(float) == sync.every.total_seconds(), sync.dag_id


def test_what_is_switched_off_is_not_expected(changed):
    off = replace(ON, imports=False)
    assert not any(stream == "depot_pull" for _, stream, _ in named(changed("palletforce", off)))
    assert not any(network == "nexus" for network, _, _ in named(changed("nexus", off)))
    assert not any(stream == "notes" for _, stream, _ in named(changed("palletways", off)))
    off = replace(ON, status_import=False)
    assert not any(stream == "depot_statuses" for _, stream, _ in named(changed("palletforce", off)))
    assert not any(stream == "notes" for _, stream, _ in named(changed("palletways", off)))


def test_depots_that_share_a_connection_are_one_sync_and_each_place_of_files_is_one(changed):
    shared = changed("nexus", depots={"PGD302": "one", "UKD101": "one", "FTD201": "other"})
    assert [(sync.party, sync.depots) for network, sync in syncs.expected(shared) if network == "nexus"] == [
        ("one", ("PGD302", "UKD101")),
        ("other", ("FTD201",)),
    ]
    places = changed("palletforce", folder=None, sftp="palletforce_sftp")
    assert [key for key in named(places) if key[:2] == ("palletforce", "files")] == [("palletforce", "files", "sftp")]


def state(conn, plan, now, network="palletforce", stream="depot_pull", party="900") -> SyncState:
    [found] = [
        one for one in syncs_of(conn, plan, now) if (one.network, one.stream, one.party) == (network, stream, party)
    ]
    return found


def test_one_is_stale_when_its_next_run_should_long_have_ended(conn, plan):
    stored.succeeded(conn, "palletforce", "depot_pull", "900", at=NOW, next_due_at=NOW + 30 * MINUTE)
    assert state(conn, plan, NOW + 29 * MINUTE)[-2:] == (timedelta(0), False)
    assert state(conn, plan, NOW + 60 * MINUTE)[-2:] == (30 * MINUTE, False)
    assert state(conn, plan, NOW + 61 * MINUTE)[-2:] == (31 * MINUTE, True)
    # However often it runs, it may be late by ten minutes.
    stored.succeeded(conn, "palletways", "notes", "123", at=NOW, next_due_at=NOW + 5 * MINUTE)
    assert not state(conn, plan, NOW + 15 * MINUTE, "palletways", "notes", "123").stale
    assert state(conn, plan, NOW + 16 * MINUTE, "palletways", "notes", "123").stale


def test_one_that_never_ran_was_due_when_the_deployment_first_named_it(conn, plan, fetch):
    """Also when no run was ever created."""
    assert state(conn, plan, NOW)[-2:] == (timedelta(0), False)
    syncs.expect(conn, plan)
    fetch("UPDATE poll_runs SET expected_since = %s RETURNING 1", NOW)
    syncs.expect(conn, plan)  # which changes nothing
    assert not state(conn, plan, NOW + 30 * MINUTE).stale
    late = state(conn, plan, NOW + 31 * MINUTE)
    assert late.stale
    assert (late.succeeded_at, late.next_due_at, late.behind) == (None, None, 31 * MINUTE)


def test_what_a_run_left_undone_goes_on_waiting(conn, plan):
    stored.succeeded(conn, "nexus", "orders", "nexus_pgd302", at=NOW, next_due_at=NOW + 3 * MINUTE, lag=20 * MINUTE)
    left = state(conn, plan, NOW + MINUTE, "nexus", "orders", "nexus_pgd302")
    assert left[-2:] == (21 * MINUTE, False)


def test_what_only_a_connection_knows_to_be_on_is_expected_once_it_has_run(conn, plan):
    syncs.expect(conn, plan)
    assert not any(one.stream == "entered" for one in syncs_of(conn, plan, NOW))
    stored.succeeded(conn, "palletways", "entered", "123", at=NOW, next_due_at=NOW + HOUR)
    assert [one.party for one in syncs_of(conn, plan, NOW) if one.stream == "entered"] == ["123"]
    assert state(conn, plan, NOW + 26 * HOUR, "palletways", "entered", "123").stale
    stored.forget(conn, "palletways", "entered", "123")
    assert not any(one.stream == "entered" for one in syncs_of(conn, plan, NOW))
