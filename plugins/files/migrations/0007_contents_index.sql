-- Which files and versions have an object's bytes.
CREATE INDEX objects_object_key ON objects (object_key);

CREATE INDEX versions_object_key ON versions (object_key);
