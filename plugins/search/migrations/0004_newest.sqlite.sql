-- Here the newest of what many files have come first as they are read.
SELECT 1;
