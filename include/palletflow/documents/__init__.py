"""Documents: their bytes in object storage, labels drawn and printed."""
