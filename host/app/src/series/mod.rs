//! What projects do over time: counted in memory without the database, added
//! to what other nodes counted once a minute, read back as aligned points.
//!
//! What is kept in memory is bounded by the plugins that were used within the
//! minute; nothing is kept for projects without traffic. How rows are folded
//! and how long they last is `data`'s.

mod latency;
mod read;
mod traffic;
mod write;

pub use read::{Quantiles, SeriesAsked, SeriesOfProject, SeriesStep, SeriesView, Use, ViewedPoint};
pub use traffic::{Answered, Traffic};
pub(crate) use write::{Unwritten, run};
