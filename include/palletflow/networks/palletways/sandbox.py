"""The Palletways connections of the sandbox: for each of our depots its web services and its upload server."""

from typing import Any
from urllib.parse import urlsplit

from palletflow.networks.palletways.simulator.files import ca_pem, host_key_line
from palletflow.networks.palletways.simulator.members import KEYS, UPLOAD_PASSWORD, UPLOAD_USERS

# What the simulator serves besides its HTTP address.
SERVERS = ("ftp", "ftps", "sftp")
_CAPABILITIES = ["photos_in", "photos_out", "dispatch", "import", "notes_out"]
# Every document of a sandbox is younger.
_UPLOAD_ENABLED_AT = "2020-01-01T00:00:00+00:00"


def sandbox_connections(base_url: str, *, ftp: int = 2121, ftps: int = 2122, sftp: int = 2222) -> dict[str, Any]:
    """Airflow connections by id, as fields of Airflow's JSON connections.

    base_url: where the simulator answers, such as http://127.0.0.1:8090; then the ports of its file servers on the same
    host. Depot 123 uploads by SFTP, 124 by FTPS. The plain FTP server is for connections that a person adds by hand.
    """
    host = urlsplit(base_url).hostname
    services = {
        f"palletways_{owner.depot}": {
            "conn_type": "palletways",
            "login": owner.depot,
            "password": key,
            # The simulator speaks plain HTTP on the loopback interface.
            "extra": {
                "allow_http": True,
                "api2_base": f"{base_url}/",
                "portal_base": f"{base_url}/api/",
                "capabilities": _CAPABILITIES,
                # What customers enter is what arrives by itself.
                "import_cons_entered": True,
            },
        }
        for key, owner in KEYS.items()
        if not owner.is_customer
    }
    ways = {
        "123": ("palletways_sftp", sftp, {"host_key": host_key_line()}),
        "124": ("palletways_ftps", ftps, {"ca_bundle": ca_pem()}),
    }
    uploads = {
        f"palletways_upload_{depot}": {
            "conn_type": ways[depot][0],
            "host": host,
            "port": ways[depot][1],
            "login": user,
            "password": UPLOAD_PASSWORD,
            "extra": {"upload_enabled_at": _UPLOAD_ENABLED_AT, **ways[depot][2]},
        }
        for user, depot in UPLOAD_USERS.items()
    }
    return {**services, **uploads}
