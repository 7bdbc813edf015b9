//! Tests of the plugin as its callers see it, on a host in memory.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed test may panic"
)]

mod archives;
mod by_path;
mod check;
mod direct;
mod drive;
mod due;
mod events;
mod files;
mod folders;
mod resumable;
mod retold;
mod sharing;
mod thumbnails;
mod versions;
