"""podimages and getPodByTrackingId (section 2.8), and the label calls (section 2.9)."""

import hashlib
import io
import zipfile
from datetime import timedelta

from .consignment import Consignment, Page
from .envelopes import found
from .label import error_label, labels
from .photo_pdf import compose, faulty
from .pictures import photo, scan
from .replies import NO_POD, NOT_AUTHORISED, NOT_AVAILABLE, Problem, Reply, Said, Tree, page
from .wire import Operation, Request

_PDF = "application/pdf"
_JPEG = b"\xff\xd8"
_OPEN = {"not_available": NOT_AVAILABLE, "not_authorised": NOT_AUTHORISED}
_DEGREES = ("90", "180", "270")


def podimages(spelling: str) -> Operation:
    """All POD images of a consignment, under one of two spellings of the method, of which one is there at a time."""

    def operate(request: Request) -> Tree | Reply:
        switches = request.simulation.switches
        if spelling != switches["podimages_name"]:
            raise Said(NOT_AVAILABLE)
        if switches["podimages_open"] != "yes":
            raise Said(_OPEN[switches["podimages_open"]])
        return _images(request, latest_only=False)

    return operate


def get_pod_by_tracking_id(request: Request) -> Tree | Reply:
    """The latest POD image alone."""
    return _images(request, latest_only=True)


def get_labels_by_tid(request: Request) -> Tree | Reply:
    """Labels by tracking ID."""
    return _labels(request, request.simulation.network.of_tracking_id(request.key, request.argument(0)))


def get_labels_by_id(request: Request) -> Tree | Reply:
    """Labels by response ID."""
    return _labels(request, request.simulation.network.of_response_id(request.key, request.argument(0)))


def _images(request: Request, *, latest_only: bool) -> Tree | Reply:
    simulation = request.simulation
    one = simulation.network.of_tracking_id(request.key, request.argument(0))
    if one is None:
        raise Said(NO_POD)
    pages = _pages(request, one)
    shown = pages[-1:] if latest_only else _arranged(request, pages)
    if simulation.switches["photo_answer"] != "pdf":
        return _other_answer(request, shown)
    contents = [page.image for page in shown]
    if simulation.switches["pdf_fault"] != "none":
        return Reply(200, faulty(simulation.switches["pdf_fault"], contents or [photo(one.tracking_id)]), _PDF)
    if not contents:
        raise Said(NO_POD)
    simulation.served |= {
        (one.tracking_id, hashlib.sha256(page.image).hexdigest()) for page in shown if page.source != "upload"
    }
    return Reply(200, compose(contents, simulation.switches["reencode"]), _PDF)


def _pages(request: Request, one: Consignment) -> list[Page]:
    """What there is by now, oldest first: the consignment's own, and those that the switch ``pages`` gives to all."""
    switches, now = request.simulation.switches, request.now
    pages = [page for page in one.pages if page.at <= now]
    if one.completed_at is not None:
        for label, seconds in switches["pages"]:
            at = one.completed_at + timedelta(seconds=seconds)
            if at <= now:
                pages.append(Page(at, label=f"{one.tracking_id} {label}"))
    if switches.is_on("lookalike_scans"):
        pages += [Page(now, scan(f"{one.tracking_id} {name}")) for name in ("A COLE", "J MARSH")]
    return sorted(pages, key=lambda page: page.at)


def _arranged(request: Request, pages: list[Page]) -> list[Page]:
    switches = request.simulation.switches
    if switches.is_on("duplicate_page"):
        pages = pages + pages[-1:]
    return pages[::-1] if switches["page_order"] == "newest" else pages


def _other_answer(request: Request, pages: list[Page]) -> Tree | Reply:
    """What comes instead of a PDF (section 1.3)."""
    match request.simulation.switches["photo_answer"]:
        case "html":
            return page(200, "Service notice")
        case "xml" | "json" as form:
            request.params = {**request.params, "outputformat": form}
            return found([])
        case "empty":
            return Reply(200)
        case "jpeg":
            own = [page.image for page in pages if page.image.startswith(_JPEG)]
            return Reply(200, own[0] if own else photo(request.argument(0)), "image/jpeg")
        case "zip":
            return Reply(200, _zip(), "application/zip")
    raise Said(NO_POD)


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("photo.jpg"), photo("zipped"))
    return buffer.getvalue()


def _labels(request: Request, one: Consignment | None) -> Tree | Reply:
    """Labels are there once the depot has accepted the consignment; the sample spells the rotation ``degreees``."""
    degrees = 0
    if request.argument(1).lower() in ("degrees", "degreees"):
        if request.argument(2) not in _DEGREES:
            raise Problem("ERROR_FORMAT_INVALID", "Degrees must be 90, 180 or 270")
        degrees = int(request.argument(2))
    if one is not None and one.tracking_id:
        return Reply(200, labels(one, degrees), _PDF)
    if request.simulation.switches["label_error"] == "pdf":
        return Reply(200, error_label(), _PDF)
    return found([])
