//! A plugin's log lines.

use super::PluginScope;
use crate::RequestId;
use time::OffsetDateTime;

/// How grave a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Finest detail.
    Trace,
    /// For whoever looks for a fault.
    Debug,
    /// Worth knowing.
    Info,
    /// Doubtful.
    Warn,
    /// Wrong.
    Error,
    /// The plugin cannot go on.
    Critical,
}

impl Level {
    /// The level's name in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }
}

/// Where a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The logging interface.
    Log,
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// The host, about the plugin (a trap, a refused call, lines dropped).
    Host,
}

impl Source {
    /// The source's name in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
            Self::Host => "host",
        }
    }
}

/// One line. Its message has been capped and its control characters escaped.
#[derive(Clone, Debug)]
pub struct LogLine {
    /// Who wrote it.
    pub scope: PluginScope,
    /// When.
    pub at: OffsetDateTime,
    /// How grave.
    pub level: Level,
    /// From where.
    pub source: Source,
    /// During which request.
    pub request: Option<RequestId>,
    /// What.
    pub message: String,
}

/// Takes log lines without waiting; drops and counts them when it is full.
pub trait LogSink: Send + Sync {
    /// Takes a line.
    fn write(&self, line: LogLine);
}
