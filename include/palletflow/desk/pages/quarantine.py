"""Quarantined records: seen, corrected and replayed."""

from fastapi import APIRouter

router = APIRouter()
