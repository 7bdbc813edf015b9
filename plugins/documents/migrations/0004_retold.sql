-- When `files` was last asked to tell again of what waits here, and how often
-- since this version came.
ALTER TABLE documents ADD COLUMN retold_at BIGINT NOT NULL DEFAULT 0;

ALTER TABLE documents ADD COLUMN retells BIGINT NOT NULL DEFAULT 0;
