//! `wasi:logging/logging`: lines for the plugin's log.

use crate::{
    bindings::logging::logging::{Host, Level},
    state::State,
};
use atlashub_core::capability::log;

impl Host for State {
    fn log(&mut self, level: Level, context: String, message: String) -> wasmtime::Result<()> {
        let level = match level {
            Level::Trace => log::Level::Trace,
            Level::Debug => log::Level::Debug,
            Level::Info => log::Level::Info,
            Level::Warn => log::Level::Warn,
            Level::Error => log::Level::Error,
            Level::Critical => log::Level::Critical,
        };
        let message = if context.is_empty() {
            message
        } else {
            format!("[{context}] {message}")
        };
        let request = Some(self.hooks.request.request_id);
        self.plugin()
            .output
            .line(level, log::Source::Log, request, &message);
        Ok(())
    }
}
