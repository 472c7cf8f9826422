"""Palletforce: wire contract in docs/contracts/palletforce.md."""
