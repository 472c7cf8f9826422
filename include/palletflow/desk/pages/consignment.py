"""One consignment: where it is, all that happened to it, and what can be done."""

from fastapi import APIRouter

router = APIRouter()
