"""Palletflow: a haulier's orders, connected with the UK pallet networks."""
