//! Use cases: what the host can do, in its own words. Owns transactions and
//! the order of steps; leaves HTTP to `server`, queries to `data`, objects to
//! `storage`, and running components to `runtime`.

mod app;

pub use app::{App, AppParts};
