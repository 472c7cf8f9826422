"""The barcodes of pallets: what we expect, what a status confirmed, what was replaced (contract 3).

A barcode that is replaced makes every label that carries it stale; whoever printed one must print a new one.
"""

from collections.abc import Iterable, Mapping, Sequence

from palletflow.store import activity, work_items
from palletflow.store.connection import Connection

# The kinds of work that draw our own labels of a consignment anew, fetch one pallet's from its network (key
# "<consignment id>:<pallet number>"; "<consignment id>" where one document has all of them), and tell the network our
# statuses.
RELABEL = "own_labels"
REFETCH = "network_labels"
EXPORT = "status_export"
# Callers fill this with the barcodes of whole consignments; what those had besides is superseded.
EXPECTED = """
CREATE TEMP TABLE expected_barcodes (
    consignment_id bigint, pallet_number smallint, barcode text, PRIMARY KEY (consignment_id, pallet_number)
) ON COMMIT DROP
"""
SUPERSEDE = """
UPDATE pallet_barcodes held SET state = 'superseded', superseded_at = now()
WHERE held.consignment_id IN (SELECT consignment_id FROM expected_barcodes)
  AND held.state IN ('expected', 'confirmed')
  AND NOT EXISTS (
      SELECT FROM expected_barcodes e
      WHERE (e.consignment_id, e.pallet_number, e.barcode) = (held.consignment_id, held.pallet_number, held.barcode)
  )
"""
EXPECT = """
INSERT INTO pallet_barcodes AS held (consignment_id, pallet_number, barcode, state)
SELECT consignment_id, pallet_number, barcode, 'expected' FROM expected_barcodes
ON CONFLICT (consignment_id, barcode) DO UPDATE
SET state = 'expected', pallet_number = excluded.pallet_number, superseded_at = NULL
WHERE held.state IN ('superseded', 'foreign')
"""
# A provisional label is stale as soon as there is a barcode to print.
MARK_LABELS = """
WITH marked AS (
    UPDATE documents d
    SET stale_at = CASE WHEN b.state = 'superseded' OR b.state IS NULL THEN now() END
    FROM (SELECT DISTINCT consignment_id FROM expected_barcodes) touched
    JOIN documents held USING (consignment_id)
    LEFT JOIN pallet_barcodes b ON (b.consignment_id, b.barcode) = (held.consignment_id, held.barcode)
    WHERE d.id = held.id AND held.kind IN ('LABEL', 'NETWORK_LABEL') AND (held.barcode <> '' OR held.provisional)
      AND (held.stale_at IS NULL) = (b.state = 'superseded' OR b.state IS NULL)
    RETURNING d.consignment_id, d.pallet_number, d.stale_at, d.kind
)
SELECT consignment_id, c.network, string_agg(DISTINCT marked.pallet_number::text, ', '),
       array_agg(DISTINCT marked.pallet_number) FILTER (WHERE marked.kind = 'NETWORK_LABEL')
FROM marked JOIN consignments c ON c.id = marked.consignment_id
WHERE stale_at IS NOT NULL GROUP BY consignment_id, c.network
"""
# One document that holds the labels of all pallets is as old as the oldest of their barcodes.
MARK_WHOLE_LABELS = """
UPDATE documents d SET stale_at = now()
FROM consignments c
WHERE c.id = d.consignment_id AND d.consignment_id IN (SELECT consignment_id FROM expected_barcodes)
  AND d.kind = 'NETWORK_LABEL' AND d.pallet_number IS NULL AND d.stale_at IS NULL
  AND EXISTS (SELECT FROM pallet_barcodes b
              WHERE b.consignment_id = d.consignment_id AND b.state = 'superseded' AND b.superseded_at = now())
RETURNING d.consignment_id, c.network
"""
# What the network did not take under the old barcodes may go under the new ones.
UNTOLD = """
SELECT DISTINCT c.network, c.id
FROM expected_barcodes JOIN tracking_events t USING (consignment_id) JOIN consignments c ON c.id = t.consignment_id
WHERE t.direction = 'exported' AND t.sent_at IS NULL
"""


def expect(conn: Connection, rows: Iterable[tuple[int, int, str]], actor: str, source: str) -> None:
    """Makes these (consignment id, pallet number, barcode) the barcodes of their consignments.

    Give all pallets of a consignment. Runs within the caller's transaction; what is so already is not written.
    """
    conn.execute(EXPECTED)
    with conn.cursor() as cursor:
        cursor.executemany("INSERT INTO expected_barcodes VALUES (%s, %s, %s)", list(rows))
    take_over(conn, actor, source)


def take_over(conn: Connection, actor: str, source: str) -> None:
    """expect() of what the caller has put into the transaction's table EXPECTED; drops that table."""
    conn.execute(SUPERSEDE)
    conn.execute(EXPECT)
    stale = conn.execute(MARK_LABELS).fetchall()
    whole = conn.execute(MARK_WHOLE_LABELS).fetchall()
    untold = conn.execute(UNTOLD).fetchall()
    conn.execute("DROP TABLE expected_barcodes")
    for consignment_id, network, pallets, fetched in stale:
        warning = f"The barcodes changed: print new labels for pallet {pallets} before collection"
        activity.record(conn, consignment_id, "labels became stale", actor, source, warnings=[warning])
        work_items.enqueue(conn, network, RELABEL, [consignment_id])
        work_items.enqueue(conn, network, REFETCH, [f"{consignment_id}:{pallet}" for pallet in fetched or ()])
    for consignment_id, network in whole:
        warning = "The barcodes changed: print the new labels of all pallets before collection"
        activity.record(conn, consignment_id, "labels became stale", actor, source, warnings=[warning])
        work_items.enqueue(conn, network, REFETCH, [consignment_id])
    for network, consignment_id in untold:
        work_items.enqueue(conn, network, EXPORT, [consignment_id])


WITHDRAW = """
UPDATE pallet_barcodes SET state = 'superseded', superseded_at = now()
WHERE consignment_id = %s AND state IN ('expected', 'confirmed')
"""
WITHDRAW_LABELS = """
UPDATE documents SET stale_at = now()
WHERE consignment_id = %s AND kind IN ('LABEL', 'NETWORK_LABEL') AND stale_at IS NULL
"""


def withdraw(conn: Connection, consignment_id: int, actor: str, source: str) -> None:
    """Takes a consignment's barcodes and labels back, as its number or service is no longer the one they carry.

    [PF-3-15] Within the caller's transaction; writes nothing when there are none.
    """
    replaced = conn.execute(WITHDRAW, (consignment_id,)).rowcount
    stale = conn.execute(WITHDRAW_LABELS, (consignment_id,)).rowcount
    if replaced or stale:
        warnings = ["The barcodes are void: do not use the labels printed so far"] if stale else []
        activity.record(conn, consignment_id, "barcodes withdrawn", actor, source, warnings=warnings)


CURRENT = """
INSERT INTO expected_barcodes
SELECT consignment_id, pallet_number, barcode FROM pallet_barcodes
WHERE consignment_id = %s AND state IN ('expected', 'confirmed') AND pallet_number <> ALL (%s)
"""
CONFIRM = """
UPDATE pallet_barcodes SET state = 'confirmed', confirmed_at = coalesce(confirmed_at, now())
WHERE consignment_id = %s AND barcode = ANY (%s) AND state = 'expected'
"""
# Seen in use, but not (or no longer) the one of its pallet.
KEEP = """
INSERT INTO pallet_barcodes (consignment_id, pallet_number, barcode, state, superseded_at)
VALUES (%s, %s, %s, %s, CASE WHEN %s = 'superseded' THEN now() END)
ON CONFLICT (consignment_id, barcode) DO NOTHING
"""


def confirm(conn: Connection, consignment_id: int, barcodes: Sequence[str]) -> None:
    """Notes that the network itself uses these, within the caller's transaction [PF-3-14]."""
    conn.execute(CONFIRM, (consignment_id, list(barcodes)))


def adopt(conn: Connection, consignment_id: int, barcodes: Mapping[int, str], actor: str, source: str) -> None:
    """Makes the network's new barcodes the current ones of their pallets; the other pallets keep theirs [PF-3-16].

    Labels that carry a replaced barcode become stale. Within the caller's transaction.
    """
    conn.execute(EXPECTED)
    conn.execute(CURRENT, (consignment_id, list(barcodes)))
    with conn.cursor() as cursor:
        rows = [(consignment_id, pallet, barcode) for pallet, barcode in barcodes.items()]
        cursor.executemany("INSERT INTO expected_barcodes VALUES (%s, %s, %s)", rows)
    take_over(conn, actor, source)


def keep(conn: Connection, consignment_id: int, pallet_number: int | None, barcode: str) -> None:
    """Keeps a barcode as history: an older one of a pallet, which still resolves, or without a pallet a foreign one.

    [PF-3-17] Within the caller's transaction.
    """
    state = "foreign" if pallet_number is None else "superseded"
    conn.execute(KEEP, (consignment_id, pallet_number, barcode, state, state))
