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

-- The search for photos of a consignment's delivery: one row since we first saw that it was delivered.
CREATE TABLE photo_windows (
    consignment_id bigint PRIMARY KEY REFERENCES consignments ON DELETE CASCADE,
    -- When that was. single: it was too late for more than one attempt.
    begun_at     timestamptz NOT NULL,
    single       boolean  NOT NULL,
    attempts     smallint NOT NULL DEFAULT 0,
    -- Which moments of the schedule the attempts have covered.
    attempted_at timestamptz,
    -- Whether any photo of the delivery came, ours included; SHA-256 of the last file that was made use of.
    found        boolean  NOT NULL DEFAULT false,
    last_answer  bytea    CHECK (length(last_answer) = 32),
    -- 'skipped': it was not looked for.
    state        text     NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'found', 'none', 'skipped')),
    CHECK ((attempts = 0) = (attempted_at IS NULL))
);
CREATE INDEX ON photo_windows (begun_at) WHERE NOT found;
-- By connection, since when it looks for photos of deliveries by itself.
CREATE TABLE photo_starts (
    connection text PRIMARY KEY,
    started_at timestamptz NOT NULL
);
-- When somebody last asked for the photos of a consignment at once.
CREATE TABLE photo_asks (
    network         text NOT NULL,
    tracking_number text NOT NULL,
    asked_at        timestamptz NOT NULL,
    PRIMARY KEY (network, tracking_number)
);
-- What is kept of a photo of a consignment to know it when it comes again: those we fetched, and those we uploaded.
CREATE TABLE photo_prints (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consignment_id bigint  NOT NULL REFERENCES consignments ON DELETE CASCADE,
    document_id    bigint  REFERENCES documents ON DELETE SET NULL,
    origin         text    NOT NULL CHECK (origin IN ('fetched', 'uploaded')),
    -- Of its pixels; what the others are: palletflow.documents.fingerprints.
    exact          bytea   NOT NULL CHECK (length(exact) = 32),
    width          integer NOT NULL,
    height         integer NOT NULL,
    hash           bytea   NOT NULL CHECK (length(hash) = 32),
    grey           bytea   NOT NULL CHECK (length(grey) = 4096),
    photo_like     boolean NOT NULL,
    UNIQUE (consignment_id, exact)
);
CREATE INDEX ON photo_prints (document_id);
-- Files of a network that were not what they should be, for operators. Their bytes lie in object storage.
CREATE TABLE quarantined_files (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    network         text   NOT NULL,
    tracking_number text   NOT NULL,
    reason          text   NOT NULL CHECK (reason <> ''),
    detail          text   NOT NULL,
    -- NULL: it was too large to be read, so there are no bytes of it.
    sha256          bytea  CHECK (length(sha256) = 32),
    size            bigint CHECK (size > 0),
    method          text   NOT NULL,
    url             text   NOT NULL,
    received_at     timestamptz NOT NULL,
    -- When the same bytes came last.
    seen_at         timestamptz NOT NULL,
    UNIQUE NULLS NOT DISTINCT (network, tracking_number, reason, sha256),
    CHECK ((sha256 IS NULL) = (size IS NULL))
);
CREATE INDEX ON quarantined_files (sha256);
CREATE INDEX ON quarantined_files (seen_at);
-- The calls of all that share an address of ours, or for another reason one limit a minute at a network.
CREATE TABLE call_windows (
    rate_group       text PRIMARY KEY,
    -- When the calls of the last minute began; of background work among them.
    starts           timestamptz[] NOT NULL DEFAULT '{}',
    background       timestamptz[] NOT NULL DEFAULT '{}',
    -- The network asked for a pause.
    paused_until     timestamptz,
    -- Calls in a row that nothing answered, and when the last of them ended.
    unanswered       smallint NOT NULL DEFAULT 0,
    unanswered_at    timestamptz,
    -- Whether it answers at all is to be asked then, by one call of whoever comes first; until then nobody calls.
    probe_at         timestamptz,
    -- Since when it is taken for having banned us.
    silent_since     timestamptz,
    -- It answers again; until then only half of the calls are made.
    careful_until    timestamptz,
    CHECK (silent_since IS NULL OR probe_at IS NOT NULL)
);
-- What people are to be told of, by subject.
CREATE TABLE alerts (
    subject   text PRIMARY KEY,
    message   text NOT NULL,
    raised_at timestamptz NOT NULL,
    -- NULL: nobody has been told yet.
    told_at   timestamptz
);

-- What a network notes about a consignment of ours, as last read.
CREATE TABLE network_notes (
    network         text   NOT NULL,
    tracking_number text   NOT NULL,
    note_number     bigint NOT NULL,
    consignment_id  bigint NOT NULL REFERENCES consignments ON DELETE CASCADE,
    -- When it last changed, in seconds since 1970.
    delta           bigint NOT NULL,
    -- '' where it says nothing of the status.
    status_code     text   NOT NULL,
    noted_at        timestamptz NOT NULL,
    -- What it says of the delivery.
    pod_date        date,
    pod_time        time,
    signatory       text   NOT NULL,
    note_group      text   NOT NULL,
    note_type       text   NOT NULL,
    barcode         text   NOT NULL,
    note_text       text   NOT NULL,
    raw             jsonb  NOT NULL,
    read_at         timestamptz NOT NULL,
    -- Our depot that read it, as long as the consignment's status is still to be asked for.
    hint            text,
    PRIMARY KEY (network, tracking_number, note_number),
    CHECK (pod_date IS NOT NULL OR pod_time IS NULL)
);
CREATE INDEX ON network_notes (consignment_id);
CREATE INDEX ON network_notes (network, hint) WHERE hint IS NOT NULL;
-- When and to whom a consignment was delivered by what its network says.
CREATE TABLE network_deliveries (
    consignment_id bigint PRIMARY KEY REFERENCES consignments ON DELETE CASCADE,
    -- When we first saw it.
    seen_at      timestamptz NOT NULL,
    delivered_at timestamptz NOT NULL,
    -- How well that is known: from its POD, from a POD without a time, from the status, or not at all.
    basis        text NOT NULL CHECK (basis IN ('minute', 'day', 'status', 'seen')),
    signatory    text NOT NULL
);
-- What a network was still asked for long after its delivery was due, and is no longer.
CREATE TABLE stale_consignments (
    consignment_id bigint PRIMARY KEY REFERENCES consignments ON DELETE CASCADE,
    since          timestamptz NOT NULL
);
-- How far the poll of a feed has come.
CREATE TABLE poll_runs (
    network      text NOT NULL,
    stream       text NOT NULL,
    party        text NOT NULL,
    -- Up to when everything that the feed tells has been read.
    read_to      timestamptz NOT NULL,
    -- Of the last run that came to its end: when, when the next is due, how long that had waited which it left undone.
    succeeded_at timestamptz,
    next_due_at  timestamptz,
    lag          interval,
    PRIMARY KEY (network, stream, party)
);
-- What we tell may have arrived without an answer: how often we looked for it since, and when last.
ALTER TABLE tracking_events ADD COLUMN lookups smallint NOT NULL DEFAULT 0, ADD COLUMN lookup_at timestamptz;

-- The last number that a file of a tracking ID was given on a network's file server; none is ever given twice. It
-- outlives the documents.
CREATE TABLE upload_sequences (
    tracking_number text PRIMARY KEY,
    last_number     integer NOT NULL CHECK (last_number >= 0)
);
-- A delivery photo on its way to the network's file server, one row a document (contract palletways.md, U13 and U14).
CREATE TABLE photo_uploads (
    document_id    bigint PRIMARY KEY REFERENCES documents ON DELETE CASCADE,
    -- NULL while an order's photo waits for somebody to say of which consignment it is.
    consignment_id bigint REFERENCES consignments ON DELETE CASCADE,
    state          text NOT NULL CHECK (state IN
        ('waiting', 'refused', 'numbered', 'transferring', 'renaming', 'uploaded', 'failed', 'config_error')),
    -- The last step that was begun, whatever came of it: the server may show its effect.
    step           text CHECK (step IN ('transferring', 'renaming')),
    -- Reserved before the transfer, and of what is sent.
    tracking_number text,
    number         integer CHECK (number >= 0),
    name           text,
    size           bigint CHECK (size > 0),
    sha256         bytea  CHECK (length(sha256) = 32),
    -- Of one that is refused: what is wrong with the file.
    code           text,
    -- Why it waits, was refused or failed last.
    reason         text,
    -- Failures in a row, when the first of them was, when it is tried again; and for which request it was given up.
    tries          integer NOT NULL DEFAULT 0,
    failing_since  timestamptz,
    next_try_at    timestamptz,
    asked          text NOT NULL DEFAULT '',
    uploaded_at    timestamptz,
    CHECK (num_nulls(tracking_number, number, name, size, sha256) IN (0, 5)),
    CHECK (state NOT IN ('numbered', 'transferring', 'renaming', 'uploaded') OR number IS NOT NULL),
    CHECK ((state = 'refused') = (code IS NOT NULL)),
    CHECK ((state = 'uploaded') = (uploaded_at IS NOT NULL)),
    UNIQUE (tracking_number, number)
);
CREATE INDEX ON photo_uploads (consignment_id);
-- Numbers under which somebody else's file stood: they are used up, and nothing was overwritten.
CREATE TABLE upload_collisions (
    tracking_number text    NOT NULL,
    number          integer NOT NULL,
    name            text    NOT NULL,
    document_id     bigint  REFERENCES documents ON DELETE SET NULL,
    found_at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tracking_number, number)
);
CREATE INDEX ON upload_collisions (document_id);
"""

DOWNGRADE = """
DROP TABLE upload_collisions, photo_uploads, upload_sequences;
ALTER TABLE tracking_events DROP COLUMN lookup_at, DROP COLUMN lookups;
DROP TABLE poll_runs, stale_consignments, network_deliveries, network_notes;
DROP TABLE alerts, call_windows;
DROP TABLE quarantined_files, photo_prints, photo_asks, photo_starts, photo_windows;
ALTER TABLE dispatch_tasks DROP COLUMN network_reference;
ALTER TABLE documents DROP COLUMN customer_visible;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
