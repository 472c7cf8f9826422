"""Fetches one consignment by its tracking number into the import flow (contract 2.5)."""

from datetime import datetime

from palletflow.deployment import Deployment
from palletflow.intake.flow import Intake
from palletflow.network_errors import NotFound
from palletflow.networks.palletforce.client import PalletforceClient
from palletflow.networks.palletforce.mapper import NETWORK, Mapper
from palletflow.store import customers
from palletflow.store.connection import Connection
from palletflow.store.imports import Batch, Counts

STREAM = "single_fetch"


def fetch_consignment(
    conn: Connection,
    client: PalletforceClient,
    mapper: Mapper,
    deployment: Deployment,
    depot: str,
    tracking_number: str,
    *,
    now: datetime,
    run: str,
    actor: str,
) -> Counts:
    """Imports a consignment as it stands in the network now. Raises NotFound and the client's NetworkError."""
    manifests = client.find(depot=depot, tracking_number=tracking_number)
    if not manifests:
        raise NotFound(client.settings.connection, "FetchManifest", f"no consignment {tracking_number}")
    customers.sync(conn, deployment.customer_names(), deployment.account_rows())
    intake = Intake(conn, NETWORK, mapper)
    intake.add(mapper.records(manifests), now)
    return intake.store(Batch(NETWORK, STREAM, party=depot, run=run, actor=actor, fetched_at=now))
