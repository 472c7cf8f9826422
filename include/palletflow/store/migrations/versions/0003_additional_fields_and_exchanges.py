"""What one network alone knows of a consignment, details of pallets, and what was exchanged with networks.

Revision ID: 0003
"""

from alembic import op

revision = "0003"
down_revision = "0002"

UPGRADE = """
ALTER TABLE consignments
    -- What one network alone asks or tells, by field, e.g. nexus_origin.
    ADD COLUMN additional_fields jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(additional_fields) = 'object');
ALTER TABLE pallets
    -- Measures in cm, weight in kg, base: what the order or the network says of this one pallet.
    ADD COLUMN details jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(details) = 'object');
-- Under way to the stop, and not there yet.
ALTER TABLE stops ADD COLUMN started_at timestamptz;
-- Of what was last sent: only the same may be sent again while the outcome is unknown.
ALTER TABLE dispatch_tasks ADD COLUMN sent_digest bytea;

-- What a network's list last showed of a record, so that only changed ones are read whole.
CREATE TABLE listed_records (
    network    text     NOT NULL,
    record_key text     NOT NULL,
    -- NULL: it has not been taken in yet.
    digest     bytea,
    -- Readings in a row that could not be taken in.
    tries      smallint NOT NULL DEFAULT 0,
    read_at    timestamptz NOT NULL,
    PRIMARY KEY (network, record_key)
);

-- A network's own tables of names and ids, kept for a while.
CREATE TABLE lookup_cache (
    connection text  NOT NULL,
    lookup     text  NOT NULL,
    content    jsonb NOT NULL,
    read_at    timestamptz NOT NULL,
    PRIMARY KEY (connection, lookup)
);

-- Which documents a network has of a consignment: those we fetched from it, and those we send it.
CREATE TABLE document_exchanges (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consignment_id bigint  NOT NULL REFERENCES consignments ON DELETE CASCADE,
    document_id    bigint  REFERENCES documents ON DELETE SET NULL,
    direction      text    NOT NULL CHECK (direction IN ('fetched', 'sent')),
    -- The network's word for its kind.
    code           text    NOT NULL,
    -- Of one we send: counts by kind, reserved before the transfer and never used again.
    number         integer CHECK (number > 0),
    name           text    NOT NULL,
    -- The network's id of it, NULL while it is not known.
    network_id     text    CHECK (network_id <> ''),
    begun_at       timestamptz NOT NULL DEFAULT now(),
    done_at        timestamptz,
    -- Given up: what the network or its content said.
    refusal        text,
    CHECK ((direction = 'sent') = (number IS NOT NULL)),
    UNIQUE (consignment_id, network_id),
    UNIQUE (consignment_id, code, number)
);
CREATE UNIQUE INDEX documents_sent ON document_exchanges (consignment_id, document_id) WHERE direction = 'sent';
CREATE INDEX ON document_exchanges (document_id);

-- The ETA of a delivery that a network last took from us, and the trip it was for.
CREATE TABLE eta_exports (
    consignment_id bigint PRIMARY KEY REFERENCES consignments ON DELETE CASCADE,
    route          text   NOT NULL,
    eta_from       timestamptz NOT NULL,
    refusal        text,
    sent_at        timestamptz NOT NULL
);
"""

DOWNGRADE = """
DROP TABLE eta_exports, document_exchanges, lookup_cache, listed_records;
ALTER TABLE dispatch_tasks DROP COLUMN sent_digest;
ALTER TABLE stops DROP COLUMN started_at;
ALTER TABLE pallets DROP COLUMN details;
ALTER TABLE consignments DROP COLUMN additional_fields;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
