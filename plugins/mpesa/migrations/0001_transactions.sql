CREATE TABLE transactions (
    id TEXT PRIMARY KEY,
    -- 'push', 'c2b', 'payout', 'reversal', 'status', 'balance'.
    kind TEXT NOT NULL,
    account TEXT NOT NULL,
    shortcode TEXT NOT NULL,
    state TEXT NOT NULL,
    -- Why it needs a person.
    reason TEXT,
    -- Shillings that were asked for, and cents that the other side names.
    amount BIGINT,
    cents BIGINT,
    phone TEXT,
    reference TEXT,
    user_id TEXT,
    -- Who called, the key that makes a second call the same, and what it asked.
    caller TEXT,
    idempotency_key TEXT UNIQUE,
    fingerprint TEXT,
    -- SHA-256 of the word in the address that the other side calls.
    token_digest TEXT UNIQUE,
    merchant_request_id TEXT,
    -- The other side's id: of a push, or the conversation's.
    checkout_request_id TEXT,
    receipt TEXT,
    result_code TEXT,
    result_desc TEXT,
    -- JSON: what else the other side said.
    details TEXT,
    -- The transaction that this one asks about, or undoes.
    about TEXT,
    -- Questions asked, and when the next is due; none when nothing is open.
    queries BIGINT NOT NULL DEFAULT 0,
    due_at BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE INDEX transactions_user ON transactions (user_id, id);

CREATE INDEX transactions_caller ON transactions (caller, created_at);

CREATE INDEX transactions_phone ON transactions (phone, created_at);

CREATE INDEX transactions_checkout ON transactions (checkout_request_id);

CREATE INDEX transactions_receipt ON transactions (receipt) WHERE receipt IS NOT NULL;

CREATE INDEX transactions_about ON transactions (about) WHERE about IS NOT NULL;

CREATE INDEX transactions_created ON transactions (created_at);

CREATE INDEX transactions_due ON transactions (due_at) WHERE due_at IS NOT NULL;

-- Each change of a state, once told to others.
CREATE TABLE transitions (
    id TEXT PRIMARY KEY,
    transaction_id TEXT NOT NULL,
    from_state TEXT,
    to_state TEXT NOT NULL,
    -- 'call', 'answer', 'callback', 'query', 'timer', 'person'.
    source TEXT NOT NULL,
    detail TEXT,
    actor TEXT,
    at BIGINT NOT NULL,
    told BIGINT NOT NULL
);

CREATE INDEX transitions_transaction ON transitions (transaction_id, id);

CREATE INDEX transitions_untold ON transitions (at) WHERE told = 0;

-- Money that moved, once each.
CREATE TABLE ledger (
    transaction_id TEXT PRIMARY KEY,
    receipt TEXT UNIQUE,
    kind TEXT NOT NULL,
    account TEXT NOT NULL,
    shortcode TEXT NOT NULL,
    -- Cents; less than nothing went out.
    cents BIGINT NOT NULL,
    phone TEXT,
    reference TEXT,
    -- In East Africa Time, 2026-01-31.
    day TEXT NOT NULL,
    at BIGINT NOT NULL
);

CREATE INDEX ledger_day ON ledger (day, account);

-- What the other side sent, as it came; copies are counted.
CREATE TABLE callbacks (
    id TEXT PRIMARY KEY,
    transaction_id TEXT NOT NULL,
    origin TEXT,
    -- Whether the origin is on the list.
    listed BIGINT NOT NULL,
    body TEXT NOT NULL,
    copies BIGINT NOT NULL,
    outcome TEXT NOT NULL,
    received_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL
);

CREATE INDEX callbacks_transaction ON callbacks (transaction_id);

CREATE INDEX callbacks_received ON callbacks (received_at);

-- Addresses that are registered for payments from the phone's menu.
CREATE TABLE doors (
    token_digest TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    shortcode TEXT NOT NULL,
    registered_at BIGINT NOT NULL
);
