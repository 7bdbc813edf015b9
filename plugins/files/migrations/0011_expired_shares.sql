-- Links whose time is over are looked for by it.
CREATE INDEX shares_expires ON shares (expires_at) WHERE expires_at IS NOT NULL;
