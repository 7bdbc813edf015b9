-- 1 while nobody has told what the text that was read last is about.
ALTER TABLE documents ADD COLUMN unclassified BIGINT NOT NULL DEFAULT 0;

CREATE INDEX documents_unclassified ON documents (owner) WHERE unclassified = 1;
