-- The buckets that a project of the platform starts with.
INSERT INTO buckets (name, public, uploads, max_object_bytes, allowed_types, created_at) VALUES
    ('private', FALSE, 'server', NULL, '[]', CAST(strftime('%s', 'now') AS INTEGER) * 1000),
    ('uploads', FALSE, 'users', NULL, '[]', CAST(strftime('%s', 'now') AS INTEGER) * 1000)
ON CONFLICT (name) DO NOTHING;
