"""What the simulator's file servers prove themselves with, and the sandbox's connections that name it (section 8)."""

import json
import subprocess
import sys

from tests.networks.palletways.served_files import HOST

from palletflow.networks.palletways.sandbox import SERVERS, sandbox_connections
from palletflow.networks.palletways.simulator.files import FileServers, ca_pem, host_key_line
from palletflow.networks.palletways.simulator.files.identity import HOST_KEYS, TLS_CERTS, tls_identity
from palletflow.networks.palletways.simulator.members import KEYS, UPLOAD_USERS

BASE_URL = "http://127.0.0.1:8090"


def test_keys_and_certificates_are_the_same_in_every_process():
    told = "from palletflow.networks.palletways.simulator.files.identity import *\n" + "\n".join(
        ["import json", "certs = [tls_identity(kind).certificate.serial_number for kind in TLS_CERTS]",
         "print(json.dumps([ca_pem(), [host_key_line(kind) for kind in HOST_KEYS], certs]))"]
    )  # fmt: skip
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True, timeout=60)

    serials = [tls_identity(kind).certificate.serial_number for kind in TLS_CERTS]
    assert json.loads(done.stdout) == [ca_pem(), [host_key_line(kind) for kind in HOST_KEYS], serials]
    assert len(set(serials)) == len(serials)
    assert len({host_key_line(kind) for kind in HOST_KEYS}) == len(HOST_KEYS)


def test_the_sandbox_has_a_connection_to_each_service_of_the_simulator_for_each_depot():
    made = sandbox_connections(BASE_URL, ftp=1, ftps=2, sftp=3)

    assert set(made) == {"palletways_123", "palletways_124", "palletways_upload_123", "palletways_upload_124"}
    for depot in ("123", "124"):
        services, upload = made[f"palletways_{depot}"], made[f"palletways_upload_{depot}"]
        assert services["conn_type"] == "palletways"
        assert services["login"] == KEYS[services["password"]].depot == UPLOAD_USERS[upload["login"]] == depot
        assert not KEYS[services["password"]].is_customer
        assert services["extra"]["api2_base"] == f"{BASE_URL}/"
        assert services["extra"]["portal_base"] == f"{BASE_URL}/api/"
        assert upload["host"] == HOST
    assert (made["palletways_upload_123"]["conn_type"], made["palletways_upload_123"]["port"]) == ("palletways_sftp", 3)
    assert made["palletways_upload_123"]["extra"]["host_key"] == host_key_line()
    assert (made["palletways_upload_124"]["conn_type"], made["palletways_upload_124"]["port"]) == ("palletways_ftps", 2)
    assert made["palletways_upload_124"]["extra"]["ca_bundle"] == ca_pem()
    assert set(SERVERS) == set(FileServers.__init__.__kwdefaults__) - {"bind"}


def test_the_sandbox_s_connections_can_be_written_as_json():
    made = sandbox_connections(BASE_URL)
    assert json.loads(json.dumps(made)) == made
