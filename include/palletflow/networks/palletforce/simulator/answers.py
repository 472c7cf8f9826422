"""Answers of the network."""

import json
from dataclasses import dataclass, field
from typing import Literal

from starlette.responses import Response

from palletflow.simulation.sockets import Cut, Late, Silence


@dataclass
class Answer:
    """What the network answers: HTTP status, body, and how it arrives.

    ``outcome`` is for the journal: OK, REFUSED (``success`` false), UNAUTHORISED, NOT_FOUND or FAULT.
    """

    status: int
    body: bytes
    outcome: str = "OK"
    reasons: list[str] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    media_type: str = "application/json"
    manner: Literal["answered", "silent", "cut"] = "answered"
    delay_s: float = 0.0

    def response(self) -> Response:
        if self.manner == "silent":
            return Silence()
        if self.manner == "cut":
            return Cut()
        made = Late if self.delay_s else Response
        response = made(self.body, self.status, self.headers, self.media_type)
        if isinstance(response, Late):
            response.delay_s = self.delay_s
        return response


SILENT = Answer(0, b"", outcome="FAULT", manner="silent")
CUT = Answer(0, b"", outcome="FAULT", manner="cut")


def gateway(status: int, outcome: str, message: str, more: str, headers: dict[str, str] | None = None) -> Answer:
    """An answer of the API gateway in front of the network: JSON, but nothing of the network's own."""
    body = {"httpCode": str(status), "httpMessage": message, "moreInformation": more}
    return Answer(status, json.dumps(body).encode(), outcome, headers=headers or {})


def html(status: int, title: str) -> Answer:
    """An error page, as a web server or proxy in between would send it."""
    body = f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    return Answer(status, body.encode(), "FAULT", media_type="text/html")
