//! `atlashub:sign-in/sessions`: end users signed in with what a plugin was
//! sent.

use super::not_granted;
use crate::{
    bindings::sign_in::sessions::{Credentials, Error, Host, Tokens},
    state::{PluginShared, State, for_guest},
};
use atlashub_core::{Grant, Result, capability::sign_in as plain};
use std::{net::IpAddr, sync::Arc};

impl PluginShared {
    async fn sign_in(&self, credentials: Credentials, client: Option<IpAddr>) -> Result<Tokens> {
        if !self.grants.contains(&Grant::SignIn) {
            return Err(not_granted("sign-in"));
        }
        let address = client.ok_or_else(no_client)?;
        let credentials = plain::Credentials {
            email: credentials.email,
            password: credentials.password.into(),
            totp_code: credentials.totp_code,
            address,
            user_agent: credentials.user_agent,
        };
        let sign_ins = &self.services.sign_ins;
        let tokens = sign_ins
            .with_password(self.scope.project, credentials)
            .await?;
        Ok(Tokens {
            access_token: tokens.access_token,
            refresh_token: tokens.refresh_token,
            expires_in: tokens.expires_in,
        })
    }
}

/// Tries are counted by where they come from: one from nowhere is none.
fn no_client() -> atlashub_core::Error {
    atlashub_core::Error::invalid(
        "no_client",
        "only a request from outside can sign somebody in",
    )
}

impl Host for State {
    async fn with_password(
        &mut self,
        credentials: Credentials,
    ) -> wasmtime::Result<std::result::Result<Tokens, Error>> {
        let plugin = Arc::clone(&self.hooks.plugin);
        let client = self.hooks.request.client;
        Ok(plugin.sign_in(credentials, client).await.map_err(|error| {
            let retry_after = error.retry_after_seconds();
            let (code, message) = for_guest(&error);
            Error {
                code,
                message,
                retry_after,
            }
        }))
    }
}
