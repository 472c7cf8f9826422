"""The order store: the only room with SQL."""
