"""The kinds of CSV files of Palletforce (contract 8), as the deployment and its template have them."""

from palletflow.deployment import Deployment
from palletflow.intake.file_kinds import FileKinds
from palletflow.intake.files import Limits
from palletflow.networks.palletforce.csv_manifest import Manifest
from palletflow.networks.palletforce.csv_orders import Orders
from palletflow.networks.palletforce.mapper import NETWORK, preview
from palletflow.networks.palletforce.work import OWN_LABELS
from palletflow.store import work_items
from palletflow.store.connection import Connection

MEGABYTE = 1 << 20


def kinds(plan: Deployment) -> FileKinds:
    """Raises FileFault when the template is not usable."""
    template = preview(plan).template
    settings = template.sections["csv"]
    limits = Limits(settings["delimiter"], int(settings["max_rows"]), int(settings["max_megabytes"]) * MEGABYTE)
    return FileKinds({"orders": Orders(plan, template), "manifest": Manifest(plan, template)}, limits, _numbered)


def _numbered(conn: Connection, consignment_ids: list[int]) -> None:
    """What follows for orders that came with an imported number: our own labels are drawn [PF-6-5].

    The rest of entry.written() needs a delivery depot, which a file does not give.
    """
    if consignment_ids:
        work_items.enqueue(conn, NETWORK, OWN_LABELS, consignment_ids)
