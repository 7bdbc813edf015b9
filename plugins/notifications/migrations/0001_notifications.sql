CREATE TABLE items (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    -- What led to it, which leads to it once.
    cause TEXT NOT NULL,
    kind TEXT NOT NULL,
    title TEXT NOT NULL,
    subject_type TEXT,
    subject_id TEXT,
    actor_id TEXT,
    created_at BIGINT NOT NULL,
    read_at BIGINT,
    -- Whether it is listed, or was made for a mail only.
    listed BIGINT NOT NULL,
    -- Which mail is still to be sent: 'off', 'immediately', 'daily'.
    email TEXT NOT NULL,
    -- Whether the streams were told.
    told BIGINT NOT NULL DEFAULT 0,
    UNIQUE (cause, user_id)
);

CREATE INDEX items_user ON items (user_id, listed, id);

CREATE INDEX items_unread ON items (user_id) WHERE read_at IS NULL AND listed = 1;

CREATE INDEX items_digest ON items (user_id, id) WHERE email = 'daily';

CREATE TABLE preferences (
    user_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    in_app BIGINT NOT NULL,
    email TEXT NOT NULL,
    PRIMARY KEY (user_id, kind)
);

-- Users for whom a digest is on its way, and when it falls due.
CREATE TABLE digests (
    user_id TEXT PRIMARY KEY,
    due_at BIGINT NOT NULL
);
