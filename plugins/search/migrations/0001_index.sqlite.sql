CREATE TABLE entries (
    number INTEGER PRIMARY KEY,
    file_id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    visibility TEXT NOT NULL,
    filename TEXT NOT NULL,
    mime_type TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE INDEX entries_owner ON entries (owner, created_at, number);

CREATE INDEX entries_created ON entries (created_at, number);

CREATE TABLE texts (
    number INTEGER PRIMARY KEY REFERENCES entries (number) ON DELETE CASCADE,
    content TEXT NOT NULL
);

CREATE VIRTUAL TABLE words USING fts5 (
    name, tags, content,
    content = '', contentless_delete = 1, prefix = '2 3', tokenize = 'unicode61 remove_diacritics 0'
);

CREATE TABLE tags (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE);

CREATE TABLE entry_tags (
    number INTEGER NOT NULL REFERENCES entries (number) ON DELETE CASCADE,
    tag_id TEXT NOT NULL REFERENCES tags (id) ON DELETE CASCADE,
    PRIMARY KEY (tag_id, number)
);

CREATE INDEX entry_tags_number ON entry_tags (number);

-- Whom a file of somebody else is shared with.
CREATE TABLE readers (
    reader TEXT NOT NULL,
    number INTEGER NOT NULL REFERENCES entries (number) ON DELETE CASCADE,
    PRIMARY KEY (reader, number)
);

CREATE INDEX readers_number ON readers (number);

CREATE TABLE terms (term TEXT PRIMARY KEY) WITHOUT ROWID;

CREATE TABLE grams (gram TEXT NOT NULL, term TEXT NOT NULL, PRIMARY KEY (gram, term)) WITHOUT ROWID;

CREATE TABLE marks (scope TEXT PRIMARY KEY, updated_at BIGINT NOT NULL, next_mark BIGINT NOT NULL, resume TEXT);
