"""DownloadLabel (section 2.2): the label of one pallet, a JPEG in base64."""

import base64
import io
import re

from PIL import Image

from .answers import Answer
from .label_drawing import DPI, draw_label
from .state import Consignment
from .wire import Refused, Request, scalar


def download_label(request: Request) -> Answer:
    """Give the label of one pallet of an accepted consignment that belongs to the key's depot."""
    consignment = _registered(request)
    pallet = _pallet(request, consignment)
    fault = request.fault
    if fault is not None and fault.name == "label_missing":
        return request.answer({"labelImages": []} if fault.options["empty"] else {})
    picture = _encoded(draw_label(consignment, pallet), "PNG" if request.struck_by("label_not_jpeg") else "JPEG")
    text = base64.b64encode(picture).decode()
    if request.struck_by("label_bad_base64"):
        # A reader that skips what is not base64 would still find a picture here.
        text = text[:100] + "*" + text[100:]
    return request.answer({"labelImages": [{"imageData": text}]})


def _registered(request: Request) -> Consignment:
    number = request.text("trackingNumber")
    consignment = request.simulation.network.visible(request.depot, number)
    if consignment is None:
        raise Refused(f"Tracking number {number} is not known")
    if consignment.status != "ACCEPTED":
        raise Refused(f"Tracking number {number} is not accepted")
    uploaded_by_key = consignment.requesting_depot == request.depot
    ours = scalar(consignment.document, "uniqueTransactionNumber") if uploaded_by_key else ""
    sent = request.text("uniqueTransactionNumber")
    if sent != ours:
        rule = f"must be that of the upload of {number}" if ours else f"must be empty, {number} was not uploaded by you"
        raise Refused(f"uniqueTransactionNumber: {rule}")
    return consignment


def _pallet(request: Request, consignment: Consignment) -> int:
    text = request.text("palletNumber")
    if not re.fullmatch(r"[1-9][0-9]?", text):
        raise Refused("palletNumber: must be a whole number from 1 without leading zero")
    if int(text) > consignment.pallets:
        raise Refused(f"palletNumber: {consignment.number} has no pallet {text}")
    return int(text)


def _encoded(image: Image.Image, form: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, dpi=(DPI, DPI), quality=80)
    return buffer.getvalue()
