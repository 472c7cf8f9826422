"""Many deliveries at once: Palletways is never asked more often than it allows, and every photo comes.

PHOTO_RUSH says how many in the environment; `pytest -s` shows how late they came.
"""

import os

import pytest
from tests.networks.palletways.photo_rush import THREADS, WORKERS, rush
from tests.networks.palletways.photographing import PhotoHouse

COUNT = int(os.environ.get("PHOTO_RUSH", "200"))


@pytest.fixture
def house(conn, dsn, plan, palletways_sim, tmp_path):
    made = PhotoHouse(conn, dsn, plan, palletways_sim, tmp_path / "documents")
    yield made
    made.close()


@pytest.mark.rule("PW-8-31", "PW-5-13", "PW-5-16", "PW-1.4-2")
def test_completions_at_once_keep_to_the_limit_and_lose_nothing(house, monkeypatch):
    came = rush(house, COUNT, monkeypatch)
    print(came)
    assert came.with_photo == COUNT
    # The budget counts a call when it begins, Palletways when it arrives: those in flight may fall on either side.
    assert came.most_in_60_s <= 60 + WORKERS * THREADS
    assert {call["fault"] for call in house.sim.journal()} == {None}
    assert house.rows("SELECT count(*) FROM documents") == [(COUNT,)]
    assert house.rows("SELECT DISTINCT state FROM photo_windows") == [("found",)]
    assert house.rows("SELECT DISTINCT attempted_at >= begun_at + interval '15 minutes' FROM photo_windows") == [
        (True,)
    ]
    assert (house.waiting(), house.parked()) == ({}, {})
