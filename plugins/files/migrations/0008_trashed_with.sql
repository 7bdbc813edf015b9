-- What went to the trash with a folder.
CREATE INDEX objects_trashed_with ON objects (trashed_with, id) WHERE trashed_with IS NOT NULL;
