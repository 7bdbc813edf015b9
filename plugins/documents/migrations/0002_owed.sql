-- 1 while `search` has yet to be told what is written in it now.
ALTER TABLE documents ADD COLUMN owed BIGINT NOT NULL DEFAULT 0;

CREATE INDEX documents_owed ON documents (owner) WHERE owed = 1;
