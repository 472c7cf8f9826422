"""Orders of our own, dispatch, work queue, barcodes, documents, movements and statuses.

Revision ID: 0002
"""

from alembic import op

revision = "0002"
down_revision = "0001"

UPGRADE = """
ALTER TABLE orders
    ADD COLUMN cancelled_at timestamptz,
    -- Digest of what an order file said of it; the same said again is no second order.
    ADD COLUMN source_digest bytea,
    ADD COLUMN copied_from bigint REFERENCES orders ON DELETE SET NULL;
CREATE INDEX ON orders (copied_from) WHERE copied_from IS NOT NULL;

ALTER TABLE consignments
    ADD COLUMN goods_description    text  NOT NULL DEFAULT '',
    ADD COLUMN notification_email   text  NOT NULL DEFAULT '',
    ADD COLUMN notification_sms     text  NOT NULL DEFAULT '',
    ADD COLUMN notification_twitter text  NOT NULL DEFAULT '',
    -- Customs data of Northern Ireland by the network's field names.
    ADD COLUMN northern_ireland     jsonb NOT NULL DEFAULT '{}',
    -- What its caller last said of it, by field; a network fills in and changes the columns later.
    ADD COLUMN given                jsonb;

ALTER TABLE stops
    -- Stops of one route are driven in order of their sequence; consignments of one stop share it.
    ADD COLUMN route          text NOT NULL DEFAULT '',
    ADD COLUMN route_sequence integer CHECK (route_sequence > 0),
    ADD COLUMN eta_from       timestamptz,
    ADD COLUMN eta_to         timestamptz,
    ADD COLUMN outcome        text CHECK (outcome IN ('CLEAN', 'DAMAGED', 'EXCEPTION', 'NOT_DELIVERED')),
    ADD COLUMN reason         text NOT NULL DEFAULT '',
    ADD COLUMN signatory      text NOT NULL DEFAULT '',
    ADD CHECK (eta_from <= eta_to);
CREATE INDEX ON stops (route, route_sequence) WHERE route <> '';

-- The change feed reads this history: a transaction's rows appear in it only once no older one can still commit.
ALTER TABLE activity ADD COLUMN xact xid8 NOT NULL DEFAULT pg_current_xact_id();
CREATE INDEX ON activity (xact, id);

-- Our last number at each requesting depot; a network allows so many digits, then it begins anew.
CREATE TABLE consignment_numbers (
    network text   NOT NULL,
    depot   text   NOT NULL,
    last    bigint NOT NULL CHECK (last > 0),
    PRIMARY KEY (network, depot)
);

-- The task that hands a consignment to a network. Its state is the consignment's dispatch_state.
CREATE TABLE dispatch_tasks (
    consignment_id     bigint   PRIMARY KEY REFERENCES consignments ON DELETE CASCADE,
    trip               text     NOT NULL CHECK (trip <> ''),
    resource           text     NOT NULL CHECK (resource <> ''),
    auto_complete      boolean  NOT NULL,
    completed_at       timestamptz,
    completed_by       text,
    -- One attempt is everything sent under one transaction number; only a person starts the next one.
    attempt            integer  NOT NULL DEFAULT 1 CHECK (attempt > 0),
    transaction_number text     NOT NULL DEFAULT '',
    -- Counts every sending, whatever came of it. sent_at: when the one began that may have been accepted, NULL if none.
    sends              integer  NOT NULL DEFAULT 0,
    sent_at            timestamptz,
    -- While the outcome is unknown: look-ups that found nothing, and when the next one is due.
    lookups            smallint NOT NULL DEFAULT 0,
    lookup_at          timestamptz,
    -- The re-send that needs no person has been used; one was asked for and is still owed.
    resent             boolean  NOT NULL DEFAULT false,
    send_again         boolean  NOT NULL DEFAULT false,
    -- Notifications are left out since the network refused them.
    opted_out          boolean  NOT NULL DEFAULT false,
    -- What a network gives back of what was sent, by field: it is no change of the network's.
    echo               jsonb    NOT NULL DEFAULT '{}',
    -- Why it cannot go: [{"code", "field", "reason", "remedy"}], all of them together.
    faults             jsonb    NOT NULL DEFAULT '[]',
    warnings           text[]   NOT NULL DEFAULT '{}',
    finished_at        timestamptz,
    created_at         timestamptz NOT NULL DEFAULT now(),
    CHECK ((completed_at IS NULL) = (completed_by IS NULL))
);
CREATE INDEX ON dispatch_tasks (trip);
CREATE INDEX ON dispatch_tasks (transaction_number) WHERE transaction_number <> '';

-- What we do to a network or because of an event. Taking an item moves due_at to the end of its lease, so that what a
-- killed worker held comes due again by itself. A finished item is deleted; the activity history remembers it.
CREATE TABLE work_items (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    network    text    NOT NULL,
    kind       text    NOT NULL,
    key        text    NOT NULL,
    due_at     timestamptz NOT NULL,
    attempts   integer NOT NULL DEFAULT 0,
    -- Rises when the item is asked for again; work finished on an older generation is done once more.
    generation integer NOT NULL DEFAULT 0,
    lease      uuid,
    last_error text,
    parked_at  timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (network, kind, key),
    CHECK (parked_at IS NULL OR last_error IS NOT NULL),
    CHECK (parked_at IS NULL OR lease IS NULL)
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_analyze_scale_factor = 0.05);
CREATE INDEX work_due ON work_items (network, kind, due_at, id) WHERE parked_at IS NULL;
CREATE INDEX work_parked ON work_items (network, kind, parked_at) WHERE parked_at IS NOT NULL;

-- Whoever waits for work is told of what is due earlier than it was: once a statement and kind.
CREATE FUNCTION tell_of_added_work() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('palletflow_work', network || '.' || kind)
    FROM (SELECT DISTINCT network, kind FROM written) AS told;
    RETURN NULL;
END $$;
CREATE TRIGGER work_added AFTER INSERT ON work_items
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION tell_of_added_work();
CREATE FUNCTION tell_of_hurried_work() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('palletflow_work', network || '.' || kind)
    FROM (
        SELECT DISTINCT written.network, written.kind FROM written JOIN held USING (id)
        WHERE written.parked_at IS NULL AND (written.due_at < held.due_at OR held.parked_at IS NOT NULL)
    ) AS told;
    RETURN NULL;
END $$;
CREATE TRIGGER work_hurried AFTER UPDATE ON work_items
    REFERENCING OLD TABLE AS held NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION tell_of_hurried_work();

-- A refused connection is tried by one caller at a time.
ALTER TABLE connection_flags ADD COLUMN checked_at timestamptz;

-- Limits are per host or connection, not per process: until when nobody calls, and when the next call may start.
CREATE TABLE call_budgets (
    budget       text PRIMARY KEY,
    paused_until timestamptz,
    next_call_at timestamptz
);

-- Every barcode a pallet has had. The network may replace one; old labels are still scanned.
CREATE TABLE pallet_barcodes (
    consignment_id bigint NOT NULL REFERENCES consignments ON DELETE CASCADE,
    -- NULL: a barcode of another shape, kept as history.
    pallet_number  smallint CHECK (pallet_number BETWEEN 1 AND 99),
    barcode        text   NOT NULL CHECK (barcode <> ''),
    state          text   NOT NULL CHECK (state IN ('expected', 'confirmed', 'superseded', 'foreign')),
    first_seen_at  timestamptz NOT NULL DEFAULT now(),
    confirmed_at   timestamptz,
    superseded_at  timestamptz,
    PRIMARY KEY (consignment_id, barcode),
    CHECK ((state = 'foreign') = (pallet_number IS NULL)),
    CHECK ((state = 'superseded') = (superseded_at IS NOT NULL))
);
CREATE UNIQUE INDEX current_barcodes ON pallet_barcodes (consignment_id, pallet_number)
    WHERE state IN ('expected', 'confirmed');
CREATE INDEX ON pallet_barcodes (barcode);

-- A document's bytes lie in object storage under their digest.
CREATE TABLE documents (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id       bigint NOT NULL REFERENCES orders ON DELETE CASCADE,
    consignment_id bigint REFERENCES consignments ON DELETE CASCADE,
    pallet_number  smallint CHECK (pallet_number BETWEEN 1 AND 99),
    kind           text   NOT NULL CHECK (kind IN
        ('LABEL', 'NETWORK_LABEL', 'POD', 'SIGNATURE', 'PHOTO', 'PAPERWORK', 'OTHER')),
    name           text   NOT NULL CHECK (name <> ''),
    media_type     text   NOT NULL,
    size           bigint NOT NULL CHECK (size > 0),
    sha256         bytea  NOT NULL CHECK (length(sha256) = 32),
    -- Labels: the barcode printed on it ('' on a provisional one), and since when it is no longer good.
    barcode        text   NOT NULL DEFAULT '',
    provisional    boolean NOT NULL DEFAULT false,
    stale_at       timestamptz,
    source         text   NOT NULL,
    actor          text   NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    UNIQUE NULLS NOT DISTINCT (order_id, consignment_id, pallet_number, kind, sha256)
);
CREATE INDEX ON documents (consignment_id, kind);

-- What our own people did: stops reached and completed, pallets scanned. Networks are told from here.
CREATE TABLE movements (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consignment_id bigint NOT NULL REFERENCES consignments ON DELETE CASCADE,
    event          text   NOT NULL CHECK (event IN ('arrived', 'completed', 'scanned')),
    stop           text   CHECK (stop IN ('pickup', 'collection_depot', 'delivery_depot', 'delivery')),
    scan           text   CHECK (scan IN ('onto_trunk', 'receipt', 'trunk_arrival', 'onto_delivery_vehicle')),
    pallet_number  smallint CHECK (pallet_number BETWEEN 1 AND 99),
    barcode        text   NOT NULL DEFAULT '',
    depot          text   NOT NULL DEFAULT '',
    at             timestamptz NOT NULL,
    outcome        text   CHECK (outcome IN ('CLEAN', 'DAMAGED', 'EXCEPTION', 'NOT_DELIVERED')),
    reason         text   NOT NULL DEFAULT '',
    signatory      text   NOT NULL DEFAULT '',
    latitude       numeric(9, 6) CHECK (latitude BETWEEN -90 AND 90),
    longitude      numeric(9, 6) CHECK (longitude BETWEEN -180 AND 180),
    actor          text   NOT NULL,
    reported_at    timestamptz NOT NULL DEFAULT now(),
    CHECK ((event = 'scanned') = (scan IS NOT NULL)),
    CHECK ((event = 'scanned') = (stop IS NULL)),
    UNIQUE NULLS NOT DISTINCT (consignment_id, event, stop, scan, pallet_number, at)
);

-- Statuses as a network has them: read from it, or told to it by us. `status` is the vocabulary of consignments.
CREATE TABLE tracking_events (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consignment_id   bigint NOT NULL REFERENCES consignments ON DELETE CASCADE,
    direction        text   NOT NULL CHECK (direction IN ('imported', 'exported')),
    pallet_number    smallint CHECK (pallet_number BETWEEN 1 AND 99),
    barcode          text   NOT NULL,
    code             text   NOT NULL,
    status           text   NOT NULL,
    -- Why the goods are an exception, or what was unclean about their delivery.
    reason           text,
    occurred_at      timestamptz NOT NULL,
    time_estimated   boolean NOT NULL DEFAULT false,
    depot            text   NOT NULL DEFAULT '',
    signatory        text   NOT NULL DEFAULT '',
    note             text   NOT NULL DEFAULT '',
    latitude         text   NOT NULL DEFAULT '',
    longitude        text   NOT NULL DEFAULT '',
    delivery_order   integer,
    total_deliveries integer,
    -- Read back from the network, but it was us who told it.
    echo             boolean NOT NULL DEFAULT false,
    movement_id      bigint REFERENCES movements ON DELETE CASCADE,
    sent_at          timestamptz,
    refused_at       timestamptz,
    refusal          text,
    raw              jsonb,
    recorded_at      timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX tracking_timed ON tracking_events (consignment_id, barcode, code, occurred_at)
    WHERE direction = 'imported' AND NOT time_estimated;
CREATE UNIQUE INDEX tracking_untimed ON tracking_events (consignment_id, barcode, code)
    WHERE direction = 'imported' AND time_estimated;
-- A pallet's barcode may change between two attempts to tell the network of it; the pallet does not.
CREATE UNIQUE INDEX tracking_told ON tracking_events (consignment_id, pallet_number, code, occurred_at)
    NULLS NOT DISTINCT WHERE direction = 'exported';
CREATE INDEX ON tracking_events (consignment_id);

-- When a network was last asked for a consignment's statuses, and since when there is nothing left to wait for.
CREATE TABLE tracking_polls (
    consignment_id bigint PRIMARY KEY REFERENCES consignments ON DELETE CASCADE,
    polled_at      timestamptz NOT NULL,
    ended_at       timestamptz
);

-- Status codes that a network sent and nobody knows, by the day they came.
CREATE TABLE unknown_codes (
    network text    NOT NULL,
    code    text    NOT NULL,
    day     date    NOT NULL,
    events  integer NOT NULL CHECK (events > 0),
    PRIMARY KEY (network, code, day)
);

-- A file is read once: the same name with the same content is skipped.
CREATE TABLE inbound_files (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    network   text   NOT NULL,
    stream    text   NOT NULL,
    name      text   NOT NULL CHECK (name <> ''),
    sha256    bytea  NOT NULL CHECK (length(sha256) = 32),
    size      bigint NOT NULL,
    outcome   text   NOT NULL CHECK (outcome IN ('DONE', 'PARTIAL', 'REJECTED')),
    reason    text,
    warnings  text[] NOT NULL DEFAULT '{}',
    batch_id  bigint REFERENCES inbound_batches,
    run       text   NOT NULL,
    read_at   timestamptz NOT NULL DEFAULT now(),
    -- Since when its report is written and it lies where read files lie.
    put_away_at timestamptz,
    UNIQUE (network, name, sha256),
    CHECK ((outcome = 'REJECTED') = (batch_id IS NULL)),
    CHECK ((outcome = 'REJECTED') = (reason IS NOT NULL))
);
ALTER TABLE inbound_records ADD COLUMN row_number integer CHECK (row_number > 0);
"""

DOWNGRADE = """
ALTER TABLE inbound_records DROP COLUMN row_number;
DROP TABLE inbound_files, unknown_codes, tracking_polls, tracking_events, movements, documents, pallet_barcodes,
    call_budgets, work_items, dispatch_tasks, consignment_numbers;
DROP FUNCTION tell_of_added_work, tell_of_hurried_work;
ALTER TABLE connection_flags DROP COLUMN checked_at;
ALTER TABLE activity DROP COLUMN xact;
ALTER TABLE stops DROP COLUMN route, DROP COLUMN route_sequence, DROP COLUMN eta_from, DROP COLUMN eta_to,
    DROP COLUMN outcome, DROP COLUMN reason, DROP COLUMN signatory;
ALTER TABLE consignments DROP COLUMN goods_description, DROP COLUMN notification_email, DROP COLUMN notification_sms,
    DROP COLUMN notification_twitter, DROP COLUMN northern_ireland, DROP COLUMN given;
ALTER TABLE orders DROP COLUMN source_digest, DROP COLUMN cancelled_at, DROP COLUMN copied_from;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
