//! Somebody to sign in with: npm's `oidc-provider`, run by Node, and the pages
//! that it shows.

use crate::{Browser, Reply, process::Process};
use std::{path::Path, process::Command};
use tempfile::TempDir;

/// The provider; ends with its owner.
#[derive(Debug)]
pub struct OidcProvider {
    issuer: String,
    _process: Process,
    _folder: TempDir,
}

impl OidcProvider {
    /// What the project is called there.
    pub const CLIENT_ID: &str = "atlashub";
    /// The secret that goes with it.
    pub const CLIENT_SECRET: &str = "a secret: of & the tests";

    /// Starts one that may lead back to these addresses.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(callbacks: &[&str]) -> Self {
        let part = std::env::var("ATLASHUB_TEST_OIDC")
            .expect("ATLASHUB_TEST_OIDC is not set: `cargo xtask test` sets it");
        let folder = TempDir::with_prefix("atlashub-oidc-").expect("make a folder");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("javascript/oidc/provider.mjs");
        let mut command = Command::new("node");
        command
            .arg(script)
            .env("ATLASHUB_TEST_OIDC", part)
            .env("ATLASHUB_TEST_CALLBACKS", callbacks.join(" "));
        let mut process = Process::start(&mut command, &folder.path().join("log"));
        let issuer = crate::until("the provider", crate::DEADLINE, || {
            let log = process.log();
            if let Some(status) = process.ended() {
                panic!("the provider ended with {status}:\n{log}");
            }
            let line = log.lines().find(|line| line.starts_with("http://"));
            std::future::ready(line.map(str::to_owned))
        })
        .await;
        Self {
            issuer,
            _process: process,
            _folder: folder,
        }
    }

    /// Its address.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Signs in there as `name`, beginning at `url`, and agrees to everything:
    /// where the browser is led in the end, which it has not followed.
    ///
    /// # Panics
    /// When the provider shows something else than its forms.
    pub async fn sign_in(&self, browser: &mut Browser, url: &str, name: &str) -> String {
        let mut reply = browser.get(url).await;
        for _ in 0..20 {
            reply = match reply.status {
                301..=303 => {
                    let next = self.absolute(reply.header("location"));
                    if !next.starts_with(&self.issuer) {
                        return next;
                    }
                    browser.get(&next).await
                }
                200 => self.fill_in(browser, &reply, name).await,
                status => panic!("the provider answered {status}: {}", reply.text()),
            };
        }
        panic!("the provider leads nowhere");
    }

    async fn fill_in(&self, browser: &mut Browser, page: &Reply, name: &str) -> Reply {
        let text = page.text();
        let action = text
            .split("action=\"")
            .nth(1)
            .and_then(|rest| rest.split('"').next())
            .unwrap_or_else(|| panic!("no form in {text}"));
        let prompt = if text.contains("value=\"login\"") {
            "login"
        } else {
            "consent"
        };
        let form = [("prompt", prompt), ("login", name), ("password", "any")];
        browser.post(&self.absolute(action), &form).await
    }

    fn absolute(&self, address: &str) -> String {
        if address.starts_with('/') {
            format!("{}{address}", self.issuer)
        } else {
            address.to_owned()
        }
    }
}
