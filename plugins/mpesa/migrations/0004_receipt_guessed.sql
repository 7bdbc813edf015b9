-- Whether the receipt was taken for the payment's own by amount, reference and
-- time: what names it by the payment's own word is believed more.
ALTER TABLE transactions ADD COLUMN receipt_guessed BIGINT NOT NULL DEFAULT 0;
