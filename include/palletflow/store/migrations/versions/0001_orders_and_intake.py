"""Orders, consignments, stops and pallets, and what came in of them.

Revision ID: 0001
"""

from alembic import op

revision = "0001"
down_revision = None

UPGRADE = """
CREATE TABLE customers (
    id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code text NOT NULL UNIQUE CHECK (code <> ''),
    name text NOT NULL CHECK (name <> '')
);

-- An account with a network belongs to one customer.
CREATE TABLE customer_network_accounts (
    network     text   NOT NULL CHECK (network <> ''),
    account     text   NOT NULL CHECK (account <> ''),
    customer_id bigint NOT NULL REFERENCES customers ON DELETE CASCADE,
    PRIMARY KEY (network, account)
);
CREATE INDEX ON customer_network_accounts (customer_id);

-- One reading of a source: a pull's window, a replay. Written together with what it brought.
CREATE TABLE inbound_batches (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    network     text NOT NULL,
    stream      text NOT NULL,
    party       text NOT NULL,
    run         text NOT NULL,
    window_from timestamptz,
    window_to   timestamptz,
    pages       integer NOT NULL CHECK (pages >= 0),
    records     integer NOT NULL CHECK (records >= 0),
    created     integer NOT NULL,
    updated     integer NOT NULL,
    unchanged   integer NOT NULL,
    rejected    integer NOT NULL,
    ignored     integer NOT NULL,
    fetched_at  timestamptz NOT NULL,
    stored_at   timestamptz NOT NULL DEFAULT now(),
    CHECK (window_from < window_to),
    CHECK (records = created + updated + unchanged + rejected + ignored)
);
CREATE INDEX ON inbound_batches (network, stream, party, id);

CREATE TABLE orders (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id   bigint NOT NULL REFERENCES customers,
    source        text   NOT NULL CHECK (source <> ''),
    source_key    text   NOT NULL CHECK (source_key <> ''),
    reference     text   NOT NULL,
    reference_2   text   NOT NULL,
    review_reason text,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    UNIQUE (source, source_key)
);
CREATE INDEX ON orders (customer_id);
CREATE INDEX ON orders (reference) WHERE reference <> '';
CREATE INDEX ON orders (id) WHERE review_reason IS NOT NULL;

CREATE TABLE consignments (
    id                 bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id           bigint NOT NULL REFERENCES orders ON DELETE CASCADE,
    network            text   NOT NULL CHECK (network <> ''),
    tracking_number    text   CHECK (tracking_number <> ''),
    -- The network knows this number. False: it is only held on our order (an imported tracking ID).
    registered         boolean NOT NULL,
    consignment_number text   NOT NULL,
    requesting_depot   text   NOT NULL,
    collecting_depot   text   NOT NULL,
    delivery_depot     text   NOT NULL,
    our_roles          text[] NOT NULL CHECK (our_roles <@ ARRAY['requesting', 'collecting', 'delivery']),
    account            text   NOT NULL,
    service            text   NOT NULL,
    surcharges         text[] NOT NULL,
    collection_date    date,
    delivery_date      date,
    weight_kg          numeric(8, 2) CHECK (weight_kg > 0),
    pallet_spaces      numeric(8, 2) CHECK (pallet_spaces > 0),
    insurance_code     text   NOT NULL,
    hub_code           text   NOT NULL,
    carton_count       integer CHECK (carton_count >= 0),
    amazon_reference   text   NOT NULL,
    notes              text[] NOT NULL,
    -- Two different questions: could we create it in the network, and where are the goods?
    dispatch_state     text   NOT NULL CHECK (dispatch_state IN
        ('not_needed', 'todo', 'waiting', 'completed', 'failed', 'unknown')),
    lifecycle_status   text   NOT NULL CHECK (lifecycle_status IN
        ('CREATED', 'COLLECTED', 'AT_COLLECTION_DEPOT', 'TRUNKED', 'AT_HUB', 'LEFT_HUB', 'AT_DELIVERY_DEPOT',
         'OUT_FOR_DELIVERY', 'ARRIVED', 'DELIVERED', 'CANCELLED', 'EXCEPTION', 'UNKNOWN')),
    exception_reason   text CHECK (exception_reason IN
        ('REFUSED', 'NOT_DELIVERED', 'DAMAGED', 'SHORT', 'RETURNED', 'HELD', 'REJECTED', 'OTHER')),
    network_status     text   NOT NULL,
    network_updated_at timestamptz,
    -- Digest of the raw record, template and deployment that made this row; equal = nothing to do.
    input_digest       bytea,
    -- When we read that record; an older reading never overwrites a newer one.
    read_at            timestamptz,
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now(),
    CHECK (NOT registered OR tracking_number IS NOT NULL),
    CHECK (lifecycle_status <> 'EXCEPTION' OR exception_reason IS NOT NULL)
);
CREATE UNIQUE INDEX consignments_registered ON consignments (network, tracking_number) WHERE registered;
CREATE INDEX ON consignments (tracking_number);
CREATE INDEX ON consignments (order_id);
CREATE INDEX ON consignments (consignment_number) WHERE consignment_number <> '';

CREATE TABLE stops (
    consignment_id bigint NOT NULL REFERENCES consignments ON DELETE CASCADE,
    kind           text   NOT NULL CHECK (kind IN ('pickup', 'collection_depot', 'delivery_depot', 'delivery')),
    depot          text   NOT NULL,
    name           text   NOT NULL,
    street         text   NOT NULL,
    locality       text   NOT NULL,
    town           text   NOT NULL,
    county         text   NOT NULL,
    postcode       text   NOT NULL,
    country        text   NOT NULL,
    phone          text   NOT NULL,
    contact        text   NOT NULL,
    planned_date   date,
    arrived_at     timestamptz,
    completed_at   timestamptz,
    PRIMARY KEY (consignment_id, kind)
);
CREATE INDEX ON stops (postcode) WHERE postcode <> '';

CREATE TABLE pallets (
    consignment_id bigint   NOT NULL REFERENCES consignments ON DELETE CASCADE,
    number         smallint NOT NULL CHECK (number BETWEEN 1 AND 99),
    pallet_type    text     NOT NULL,
    removed_at     timestamptz,
    PRIMARY KEY (consignment_id, number)
);

-- Append-only: who did what to a consignment, when, and where it came from.
CREATE TABLE activity (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consignment_id bigint NOT NULL REFERENCES consignments ON DELETE CASCADE,
    batch_id       bigint REFERENCES inbound_batches,
    kind           text   NOT NULL,
    actor          text   NOT NULL,
    source         text   NOT NULL,
    changes        jsonb,
    warnings       text[] NOT NULL,
    at             timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON activity (consignment_id, id);

-- Every distinct raw record once, and what became of it.
CREATE TABLE inbound_records (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    batch_id       bigint NOT NULL REFERENCES inbound_batches,
    network        text   NOT NULL,
    stream         text   NOT NULL,
    record_key     text   NOT NULL,
    raw            text   NOT NULL,
    raw_digest     bytea  NOT NULL,
    read_at        timestamptz NOT NULL,
    outcome        text   NOT NULL CHECK (outcome IN ('created', 'updated', 'unchanged', 'rejected', 'ignored')),
    reason_code    text,
    field          text,
    reason         text,
    warnings       text[] NOT NULL,
    consignment_id bigint REFERENCES consignments ON DELETE SET NULL,
    -- A rejected record stays open until a corrected replay or a newer version of it lands.
    corrected      text,
    corrected_by   text,
    replays        integer NOT NULL DEFAULT 0,
    settled_at     timestamptz,
    settled_by     text,
    landed_at      timestamptz NOT NULL DEFAULT now(),
    UNIQUE (network, stream, raw_digest),
    CHECK ((outcome IN ('rejected', 'ignored')) = (reason_code IS NOT NULL)),
    CHECK ((settled_at IS NULL) = (settled_by IS NULL))
);
CREATE INDEX quarantine ON inbound_records (network, reason_code, id) WHERE outcome = 'rejected' AND settled_at IS NULL;
CREATE INDEX quarantine_keys ON inbound_records (network, record_key)
    WHERE outcome = 'rejected' AND settled_at IS NULL;
CREATE INDEX ON inbound_records (record_key, id);
CREATE INDEX ON inbound_records (consignment_id);
CREATE INDEX ON inbound_records (batch_id);

-- Up to when a stream has been read completely.
CREATE TABLE watermarks (
    network  text NOT NULL,
    stream   text NOT NULL,
    party    text NOT NULL,
    high     timestamptz NOT NULL,
    batch_id bigint REFERENCES inbound_batches,
    moved_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (network, stream, party)
);

-- A connection whose key or address the network refused; its schedules skip until a check passes.
CREATE TABLE connection_flags (
    connection text PRIMARY KEY,
    reason     text NOT NULL,
    flagged_at timestamptz NOT NULL DEFAULT now()
);
"""

DOWNGRADE = """
DROP TABLE connection_flags, watermarks, inbound_records, activity, pallets, stops, consignments, orders,
    inbound_batches, customer_network_accounts, customers;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
