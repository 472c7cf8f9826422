"""Faults to order (section 11.4): which requests they strike and what they make of the answer."""

import json
import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any

from .replies import CUT, SILENT, Refused, Reply, answer, html, refusal
from .writing import to_json, without

# Effect: its options with their defaults. ``accept``: whether the network carries the request out all the same.
EFFECTS: dict[str, dict[str, Any]] = {
    "slow": {"seconds": 5},
    "timeout": {"accept": False},
    "drop": {"accept": False},
    "garbage": {"accept": True, "status": 200},
    "empty": {"accept": True, "status": 200},
    "html": {"accept": True, "status": 200},
    "json": {"accept": True, "status": 200, "body": {}},
    "with_status": {"status": 200},
    "without": {"fields": []},
    "redirect": {"status": 302, "location": ""},
    "repeat_row": {},
    "insert_row": {},
    "oversize": {"mb": 26, "announced": True},
    "broken": {},
    "truncated": {},
    "reject_etas": {"numbers": None, "reason": "Not accepted"},
}
# http_400 to http_599. ``form`` as the option error_form, or html.
_HTTP = re.compile(r"http_([45]\d\d)")
_HTTP_OPTIONS = {"accept": False, "form": "problem", "retry_after": None, "retry_after_form": "seconds"}
_FORMS = ("problem", "text", "errors", "meta", "empty", "html")
_JPEG_START = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00"


@dataclass
class Fault:
    """A fault in waiting: lets ``after`` matching requests pass, then strikes ``times`` of them (None = for ever)."""

    method: str
    path: str
    after: int
    times: int | None
    effect: str
    options: dict[str, Any]

    def matches(self, method: str, path: str) -> bool:
        return self.method in ("*", method) and re.fullmatch(_pattern(self.path), path) is not None


class Faults:
    """The faults in waiting, in the order they were ordered. One request is struck by one fault at most."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def order(self, body: dict[str, Any]) -> None:
        """Add a fault. Raises ValueError with a sentence for an order that makes no sense."""
        effect, method, path = body.get("effect"), body.get("method", "*"), body.get("path", "*")
        defaults = _HTTP_OPTIONS if isinstance(effect, str) and _HTTP.fullmatch(effect) else EFFECTS.get(str(effect))
        if not isinstance(effect, str) or defaults is None:
            raise ValueError(f"There is no effect {effect!r}; there are: http_400 to http_599, {', '.join(EFFECTS)}")
        if method not in ("*", "GET", "POST", "DELETE") or not isinstance(path, str):
            raise ValueError("method must be *, GET, POST or DELETE, and path a text")
        after, times = body.get("after", 0), body.get("times", 1)
        if type(after) is not int or after < 0 or (times is not None and (type(times) is not int or times < 1)):
            raise ValueError("after must be a whole number, times one of at least 1 or null for ever")
        given = body.get("options", {})
        if not isinstance(given, dict) or set(given) - set(defaults):
            raise ValueError(f"The options of {effect} are: {', '.join(defaults) or 'none'}")
        options: dict[str, Any] = defaults | given
        for name in ("seconds", "mb", "retry_after"):
            value = options.get(name, 0)
            if value is not None and not (isinstance(value, int | float) and 0 <= value <= 1_000_000):
                raise ValueError(f"{name} must be a number from 0")
        if options.get("form", "problem") not in _FORMS or options.get("retry_after_form", "date") not in (
            "seconds",
            "date",
        ):
            raise ValueError(f"form must be one of {', '.join(_FORMS)}, retry_after_form one of seconds, date")
        self._waiting.append(Fault(method, path.strip("/").lower(), after, times, effect, options))

    def clear(self) -> None:
        self._waiting.clear()

    def waiting(self) -> list[dict[str, Any]]:
        return [dict(vars(fault)) for fault in self._waiting]

    def take(self, method: str, path: str) -> Fault | None:
        """Return the first fault that strikes this request, counted down. ``path``: lower case, without slashes."""
        for fault in self._waiting:
            if not fault.matches(method, path):
                continue
            if fault.after:
                fault.after -= 1
                continue
            if fault.times is not None:
                fault.times -= 1
                if not fault.times:
                    self._waiting.remove(fault)
            return fault
        return None


def before(fault: Fault, now: datetime, trace: str) -> Reply | None:
    """The answer of a fault that keeps the request from the network, or None when the network shall see it."""
    return after(fault, SILENT, now, trace) if fault.options.get("accept") is False else None


def after(fault: Fault, reply: Reply, now: datetime, trace: str) -> Reply:
    """What a fault makes of the network's answer on its way to the client."""
    options = fault.options
    if http := _HTTP.fullmatch(fault.effect):
        made = refusal(Refused(int(http[1])), options["form"], trace)
        if options["retry_after"] is not None:
            made.headers["Retry-After"] = _retry_after(options, now)
        return made
    match fault.effect:
        case "slow":
            return replace(reply, delay_s=float(options["seconds"]))
        case "timeout":
            return SILENT
        case "drop":
            return CUT
        case "garbage":
            return Reply(options["status"], b'{"consignmentID": 70')
        case "empty":
            return Reply(options["status"], b"")
        case "html":
            return html(options["status"], "Service notice")
        case "json":
            return answer(options["body"], options["status"])
        case "with_status":
            return replace(reply, status=options["status"])
        case "without":
            return replace(reply, body=to_json(without(json.loads(reply.body or b"null"), options["fields"])))
        case "redirect":
            return Reply(options["status"], headers={"Location": options["location"]})
        case "oversize":
            body = _JPEG_START.ljust(round(options["mb"] * 1024 * 1024), b"\0")
            return Reply(200, body, "image/jpeg", manner="answered" if options["announced"] else "unannounced")
        case "broken":
            return Reply(200, b"\x00\x01 this is no document \x02" * 20, "image/jpeg")
        case "truncated":
            return replace(reply, manner="half")
    return reply


def _retry_after(options: dict[str, Any], now: datetime) -> str:
    seconds = options["retry_after"]
    if options["retry_after_form"] == "date":
        return format_datetime(now + timedelta(seconds=seconds), usegmt=True)
    return str(seconds)


def _pattern(path: str) -> str:
    """A path pattern as a regular expression: ``*`` is one part of a path, ``**`` or a lone ``*`` anything."""
    if path == "*":
        return ".*"
    return ".*".join("[^/]+".join(re.escape(part) for part in piece.split("*")) for piece in path.split("**"))
