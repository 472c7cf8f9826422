"""Pages from templates. Everything that is shown is escaped, and no page may run a script or load what is not ours."""

import hashlib
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from palletflow.desk.pages.forms import FIELD

HERE = Path(__file__).parent
LONDON = ZoneInfo("Europe/London")
NEVER = "–"
# Shown inside Airflow's own page and nowhere else.
SAFE = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "frame-ancestors 'self'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "private, no-store",
}
KEPT = {"Cache-Control": "private, max-age=31536000, immutable"}
# What a page says at its top after an action, by the word in its address: nobody else can put a text there.
SAID = {
    "retried": "It is tried again now.",
    "requeued": "What was parked is tried again now.",
    "fetching": "It is being fetched; reload this page in a few seconds.",
    "looking-up": "The network is asked now whether it has it; reload this page in a few seconds.",
    "sent-again": "It is sent again, after the network was asked whether it has it.",
    "number-cleared": "The tracking number was cleared.",
    "task-completed": "The dispatch task is completed: it is sent within seconds.",
    "reopened": "The delivery is open again: what the network said since counts, and it is asked for again.",
    "photo-chosen": "The photo is of this consignment now, and goes up if its photos do.",
    "done-meanwhile": "There was nothing left to do: it was done meanwhile.",
    "corrected": "The corrected record is kept; replay it to send it through the import once more.",
    "replayed": "The record went through the import.",
    "all-replayed": "All of them went through the import.",
    "some-replayed": "Some of them went through the import; the others were rejected again and are still here.",
    "none-replayed": "They were rejected again; their reasons are below.",
    "replay-begun": "These are too many to wait for: the pipeline quarantine_replay sends them through the import now. "
    "Reload this page in a minute.",
    "taken-out": "The record is taken out of quarantine; it makes no order.",
    "tried-again": "It is tried again now; what is done goes from this list within a minute.",
    "reviewed": "Marked as reviewed.",
    "seen-to": "Taken off the list; the history says by whom.",
    "still-rejected": "The record went through the import and was rejected again; the reason is below.",
    "shown-to-customers": "Customers see this document on the pages they have a link to.",
    "hidden-from-customers": "Customers no longer see this document.",
    "link-made": "The link for the customer is below. It is shown this once.",
    "link-revoked": "The link no longer opens anything.",
}


def style_sheet(name: str) -> tuple[bytes, str]:
    """A style sheet with the colours they share, and its name in addresses, which is of its content."""
    content = b"".join((HERE / "static" / f"{part}.css").read_bytes() for part in ("colours", name))
    return content, f"{name}-{hashlib.sha256(content).hexdigest()[:12]}.css"


STYLE, STYLE_NAME = style_sheet("desk")

router = APIRouter(include_in_schema=False)


@router.get("/static/{icon}.svg")
def icon(icon: Literal["pallet", "pallet-light"]) -> Response:
    """The pallet in Airflow's navigation, for its light and its dark look."""
    return Response((HERE / "static" / f"{icon}.svg").read_bytes(), media_type="image/svg+xml", headers=KEPT)


@router.get(f"/static/{STYLE_NAME}")
def style() -> Response:
    """The one style sheet, under a name of its content."""
    return Response(STYLE, media_type="text/css", headers=KEPT)


def page(request: Request, template: str, /, status: int = 200, **values: Any) -> HTMLResponse:
    """A page for who calls. Templates have besides `values`: base (the desk's address), caller (Gate's), form_token(),
    said (what the last action came to, or ""), now."""
    base = request.scope.get("root_path", "")
    shared = {
        "base": base,
        "style": f"{base}/static/{STYLE_NAME}",
        "caller": getattr(request.state, "caller", None),
        "said": SAID.get(request.query_params.get("said", ""), ""),
        "form_token": lambda: _token_field(request),
        "now": datetime.now(UTC),
        "path": request.url.path.removeprefix(base),
    }
    html = TEMPLATES.get_template(template).render(shared | values)
    return HTMLResponse(html, status, headers=SAFE)


def back(request: Request, path: str, said: str = "") -> RedirectResponse:
    """To a page of the desk, after an action; `said` is one of SAID."""
    joint = "&" if "?" in path else "?"
    return RedirectResponse(
        request.scope.get("root_path", "") + path + (f"{joint}said={said}" if said else ""), 303, headers=SAFE
    )


def _token_field(request: Request) -> Markup:
    token = request.app.state.form_tokens.make(request.state.caller.name)
    return Markup('<input type="hidden" name="{}" value="{}">').format(FIELD, token)


def when(moment: datetime | str | None) -> Markup | str:
    """A moment as people in Britain read it: "Sun 22 Nov 13:05", with the whole of it in its title."""
    if not moment:
        return NEVER
    at = (datetime.fromisoformat(moment) if isinstance(moment, str) else moment).astimezone(LONDON)
    form = "%a %-d %b %H:%M" if abs(datetime.now(UTC) - at) < timedelta(days=180) else "%-d %b %Y %H:%M"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        at.isoformat(), f"{at:%A %-d %B %Y, %H:%M:%S %Z}", at.strftime(form)
    )


def day(value: date | str | None) -> str:
    """A date: "Sun 22 Nov 2026"."""
    if not value:
        return NEVER
    return f"{date.fromisoformat(value) if isinstance(value, str) else value:%a %-d %b %Y}"


def clock(moment: datetime) -> str:
    """The time of day of a moment about now: "13:05"; with its day where that is another one: "Mon 13:05"."""
    at, today = moment.astimezone(LONDON), datetime.now(LONDON).date()
    return f"{at:%H:%M}" if at.date() == today else f"{at:%a %H:%M}"


def span(length: timedelta | None) -> str:
    """How long, in its one or two largest units: "3 min", "2 h 5 min", "4 d 1 h"."""
    if length is None:
        return NEVER
    minutes = max(0, int(length.total_seconds() // 60))
    if minutes < 1:
        return "under a minute"
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    parts = [(days, "d"), (hours, "h"), (minutes, "min")]
    shown = [f"{count} {unit}" for count, unit in parts if count][:2]
    return " ".join(shown)


def ago(moment: datetime | str | None) -> str:
    """How long ago that was."""
    if not moment:
        return NEVER
    at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return f"{span(datetime.now(UTC) - at)} ago"


def count(number: int) -> str:
    """A number with its thousands."""
    return f"{number:,}"


def size(number: int) -> str:
    """Bytes, as people say it."""
    return f"{number / 1_000_000:.1f} MB" if number >= 1_000_000 else f"{max(1, round(number / 1000))} kB"


def words(name: str) -> str:
    """A name of ours as words: AT_DELIVERY_DEPOT is "at delivery depot"."""
    return name.replace("_", " ").lower()


TEMPLATES = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.filters.update(when=when, clock=clock, day=day, span=span, ago=ago, count=count, size=size, words=words)
