-- 1 where `created_by` is a user, whose links end with them.
ALTER TABLE shares ADD COLUMN by_user BIGINT NOT NULL DEFAULT 0;

CREATE INDEX shares_of_users ON shares (created_by) WHERE by_user = 1;
