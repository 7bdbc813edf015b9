-- What the letters of a file of text were written in.
ALTER TABLE documents ADD COLUMN encoding TEXT;
