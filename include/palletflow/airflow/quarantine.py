"""Replays quarantined records from an Airflow run."""

import json
from datetime import UTC, datetime

from airflow.sdk import Context, Param

from palletflow import deployment
from palletflow.airflow import order_store, runs
from palletflow.discovery import network_part
from palletflow.intake.replay import replay
from palletflow.store import quarantine

REPLAY_PARAMS = {
    "record_ids": Param(
        None,
        type=["null", "array"],
        items={"type": "integer"},
        title="Record ids",
        description="Only these records; empty takes all that the other fields leave.",
    ),
    "network": Param(None, type=["null", "string"], title="Network", description="Only records of this network."),
    "reason_code": Param(
        None,
        type=["null", "string"],
        title="Reason code",
        description="Only records rejected for this reason, e.g. UNKNOWN_CUSTOMER after adding the customer.",
    ),
    "corrected": Param(
        None,
        type=["null", "object"],
        title="Corrected record",
        description="The record as it should have come; goes with exactly one record id.",
    ),
}


class BadReplay(runs.BadForm):
    """The trigger form's fields do not go together."""


def replay_quarantine(context: Context) -> dict[str, int]:
    """Replays what the trigger form asks for; gives the counts by outcome. Raises BadReplay, NotInQuarantine,
    NotReplayed."""
    params = context["params"]
    ids, corrected = params["record_ids"], params["corrected"]
    if corrected is not None and len(ids or ()) != 1:
        raise BadReplay("A corrected record goes with exactly one record id.")
    plan = deployment.load()
    with order_store.connect() as conn:
        if corrected is not None:
            quarantine.correct(conn, ids[0], json.dumps(corrected, ensure_ascii=False), runs.actor(context))
        return replay(
            conn,
            quarantine.listed(conn, params["network"], params["reason_code"], ids or None),
            plan,
            lambda network, party: network_part(network, "hook").replayer(plan, party),
            lambda network: network_part(network, "csv_files").kinds(plan),
            now=datetime.now(UTC),
            run=runs.name(context),
            actor=runs.actor(context),
        )._asdict()
