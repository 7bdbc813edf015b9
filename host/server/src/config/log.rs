//! The host's log, written to standard error.

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;

/// How a line looks.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Pretty,
    /// One JSON object a line.
    Json,
}

/// The log.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LogConfig {
    /// A level, or a filter by module.
    pub(crate) level: String,
    /// How a line looks.
    pub(crate) format: LogFormat,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            level: "info".to_owned(),
            format: LogFormat::Pretty,
        }
    }
}

impl LogConfig {
    pub(super) fn validate(&self) -> anyhow::Result<()> {
        self.filter().map(drop)
    }

    /// The filter that the level stands for. A bare level leaves the noisier
    /// libraries at `warn`.
    ///
    /// # Errors
    /// When it is neither a level nor a filter.
    pub(crate) fn filter(&self) -> anyhow::Result<EnvFilter> {
        let bare = self.level.parse::<tracing::Level>().is_ok() || self.level == "off";
        let text = if bare {
            format!(
                "{0},sqlx=warn,sea_orm=warn,sea_orm_migration=warn,opendal=error,hyper=warn,reqwest=warn,h2=warn,wasmtime=warn,cranelift=warn,opentelemetry=warn",
                self.level
            )
        } else {
            self.level.clone()
        };
        EnvFilter::try_new(text).with_context(|| {
            format!("ATLASHUB_LOG_LEVEL: `{}` is neither a level (error, warn, info, debug, trace) nor a filter", self.level)
        })
    }
}
