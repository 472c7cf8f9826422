"""Sessions of the order store: what all of them have in common."""

import asyncio

from palletflow.store.work_wakeups import WorkWatch

ENDS = ("tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count")


def test_each_end_of_a_session_finds_out_within_a_minute_that_the_other_one_has_vanished(conn):
    ours = conn.info.get_parameters()
    assert int(ours["keepalives_idle"]) + int(ours["keepalives_interval"]) * int(ours["keepalives_count"]) == 60
    assert ours["tcp_user_timeout"] == "60000"
    theirs = [int(conn.execute(f"SHOW {name}").fetchone()[0]) for name in ENDS]
    assert theirs == [30, 10, 3]


def test_so_does_a_watch(dsn):
    async def watching() -> None:
        watch = await WorkWatch.open(dsn, "palletforce", ["dispatch"])
        try:
            assert watch._conn.info.get_parameters()["keepalives_idle"] == "30"
        finally:
            await watch.close()

    asyncio.run(watching())
