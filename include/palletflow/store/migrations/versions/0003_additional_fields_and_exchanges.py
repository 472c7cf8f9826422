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
    -- Of its row in the list. NULL: it was read without one.
    digest     bytea,
    -- Of what was made of it when it was read whole. NULL: it has not been taken in yet.
    content    bytea,
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

-- Documents of a consignment that its network and we exchange: those we fetch from it, and those we send it.
CREATE TABLE document_exchanges (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consignment_id bigint   NOT NULL REFERENCES consignments ON DELETE CASCADE,
    -- NULL while nothing usable was fetched.
    document_id    bigint   REFERENCES documents ON DELETE SET NULL,
    direction      text     NOT NULL CHECK (direction IN ('fetched', 'sent')),
    -- What kind it is, in the network's word and in ours.
    code           text     NOT NULL,
    kind           text     NOT NULL CHECK (kind IN ('POD', 'SIGNATURE', 'PHOTO', 'PAPERWORK', 'OTHER')),
    -- Of one we send: counts by code, reserved before the transfer and never used again.
    number         integer  CHECK (number > 0),
    name           text     NOT NULL,
    -- Of its bytes, NULL until they were fetched.
    sha256         bytea    CHECK (length(sha256) = 32),
    -- The network's id of it, NULL while it is not known.
    network_id     text     CHECK (network_id <> ''),
    -- Transfers that failed for the request `asked`, and what was wrong with the last.
    tries          smallint NOT NULL DEFAULT 0,
    reason         text,
    asked          text     NOT NULL DEFAULT '',
    begun_at       timestamptz NOT NULL DEFAULT now(),
    done_at        timestamptz,
    given_up_at    timestamptz,
    CHECK ((direction = 'sent') = (number IS NOT NULL)),
    CHECK (done_at IS NULL OR given_up_at IS NULL),
    CHECK (given_up_at IS NULL OR reason IS NOT NULL),
    UNIQUE (consignment_id, network_id),
    UNIQUE (consignment_id, code, number)
);
CREATE UNIQUE INDEX documents_sent ON document_exchanges (consignment_id, kind, sha256) WHERE direction = 'sent';
CREATE INDEX ON document_exchanges (document_id);

-- What a network was told of when a delivery is expected, and on which trip: last accepted, and last refused with why.
CREATE TABLE eta_exports (
    consignment_id bigint PRIMARY KEY REFERENCES consignments ON DELETE CASCADE,
    route          text,
    eta_from       timestamptz,
    accepted_at    timestamptz,
    refused_route  text,
    refused_eta    timestamptz,
    refusal        text,
    refused_at     timestamptz
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
