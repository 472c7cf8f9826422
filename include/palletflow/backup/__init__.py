"""Backups of the order store and of the documents its rows name, and their restore (ADR 0013)."""
