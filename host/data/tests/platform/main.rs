//! The platform database on both engines: each test runs on a fresh SQLite
//! file, and on a fresh Postgres database when `ATLASHUB_TEST_POSTGRES_URL`
//! names a cluster where databases may be made.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may fail loudly"
)]

mod admins;
mod audit;
mod backups;
mod changes;
mod channel_messages;
mod direct_uploads;
mod durability;
mod fixture;
mod idempotency;
mod installations;
mod keys;
mod kv;
mod logs;
mod migrations;
mod nodes;
mod oauth;
mod projects;
mod queue;
mod queue_order;
mod schedules;
mod series;
mod tries;
mod usage;
mod users;
