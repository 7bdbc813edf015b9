//! Keys, and the environment they belong to.

use super::NetworkConfig;
use anyhow::bail;
use atlashub_data::platform::seal::Sealer;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Fewest characters of a development token.
const MIN_DEV_TOKEN: usize = 8;

/// Where a node runs; unset it behaves as in production.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Environment {
    /// For real use: no development token.
    Production,
    /// A developer's machine or a test.
    Development,
}

/// Keys and the environment they belong to.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SecretsConfig {
    /// Where the node runs.
    pub(crate) environment: Option<Environment>,
    /// 32 bytes, base64: wraps every stored secret. After a rotation the
    /// older keys follow, separated by commas.
    pub(crate) master_key: Option<String>,
    /// Accepted in `x-dev-admin-token`.
    pub(crate) dev_admin_token: Option<String>,
}

impl fmt::Debug for SecretsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretsConfig")
            .field("environment", &self.environment)
            .field("master_key", &self.master_key.is_some())
            .field("dev_admin_token", &self.dev_admin_token.is_some())
            .finish()
    }
}

impl SecretsConfig {
    /// Whether the node says that it is a developer's machine or a test.
    pub(crate) fn is_development(&self) -> bool {
        self.environment == Some(Environment::Development)
    }

    pub(super) fn validate(&self, network: &NetworkConfig) -> anyhow::Result<()> {
        if let Some(text) = &self.master_key {
            Sealer::from_base64(&SecretString::from(text.as_str())).map_err(|_| {
                anyhow::anyhow!(
                    "ATLASHUB_MASTER_KEY must be 32 bytes in base64; make one with `openssl rand -base64 32`"
                )
            })?;
        }
        let Some(token) = &self.dev_admin_token else {
            return Ok(());
        };
        if token.len() < MIN_DEV_TOKEN || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            bail!(
                "ATLASHUB_DEV_ADMIN_TOKEN must have at least {MIN_DEV_TOKEN} printable characters without blanks"
            );
        }
        match self.environment {
            Some(Environment::Development) => Ok(()),
            Some(Environment::Production) => bail!(
                "ATLASHUB_DEV_ADMIN_TOKEN is set and ATLASHUB_ENV is production: remove the token"
            ),
            None if network.listen.ip().is_loopback() => Ok(()),
            None => bail!(
                "ATLASHUB_DEV_ADMIN_TOKEN is set and the node listens on {}, which others can reach: \
                 remove the token, or set ATLASHUB_ENV=development if this is a developer's machine",
                network.listen
            ),
        }
    }
}
