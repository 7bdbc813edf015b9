//! The SQL editor: one statement of an admin in a project's database, bounded
//! in time, rows and number, to be stopped from outside, noted in the history
//! and the audit. A statement that changes tables is a migration like others.

mod run;
mod running;
mod saved;

pub use run::{RunSql, SqlAnswer};
pub(crate) use running::Running;
