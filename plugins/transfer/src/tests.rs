//! Tests of the plugin as its callers see it, on a host in memory.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed test may panic"
)]

mod files;
mod folder;
mod transfer;
