"""Palletways: web services and file server (docs/contracts/palletways.md)."""
