//! The platform database.

use anyhow::bail;
use serde::{Deserialize, Serialize};

/// The platform database.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct DatabaseConfig {
    /// `sqlite:<file>` or `postgres://…`; a file in the data folder unless set.
    pub(crate) url: Option<String>,
    /// Most connections of this node to the platform database.
    pub(crate) max_connections: u32,
}

impl Default for DatabaseConfig {
    fn default() -> Self {
        Self {
            url: None,
            max_connections: 16,
        }
    }
}

impl DatabaseConfig {
    pub(super) fn validate(&self) -> anyhow::Result<()> {
        if let Some(url) = &self.url {
            let known = ["sqlite:", "postgres://", "postgresql://"];
            if !known.iter().any(|scheme| url.starts_with(scheme)) {
                bail!("ATLASHUB_DATABASE_URL must start with sqlite: or postgres://");
            }
        }
        if self.max_connections == 0 || self.max_connections > 1_000 {
            bail!("ATLASHUB_DATABASE_CONNECTIONS must lie between 1 and 1000");
        }
        Ok(())
    }

    /// Whether the platform's rows are in a file of this machine.
    pub(crate) fn is_sqlite(&self) -> bool {
        self.url
            .as_deref()
            .is_none_or(|url| url.starts_with("sqlite:"))
    }
}
