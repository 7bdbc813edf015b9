//! The `atlashub` binary: the HTTP server and the command line.
//!
//! Puts the rooms together ([`assemble`]), listens ([`listen`]), and turns
//! HTTP into use cases of `atlashub_app` and back. Knows no SQL and no
//! object store.

mod accept_encoding;
mod admin;
mod assemble;
mod builtin;
mod byte_range;
mod cli;
mod client_address;
mod config;
mod dashboard;
mod entry;
mod extract;
mod gateway;
mod host;
mod linger;
mod listen;
mod private_file;
mod problem;
mod rate_limit;
mod request_id;
mod resident;
mod routes;
mod state;
mod store_origins;
mod telemetry;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::run()
}
