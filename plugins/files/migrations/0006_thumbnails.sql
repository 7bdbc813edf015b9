-- What the plugin `images` made of images, by the object that it shows and the
-- longest side in pixels. They go with that object.
CREATE TABLE thumbnails (
    object_key TEXT NOT NULL,
    size BIGINT NOT NULL,
    thumbnail_key TEXT NOT NULL UNIQUE,
    content_type TEXT NOT NULL,
    bytes BIGINT NOT NULL,
    PRIMARY KEY (object_key, size)
);
