-- Whether the receipt was taken for the payment's own by amount, reference and
-- time: what names it by the payment's own word is believed more. Of changes,
-- `told` is 2 where others are told of the money as another payment's.
ALTER TABLE transactions ADD COLUMN receipt_guessed BIGINT NOT NULL DEFAULT 0;

-- Pushes that a payment may turn out to be.
CREATE INDEX transactions_unpaid ON transactions (shortcode, amount, created_at)
    WHERE kind = 'push' AND receipt IS NULL;
