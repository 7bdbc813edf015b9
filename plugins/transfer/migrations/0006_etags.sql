-- The bytes that an import of a folder has stored, so that taking it back does
-- not take what somebody has put in their place.
ALTER TABLE stored ADD COLUMN etag TEXT;
