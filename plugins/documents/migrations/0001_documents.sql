CREATE TABLE documents (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    filename TEXT NOT NULL,
    mime_type TEXT NOT NULL,
    size BIGINT NOT NULL,
    version BIGINT NOT NULL,
    tags TEXT NOT NULL,
    status TEXT NOT NULL,
    error_code TEXT,
    error_detail TEXT,
    leased_until BIGINT NOT NULL DEFAULT 0,
    kind TEXT,
    title TEXT,
    language TEXT,
    pages BIGINT,
    words BIGINT,
    truncated BIGINT NOT NULL DEFAULT 0,
    topics TEXT NOT NULL DEFAULT '[]',
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    processed_at BIGINT
);

CREATE INDEX documents_owner ON documents (owner, created_at, id);

CREATE INDEX documents_created ON documents (created_at, id);

CREATE INDEX documents_status ON documents (status, owner, created_at);

CREATE TABLE texts (
    id TEXT PRIMARY KEY REFERENCES documents (id) ON DELETE CASCADE,
    text TEXT NOT NULL
);

-- The words that tell most of a document, to learn from.
CREATE TABLE features (
    id TEXT NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
    word TEXT NOT NULL,
    count BIGINT NOT NULL,
    PRIMARY KEY (word, id)
);

CREATE INDEX features_id ON features (id);

CREATE TABLE document_tags (
    id TEXT NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
    tag TEXT NOT NULL,
    PRIMARY KEY (id, tag)
);

CREATE TABLE topics (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    words TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE UNIQUE INDEX topics_name ON topics (owner, name);

CREATE TABLE marks (scope TEXT PRIMARY KEY, updated_at BIGINT NOT NULL, next_mark BIGINT NOT NULL, resume TEXT);
