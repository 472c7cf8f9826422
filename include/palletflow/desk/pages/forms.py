"""Forms that only a page of ours can have sent: each carries a token that no other site's page can know.

A browser brings its cookie whichever page makes it call. The token says for whom and until when a page was made, and
is signed; it is checked for every request that writes, before any route.
"""

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

from starlette.exceptions import HTTPException
from starlette.requests import Request

from palletflow.desk.gate import Caller, Meant

FIELD = "form_token"
MOST_FIELDS = 1000
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

    def secret(self, name: str, *words: str) -> str:
        """32 bytes as URL-safe text that only we can know: the same whenever this login brings the same words."""
        said = "\n".join(("secret", name, *words))
        made = hmac.digest(self._key, said.encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(made).decode().rstrip("=")

    @property
    def meant(self) -> Meant:
        """The check of the gate."""

        def check(request: Request, caller: Caller, body: bytes) -> None:
            try:
                fields = parse_qs(body.decode(errors="replace"), max_num_fields=MOST_FIELDS)
            except ValueError:
                raise HTTPException(413, f"A form may have at most {MOST_FIELDS:,} fields") from None
            until, _, signature = fields.get(FIELD, [""])[0].partition(".")
            good = hmac.compare_digest(signature.encode(), self._signature(until, caller.name).encode())
            # Only what we have signed is read any further.
            stale = not good or int(until) < datetime.now(UTC).timestamp()
            # Browsers say where a request comes from, and pages cannot change it.
            if stale or request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
                raise HTTPException(403, STALE)

        return check

    def _signature(self, until: str, name: str) -> str:
        return hmac.new(self._key, f"{FIELD} {until} {name}".encode(), hashlib.sha256).hexdigest()
