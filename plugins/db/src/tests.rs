//! Tests of the plugin as its callers see it, on a host in memory.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed test may panic"
)]

mod aggregates;
mod own;
mod rest;
mod rest_writes;
