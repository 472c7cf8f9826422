"""The append-only history of consignments, and of what people did besides: who, what, when, and where it came from."""

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg.types.json import Jsonb

from palletflow.store.connection import Connection

INSERT = """
INSERT INTO activity (consignment_id, kind, actor, source, changes, warnings, subject)
VALUES (%s, %s, %s, %s, %s, %s, %s)
"""


def record(
    conn: Connection,
    consignment_id: int | None,
    kind: str,
    actor: str,
    source: str,
    changes: Mapping[str, Any] | None = None,
    warnings: Sequence[str] = (),
    subject: str = "",
) -> None:
    """Writes one entry within the caller's transaction.

    `kind` is a past participle ("created", "dispatched"), `source` where it came from ("order API", "palletforce
    dispatch"). `changes`: field to [before, after]. `subject`: what it concerns, e.g. "quarantined record 17"; there
    is one where there is no consignment.
    """
    said = Jsonb(changes) if changes is not None else None
    conn.execute(INSERT, (consignment_id, kind, actor, source, said, list(warnings), subject))
