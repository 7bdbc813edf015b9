//! What plugins share that write the project's own tables: how values look
//! that people wrote, once SQLite keeps them. Postgres reads values by
//! itself; SQLite takes what it is given, so that what a column holds is
//! looked at here.

pub mod cells;
pub mod times;
