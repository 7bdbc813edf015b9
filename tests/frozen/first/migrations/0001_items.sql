CREATE TABLE items (
    name TEXT PRIMARY KEY,
    amount BIGINT NOT NULL,
    part DOUBLE PRECISION NOT NULL,
    lack TEXT
);
