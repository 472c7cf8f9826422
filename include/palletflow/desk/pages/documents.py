"""Documents for the pages: previews, and the bytes as a download."""

from fastapi import APIRouter

router = APIRouter()
