"""The network's side of the wire: what all calls have in common (sections 1.1 to 1.4)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple

from .consignment import Consignment
from .envelopes import refused, rendered
from .members import KEYS, Key
from .redaction import redacted
from .replies import (
    CLOSED,
    CUT,
    NO_KEY,
    NOT_AUTHORISED,
    NOT_AVAILABLE,
    SILENT,
    Problem,
    Reply,
    Said,
    Tree,
    page,
    sentence,
)
from .simulation import Simulation

API2, PORTAL = "2", "P"
_FORMATS = ("xml", "json")
_FORMAT_NAMES = ("outputformat", "output")
_TRUE = frozenset(("true", "t", "yes", "y", "on", "1"))
_FALSE = frozenset(("false", "f", "no", "n", "off", "0"))
_BAN_STYLES = {"hang": SILENT, "refuse": CLOSED, "reset": CUT}
_SESSION = {"Set-Cookie": "PWSESSION=ignored; path=/"}


@dataclass
class Request:
    """One call as it came in.

    ``host``: API2 or PORTAL; ``method``: as spelt in section 2.0, or as it came; ``arguments``: decoded; ``params``:
    query and body merged, the body wins.
    """

    simulation: Simulation
    verb: str
    host: str
    method: str
    arguments: list[str]
    params: Mapping[str, str]
    address: str = ""
    number: int = 0
    key: Key = field(default_factory=lambda: Key("", ""))

    @property
    def now(self) -> datetime:
        return self.simulation.clock.now()

    @property
    def format(self) -> str:
        """The format of the answer: ``outputformat`` or ``output``, in any case, else the server's own."""
        asked = (self.params.get(name, "").lower() for name in _FORMAT_NAMES)
        return next((one for one in asked if one in _FORMATS), self.simulation.switches["default_format"])

    def argument(self, place: int) -> str:
        """An argument of the path, from 0; absent = ``""``."""
        return self.arguments[place] if place < len(self.arguments) else ""

    def seen(self) -> list[Consignment]:
        """What the caller's key sees."""
        return list(self.simulation.network.seen_by(self.key))

    def violation(self, rule: str, detail: str) -> None:
        self.simulation.violations.add(rule, detail, self.number, self.now)


Operation = Callable[[Request], Tree | Reply]


class Method(NamedTuple):
    """A row of table 2.0. ``customers_only``: depot keys are refused."""

    name: str
    hosts: str
    operate: Operation
    customers_only: bool = False


Methods = Mapping[str, Method]  # by name in lower case


def boolean(text: str) -> bool | None:
    """What the network reads as yes and no (section 1.2); None = neither."""
    word = text.strip().lower()
    return True if word in _TRUE else False if word in _FALSE else None


def serve(request: Request, methods: Methods) -> Reply:
    """Answer one call. It counts, whatever becomes of it; everything goes into the journal."""
    simulation = request.simulation
    simulation.catch_up()
    method = methods.get(request.method.lower())
    if method is not None:
        request.method = method.name
    given = request.params.get("apikey", "")
    known = KEYS.get(given)
    entry = simulation.journal.open(
        verb=request.verb,
        host="portal" if request.host == PORTAL else "api2",
        method=redacted(request.method, given),
        arguments=[redacted(argument, given) for argument in request.arguments],
        params={name: "***" if name == "apikey" else redacted(value, given) for name, value in request.params.items()},
        key=known.user if known else "wrong" if given else "missing",
        address=request.address,
        time=request.now.isoformat(),
    )
    request.number = entry["number"]
    reply, fault = _banned(request) or _struck(request) or (None, None)
    if reply is None:
        reply = _answered(request, method, known)
        reply, fault = _on_its_way(request, reply)
    entry["status"], entry["fault"] = reply.status or None, fault
    return reply


def _banned(request: Request) -> tuple[Reply, str] | None:
    simulation, switches = request.simulation, request.simulation.switches
    banned = simulation.rate_limit.arrive(
        request.address, request.now, enforced=switches.is_on("rate_limit"), extend=switches.is_on("ban_extend")
    )
    return (_BAN_STYLES[switches["ban_style"]], "banned") if banned else None


def _struck(request: Request) -> tuple[Reply, str] | None:
    """The faults that keep a call from the network."""
    switches = request.simulation.switches
    if switches.strike("hang", request.method):
        return SILENT, "hang"
    struck = switches.strike("http_code", request.method)
    if struck is None or struck.value == 200:
        return None
    reply = page(struck.value, f"HTTP {struck.value}")
    if struck.retry_after is not None:
        reply.headers["Retry-After"] = str(struck.retry_after)
    return reply, "http_code"


def _answered(request: Request, method: Method | None, key: Key | None) -> Reply:
    try:
        answer = _admitted(request, method, key).operate(request)
    except Said as said:
        return sentence(said.sentence)
    except Problem as problem:
        answer = refused(problem)
    return answer if isinstance(answer, Reply) else rendered(answer, request.format, request.simulation.switches)


def _admitted(request: Request, method: Method | None, key: Key | None) -> Method:
    """The method, for a caller who may use it, as whom the request then stands. Raises Said."""
    if method is None or request.host not in method.hosts:
        raise Said(NOT_AVAILABLE)
    struck = request.simulation.switches.strike("key_fault", method.name)
    fault = struck.value if struck else ""
    if not request.params.get("apikey") or fault == "missing":
        raise Said(NO_KEY)
    if key is None or fault == "wrong":
        raise Said(NOT_AUTHORISED)
    if (method.customers_only or fault == "customer_only") and not key.is_customer:
        raise Said(NOT_AUTHORISED)
    request.key = key
    return method


def _on_its_way(request: Request, reply: Reply) -> tuple[Reply, str | None]:
    """What becomes of an answer on its way to the client."""
    switches = request.simulation.switches
    reply = replace(reply, headers={**_SESSION, **reply.headers})
    if switches.is_on("wrong_content_type"):
        reply = replace(reply, media_type="text/plain" if reply.media_type.startswith("text/html") else "text/html")
    if (part := switches.strike("drop_mid_body", request.method)) is not None:
        return replace(reply, manner="part", length=int(part.value)), "drop_mid_body"
    if (slow := switches.strike("slow", request.method)) is not None:
        return replace(reply, delay_s=float(slow.value)), "slow"
    return reply, None
