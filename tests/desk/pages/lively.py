"""Consignments with a story, one of each network, written with what the pipelines themselves write with.

`word` is what stands in every text that a stranger gives: names, notes, references, reasons, file names.
"""

import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from PIL import Image
from tests.desk.desk_orders import DEPLOYMENT

from palletflow import deployment
from palletflow.discovery import network_part
from palletflow.documents.storage import open_storage
from palletflow.intake.flow import Intake
from palletflow.orders.lifecycle import Reason, Status
from palletflow.orders.tracking import Event
from palletflow.store import (
    activity,
    barcodes,
    customers,
    document_exchanges,
    documents,
    movements,
    network_notes,
    photo_uploads,
    photo_windows,
    quarantined_files,
    status_exports,
    tracking,
    whereabouts,
    work_items,
)  # fmt: skip
from palletflow.store.connection import Connection
from palletflow.store.document_exchanges import Fetched
from palletflow.store.documents import Document
from palletflow.store.imports import Batch
from palletflow.store.network_notes import Note
from palletflow.store.quarantined_files import QuarantinedFile

NOW = datetime.now(UTC).replace(microsecond=0)
ACTOR = "palletflow"


def ago(hours: float) -> datetime:
    return NOW - timedelta(hours=hours)


def imported(conn: Connection, network: str, record: Any, stream: str = "consignments", party: str = "900") -> int:
    """Sends a record of a network through the import flow; the id of its consignment."""
    plan = deployment.load(DEPLOYMENT)
    mapper = network_part(network, "mapper").preview(plan)
    customers.sync(conn, plan.customer_names(), plan.account_rows())
    intake = Intake(conn, network, mapper)
    intake.add([record], ago(30))
    intake.store(Batch(network, stream, party, "scheduled__2026-07-13", ACTOR, ago(30), (ago(31), ago(30)), 1))
    key = mapper.key(record)
    [(number,)] = conn.execute(
        "SELECT max(id) FROM consignments WHERE (network, tracking_number) = (%s, %s)", (network, key)
    ).fetchall()
    return int(number or 0)


def sample(network: str) -> Any:
    return json.loads(network_part(network, "mapper").SAMPLE.read_text("utf-8"))


def read(conn: Connection, consignment_id: int, *events: tuple[str, Status, float], **more: Any) -> None:
    """Stores statuses that a network told: (code, status, hours ago) each, of all pallets unless `more` says so."""
    nothing: dict[str, Any] = {
        "reason": None, "barcode": "", "pallet": None, "estimated": False, "depot": "", "signatory": "", "note": "",
        "latitude": "", "longitude": "", "echo": False, "raw": {"told": "so"},
    }  # fmt: skip
    found = [Event(code=code, status=status, at=ago(hours), **(nothing | more)) for code, status, hours in events]
    with conn.transaction():
        tracking.store(conn, consignment_id, found)
        changes = whereabouts.settle(conn, consignment_id)
        changes["statuses"] = [None, [event.code for event in found]]
        activity.record(conn, consignment_id, "statuses read", ACTOR, "statuses 900", changes)


def photo(conn: Connection, consignment_id: int, name: str, colour: str = "peru", *, of_order: bool = False) -> int:
    """A photo among its documents, or among those of its whole order."""
    drawn = io.BytesIO()
    Image.new("RGB", (640, 480), colour).save(drawn, "JPEG")
    return document(conn, consignment_id, "PHOTO", name, "image/jpeg", drawn.getvalue(), of_order=of_order)


def document(
    conn: Connection,
    consignment_id: int,
    kind: str,
    name: str,
    media_type: str,
    data: bytes,
    *,
    of_order: bool = False,
    **more: Any,
) -> int:
    """A document among its own, or among those of its whole order; its id."""
    stored = open_storage().put(data)
    [(order_id,)] = conn.execute("SELECT order_id FROM consignments WHERE id = %s", (consignment_id,)).fetchall()
    of = None if of_order else consignment_id
    with conn.transaction():
        return documents.add(
            conn,
            Document(
                order_id, of, more.pop("pallet", None), kind, name, media_type, stored.size, stored.sha256, "test",
                ACTOR, **more,
            ),
        )  # fmt: skip


def parked(conn: Connection, network: str, kind: str, key: str, reason: str) -> int:
    """Work that was given up; its id."""
    work_items.enqueue(conn, network, kind, [key])
    conn.execute(
        "UPDATE work_items SET parked_at = now(), last_error = %s, attempts = 8 WHERE (kind, key) = (%s, %s)",
        (reason, kind, key),
    )
    [(number,)] = conn.execute("SELECT id FROM work_items WHERE (kind, key) = (%s, %s)", (kind, key)).fetchall()
    return int(number)


def palletforce(conn: Connection, word: str = "ring the bell twice") -> int:
    """We request and deliver it: barcodes that changed, a stale label, a status refused, a label parked."""
    record = sample("palletforce")
    record["consignments"][0] |= {"collectingDepot": "905", "customersUniqueReference": word}
    record["consignments"][0]["notes"] = [{"noteName": "NOTE1", "value": word}]
    record["deliveryAddress"] |= {"name": word, "contactName": word}
    one = imported(conn, "palletforce", record)
    document(
        conn, one, "NETWORK_LABEL", f"{word}.pdf", "application/pdf", b"%PDF-1.4 a label", pallet=1,
        barcode="506901A900001000012301",
    )  # fmt: skip
    read(conn, one, ("ARRH", Status.AT_HUB, 12), note=word, depot="HUB")
    with conn.transaction():
        barcodes.adopt(conn, one, {1: "506902A900001000012301"}, ACTOR, "palletforce statuses 900")
        barcodes.keep(conn, one, None, word[:60])
    with conn.transaction():
        movements.report_stop(conn, one, stop="delivery_depot", event="arrived", at=ago(8), actor="warehouse")
    with conn.transaction():
        movements.report_stop(
            conn, one, stop="delivery", event="completed", at=ago(2), outcome="NOT_DELIVERED", reason=word,
            signatory=word, actor="driver",
        )  # fmt: skip
    element = {
        "pallet": 1, "barcode": "506902A900001000012301", "code": "ABRT", "status": "EXCEPTION", "reason": None,
        "at": ago(2), "depot": "901", "signatory": word, "note": word, "latitude": "", "longitude": "",
        "delivery_order": 1, "total_deliveries": 2, "movement_id": None,
    }  # fmt: skip
    with conn.transaction():
        ids = status_exports.write(conn, one, [element, {**element, "code": "ARDL", "at": ago(3)}])
        status_exports.answered(conn, [ids[1]], {ids[0]: f"not taken: {word}"})
        activity.record(conn, one, "statuses sent", ACTOR, "palletforce status export", {"statuses": [None, ["ARDL"]]})
    parked(conn, "palletforce", "network_labels", f"{one}:2", f"HTTP 500: {word}")
    return one


def nexus(conn: Connection, word: str = "left with the neighbour") -> int:
    """We request and collect it, others deliver: a POD fetched, a photo that could not be, an exception."""
    record = sample("nexus")
    record |= {"customerReference": word, "notes": word, "delAddressName": word}
    one = imported(conn, "nexus", record, "orders", "nexus_pgd302")
    read(conn, one, ("At Hub", Status.AT_HUB, 20), ("Out For Delivery", Status.OUT_FOR_DELIVERY, 6))
    read(conn, one, ("Refused", Status.EXCEPTION, 2), note=word, signatory=word, reason=Reason.REFUSED)
    with conn.transaction():
        page = Image.new("RGB", (400, 560), "white")
        drawn = io.BytesIO()
        page.save(drawn, "PNG")
        stored = open_storage().put(drawn.getvalue())
        [(order_id,)] = conn.execute("SELECT order_id FROM consignments WHERE id = %s", (one,)).fetchall()
        document = Document(
            order_id, one, None, "POD", f"{word}.png", "image/png", stored.size, stored.sha256, "nexus documents", ACTOR
        )
        document_exchanges.keep(conn, Fetched(one, "POD", "POD", word, "att-1"), document)
        document_exchanges.failed(
            conn, Fetched(one, "PHOTO", "PHOTO", word, "att-2"), f"it is no picture: {word}", asked="", most_tries=1,
            actor=ACTOR, source="nexus documents",
        )  # fmt: skip
    conn.execute(
        "INSERT INTO eta_exports (consignment_id, route, eta_from, accepted_at, refused_route, refused_eta, refusal, "
        "refused_at) VALUES (%s, %s, now(), now() - interval '3 hours', %s, now(), %s, now())",
        (one, word, word, word),
    )
    conn.execute("UPDATE orders SET review_reason = %s WHERE id = %s", (f"Nexus says 'Refused' ({word})", order_id))
    return one


def palletways(conn: Connection, word: str = "gate code at reception") -> int:
    """We deliver it: notes, photos looked for, a photo uploaded, one refused, a file that is no photo."""
    record = sample("palletways")
    held = record["Depot"]["Account"]["Consignment"]
    held |= {"CollectionDepot": "456", "DeliveryDepot": "123", "BookInReference": word}
    held["Address"][0] |= {"CompanyName": word, "ContactName": word}
    one = imported(conn, "palletways", record, "single_fetch", "123")
    number = held["TrackingID"]
    read(conn, one, ("675", Status.AT_DELIVERY_DEPOT, 9), note=word)
    note = Note(
        number, 17, 1, "700", ago(5), NOW.date(), None, word, "Delivery", "Info", "", word, {"NoteText": word}
    )  # fmt: skip
    with conn.transaction():
        network_notes.keep(conn, "palletways", "123", [(one, note)], ago(5))
        photo_windows.begin(conn, one, ago(4), single=False)
        photo_windows.attempted(conn, one, ago(3), found=False, answer=None, closes=True)
    file = QuarantinedFile(
        "palletways", number, "malformed", word, None, None, "podimages@portal", "https://example.com"
    )
    quarantined_files.add(conn, file, ago(3))
    with conn.transaction():
        movements.report_stop(
            conn, one, stop="delivery", event="completed", at=ago(4), signatory=word, actor="driver"
        )  # fmt: skip
    up, refused = photo(conn, one, f"{word}.jpg"), photo(conn, one, f"{word} 2.jpg", "teal")
    with conn.transaction():
        upload = photo_uploads.number(conn, up, one, number, 1, lambda given: f"{number}_{given}.jpg", 9, bytes(32))
        photo_uploads.uploaded(conn, upload, ago(1), actor=ACTOR, source="palletways photos out")
        photo_uploads.refuse(conn, refused, one, "UNREADABLE_FILE", word, actor=ACTOR, source="palletways photos out")
    work_items.enqueue(conn, "palletways", "photo_upload", [one], NOW + timedelta(minutes=10))
    conn.execute("UPDATE work_items SET attempts = 2, last_error = %s WHERE kind = 'photo_upload'", (f"550 {word}",))
    conn.execute("INSERT INTO stale_consignments VALUES (%s, now())", (one,))
    return one
