-- Whoever changes an owner's locks or properties takes the row first.
CREATE TABLE owners (
    owner TEXT PRIMARY KEY,
    changes BIGINT NOT NULL
);

CREATE TABLE locks (
    token TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    path TEXT NOT NULL,
    deep BIGINT NOT NULL,
    shared BIGINT NOT NULL,
    -- What the client says of itself: XML.
    holder TEXT NOT NULL,
    seconds BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE INDEX locks_owner ON locks (owner, expires_at);

-- Of files and folders, by their ids: they follow them wherever they go.
CREATE TABLE properties (
    target TEXT NOT NULL,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    owner TEXT NOT NULL,
    -- The whole element.
    xml TEXT NOT NULL,
    PRIMARY KEY (target, namespace, name)
);

CREATE INDEX properties_owner ON properties (owner);
