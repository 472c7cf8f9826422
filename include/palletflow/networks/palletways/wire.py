"""What goes over the wire: addresses, parameters, bodies (contract 1.1, 1.2). Pure functions.

The key is percent-encoded in full, as it may hold `/ + , $ =`. What is shown of an address has no key in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode, urlsplit

from urllib3.filepost import encode_multipart_formdata

from palletflow.http_calls import MASK
from palletflow.networks.palletways.methods import FILES, Way
from palletflow.networks.palletways.settings import MULTIPART, QUERY, Settings

FORM_TYPE = "application/x-www-form-urlencoded"
MIB = 1 << 20
# Of an answer that is no PDF and no image (contract 1.2).
TEXT_MOST_BYTES = 10 * MIB
PORTS = {"https": 443, "http": 80}
COMMIT = {True: "yes", False: "no"}

Params = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Request:
    """What is asked. `shown`: its address without the key. `repeatable`: asking twice does no harm.

    `first_byte_s`: how long an answer's beginning is waited for. `most_bytes`: of an answer.
    """

    verb: str
    url: str = field(repr=False)
    shown: str
    repeatable: bool
    first_byte_s: float
    most_bytes: int = TEXT_MOST_BYTES
    body: bytes | None = field(default=None, repr=False)
    media_type: str = ""

    @property
    def operation(self) -> str:
        """What an error calls it."""
        return f"{self.verb} {self.shown}"


def read_call(settings: Settings, way: Way, arguments: Sequence[str], *, repeatable: bool = True) -> Request:
    """A read call [PW-1.1-4, PW-1.1-6, PW-1.2-2]. Raises ValueError for an argument that would be another address."""
    address = _address(settings, way, arguments)
    query = _encoded([_key(settings), *_formats(settings)])
    is_file = way[0] in FILES
    return Request(
        "GET",
        f"{address}?{query}",
        _shown(address),
        repeatable,
        settings.pdf_first_byte_timeout_s if is_file else settings.first_byte_timeout_s,
        max(int(settings.max_pdf_mib * MIB), TEXT_MOST_BYTES) if is_file else TEXT_MOST_BYTES,
    )


def submission(settings: Settings, way: Way, data: str, *, commit: bool) -> Request:
    """XML submitted in the connection's `submit_style` (contract 2.2); one that is stored is not repeatable."""
    address = _address(settings, way, ())
    params = [
        _key(settings), ("commit", COMMIT[commit]), ("inputformat", "xml"), *_formats(settings), ("data", data)
    ]  # fmt: skip
    repeatable, patience_s = not commit, settings.first_byte_timeout_s
    if settings.submit_style == QUERY:
        return Request("GET", f"{address}?{_encoded(params)}", _shown(address), repeatable, patience_s)
    if settings.submit_style == MULTIPART:
        body, media_type = encode_multipart_formdata(params)
    else:
        body, media_type = _encoded(params).encode(), FORM_TYPE
    return Request("POST", address, address, repeatable, patience_s, body=body, media_type=media_type)


def shown_url(settings: Settings, way: Way, arguments: Sequence[str]) -> str:
    """The address of a read call as it may be kept and shown [PW-1.1-13]."""
    return _shown(_address(settings, way, arguments))


def origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port, the scheme's own port named. Raises ValueError for a port that is none."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or PORTS.get(parts.scheme)


def _address(settings: Settings, way: Way, arguments: Sequence[str]) -> str:
    method, host = way
    for argument in arguments:
        if argument in ("", ".", ".."):
            raise ValueError(f"'{argument}' cannot be asked for")
    return "/".join([settings.base(host), method, *(quote(argument, safe="") for argument in arguments)])


def _shown(address: str) -> str:
    return f"{address}?apikey={MASK}"


def _key(settings: Settings) -> tuple[str, str]:
    return "apikey", settings.key


def _formats(settings: Settings) -> Params:
    return [("outputformat", settings.output_format), ("output", settings.output_format)]


def _encoded(params: Params) -> str:
    return urlencode(params, quote_via=quote, safe="")
