"""Uploads photos of our deliveries to the Palletways file server, where its portal shows them.

**What.** A photo of a goods delivery that is added to a consignment which one of our depots delivers goes to the file
server of that depot's upload connection, by FTP, FTPS or SFTP. Its name is the tracking ID and a number that is never
used again; it appears there whole or not at all. PDF, JPEG, PNG and TIFF are taken. Signatures, PODs and other
documents never take this path, nor photos from before the upload was switched on.

**By hand.** A run starts by itself as soon as there is something to do. A photo that was given up is tried again, under
its own name, with *Try again* under *Needs attention* of the order desk, or with the DAG *work_requeue*.

**When it fails.** A file that cannot be uploaded says why on its order and stops no other. Broken transfers are tried
again after 1, 5, 15 and 60 minutes, then every hour for a day. A wrong login, certificate or host key flags the
connection: nothing is sent until a check passes.
"""

from airflow.sdk import DAG

from palletflow.airflow.work import work_schedule, work_settings
from palletflow.networks.palletways.operators import PalletwaysPhotoUploadOperator

NAME = "palletways_photo_upload"

with DAG(
    NAME,
    schedule=work_schedule(NAME, PalletwaysPhotoUploadOperator.network, list(PalletwaysPhotoUploadOperator.limits)),
    doc_md=__doc__,
    tags=["palletways", "documents"],
    **work_settings(),
):
    PalletwaysPhotoUploadOperator(task_id="drain")
