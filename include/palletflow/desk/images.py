"""Previews of documents as answers to a browser: a PNG, or a drawn card that says why there is none."""

from collections.abc import Mapping

from fastapi import Request, Response

from palletflow.desk.preview_cache import BROKEN, BUSY, PREVIEWS, Asked
from palletflow.documents import media
from palletflow.documents.preview_child import DAMAGED, ENCRYPTED, NO_SUCH_PAGE, TOO_LARGE, UNSUPPORTED
from palletflow.documents.storage import DocumentLost, StorageUnavailable, open_storage
from palletflow.store.documents import StoredDocument

TYPES = {
    media.PDF: "PDF",
    media.JPEG: "JPEG",
    media.PNG: "PNG",
    media.TIFF: "TIFF",
    media.GIF: "GIF",
    media.ZPL: "ZPL label",
}
LOST, AWAY = "lost", "away"
WHY_NOT = {
    UNSUPPORTED: "Made for a label printer",
    ENCRYPTED: "Locked with a password",
    DAMAGED: "The file is damaged",
    TOO_LARGE: "Too large to be shown",
    NO_SUCH_PAGE: "There is no such page",
    LOST: "Its bytes are gone",
    AWAY: "The storage does not answer",
    BUSY: "Busy just now; reload the page",
    BROKEN: "Previews do not work just now",
}
# These say nothing about the file, so another try may show it.
PASSING = (LOST, AWAY, BUSY, BROKEN)
CARD = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 320 240" width="320" height="240" role="img">
<rect width="320" height="240" fill="#eceef1"/>
<path d="M120 40h56l26 26v66h-82z" fill="#fff" stroke="#8b93a0" stroke-width="2"/>
<path d="M176 40v26h26" fill="none" stroke="#8b93a0" stroke-width="2"/>
<text x="160" y="170" text-anchor="middle" font-family="sans-serif" font-size="22" fill="#1c1f24">{name}</text>
<text x="160" y="200" text-anchor="middle" font-family="sans-serif" font-size="15" fill="#5c6470">{why}</text>
</svg>
"""
# A browser may hold a preview, and asks before it shows it again: whoever was logged out meanwhile, or looks for what
# is gone, does not see it. Where it still holds, the answer costs a look into the order store and nothing is drawn.
KEPT = "private, no-cache"
NOT_KEPT = "private, no-store"
SAFE = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox; default-src 'none'"}


def pages(document: StoredDocument, side: int) -> tuple[int, str]:
    """How many pages of a document there are to show, and in words why there are none."""
    _, count, fault = _drawn(document, side, 1)
    return count, WHY_NOT.get(fault, "")


def answer(request: Request, document: StoredDocument, side: int, page: int, headers: Mapping[str, str]) -> Response:
    """A page of a document, at most `side` pixels wide and high. Never fails for what is in the file.

    `headers` are those of all answers of the application; without a Cache-Control the browser holds what was drawn, and
    asks each time whether it may show it.
    """
    tag = f'"{document.sha256.hex()[:32]}-{side}-{page}"'
    shared = {"Cache-Control": KEPT, "ETag": tag, **headers, **SAFE}
    if tag in _held(request):
        return Response(status_code=304, headers=shared)
    png, _, fault = _drawn(document, side, page)
    if not fault:
        return Response(png, media_type=media.PNG, headers=shared)
    if fault in PASSING:
        shared = {**headers, **SAFE, "Cache-Control": NOT_KEPT}
    card = CARD.format(name=TYPES.get(document.media_type, "File"), why=WHY_NOT[fault])
    return Response(card, media_type="image/svg+xml", headers=shared)


def _held(request: Request) -> list[str]:
    """The tags of what the browser holds; a proxy that packs answers marks them as weak."""
    return [one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")]


def _drawn(document: StoredDocument, side: int, page: int) -> tuple[bytes, int, str]:
    asked = Asked(document.sha256, side, page)
    try:
        return PREVIEWS.get(asked, document.media_type, lambda: open_storage().read(document.sha256))
    except DocumentLost:
        return b"", 0, LOST
    except StorageUnavailable:
        return b"", 0, AWAY
