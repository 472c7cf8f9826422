"""The network's side of the wire: what all calls have in common (sections 1 and 2.1)."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .consignment import Consignment
from .faults import Fault, after, before
from .lookups import LOOKUPS
from .members import PASSWORD, USERS
from .options import OPERATIONS
from .replies import Refused, Reply, answer, refusal
from .simulation import Simulation


@dataclass
class Request:
    """One call as it came in, and what is known of it by and by.

    ``path``: lower case, without slashes at its ends and without ``v1/``; ``query``: names in lower case;
    ``base``: address the caller used, such as http://127.0.0.1:8090; ``form``: the parts of a multipart body.
    """

    simulation: Simulation
    method: str
    path: str
    query: list[tuple[str, str]]
    headers: Mapping[str, str]
    body: bytes
    form: Mapping[str, Any]
    base: str
    number: int = 0
    fault: Fault | None = None
    user: str = ""
    depot: str = ""
    operation: str = ""  # its key in section 2, by method and path
    ids: dict[str, str] = field(default_factory=dict)  # what the path names

    @property
    def now(self) -> datetime:
        return self.simulation.clock.now()

    def text(self, name: str) -> str:
        """The first value of a query parameter; absent = ``""``."""
        return next((value for key, value in self.query if key == name), "")

    def json(self) -> dict[str, Any]:
        """The body. Raises Refused when it is not a JSON object."""
        try:
            body = json.loads(self.body)
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            raise Refused(400, {"body": ["must be a JSON object"]})
        return body

    def consignment(self) -> Consignment:
        """The consignment the path names. Raises Refused when the user does not see it (section 2.3)."""
        found = self.simulation.network.visible(self.depot, int(self.ids["id"]))
        if found is None:
            raise Refused(404)
        return found

    def violation(self, rule: str, detail: str) -> None:
        self.simulation.violations.add(rule, detail, self.number, self.now)

    def struck_by(self, effect: str) -> bool:
        return self.fault is not None and self.fault.effect == effect


Operation = Callable[[Request], Reply]


def serve(request: Request, operate: Operation) -> Reply:
    """Answer one request with ``operate``, unless a fault is in the way; everything goes into the journal."""
    simulation = request.simulation
    simulation.catch_up()
    request.user = _user(request) or ""
    request.depot = USERS.get(request.user, "")
    entry = simulation.journal.open(
        method=request.method,
        path=f"/{request.path}",
        query=dict(request.query),
        time=request.now.isoformat(),
        headers=sorted(request.headers),
        user=request.user,
    )
    request.number = entry["number"]
    trace = f"sim-{request.number}"
    request.fault = fault = simulation.faults.take(request.method, request.path)
    entry["fault"] = fault.effect if fault else None
    if request.user and simulation.options["rate_check"] and simulation.violations.too_fast(request.user):
        request.violation("rate", f"{request.user}: three requests within 0.8 s")
    reply = before(fault, request.now, trace) if fault else None
    if reply is None:
        try:
            reply = operate(request)
        except Refused as refused:
            reply = refusal(refused, simulation.options["error_form"], trace)
        if fault:
            reply = after(fault, reply, request.now, trace)
    entry["status"] = reply.status or None
    return reply


def route(request: Request) -> None:
    """Find the operation of a request by its path and method; an unknown path leaves it empty, a wrong method ``?``."""
    for key, (method, path) in OPERATIONS.items():
        match = re.fullmatch(_pattern(request.simulation.options["endpoints"].get(key, path)), request.path)
        if match is None or match.groupdict().get("lookup", LOOKUPS[0].lower()) not in _LOOKUPS:
            continue
        request.operation = key if method == request.method else request.operation or "?"
        request.ids = match.groupdict()


def rest(operations: Mapping[str, Operation]) -> Operation:
    """Carries out the operation of a routed request, for whom it may concern."""

    def operate(request: Request) -> Reply:
        if request.operation not in operations:
            raise Refused(405 if request.operation else 404)
        not_offered = request.simulation.options["not_offered"].get(request.operation)
        if not_offered:
            raise Refused(not_offered)
        if not request.user and request.operation not in ("login", "refresh"):
            raise Refused(401)
        return operations[request.operation](request)

    return operate


_LOOKUPS = {name.lower(): name for name in LOOKUPS}


def _pattern(path: str) -> str:
    escaped = re.escape(path.strip("/").lower())
    return escaped.replace(r"\{id\}", r"(?P<id>[0-9]{1,18})").replace(r"\{lookup\}", "(?P<lookup>[a-z]+)")


def lookup_name(request: Request) -> str:
    """The lookup the path names, spelt as in section 2.9."""
    return _LOOKUPS[request.ids["lookup"]]


def login(request: Request) -> Reply:
    """Section 2.1."""
    body = request.json()
    missing = {name: ["required"] for name in ("username", "password") if not isinstance(body.get(name), str)}
    if missing:
        raise Refused(400, missing)
    if body["username"] not in USERS or body["password"] != PASSWORD:
        raise Refused(401)
    return _issued(request, body["username"])


def refresh(request: Request) -> Reply:
    """Section 2.1: a refresh token for a new pair."""
    token = request.json().get("refreshToken")
    user = request.simulation.tokens.user_of(str(token), "r", request.now)
    if user is None:
        raise Refused(401)
    return _issued(request, user)


def _issued(request: Request, user: str) -> Reply:
    simulation = request.simulation
    return answer(simulation.tokens.issue(user, request.now, simulation.options["token_ttl_s"]))


def _user(request: Request) -> str | None:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return request.simulation.tokens.user_of(token, "b", request.now) if kind.lower() == "bearer" else None
