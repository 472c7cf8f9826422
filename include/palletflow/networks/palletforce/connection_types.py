"""Palletforce's connection type as Airflow's form shows it; no import of Airflow, as every Airflow process reads it.

The other settings of contract 1.1 go into Extra by hand.
"""

from typing import Any

CONNECTION_TYPES: list[dict[str, Any]] = [
    {
        "connection-type": "palletforce",
        "hook-name": "Palletforce",
        "hook-class-name": "palletflow.networks.palletforce.hook.PalletforceHook",
        "ui-field-behaviour": {
            "hidden-fields": ["schema", "login", "port"],
            "relabeling": {"host": "Base URL", "password": "Access key"},
            "placeholders": {
                "host": "https://apiuat.palletforce.net/api/ExternalScanning",
                "password": "as issued by Palletforce",
            },
        },
        "conn-fields": {
            "depot_codes": {
                "label": "Depot codes",
                "description": "Own depot codes of 3 digits, the default requesting depot first, e.g. 900, 901.",
                "schema": {"type": ["string", "null"]},
            },
            "client_id_header": {
                "label": "Gateway header",
                "description": "Header that carries the access key once more (x-ibm-client-id).",
                "schema": {"type": ["string", "null"], "default": "x-ibm-client-id"},
            },
            "page_size": {
                "label": "Page size",
                "description": "Consignments a page of the depot pull (100).",
                "schema": {"type": ["integer", "null"], "default": 100, "minimum": 1, "maximum": 1000},
            },
            "pull_overlap_min": {
                "label": "Overlap (minutes)",
                "description": "How far each pull looks back before the last complete one ended (15).",
                "schema": {"type": ["integer", "null"], "default": 15, "minimum": 0, "maximum": 1440},
            },
            "import_unaccepted": {
                "label": "Import unaccepted consignments",
                "description": "Also make orders of consignments that are not accepted in the network yet.",
                "schema": {"type": ["boolean", "null"], "default": False},
            },
            "allow_http": {
                "label": "Allow http://",
                "description": "Only for a simulator: the access key then travels unprotected.",
                "schema": {"type": ["boolean", "null"], "default": False},
            },
        },
    }
]
