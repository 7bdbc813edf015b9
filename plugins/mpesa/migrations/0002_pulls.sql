-- Shortcodes whose payments are asked for from time to time: those that were
-- never told are found so.
CREATE TABLE pulls (
    account TEXT PRIMARY KEY,
    shortcode TEXT NOT NULL,
    registered_at BIGINT NOT NULL,
    -- Up to when all is known, and when that was asked for last.
    pulled_to BIGINT,
    asked_at BIGINT,
    -- Payments that were found so.
    found BIGINT NOT NULL DEFAULT 0,
    -- Why the last question was not answered.
    error TEXT
);
