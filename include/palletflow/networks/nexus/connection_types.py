"""Connection types of Nexus and Optimize as Airflow's form shows them; no import of Airflow, as every process reads it.

The other settings go into Extra by hand; all of them stand in README.md beside this module.
"""

from typing import Any

ALLOW_HTTP = {
    "label": "Allow http://",
    "description": "Only for a simulator: the secret then travels unprotected.",
    "schema": {"type": ["boolean", "null"], "default": False},
}

CONNECTION_TYPES: list[dict[str, Any]] = [
    {
        "connection-type": "nexus",
        "hook-name": "Pall-Ex and Fortec (Nexus)",
        "hook-class-name": "palletflow.networks.nexus.hook.NexusHook",
        "ui-field-behaviour": {
            "hidden-fields": ["schema", "port"],
            "relabeling": {"host": "Base URL", "login": "User name"},
            "placeholders": {
                "host": "https://s-nexus-rest-api-test.pallex.com/v1/",
                "login": "as issued by Pall-Ex",
                "password": "as issued by Pall-Ex",
            },
        },
        "conn-fields": {
            "status_export": {
                "label": "Send statuses",
                "description": "Tell Nexus what our people report. Only once Pall-Ex has confirmed the call.",
                "schema": {"type": ["boolean", "null"], "default": False},
            },
            "rate_per_second": {
                "label": "Requests per second",
                "description": "At most so many through this connection, all processes together (2).",
                "schema": {"type": ["number", "null"], "default": 2, "minimum": 0.01, "maximum": 1000},
            },
            "page_size": {
                "label": "Page size",
                "description": "Rows a page of a list (100).",
                "schema": {"type": ["integer", "null"], "default": 100, "minimum": 1, "maximum": 1000},
            },
            "attachment_hosts": {
                "label": "Hosts of files",
                "description": "Other hosts files may be fetched from, never with our login; empty = any, over https.",
                "schema": {"type": ["string", "null"]},
            },
            "allow_http": ALLOW_HTTP,
        },
    },
    {
        "connection-type": "optimize",
        "hook-name": "Optimize (ETAs to Nexus)",
        "hook-class-name": "palletflow.networks.nexus.hook.OptimizeHook",
        "ui-field-behaviour": {
            "hidden-fields": ["schema", "login", "port"],
            "relabeling": {"host": "Base URL", "password": "API key"},
            "placeholders": {"host": "https://optimize.example.com/api", "password": "as issued with the agreement"},
        },
        "conn-fields": {
            "window_minutes": {
                "label": "Window (minutes)",
                "description": "From the beginning to the end of the time a delivery is expected in (60).",
                "schema": {"type": ["number", "null"], "default": 60, "minimum": 1, "maximum": 1440},
            },
            "threshold_minutes": {
                "label": "Threshold (minutes)",
                "description": "An ETA is sent again once it has moved by more than this (15).",
                "schema": {"type": ["number", "null"], "default": 15, "minimum": 0, "maximum": 1440},
            },
            "require_in_progress": {
                "label": "Only trips under way",
                "description": "Hold a trip's first ETAs until it has started.",
                "schema": {"type": ["boolean", "null"], "default": False},
            },
            "allow_http": ALLOW_HTTP,
        },
    },
]
