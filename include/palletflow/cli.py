"""The command `palletflow`: what a person or an init service does beside Airflow.

It finds the order store in AIRFLOW_CONN_ORDER_STORE and the deployment file in PALLETFLOW_DEPLOYMENT, as Airflow does.
"""

import argparse
import getpass
import json
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from palletflow import deployment
from palletflow.airflow.server_process import become_part_of_the_server
from palletflow.checked_yaml import FileFault
from palletflow.commands import backup, check_connection, watch
from palletflow.commands.called import Usage, order_store_dsn
from palletflow.discovery import network_names, network_part
from palletflow.intake import replay as replaying
from palletflow.network_errors import NetworkError
from palletflow.store import (
    migrate,
    missing_photos,
    missing_pods,
    order_reading,
    quarantine,
    quarantined_files,
    sweeps,
    work_items,
)
from palletflow.store.connection import Connection, DatabaseUnavailable, connect
from palletflow.store.quarantine import NotInQuarantine, Quarantined


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; 0 when it did what was asked, 1 with a sentence on stderr when it could not."""
    options = _parser().parse_args(arguments)
    try:
        options.command(options)
    except (Usage, FileFault, NetworkError, DatabaseUnavailable, NotInQuarantine) as error:
        print(f"palletflow: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="palletflow", description="Palletflow beside Airflow.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    up = commands.add_parser("migrate", help="bring the order store's schema up to date, or down to a revision")
    up.add_argument("--down", metavar="REVISION", help="go down to this revision; 'base' drops every table")
    up.set_defaults(command=_migrate)

    check = commands.add_parser("check-deployment", help="check the deployment file and the templates it names")
    check.set_defaults(command=_check_deployment)

    template = commands.add_parser("template", help="check an import template and show what a record becomes")
    template.add_argument("network", choices=network_names())
    template.add_argument("--template", type=Path, help="your own file; without it the deployment's")
    template.add_argument("--sample", type=Path, help="a raw record as JSON; without it the network's sample")
    template.set_defaults(command=_template)

    records = commands.add_parser("quarantine", help="list, show, correct and replay rejected records")
    actions = records.add_subparsers(required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="the open records, one a line")
    _filters(listing)
    listing.set_defaults(command=_list)
    files = actions.add_parser("files", help="files a network gave for photos that are none, the newest first")
    files.add_argument("--network", choices=network_names())
    files.set_defaults(command=_files)
    show = actions.add_parser("show", help="one record with its raw form")
    show.add_argument("id", type=int)
    show.set_defaults(command=_show)
    correct = actions.add_parser("correct", help="keep a corrected form of a record for the next replay")
    correct.add_argument("id", type=int)
    correct.add_argument("file", type=Path, help="the corrected record as JSON")
    correct.set_defaults(command=_correct)
    replay = actions.add_parser("replay", help="send records through the import flow again")
    _filters(replay)
    replay.add_argument("ids", type=int, nargs="*", help="records; without any, all that the filters leave")
    replay.set_defaults(command=_replay)

    work = commands.add_parser("work", help="list the work queue, release what is parked")
    actions = work.add_subparsers(required=True, metavar="ACTION")
    waiting = actions.add_parser("list", help="why is it stuck? what is parked or waits, one a line")
    _work_filters(waiting)
    waiting.set_defaults(command=_work_list)
    requeue = actions.add_parser("requeue", help="release parked items after their cause was mended")
    _work_filters(requeue)
    requeue.add_argument("--reason", metavar="WORDS", help="only items parked for a reason with these words in it")
    requeue.add_argument("ids", type=int, nargs="*", help="items; without any, all that the filters leave")
    requeue.set_defaults(command=_work_requeue)

    owed = commands.add_parser("compliance", help="list consignments that miss a status the network's members owe")
    owed.add_argument("network", choices=network_names())
    owed.add_argument("--since", type=date.fromisoformat, help="delivered since this day, e.g. 2026-07-01 (30 days)")
    owed.set_defaults(command=_compliance)

    pods = commands.add_parser("missing-pods", help="list deliveries by others for us whose POD nobody has")
    pods.add_argument("--network", choices=network_names())
    pods.add_argument("--hours", type=_hours, default=48.0, help="delivered longer ago than that (48)")
    pods.set_defaults(command=_missing_pods)

    photos = commands.add_parser("missing-photos", help="list deliveries without a photo, whose photos were looked for")
    photos.add_argument("--network", choices=network_names())
    photos.add_argument("--hours", type=_hours, default=48.0, help="seen as delivered longer ago than that (48)")
    photos.set_defaults(command=_missing_photos)

    stale = commands.add_parser("stale", help="list consignments nobody asks for any more, as nothing ended them")
    stale.add_argument("--network", choices=network_names())
    stale.set_defaults(command=_stale)

    reopen = commands.add_parser(
        "reopen-delivery", help="take back that Palletways completed a delivery: what it said since counts again"
    )
    reopen.add_argument("tracking_id")
    reopen.set_defaults(command=_reopen_delivery)
    check_connection.add(commands)
    watch.add(commands)
    backup.add(commands)
    return parser


def _filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--network", choices=network_names())
    parser.add_argument("--reason", metavar="CODE", help="e.g. UNKNOWN_CUSTOMER")


def _hours(text: str) -> float:
    hours = float(text)
    if not 0 <= hours <= 100_000:
        raise ValueError(text)
    return hours


def _work_filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--network", choices=network_names())
    parser.add_argument("--kind", help="e.g. dispatch")


def _order_store() -> Connection:
    return connect(order_store_dsn())


def _migrate(options: argparse.Namespace) -> None:
    if options.down:
        migrate.downgrade(order_store_dsn(), options.down)
    else:
        migrate.upgrade(order_store_dsn())


def _check_deployment(_: argparse.Namespace) -> None:
    plan = deployment.check()
    print(f"{deployment.path()}: good; networks {', '.join(plan.networks)}, {len(plan.customers)} customers")


def _template(options: argparse.Namespace) -> None:
    plan = deployment.load()
    mapper = network_part(options.network, "mapper")
    record = _json(options.sample or mapper.SAMPLE)
    translated = mapper.preview(plan, options.template).translate(record)
    for fault in translated.faults:
        print(f"rejected  {fault.code}: {fault.reason}")
    if translated.left_out:
        print(f"left out  {translated.left_out.code}: {translated.left_out.reason}")
    for warning in translated.warnings:
        print(f"warning   {warning}")
    if translated.consignment:
        _print_fields(translated.consignment._asdict())


def _print_fields(fields: dict[str, Any], indent: str = "") -> None:
    for name, value in fields.items():
        if hasattr(value, "_asdict"):
            print(f"{indent}{name}")
            _print_fields(value._asdict(), indent + "  ")
        elif isinstance(value, dict):
            print(f"{indent}{name}")
            _print_fields(value, indent + "  ")
        elif isinstance(value, list) and any(isinstance(element, dict) for element in value):
            for number, element in enumerate(value, 1):
                print(f"{indent}{name} {number}")
                _print_fields(element, indent + "  ")
        else:
            print(
                f"{indent}{name:<22}{', '.join(value) if isinstance(value, list) else '' if value is None else value}"
            )


def _list(options: argparse.Namespace) -> None:
    with _order_store() as conn:
        found = quarantine.listed(conn, options.network, options.reason)
    for record in found:
        print(_plain(f"{record.id:>8}  {record.record_key or '-':<14} {record.reason_code:<20} {record.reason}"))
    print(f"{len(found)} records in quarantine")


def _files(options: argparse.Namespace) -> None:
    with _order_store() as conn:
        found = quarantined_files.listed(conn, options.network)
    for one in found:
        size = "not kept" if one.size is None else f"{one.size:,} bytes"
        print(
            _plain(
                f"{one.received_at:%Y-%m-%d %H:%M} UTC  {one.network} {one.tracking_number:<14} {one.reason}: "
                f"{one.detail} ({size}, by {one.method})"
            )
        )
    print(f"{len(found)} files in quarantine")


def _one(conn: Connection, record_id: int) -> Quarantined:
    for record in quarantine.listed(conn, ids=[record_id]):
        return record
    raise NotInQuarantine(record_id)


def _show(options: argparse.Namespace) -> None:
    with _order_store() as conn:
        record = _one(conn, options.id)
    print(json.dumps(record._asdict(), indent=2, default=str, ensure_ascii=False))


def _correct(options: argparse.Namespace) -> None:
    corrected = _json(options.file)
    with _order_store() as conn:
        quarantine.correct(conn, options.id, json.dumps(corrected, ensure_ascii=False), getpass.getuser())
    print(f"Record {options.id} corrected; now replay it.")


def _replay(options: argparse.Namespace) -> None:
    become_part_of_the_server()
    plan = deployment.load()
    with _order_store() as conn:
        found = quarantine.listed(conn, options.network, options.reason, options.ids or None)
        counts = replaying.replay(
            conn,
            found,
            plan,
            lambda network, party: network_part(network, "hook").replayer(plan, party),
            lambda network: network_part(network, "csv_files").kinds(plan),
            now=datetime.now(UTC),
            run="palletflow quarantine replay",
            actor=getpass.getuser(),
        )
    print(", ".join(f"{count} {name}" for name, count in counts._asdict().items()))


def _compliance(options: argparse.Namespace) -> None:
    since = options.since or datetime.now(UTC).date() - timedelta(days=30)
    with _order_store() as conn:
        found = network_part(options.network, "compliance").compliance(conn, deployment.load(), since)
    for one in found:
        print(f"{one.tracking_number:<14} {one.at:%Y-%m-%d %H:%M} UTC  misses {', '.join(one.missing)}")
    print(f"{len(found)} consignments since {since} are not compliant")


def _missing_pods(options: argparse.Namespace) -> None:
    with _order_store() as conn:
        found = missing_pods.missing_pods(conn, datetime.now(UTC) - timedelta(hours=options.hours), options.network)
    for one in found:
        parked = f"; could not be used: {'; '.join(one.parked)}" if one.parked else ""
        print(
            _plain(
                f"{one.tracking_number:<14} {one.delivered_at:%Y-%m-%d %H:%M} UTC  {one.network}, order {one.order_id} "
                f"({one.reference or 'no reference'}), delivered by {one.delivery_depot or 'an unknown depot'}{parked}"
            )
        )
    print(f"{len(found)} deliveries of more than {options.hours:g} hours ago have no POD")


def _missing_photos(options: argparse.Namespace) -> None:
    with _order_store() as conn:
        before = datetime.now(UTC) - timedelta(hours=options.hours)
        found = missing_photos.missing_photos(conn, before, options.network)
    for one in found:
        unusable = f"; in quarantine: {', '.join(one.quarantined)}" if one.quarantined else ""
        print(
            _plain(
                f"{one.tracking_number:<14} {one.seen_delivered_at:%Y-%m-%d %H:%M} UTC  {one.network}, order "
                f"{one.order_id} ({one.reference or 'no reference'}), delivered by "
                f"{one.delivery_depot or 'an unknown depot'}, looked for {one.attempts} times{unusable}"
            )
        )
    print(f"{len(found)} deliveries of more than {options.hours:g} hours ago have no photo")


def _stale(options: argparse.Namespace) -> None:
    with _order_store() as conn:
        found = sweeps.stale(conn, options.network)
    for one in found:
        print(
            _plain(
                f"{one.tracking_number:<14} {one.network}, order {one.order_id} ({one.reference or 'no reference'}), "
                f"{one.lifecycle_status}, expected on {one.expected}, not asked for since {one.since:%Y-%m-%d}"
            )
        )
    print(f"{len(found)} consignments are stale")


def _reopen_delivery(options: argparse.Namespace) -> None:
    status_import = network_part("palletways", "status_import")
    with _order_store() as conn:
        found = order_reading.consignments_of_number(conn, options.tracking_id)
        plan = deployment.load()
        reopened = [status_import.reset(conn, plan, number, actor=getpass.getuser()) for number in found]
    if not any(reopened):
        raise Usage(f"Palletways has completed no delivery {options.tracking_id} that we hold")
    print(f"{options.tracking_id} is followed again")


def _work_list(options: argparse.Namespace) -> None:
    with _order_store() as conn:
        found = [
            item
            for parked in (True, False)
            for item in work_items.listed(conn, parked=parked, network=options.network, kind=options.kind)
        ]
        counts = work_items.counts(conn)
    for item in found:
        state = "parked since" if item.parked_at else "worked on until" if item.held else "due"
        moment = f"{item.parked_at or item.due_at:%Y-%m-%d %H:%M:%S}"
        print(
            _plain(
                f"{item.id:>8}  {item.network}.{item.kind} {item.key:<14} {state} {moment} UTC, "
                f"attempt {item.attempts}: {item.reason or 'no failure yet'}"
            )
        )
    for count in counts:
        print(
            f"{count.network}.{count.kind}: {count.parked} parked, {count.due} due, {count.held} worked on, "
            f"{count.later} wait for later"
        )


def _work_requeue(options: argparse.Namespace) -> None:
    with _order_store() as conn:
        count = work_items.requeue(
            conn, ids=options.ids or None, network=options.network, kind=options.kind, reason=options.reason
        )
    print(f"Released {count} parked items")


def _plain(line: str) -> str:
    """A line of what others sent, without what a terminal carries out."""
    return "".join(sign if sign.isprintable() else " " for sign in line)


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_text("utf-8"))
    except OSError as error:
        raise Usage(f"{file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise Usage(f"{file} is not JSON: {error}") from error


if __name__ == "__main__":
    sys.exit(main())
