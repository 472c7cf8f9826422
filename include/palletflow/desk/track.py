"""The customer view: one page a consignment for whoever has its link, without a login. Off unless it is asked for.

It shows where the goods are in plain words, the days and the expected hours, how many pallets, and the documents marked
customer_visible; and no name, number, address or note of anybody. Nothing can be changed here. Unknown, expired and
revoked links, and all links while it is off, get the same answer.
"""

import asyncio
import contextlib
import logging
import re
from collections.abc import Callable, Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Path, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from palletflow.desk import images, unavailable
from palletflow.desk.downloads import download
from palletflow.desk.pages.render import SAFE, TEMPLATES, style_sheet
from palletflow.desk.plan import Plans
from palletflow.desk.pool import Pool
from palletflow.desk.preview_cache import THUMBNAIL
from palletflow.desk.track_words import DOCUMENTS, milestones, status, steps
from palletflow.documents import media
from palletflow.documents.storage import DocumentLost, open_storage
from palletflow.store import customer_links, documents
from palletflow.store.connection import Connection
from palletflow.store.documents import StoredDocument

# As palletflow.desk.pages.links makes them: 32 bytes that nobody can guess.
TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
# So many requests are worked on at once, and so many more may wait; these have connections of their own.
PLACES = 4
MOST_WAITING = 64
# What child processes draw takes no more of the places, so that a page never waits for all of it.
DRAWN, MOST_DRAWN = "/thumbnail", 2
# What the log has in place of a link.
HIDDEN = "***"
# From the first byte of a request to the last of its answer: nobody keeps a place by being slow.
ANSWER_SECONDS = 60
STYLE, STYLE_NAME = style_sheet("track")
HEADERS = {
    **SAFE,
    "Content-Security-Policy": SAFE["Content-Security-Policy"].replace(
        "frame-ancestors 'self'", "frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow, noarchive",
}

log = logging.getLogger(__name__)
router = APIRouter(include_in_schema=False)


class NotThere(Exception):
    """Nothing is to be seen here, for whatever reason."""


class Opened:
    """A good link: its consignment, and a connection until the request is answered."""

    def __init__(self, conn: Connection, link: customer_links.Opened) -> None:
        self.conn, self.link = conn, link

    @property
    def shown(self) -> list[StoredDocument]:
        """The documents that customers may see."""
        return documents.shown_to_customers(self.conn, self.link.consignment_id)

    def document(self, name: str) -> StoredDocument:
        """The one with this name in addresses. Raises NotThere."""
        for document in self.shown:
            if name_of(document) == name:
                return document
        raise NotThere


def name_of(document: StoredDocument) -> str:
    """A document's name in addresses: of its content, as our own numbers tell how much we do."""
    return document.sha256.hex()[:24]


def _opened(request: Request, token: Annotated[str, Path()]) -> Iterator[Opened]:
    """Whoever guesses costs one look into an index, and most not even that. Raises NotThere."""
    if not TOKEN.fullmatch(token):
        raise NotThere
    pool: Pool = request.app.state.pool
    plans: Plans = request.app.state.plans
    with pool.connection() as conn:
        link = customer_links.opened(conn, token)
        if link is None or plans.current(conn).plan.customer_view_d is None:
            raise NotThere
        yield Opened(conn, link)


InOpened = Annotated[Opened, Depends(_opened)]


@router.get(f"/static/{STYLE_NAME}")
def style() -> Response:
    """The style sheet, under a name of its content."""
    return Response(STYLE, media_type="text/css", headers={**HEADERS, "Cache-Control": "public, max-age=604800"})


@router.get("/{token}")
def track(request: Request, opened: InOpened) -> Any:
    """The page of a consignment."""
    facts = customer_links.facts(opened.conn, opened.link.consignment_id)
    if facts is None:
        raise NotThere
    customer_links.note_seen(opened.conn, opened.link.id)
    address = f"{request.scope.get('root_path', '')}/{request.path_params['token']}/documents"
    shown = [
        {
            "words": DOCUMENTS[document.kind],
            "type": images.TYPES.get(document.media_type, ""),
            "size": document.size,
            "address": f"{address}/{name_of(document)}",
        }
        for document in opened.shown
    ]
    return _page(
        request,
        200,
        facts=facts,
        status=status(facts),
        steps=steps(facts),
        milestones=milestones(facts),
        documents=shown,
    )


@router.get("/{token}/documents/{name}")
def fetch(opened: InOpened, name: str) -> Response:
    """A document as a download; its file name is of its kind, as what our own people call it is theirs."""
    document = opened.document(name)
    ending = media.ENDINGS.get(document.media_type, (".bin",))[0]
    plain = DOCUMENTS[document.kind].lower().replace(" ", "-") + ending
    answer = download(open_storage().read(document.sha256), document.media_type, plain)
    answer.headers.update({key: value for key, value in HEADERS.items() if key not in answer.headers})
    return answer


@router.get("/{token}/documents/{name}/thumbnail")
def thumbnail(request: Request, opened: InOpened, name: str) -> Response:
    """A document's first page, small."""
    return images.answer(request, opened.document(name), THUMBNAIL, 1, HEADERS)


def create_track(connect: Callable[[], Connection]) -> "Places":
    """`connect` opens the order store."""
    app = FastAPI(title="Palletflow", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.pool = Pool(connect)
    app.state.plans = Plans()
    app.include_router(router)

    @app.exception_handler(NotThere)
    @app.exception_handler(HTTPException)
    @app.exception_handler(RequestValidationError)
    @app.exception_handler(DocumentLost)
    async def nothing(request: Request, _error: Exception) -> Any:
        return _page(request, 404)

    async def away(request: Request, error: Exception) -> Any:
        # Without its address, which opens the page.
        log.warning("A customer's page is not available: %s", error)
        return _page(request, 503)

    unavailable.install(app, away)

    @app.exception_handler(Exception)
    async def failed(request: Request, _error: Exception) -> Any:
        return _page(request, 503)

    return Places(app)


class Places:
    """Lets few requests in at once, ends slow ones, and keeps the links out of the web server's log."""

    def __init__(self, app: ASGIApp) -> None:
        self.application = app
        self._places = asyncio.Semaphore(PLACES)
        self._drawing = asyncio.Semaphore(MOST_DRAWN)
        self._waiting = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        # The web server's log notes the path once all is answered, and whoever reads it could open the page.
        asked, scope["path"] = dict(scope), f"{scope.get('root_path', '')}/{HIDDEN}"
        if self._waiting >= MOST_WAITING:
            await _page(Request(asked), 503)(asked, receive, send)
            return
        async with contextlib.AsyncExitStack() as held:
            self._waiting += 1
            try:
                if asked["path"].endswith(DRAWN):
                    await held.enter_async_context(self._drawing)
                await held.enter_async_context(self._places)
            finally:
                self._waiting -= 1
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    await self.application(asked, receive, send)
            except TimeoutError:
                log.warning("A customer's page was not answered or not taken within %s s", ANSWER_SECONDS)


def _page(request: Request, code: int, **values: Any) -> HTMLResponse:
    style = f"{request.scope.get('root_path', '')}/static/{STYLE_NAME}"
    html = TEMPLATES.get_template("track.html").render(style=style, code=code, **values)
    return HTMLResponse(html, code, headers=HEADERS)
