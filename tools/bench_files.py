"""The speed of the CSV import: an order file into the full model, beside a raw COPY of the same final rows.

`python tools/bench_files.py` prints it; tools/bench.py prints it with all the others. The yardstick copies the rows
that the import made, into the same tables with the same indexes and constraints, in one transaction.
"""

import csv
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from figures import Figure, expect, timed
from palletflow import deployment
from palletflow.deployment import Deployment
from palletflow.intake.file_import import import_file
from palletflow.networks.palletforce import csv_files
from palletflow.sandbox.postgres import EmbeddedPostgres
from palletflow.store import migrate
from palletflow.store.connection import Connection, connect
from palletflow.store.files import ReadFile

PROJECT = Path(__file__).parents[1]
CONSIGNMENTS = 100_000
ROUNDS = 3
# With the second lines of every tenth a million rows, which is the most a file may have.
MANY = 909_090
MOST_MEGABYTES = 300
# In the order in which foreign keys allow it.
TABLES = (
    "inbound_batches",
    "orders",
    "consignments",
    "stops",
    "pallets",
    "activity",
    "inbound_records",
    "inbound_files",
)
MODEL = ("orders", "consignments", "stops", "pallets", "activity")
HEADINGS = (
    "orderReference", "customerCode", "customerAccountNumber", "collectionDate", "deliveryName",
    "deliveryStreetAddress", "deliveryTown", "deliveryPostcode", "deliveryPhoneNumber", "deliveryContactName",
    "deliveryDate", "serviceName", "surcharges", "palletType", "numberOfPallets", "weight", "goodsDescription",
    "note1", "notificationEmail",
)  # fmt: skip
TOWNS = (("Leeds", "LS"), ("Bristol", "BS"), ("Leicester", "LE"), ("Glasgow", "G"), ("Cardiff", "CF"), ("Hull", "HU"))


def write_orders(file: Path, count: int) -> None:
    """An order file of so many consignments, every tenth with two pallet lines."""
    first = date(2026, 7, 13)
    with file.open("w", encoding="utf-8", newline="") as output:
        writer = csv.writer(output)
        writer.writerow(HEADINGS)
        for number in range(count):
            town, area = TOWNS[number % len(TOWNS)]
            collected = first + timedelta(days=number % 5)
            row = (
                f"SO-{number:07d}", "ACME", "acme 001", f"{collected:%d/%m/%Y}", f"Receiver {number} Ltd",
                f"{number % 300 + 1} High Street", town, f"{area}{number % 20 + 1} {number % 9}AA",
                f"01632 960{number % 1000:03d}", "Goods In", f"{collected + timedelta(days=3):%d/%m/%Y}",
                "ABCD"[number % 4], ("", "TL", "AM TL")[number % 3], "FHQO"[number % 4], str(number % 2 + 1),
                str(100 + number % 800), "Widgets", "Call first", f"goods{number}@example.com",
            )  # fmt: skip
            writer.writerow(row)
            if number % 10 == 0:
                line = {"palletType": "H", "numberOfPallets": "1", "weight": "75"}
                writer.writerow([row[0], row[1], *(line.get(heading, "") for heading in HEADINGS[2:])])


def import_orders(conn: Connection, plan: Deployment, file: Path) -> ReadFile:
    """The whole job."""
    with file.open("rb") as content:
        return import_file(
            conn,
            "palletforce",
            csv_files.kinds(plan),
            plan,
            content,
            file.name,
            asked=None,
            now=datetime.now(UTC),
            run="bench",
            actor="bench",
        ).file


def _columns(conn: Connection, table: str) -> str:
    rows = conn.execute(
        "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute "
        "WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''",
        (table,),
    )
    return str(rows.fetchall()[0][0])


def copy_out(conn: Connection, folder: Path, tables: Sequence[str]) -> None:
    """Writes the rows of every table to a file of its own."""
    for table in tables:
        statement = f"COPY {table} ({_columns(conn, table)}) TO STDOUT".encode()
        with (folder / table).open("wb") as output, conn.cursor() as cursor, cursor.copy(statement) as copy:
            for block in copy:
                output.write(block)


def copy_in(conn: Connection, folder: Path, tables: Sequence[str]) -> None:
    """The yardstick."""
    with conn.transaction():
        for table in tables:
            statement = f"COPY {table} ({_columns(conn, table)}) FROM STDIN".encode()
            with (folder / table).open("rb") as content, conn.cursor() as cursor, cursor.copy(statement) as copy:
                while block := content.read(256 << 10):
                    copy.write(block)


def fresh(server: EmbeddedPostgres, name: str) -> str:
    """A migrated, empty order store; its address."""
    with connect(server.dsn("postgres")) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {name}".encode())
        admin.execute(f"CREATE DATABASE {name}".encode())
    dsn = server.dsn(name)
    migrate.upgrade(dsn)
    return dsn


def row_versions(conn: Connection) -> list[tuple[object, ...]]:
    """What changes when any row of the model gets a new version."""
    query = "SELECT count(*), sum(xmin::text::bigint) FROM {}"
    return [conn.execute(query.format(table).encode()).fetchall()[0] for table in MODEL]


def _round(server: EmbeddedPostgres, plan: Deployment, folder: Path, file: Path, again: Path) -> list[float]:
    """Seconds of the first import, of the same again, and of the yardstick."""
    with connect(fresh(server, "imported")) as conn, connect(fresh(server, "copied")) as other:
        first = timed(lambda: expect(import_orders(conn, plan, file).consignments == CONSIGNMENTS))
        copy_out(conn, folder, ("customers", *TABLES))
        conn.execute("ANALYZE")
        before = row_versions(conn)
        same = timed(lambda: expect(import_orders(conn, plan, again).landed == 0))
        expect(row_versions(conn) == before)
        copy_in(other, folder, ["customers"])
        return [first, same, timed(lambda: copy_in(other, folder, TABLES))]


def file_figures() -> list[Figure]:
    """First import, and re-import under another name, of 100,000 consignments; and the memory they take."""
    plan = the_plan()
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        file, again = folder / "orders.csv", folder / "the same again.csv"
        write_orders(file, CONSIGNMENTS)
        again.write_bytes(file.read_bytes())
        server = EmbeddedPostgres(folder / "house")
        server.start()
        try:
            rounds = []
            for number in range(ROUNDS):
                print(f"CSV import: round {number + 1} of {ROUNDS} ...", flush=True)
                rounds.append(_round(server, plan, folder, file, again))
        finally:
            server.remove()
    first, same, copied = (min(column) for column in zip(*rounds, strict=True))
    return [
        Figure(f"CSV import of {CONSIGNMENTS:,}", first, "raw COPY of the same final rows", copied, 2.5),
        Figure("the same again under another name", same, "the first import", first, 0.4),
        *memory_figures(),
    ]


def peak_memory(count: int) -> int:
    """Most memory in MB that a process holds which imports so many consignments."""
    with tempfile.TemporaryDirectory() as home:
        file = Path(home) / "orders.csv"
        write_orders(file, count)
        server = EmbeddedPostgres(Path(home) / "house")
        server.start()
        try:
            command = [sys.executable, __file__, "import", fresh(server, "imported"), str(file)]
            return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        finally:
            server.remove()


def memory_figures() -> list[Figure]:
    """The most a process holds that imports a file, and that ten times the rows take no more."""
    print(f"CSV import: memory with {CONSIGNMENTS:,} and {MANY:,} ...", flush=True)
    few, many = peak_memory(CONSIGNMENTS), peak_memory(MANY)
    return [
        Figure(f"MB held while importing {CONSIGNMENTS:,}", few, "MB promised", MOST_MEGABYTES, 1),
        Figure(f"MB held while importing {MANY:,}", many, f"with {CONSIGNMENTS:,}", few, 1.1),
    ]


def the_plan() -> Deployment:
    """The deployment file of the sandbox."""
    os.environ.setdefault(deployment.VARIABLE, str(PROJECT / "include" / "deployment.yaml"))
    return deployment.load()


def main(arguments: Sequence[str]) -> None:
    """Prints the figures, or as a process of its own imports a file and prints its peak memory."""
    if arguments:
        _, dsn, file = arguments
        with connect(dsn) as conn:
            expect(import_orders(conn, the_plan(), Path(file)).outcome == "DONE")
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)
        return
    for figure in file_figures():
        print(f"{figure.name}: {figure.measured:.2f}, ratio {figure.ratio:.2f}, target {figure.target}")


if __name__ == "__main__":
    main(sys.argv[1:])
