"""Delivery photos in both directions, notes of a network, and limits by the minute.

Revision ID: 0004
"""

from alembic import op

revision = "0004"
down_revision = "0003"

UPGRADE = """
-- Whether customers may see it.
ALTER TABLE documents ADD COLUMN customer_visible boolean NOT NULL DEFAULT false;
-- What the network calls the sending that it took, before or beside the tracking number.
ALTER TABLE dispatch_tasks ADD COLUMN network_reference text NOT NULL DEFAULT '';
"""

DOWNGRADE = """
ALTER TABLE dispatch_tasks DROP COLUMN network_reference;
ALTER TABLE documents DROP COLUMN customer_visible;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
