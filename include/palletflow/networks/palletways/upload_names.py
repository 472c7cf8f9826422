"""What an uploaded photo is called on the file server [PW-6-9]. The one place that makes names."""

import re

from palletflow.documents import media
from palletflow.networks.palletways.upload_settings import UPPER, UploadSettings

# What is taken, and its ending there [PW-6-6].
ENDINGS = {media.PDF: "pdf", media.JPEG: "jpg", media.PNG: "png", media.TIFF: "tif"}
ALLOWED = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def file_name(settings: UploadSettings, tracking_id: str, number: int, media_type: str) -> str:
    """The name of a tracking ID's photo with this number. Raises ValueError for one the server might not take."""
    ending = ENDINGS[media_type]
    name = settings.name_template.format(
        tracking_id=tracking_id,
        n=f"{number:0{settings.name_pad}d}",
        ext=ending.upper() if settings.name_ext_case == UPPER else ending,
    )
    if not ALLOWED.fullmatch(name):
        raise ValueError(f"'{name}' is no name for a file: 1 to 64 letters, digits, '_', '.' and '-'")
    return name
