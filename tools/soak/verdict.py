"""Reads everything and prints what came of the night."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from soak.house import Control, House
from soak.night import Night
from soak.truth import house as whole_house
from soak.truth import nexus, palletforce, palletways
from soak.truth.checks import MOST_SHOWN, Check
from soak.truth.store import read

PAGE = 1000


def look(house: House) -> dict[str, Any]:
    """What the networks have, in their own words."""
    controls = {name: Control(f"{address}/_sim") for name, address in house.networks.items()}
    force, nexus_, ways = (controls[name] for name in ("palletforce", "nexus", "palletways"))
    return {
        "palletforce": {"consignments": _all(force), "statuses": force.get("statuses")["statuses"]},
        "nexus": {"consignments": _all(nexus_), "violations": nexus_.get("violations")["violations"]},
        "palletways": {
            "consignments": _all(ways),
            "violations": ways.get("violations")["violations"],
            "files": ways.get("files"),
        },
    }


def _all(control: Control) -> list[Any]:
    found: list[Any] = []
    while True:
        page = control.get("consignments", offset=len(found))
        found += page["consignments"]
        if len(found) >= page["total"] or not page["consignments"]:
            return found


def judge(house: House, night: Night, seen: dict[str, Any]) -> list[Check]:
    """Everything that must hold. `seen`: look() at the end of settling; what it had then has been polled since."""
    now = look(house)
    (house.home / "seen.json").write_text(json.dumps({"seen": seen, "now": now}))
    with house.store() as conn:
        store = read(conn, Path(house.environment["PALLETFLOW_DEPLOYMENT"]))
        files = house.home / "files"
        return [
            *palletforce.checks(seen["palletforce"], now["palletforce"], store, night.palletforce),
            *nexus.checks(seen["nexus"], now["nexus"], store, night.nexus, night.began),
            *palletways.checks(conn, seen["palletways"], now["palletways"], store, night.palletways),
            *whole_house.checks(
                conn,
                store,
                night.tally,
                {
                    files / "palletforce": night.palletforce.dropped,
                    files / "palletways": night.palletways.dropped,
                },
            ),
        ]


def stopped(house: House) -> list[str]:
    """Keys of our orders that were not dispatched, as Needs attention lists them."""
    with house.store() as conn:
        store = read(conn, Path(house.environment["PALLETFLOW_DEPLOYMENT"]))
    ids = {entry.consignment_id for entry in store.listed["dispatch"]}
    return [one.key for one in store.held if one.id in ids]


def table(checks: Iterable[Check]) -> str:
    """A line for each, and below it what is wrong."""
    lines = [f"  {'':<12} {'what':<58} {'of':>6} {'wrong':>6}", f"  {'-' * 84}"]
    for one in checks:
        lines.append(f"  {one.network:<12} {one.what:<58} {one.expected:>6} {len(one.wrong) or 'none':>6}")
        lines += [f"    ! {said[:200]}" for said in one.wrong[:MOST_SHOWN]]
        if len(one.wrong) > MOST_SHOWN:
            lines.append(f"    ! ... and {len(one.wrong) - MOST_SHOWN} more")
    return "\n".join(lines)
