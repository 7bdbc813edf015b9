-- How often somebody asked for payments, or a phone was asked, in the last
-- minute. Whoever asks holds the row until the payment is written down, so that
-- of many at once none is counted by nobody.
CREATE TABLE push_rates (
    -- 'caller:…', 'phone:…' or 'address:…', as a digest.
    subject TEXT PRIMARY KEY,
    -- JSON: when, milliseconds; no more than may be in a minute.
    times TEXT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE INDEX push_rates_updated ON push_rates (updated_at);
