"""What the order desk asks for: quick look-ups among a million consignments, people's actions, links for customers.

Revision ID: 0005
"""

from alembic import op

revision = "0005"
down_revision = "0004"

UPGRADE = """
-- What a person did may concern no consignment: then `subject` says what it concerns, e.g. "quarantined record 17".
ALTER TABLE activity
    ALTER COLUMN consignment_id DROP NOT NULL,
    ADD COLUMN subject text NOT NULL DEFAULT '',
    ADD CHECK (consignment_id IS NOT NULL OR subject <> '');
-- Written in the order of its time, so a few blocks tell what a night brought.
CREATE INDEX activity_at ON activity USING brin (at);
CREATE INDEX ON activity (subject, id) WHERE subject <> '';

-- When a consignment became DELIVERED here, whoever said so.
ALTER TABLE consignments ADD COLUMN delivered_at timestamptz;
UPDATE consignments c SET delivered_at = coalesce(
    (SELECT n.delivered_at FROM network_deliveries n WHERE n.consignment_id = c.id),
    (SELECT s.completed_at FROM stops s WHERE (s.consignment_id, s.kind) = (c.id, 'delivery')), c.updated_at)
WHERE lifecycle_status = 'DELIVERED';
CREATE FUNCTION note_delivery() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.delivered_at := coalesce(NEW.delivered_at, now());
    RETURN NEW;
END $$;
CREATE TRIGGER became_delivered BEFORE INSERT OR UPDATE OF lifecycle_status ON consignments
    FOR EACH ROW WHEN (NEW.lifecycle_status = 'DELIVERED' AND NEW.delivered_at IS NULL)
    EXECUTE FUNCTION note_delivery();
CREATE FUNCTION forget_delivery() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.delivered_at := NULL;
    RETURN NEW;
END $$;
CREATE TRIGGER became_undelivered BEFORE UPDATE OF lifecycle_status ON consignments
    FOR EACH ROW WHEN (NEW.lifecycle_status <> 'DELIVERED' AND NEW.delivered_at IS NOT NULL)
    EXECUTE FUNCTION forget_delivery();

-- For the pages: what came, went and is open, the newest first by each thing one filters by.
CREATE INDEX ON consignments (created_at);
CREATE INDEX ON consignments (delivered_at) WHERE delivered_at IS NOT NULL;
CREATE INDEX ON consignments (dispatch_state, id) WHERE dispatch_state IN ('todo', 'waiting', 'failed', 'unknown');
CREATE INDEX ON consignments (lifecycle_status, id);
CREATE INDEX ON consignments (requesting_depot, id);
CREATE INDEX ON consignments (collecting_depot, id);
CREATE INDEX ON consignments (delivery_depot, id);
CREATE INDEX ON dispatch_tasks (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX ON orders (customer_id, id);
CREATE INDEX ON orders (source_key);
CREATE INDEX ON orders (reference_2) WHERE reference_2 <> '';
-- A postcode and its first half however they are written, the newest consignments of it first.
DROP INDEX stops_postcode_idx;
CREATE INDEX stops_postcode ON stops ((replace(upper(postcode), ' ', '')), consignment_id) WHERE postcode <> '';
CREATE INDEX stops_outward ON stops ((left(replace(upper(postcode), ' ', ''), -3)), consignment_id)
    WHERE postcode <> '';

-- Every poll and pull keeps here how far it has come; one that is never asked for a feed has no `read_to`.
-- Since when it is known that there should be one tells of one that never ran for how long it is missing.
ALTER TABLE poll_runs
    ALTER COLUMN read_to DROP NOT NULL,
    ADD COLUMN expected_since timestamptz NOT NULL DEFAULT now();

-- Where an alert leads on the desk; since when what it is about is over.
ALTER TABLE alerts ADD COLUMN link text NOT NULL DEFAULT '', ADD COLUMN over_at timestamptz;
-- Of what lasts: which area of the house it is looked for in, when it was last so. Who tells one has it until then.
ALTER TABLE alerts ADD COLUMN area text, ADD COLUMN seen_at timestamptz, ADD COLUMN taken_until timestamptz,
    ADD CHECK ((area IS NULL) = (seen_at IS NULL)), ADD CHECK (over_at IS NULL OR area IS NOT NULL);
-- When the watch last looked at the house.
CREATE TABLE watch_looks (
    only_one  boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    looked_at timestamptz NOT NULL
);

-- Pages that customers may see without a login. Only a digest of the link is kept.
CREATE TABLE customer_links (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consignment_id bigint NOT NULL REFERENCES consignments ON DELETE CASCADE,
    digest         bytea  NOT NULL UNIQUE CHECK (length(digest) = 32),
    made_by        text   NOT NULL,
    made_at        timestamptz NOT NULL DEFAULT now(),
    expires_at     timestamptz NOT NULL,
    revoked_at     timestamptz,
    revoked_by     text,
    last_seen_at   timestamptz,
    CHECK ((revoked_at IS NULL) = (revoked_by IS NULL))
);
CREATE INDEX ON customer_links (consignment_id);

-- Documents whose bytes were not found in object storage when it was last checked.
CREATE TABLE lost_documents (
    sha256   bytea PRIMARY KEY CHECK (length(sha256) = 32),
    found_at timestamptz NOT NULL
);
-- Housekeeping asks who names some bytes, and who refers to a batch.
CREATE INDEX ON documents (sha256);
CREATE INDEX ON activity (batch_id) WHERE batch_id IS NOT NULL;
CREATE INDEX ON inbound_files (batch_id) WHERE batch_id IS NOT NULL;

-- What the change feed adds to a transaction's number. A server to which a backup was restored may be far behind in
-- counting: without this, what is new would stand before what its readers have seen. palletflow.store.dump raises it.
CREATE FUNCTION feed_offset() RETURNS bigint IMMUTABLE PARALLEL SAFE LANGUAGE sql RETURN 0;
ALTER TABLE activity ALTER COLUMN xact SET DEFAULT (pg_current_xact_id()::text::bigint + feed_offset())::text::xid8;

-- For what needs attention: each holds little more than what waits for a person, or is read from its newest end.
CREATE INDEX never_scanned ON consignments (collection_date)
    WHERE registered AND lifecycle_status IN ('CREATED', 'COLLECTED', 'AT_COLLECTION_DEPOT', 'TRUNKED');
CREATE INDEX moved_unmanifested ON consignments (id)
    WHERE NOT registered AND lifecycle_status NOT IN ('CREATED', 'CANCELLED', 'DELIVERED');
CREATE INDEX foreign_barcodes ON pallet_barcodes (first_seen_at) WHERE state = 'foreign';
CREATE INDEX replaced_barcodes ON pallet_barcodes (superseded_at) WHERE state = 'superseded';
CREATE INDEX stops_completed ON stops (completed_at) WHERE kind IN ('pickup', 'delivery') AND completed_at IS NOT NULL;
CREATE INDEX statuses_held_back ON tracking_events (id)
    WHERE direction = 'exported' AND sent_at IS NULL AND refusal IS NOT NULL;
CREATE INDEX uploads_held_back ON photo_uploads (document_id)
    WHERE state IN ('waiting', 'refused', 'failed', 'config_error');
CREATE INDEX exchanges_given_up ON document_exchanges (given_up_at) WHERE given_up_at IS NOT NULL;
CREATE INDEX etas_refused ON eta_exports (refused_at) WHERE refused_at IS NOT NULL;
"""
DOWNGRADE = """
DROP INDEX etas_refused, exchanges_given_up, uploads_held_back, statuses_held_back, stops_completed,
    replaced_barcodes, foreign_barcodes, moved_unmanifested, never_scanned;
ALTER TABLE activity ALTER COLUMN xact SET DEFAULT pg_current_xact_id();
DROP FUNCTION feed_offset;
DROP INDEX inbound_files_batch_id_idx, activity_batch_id_idx, documents_sha256_idx;
DROP TABLE lost_documents;
DROP TABLE customer_links;
DROP TABLE watch_looks;
ALTER TABLE alerts
    DROP COLUMN taken_until, DROP COLUMN seen_at, DROP COLUMN area, DROP COLUMN over_at, DROP COLUMN link;
DELETE FROM poll_runs WHERE read_to IS NULL;
ALTER TABLE poll_runs DROP COLUMN expected_since, ALTER COLUMN read_to SET NOT NULL;
DROP INDEX stops_outward, stops_postcode;
CREATE INDEX ON stops (postcode) WHERE postcode <> '';
DROP INDEX orders_reference_2_idx, orders_source_key_idx, orders_customer_id_id_idx,
    dispatch_tasks_finished_at_idx, consignments_delivery_depot_id_idx, consignments_collecting_depot_id_idx,
    consignments_requesting_depot_id_idx, consignments_lifecycle_status_id_idx, consignments_dispatch_state_id_idx,
    consignments_created_at_idx;
DROP TRIGGER became_undelivered ON consignments;
DROP FUNCTION forget_delivery;
DROP TRIGGER became_delivered ON consignments;
DROP FUNCTION note_delivery;
ALTER TABLE consignments DROP COLUMN delivered_at;
DROP INDEX activity_at, activity_subject_id_idx;
DELETE FROM activity WHERE consignment_id IS NULL;
ALTER TABLE activity DROP COLUMN subject, ALTER COLUMN consignment_id SET NOT NULL;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
