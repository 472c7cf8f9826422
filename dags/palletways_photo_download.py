"""Fetches photos of deliveries from Palletways and attaches each to its order.

**What.** From the moment a delivery is seen to be completed Palletways is asked for its photos at once and after 1, 2,
4, 7, 10 and 15 minutes, because some are added late. The PDF it sends is split, and every new photo is kept as it is,
as a document of its own. A photo that we have already, re-encoded or made smaller too, is not stored again. No photos
is no error.

**By hand.** A run starts by itself as soon as there is something to do. *palletways_fetch_photos* looks for photos now.
With `late_catch_up` in the connection the search goes on for a week after the 15 minutes, ever more rarely.

**When it fails.** A file that is damaged, encrypted, too large or no photo is quarantined with the reason and stops no
other. While Palletways does not answer, or has banned us, searches run late and none is lost.
"""

from airflow.sdk import DAG

from palletflow.airflow.work import work_schedule, work_settings
from palletflow.networks.palletways.operators import PalletwaysPhotoDownloadOperator

NAME = "palletways_photo_download"

with DAG(
    NAME,
    schedule=work_schedule(NAME, PalletwaysPhotoDownloadOperator.network, list(PalletwaysPhotoDownloadOperator.limits)),
    doc_md=__doc__,
    tags=["palletways", "documents"],
    **work_settings(),
):
    PalletwaysPhotoDownloadOperator(task_id="drain")
