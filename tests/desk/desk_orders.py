"""Orders to send, and the deployment they are for."""

from pathlib import Path
from typing import Any

DEPLOYMENT = Path(__file__).parents[2] / "include" / "deployment.yaml"


def order(key: str = "SO-1", **more: Any) -> dict[str, Any]:
    """An order with one consignment; `more` goes into the consignment, or into the order where it has such a field."""
    consignment = {
        "network": "palletforce",
        "service": "A",
        "collection_date": "2026-07-13",
        "weight_kg": 850,
        "pallet_types": ["F", "F"],
        "delivery": {
            "name": "Receiver",
            "street": "2 High Street",
            "town": "Leeds",
            "postcode": "LS1 1AA",
            "phone": "0113 496 0001",
        },
    }
    of_order = {name: more.pop(name) for name in ("customer", "reference", "reference_2") if name in more}
    return {"key": key, "customer": "ACME", "reference": key, **of_order, "consignments": [{**consignment, **more}]}
