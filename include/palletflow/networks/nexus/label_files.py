"""Tells what a label's answer is by its content, never by its header (contract 2.6). Pure functions."""

import base64
import binascii
from typing import Any

from palletflow.documents.media import PDF, ZPL, sniff
from palletflow.networks.nexus import wire

FORMATS = (PDF, ZPL)


class NoLabel(ValueError):
    """The answer is no label."""


def is_label(data: bytes) -> bool:
    """Whether the bytes are a label we can keep: PDF or ZPL."""
    return sniff(data) in FORMATS


def label_or_url(body: bytes) -> bytes | str:
    """The label's bytes, also when they stand in JSON as base64, or the address JSON gives for them. Raises NoLabel."""
    if is_label(body):
        return body
    if not body.strip():
        raise NoLabel("the answer is empty")
    try:
        content = wire.parse(body)
    except wire.Unreadable:
        raise NoLabel("the answer is neither PDF nor ZPL nor JSON") from None
    url = wire.text(wire.first_of(content, ["url"]))
    if url:
        return url
    for value in content.values() if isinstance(content, dict) else [content]:
        data = _decoded(value)
        if is_label(data):
            return data
    raise NoLabel("the answer is JSON without a label and without a url")


def _decoded(value: Any) -> bytes:
    try:
        return base64.b64decode(value, validate=True) if isinstance(value, str) else b""
    except (binascii.Error, ValueError):
        return b""
