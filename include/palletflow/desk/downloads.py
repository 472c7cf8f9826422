"""Bytes of strangers as a download: never opened in the page's own name, whatever they turn out to be."""

from urllib.parse import quote

from fastapi import Response


def download(data: bytes, media_type: str, name: str) -> Response:
    """An answer that a browser saves as `name`, and does not show."""
    plain = "".join(sign if sign.isascii() and (sign.isalnum() or sign in " ._-") else "_" for sign in name)
    return Response(
        data,
        media_type=media_type,
        headers={
            "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "sandbox; default-src 'none'",
            "Cache-Control": "private, no-store",
        },
    )
