"""The kinds of CSV files of Palletways (contract 7.2), as the deployment and its template have them."""

from palletflow.deployment import Deployment
from palletflow.intake.file_kinds import FileKinds
from palletflow.intake.files import Limits
from palletflow.networks.palletways.mapper import preview
from palletflow.networks.palletways.psief import Psief
from palletflow.networks.palletways.work import LOOK_UP, NETWORK
from palletflow.store import work_items
from palletflow.store.connection import Connection

MOST_ROWS, MOST_BYTES = 1_000_000, 1 << 30


def kinds(plan: Deployment) -> FileKinds:
    """Raises FileFault when the template is not usable."""
    template = preview(plan).template
    limits = Limits(template.sections["psief"]["delimiter"], MOST_ROWS, MOST_BYTES, headed=False)
    return FileKinds({"psief": Psief(plan, template)}, limits, _numbered)


def _numbered(conn: Connection, consignment_ids: list[int]) -> None:
    """What follows for consignments that a file announced: they are looked up, which tells the rest of them."""
    if consignment_ids:
        work_items.enqueue(conn, NETWORK, LOOK_UP, consignment_ids)
