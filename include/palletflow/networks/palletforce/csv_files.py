"""The kinds of CSV files of Palletforce (contract 8), as the deployment and its template have them."""

from palletflow.deployment import Deployment
from palletflow.intake.file_kinds import FileKinds
from palletflow.intake.files import Limits
from palletflow.networks.palletforce.csv_manifest import Manifest
from palletflow.networks.palletforce.csv_orders import Orders
from palletflow.networks.palletforce.mapper import preview

MEGABYTE = 1 << 20


def kinds(plan: Deployment) -> FileKinds:
    """Raises FileFault when the template is not usable."""
    template = preview(plan).template
    settings = template.sections["csv"]
    limits = Limits(settings["delimiter"], int(settings["max_rows"]), int(settings["max_megabytes"]) * MEGABYTE)
    return FileKinds({"orders": Orders(plan, template), "manifest": Manifest(plan, template)}, limits)
