"""Forms that only a page of ours can have sent: each carries a token that no other site's page can know.

A browser brings its cookie whichever page makes it call. The token says for whom and until when a page was made, and
is signed; it is checked for every request that writes, before any route.
"""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

from starlette.exceptions import HTTPException
from starlette.requests import Request

from palletflow.desk.gate import Caller, Meant

FIELD = "form_token"
# A page may stay open for a shift.
GOOD_FOR = timedelta(hours=12)
STALE = "This page has been open for too long, or the form did not come from it. Go back, reload the page and try again"


class FormTokens:
    """`key`: the same in every process of the web server."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def make(self, name: str) -> str:
        """A token for the forms of a page that is made for this login now."""
        until = str(int((datetime.now(UTC) + GOOD_FOR).timestamp()))
        return f"{until}.{self._signature(until, name)}"

    @property
    def meant(self) -> Meant:
        """The check of the gate."""

        def check(request: Request, caller: Caller, body: bytes) -> None:
            sent = parse_qs(body.decode(errors="replace"), max_num_fields=1000).get(FIELD, [""])[0]
            until, _, signature = sent.partition(".")
            good = hmac.compare_digest(signature.encode(), self._signature(until, caller.name).encode())
            stale = not until.isdecimal() or int(until) < datetime.now(UTC).timestamp()
            # Browsers say where a request comes from, and pages cannot change it.
            if not good or stale or request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
                raise HTTPException(403, STALE)

        return check

    def _signature(self, until: str, name: str) -> str:
        return hmac.new(self._key, f"{FIELD} {until} {name}".encode(), hashlib.sha256).hexdigest()
