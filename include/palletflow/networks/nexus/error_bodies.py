"""Reads the bodies of refusals (contract 1.5): problem details, {errors}, {status, meta}, plain text, nothing."""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

TEXT_KEPT, REASONS_KEPT = 500, 2000
FIELDS_KEPT = 50
# What a field's name may be made of; the rest would make a mess of a log line.
NO_NAME = re.compile(r"[^\w.\[\]-]")


class ErrorBody(NamedTuple):
    """What a refusal says: a text that may be long and hold anything, the fields it names, its trace id or ""."""

    text: str
    fields: tuple[str, ...] = ()
    trace_id: str = ""


def read(body: bytes) -> ErrorBody:
    """What the body says; of one that cannot be read, its first 500 characters; "" when it is empty."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        content = None
    if isinstance(content, dict):
        said = _of_object({str(key).casefold(): value for key, value in content.items()})
        if said is not None:
            return said
    if isinstance(content, str):
        return ErrorBody(content[:TEXT_KEPT])
    # Spaces first: an HTML page has hundreds before its first word.
    return ErrorBody(" ".join(body[: 40 * TEXT_KEPT].decode(errors="replace").split())[:TEXT_KEPT])


def _of_object(content: Mapping[str, Any]) -> ErrorBody | None:
    trace_id = _text(content.get("traceid"))[:100]
    title = ": ".join(filter(None, (_text(content.get("title")), _text(content.get("detail")))))
    errors, meta = content.get("errors"), content.get("meta")
    if isinstance(errors, dict):
        reasons = [f"{field}: {', '.join(_texts(texts)) or 'refused'}" for field, texts in errors.items()]
        return ErrorBody(_joined(title, "; ".join(reasons)), _names(errors), trace_id)
    if _texts(errors):
        return ErrorBody(_joined(title, "; ".join(_texts(errors))), (), trace_id)
    if isinstance(meta, list):
        return ErrorBody(
            _joined(_text(content.get("status")), f"fields {', '.join(_texts(meta))}"), _names(_texts(meta)), trace_id
        )
    text = title or _text(content.get("message"))
    return ErrorBody(text[:REASONS_KEPT], (), trace_id) if text else None


def _joined(title: str, reasons: str) -> str:
    return ": ".join(filter(None, (title, reasons)))[:REASONS_KEPT]


def _names(fields: Any) -> tuple[str, ...]:
    names = (NO_NAME.sub("", str(field))[:100] for field in list(fields)[:FIELDS_KEPT])
    return tuple(name for name in names if name)


def _texts(value: Any) -> list[str]:
    listed = value if isinstance(value, list) else [value]
    return [text for text in map(_text, listed) if text]


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else str(value) if isinstance(value, int | float) else ""
