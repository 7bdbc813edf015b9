CREATE TABLE kept (
    object_key TEXT PRIMARY KEY,
    size BIGINT NOT NULL
);
