CREATE TABLE connections (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    display_name TEXT NOT NULL,
    is_default BIGINT NOT NULL,
    -- Sealed for this row: JSON of what its service wants to know.
    credentials TEXT NOT NULL,
    -- Counts the changes of the credentials.
    revision BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE INDEX connections_user ON connections (user_id, id);

CREATE UNIQUE INDEX connections_default ON connections (user_id) WHERE is_default = 1;

-- Users who were sent to a service and have not come back.
CREATE TABLE journeys (
    -- The SHA-256 of the state that they come back with.
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    display_name TEXT NOT NULL,
    -- Sealed for this row: the verifier of PKCE.
    verifier TEXT NOT NULL,
    -- Where the service leads back to, which it wants to hear again.
    callback TEXT NOT NULL,
    redirect_to TEXT,
    expires_at BIGINT NOT NULL
);

CREATE INDEX journeys_user ON journeys (user_id, expires_at);

CREATE INDEX journeys_expiry ON journeys (expires_at);
