//! Project databases and the SQL capability of plugins.
