"""One box for every number a person may have in hand."""

from fastapi import APIRouter

router = APIRouter()
