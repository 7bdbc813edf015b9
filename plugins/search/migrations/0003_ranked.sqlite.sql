-- Here the index of words is a table of its own already.
SELECT 1;
