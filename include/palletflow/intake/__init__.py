"""The regular order import flow, the same for API pulls and files."""
