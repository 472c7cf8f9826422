"""What does not go on by itself, by cause."""

from fastapi import APIRouter

router = APIRouter()
