"""Fetches one consignment of Pall-Ex or Fortec from Nexus now: the order, its statuses and its documents.

**What.** The consignment as it stands in Nexus goes through the regular order import flow, its scan history is read,
and its signature, POD and photos are looked for at once, also when they are no longer looked for by themselves.

**By hand only.** Give the consignment's number, its Nexus id or the barcode of a pallet, and the depot of ours that
takes part in it. One that we hold has a button for it on its page of the order desk.

**When it fails.** The task log says whether Nexus does not know the consignment, refused the login, or did not answer.
Nothing is stored in any of these cases; trigger it again.
"""

from datetime import timedelta

from airflow.sdk import DAG, Param

from palletflow.airflow.defaults import dag_settings
from palletflow.networks.nexus.operators import NexusFetchOperator

with DAG(
    "nexus_fetch",
    schedule=None,
    doc_md=__doc__,
    tags=["nexus", "import", "statuses", "documents"],
    params={
        "consignment": Param(
            type="string",
            pattern=r"^[A-Za-z0-9]{1,20}$",
            title="Consignment",
            description="Consignment number, Nexus id, or the 16 digits of a pallet's barcode.",
        ),
        "depot": Param(
            type="string",
            pattern=r"^[A-Za-z]{3}[0-9]+$",
            title="Depot",
            description="Our depot that takes part in it, e.g. PGD302.",
        ),
    },
    **dag_settings(deadline=timedelta(minutes=15)),
):
    NexusFetchOperator(task_id="fetch_consignment", depot="{{ params.depot }}", consignment="{{ params.consignment }}")
