"""Connection types of Palletways as Airflow's form shows them; no import of Airflow, as every process reads it.

The other settings go into Extra by hand; all of them stand in README.md beside this module.
"""

from typing import Any

WEB_SERVICES: dict[str, Any] = {
    "connection-type": "palletways",
    "hook-name": "Palletways (web services)",
    "hook-class-name": "palletflow.networks.palletways.hook.PalletwaysHook",
    "ui-field-behaviour": {
        "hidden-fields": ["schema", "port", "host"],
        "relabeling": {"login": "Depot number", "password": "API key"},
        "placeholders": {"login": "123", "password": "as issued by Palletways, not encoded"},
    },
    "conn-fields": {
        "capabilities": {
            "label": "Capabilities",
            "description": "What it is used for: photos_in, photos_out, dispatch, import, notes_out (the first two).",
            "schema": {"type": ["string", "null"]},
        },
        "key_kind": {
            "label": "Kind of key",
            "description": "depot or customer; only a customer key may release and delete what was submitted (depot).",
            "schema": {"type": ["string", "null"], "enum": ["depot", "customer", None], "default": "depot"},
        },
        "photos_enabled_at": {
            "label": "Photos from",
            "description": "Of deliveries completed since then, e.g. 2026-07-13T09:00:00+01:00; empty = since the "
            "first search.",
            "schema": {"type": ["string", "null"]},
        },
        "photos_customer_visible": {
            "label": "Show photos to customers",
            "description": "Unless the template says otherwise of the customer's account.",
            "schema": {"type": ["boolean", "null"], "default": False},
        },
        "late_catch_up": {
            "label": "Late photos",
            "description": "Go on looking for up to a week where none came within 15 minutes.",
            "schema": {"type": ["boolean", "null"], "default": False},
        },
        "calls_per_minute": {
            "label": "Calls per minute",
            "description": "At most so many in any minute, of all that share our address (60); 100 get it banned.",
            "schema": {"type": ["integer", "null"], "default": 60, "minimum": 1, "maximum": 90},
        },
        "api2_base": {
            "label": "API2 address",
            "description": "Only if it is not https://api.palletways.com/",
            "schema": {"type": ["string", "null"]},
        },
        "portal_base": {
            "label": "Portal address",
            "description": "Only if it is not https://portal.palletways.com/api/",
            "schema": {"type": ["string", "null"]},
        },
        "allow_http": {
            "label": "Allow http://",
            "description": "Only for a simulator: the API key then travels unprotected.",
            "schema": {"type": ["boolean", "null"], "default": False},
        },
    },
}
# Of every connection that photos are uploaded through.
UPLOADS: dict[str, Any] = {
    "upload_enabled_at": {
        "label": "Uploads from",
        "description": "Photos added since then are uploaded, e.g. 2026-07-13T09:00:00+01:00; empty = none.",
        "schema": {"type": ["string", "null"]},
    },
    "remote_dir": {
        "label": "Folder",
        "description": "Where all files go; it must be there (/).",
        "schema": {"type": ["string", "null"]},
    },
    "name_template": {
        "label": "File names",
        "description": "Only if they are not {tracking_id}_{n}.{ext}",
        "schema": {"type": ["string", "null"]},
    },
}
ACTIVE: dict[str, Any] = {
    "active": {
        "label": "Active FTP",
        "description": "The server connects to us for data; only where nothing else works.",
        "schema": {"type": ["boolean", "null"], "default": False},
    },
}
CA_BUNDLE: dict[str, Any] = {
    "ca_bundle": {
        "label": "Authority of the certificate",
        "description": "Path or PEM text; empty = those the system trusts.",
        "schema": {"type": ["string", "null"]},
    },
}
HOST_KEY: dict[str, Any] = {
    "host_key": {
        "label": "Host key",
        "description": "Key type and base64, as in known_hosts; empty = the one in the workers' known_hosts.",
        "schema": {"type": ["string", "null"]},
    },
}


def _file_server(protocol: str, port: int, fields: dict[str, Any]) -> dict[str, Any]:
    return {
        "connection-type": f"palletways_{protocol}",
        "hook-name": f"Palletways uploads ({protocol.upper()})",
        "hook-class-name": f"palletflow.networks.palletways.upload_hook.Palletways{protocol.capitalize()}Hook",
        "ui-field-behaviour": {
            "hidden-fields": ["schema"],
            "relabeling": {},
            "placeholders": {"host": "files.example.com", "port": str(port), "login": "as issued by Palletways"},
        },
        "conn-fields": {**UPLOADS, **fields},
    }


CONNECTION_TYPES: list[dict[str, Any]] = [
    WEB_SERVICES,
    _file_server("ftp", 21, ACTIVE),
    _file_server("ftps", 21, {**CA_BUNDLE, **ACTIVE}),
    _file_server("sftp", 22, HOST_KEY),
]
