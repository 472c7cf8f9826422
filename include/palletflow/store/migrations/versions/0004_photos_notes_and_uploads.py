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
    sha256          bytea  NOT NULL CHECK (length(sha256) = 32),
    size            bigint NOT NULL CHECK (size > 0),
    method          text   NOT NULL,
    url             text   NOT NULL,
    received_at     timestamptz NOT NULL,
    -- When the same bytes came last.
    seen_at         timestamptz NOT NULL,
    -- When people were alerted by this one of all for the same reason.
    alerted_at      timestamptz,
    UNIQUE (network, tracking_number, reason, sha256)
);
CREATE UNIQUE INDEX quarantined_files_alerted ON quarantined_files (network, tracking_number, reason)
    WHERE alerted_at IS NOT NULL;
CREATE INDEX ON quarantined_files (sha256);
CREATE INDEX ON quarantined_files (seen_at);
"""

DOWNGRADE = """
DROP TABLE quarantined_files, photo_prints, photo_asks, photo_starts, photo_windows;
ALTER TABLE dispatch_tasks DROP COLUMN network_reference;
ALTER TABLE documents DROP COLUMN customer_visible;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
