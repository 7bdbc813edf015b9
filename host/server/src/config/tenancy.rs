//! How a request finds its project beyond path and key.

use anyhow::{Context as _, bail};
use atlashub_core::Slug;
use serde::{Deserialize, Serialize};

/// How projects are found.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TenancyConfig {
    /// Projects answer at `<slug>.<base_domain>`.
    pub(crate) base_domain: Option<String>,
    /// The project of requests that name none.
    pub(crate) default_project: Option<String>,
}

impl TenancyConfig {
    pub(super) fn validate(&self) -> anyhow::Result<()> {
        if let Some(domain) = &self.base_domain {
            let label = |label: &str| {
                !label.is_empty()
                    && label.len() <= 63
                    && label
                        .bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            };
            if domain.len() > 200 || !domain.split('.').all(label) {
                bail!(
                    "ATLASHUB_BASE_DOMAIN must be a domain such as apps.example.com, not `{domain}`"
                );
            }
        }
        self.default_project().map(drop)
    }

    /// The base domain in lower case.
    pub(crate) fn base_domain(&self) -> Option<String> {
        self.base_domain
            .as_ref()
            .map(|domain| domain.to_ascii_lowercase())
    }

    /// The default project's slug.
    ///
    /// # Errors
    /// When the setting is not a slug.
    pub(crate) fn default_project(&self) -> anyhow::Result<Option<Slug>> {
        self.default_project
            .as_deref()
            .map(|text| {
                text.parse()
                    .with_context(|| format!("ATLASHUB_DEFAULT_PROJECT: `{text}` is not a slug"))
            })
            .transpose()
    }
}
