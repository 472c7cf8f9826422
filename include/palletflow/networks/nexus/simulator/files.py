"""Labels, attachments and the files behind them (sections 2.6 and 2.7)."""

import base64
import hashlib
from datetime import timedelta
from typing import Any

from .consignment import Consignment, File
from .label import label_pdf, label_zpl
from .replies import Refused, Reply, answer
from .wire import Request

# The start of a file: media type. Only these are taken in.
MEDIA = {
    b"%PDF": "application/pdf",
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"II*\x00": "image/tiff",
    b"MM\x00*": "image/tiff",
}


def labels(request: Request) -> Reply:
    """The labels of a consignment that is not cancelled, one page per pallet; 404 until they are ready."""
    one, options = request.consignment(), request.simulation.options
    ready = one.created + timedelta(seconds=options["label_delay_s"])
    if one.status == "Cancelled" or request.now < ready:
        raise Refused(404)
    one.labels_fetched += 1
    match options["label_form"]:
        case "zpl":
            return Reply(200, label_zpl(one), "application/pdf")
        case "url":
            return answer({"url": f"{request.base}/v1/files/{one.consignment_id}?label=1"})
        case "base64":
            return answer({"content": base64.b64encode(label_pdf(one)).decode()})
    return Reply(200, label_pdf(one), "application/pdf")


def attachments(request: Request) -> Reply:
    """The files of a consignment that are there by now."""
    there = [file for file in request.consignment().files if file.at <= request.now]
    return answer([request.simulation.writer.attachment(file, _url(request, file)) for file in there])


def upload(request: Request) -> Reply:
    """Take in a file of a known attachment type: PDF, JPEG, PNG or TIFF, not too large."""
    simulation, one, parts = request.simulation, request.consignment(), request.simulation.options["upload_parts"]
    type_id, sent = str(request.form.get(parts["attachmentTypeID"], "")), request.form.get(parts["file"])
    known = int(type_id) if type_id.isdecimal() else None
    type_ = simulation.ids.named("consignmentAttachmentTypes", known)
    errors = {} if type_ else {parts["attachmentTypeID"]: ["unknown id" if type_id else "required"]}
    if not isinstance(sent, tuple) or not sent[0]:
        errors[parts["file"]] = ["required"]
    if errors or type_ is None or not isinstance(sent, tuple):
        raise Refused(400, errors)
    name, content = sent
    if len(content) > simulation.options["upload_mb"] * 1024 * 1024:
        raise Refused(413)
    if media_type(content) is None:
        raise Refused(415)
    if simulation.violations.is_echo(request.depot, hashlib.sha256(content).hexdigest()):
        request.violation("echo_upload", f"{name}: bytes that were served to {request.depot}")
    file = simulation.network.attach(one, type_, name, content, request.now, request.depot)
    return answer(simulation.writer.attachment(file, _url(request, file)), 201)


def file(request: Request) -> Reply:
    """A file at its own address, for users who see the consignment; by option it is somewhere else."""
    number = request.ids["id"]
    if request.text("label"):
        return Reply(200, label_pdf(request.consignment()), "application/pdf")
    one, found = _held(request, number)
    if request.depot not in one.depots:
        raise Refused(404)
    match request.simulation.options["file_host"]:
        case "redirect":
            return Reply(302, headers={"Location": _foreign(request, found)})
        case "redirect_own" if not request.text("here"):
            return Reply(302, headers={"Location": f"/v1/files/{number}?here=1"})
    return _content(request, found, request.depot)


def foreign_file(request: Request) -> Reply:
    """The second listener: hands out files to whoever has the address, and must be shown no secret (section 1.7)."""
    shown = [name for name in request.headers if name in ("authorization", "cookie") or name.startswith("x-")]
    if shown:
        request.violation("bearer_on_foreign_host", f"{', '.join(shown)} sent to the foreign file host")
    number, _, depot = request.path.removeprefix("files/").partition("-")
    _, found = _held(request, number)
    return _content(request, found, depot.upper())


def media_type(content: bytes) -> str | None:
    """What the bytes are, by how they begin; None = nothing that can be uploaded."""
    return next((media for start, media in MEDIA.items() if content.startswith(start)), None)


def _held(request: Request, number: str) -> tuple[Consignment, File]:
    held = request.simulation.network.files.get(int(number)) if number.isdecimal() else None
    if held is None or held[1].at > request.now:
        raise Refused(404)
    return held


def _content(request: Request, found: File, depot: str) -> Reply:
    request.simulation.violations.served(depot, found.sha256)
    return Reply(200, found.content, media_type(found.content) or "application/octet-stream")


def _url(request: Request, found: File) -> str:
    if request.simulation.options["file_host"] == "foreign":
        return _foreign(request, found)
    return f"{request.base}/v1/files/{found.file_id}"


def _foreign(request: Request, found: File) -> str:
    # The depot in the address says whom these bytes were served to.
    options: Any = request.simulation.options
    return f"{options['foreign_url']}/files/{found.file_id}-{request.depot.lower()}"
