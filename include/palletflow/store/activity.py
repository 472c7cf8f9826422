"""The append-only history of consignments: who did what, when, and where it came from."""

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg.types.json import Jsonb

from palletflow.store.connection import Connection

INSERT = """
INSERT INTO activity (consignment_id, kind, actor, source, changes, warnings) VALUES (%s, %s, %s, %s, %s, %s)
"""


def record(
    conn: Connection,
    consignment_id: int,
    kind: str,
    actor: str,
    source: str,
    changes: Mapping[str, Any] | None = None,
    warnings: Sequence[str] = (),
) -> None:
    """Writes one entry within the caller's transaction.

    `kind` is a past participle ("created", "dispatched"), `source` where it came from ("order API", "palletforce
    dispatch"). `changes`: field to [before, after].
    """
    conn.execute(
        INSERT, (consignment_id, kind, actor, source, Jsonb(changes) if changes is not None else None, list(warnings))
    )
