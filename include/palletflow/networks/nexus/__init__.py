"""Pall-Ex and Fortec on their shared Nexus API (docs/contracts/nexus.md)."""
