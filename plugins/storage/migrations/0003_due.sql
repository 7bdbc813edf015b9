-- When this plugin looks after the project next, at one row.
CREATE TABLE due (
    one INTEGER PRIMARY KEY,
    at BIGINT NOT NULL
);
