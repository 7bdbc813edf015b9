-- Grows with each change of a bucket's rules, so that nobody overwrites unseen
-- what somebody else has changed.
ALTER TABLE buckets ADD COLUMN generation BIGINT NOT NULL DEFAULT 1;
