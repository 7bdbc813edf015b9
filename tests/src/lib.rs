//! The harness of the integration tests: real servers on loopback ports, and
//! clients that speak the public contract to them.
//!
//! Which engine the servers stand on is said by `ATLASHUB_TEST_ENGINE`
//! (`sqlite`, the default, or `postgres`, which takes the services named in
//! `ATLASHUB_TEST_POSTGRES_URL` and `ATLASHUB_TEST_S3_URL`); the tests are
//! the same. A server ends with its [`TestServer`], or with the test process
//! whatever happens to it. What goes wrong in the harness panics: it is a
//! failed test.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a harness that cannot do its work fails the test at once"
)]

mod admin;
mod browser;
mod clouds;
mod command;
mod components;
mod composed;
mod line;
mod mail_server;
mod node;
mod oidc;
mod process;
mod project;
mod raw;
mod reply;
mod server;
mod smtp_server;
mod stores;
mod totp;
mod user;
mod wait;

pub use admin::Admin;
pub use browser::Browser;
pub use clouds::{Bucket, WebdavServer, free_address};
pub use command::{RunningCommand, Setup};
pub use components::{
    PluginRoute, built_in, fixture, fixture_names, misbehave_routes, plugin_routes, wat, wat_names,
    wat_source, wat_text, with_manifest, with_openapi,
};
pub use composed::{Balancer, Composed};
pub use line::{Line, Lines};
pub use mail_server::{MailServer, ReceivedMail};
pub use node::node_tests;
pub use oidc::OidcProvider;
pub use project::Project;
pub use raw::RawConnection;
pub use reply::Reply;
pub use server::{ServerBuilder, TestServer, shared};
pub use smtp_server::SmtpServer;
pub use stores::Engine;
pub use totp::totp_code;
pub use user::{PASSWORD, User};
pub use wait::{AT_ONCE, DEADLINE, until, until_told};

/// A name that no other test uses, starting with `prefix`.
#[must_use]
pub fn unique(prefix: &str) -> String {
    let id = uuid::Uuid::now_v7().simple().to_string();
    format!("{prefix}-{}", &id[20..])
}

/// Bytes that do not repeat in any short cycle, the same for the same seed.
#[must_use]
pub fn noise(length: usize, seed: u64) -> Vec<u8> {
    // xorshift64*: small, and the same everywhere.
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        bytes.extend_from_slice(&state.wrapping_mul(0x2545_F491_4F6C_DD1D).to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}
