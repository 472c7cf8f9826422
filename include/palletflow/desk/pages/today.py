"""How far every network is, and where a person is needed."""

from fastapi import APIRouter

router = APIRouter()
