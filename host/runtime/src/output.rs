//! What a plugin prints or logs: cut to lines, capped in length and rate,
//! control characters escaped, tagged by the host, handed to the log sink.

use crate::runtime::RequestContext;
use atlashub_core::{
    Clock as _, RequestId, SystemClock,
    capability::{
        PluginScope,
        log::{Level, LogLine, LogSink, Source},
    },
};
use bytes::Bytes;
use parking_lot::Mutex;
use std::{
    fmt::Write as _,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};
use tokio::io::AsyncWrite;
use wasmtime_wasi::{
    cli::{IsTerminal, StdoutStream},
    p2::{OutputStream, Pollable, StreamError},
};

/// Longest line that is kept, bytes; the rest is cut off.
const MAX_LINE_BYTES: usize = 8 * 1024;
/// Lines a second that are kept in the long run.
const LINES_A_SECOND: f64 = 200.0;
/// Lines at once that are kept.
const BURST: f64 = 1_000.0;
/// Lines a second that the host writes about a plugin in the long run.
const HOST_LINES_A_SECOND: f64 = 20.0;
/// Lines at once that the host writes about a plugin.
const HOST_BURST: f64 = 200.0;

/// The output of one live plugin.
pub(crate) struct PluginOutput {
    scope: PluginScope,
    sink: Arc<dyn LogSink>,
    rate: Mutex<Rate>,
    of_host: Mutex<Rate>,
}

/// A bucket of lines.
struct Rate {
    tokens: f64,
    at: Instant,
    dropped: u64,
    a_second: f64,
    burst: f64,
}

impl Rate {
    fn new(a_second: f64, burst: f64) -> Self {
        Self {
            tokens: burst,
            at: Instant::now(),
            dropped: 0,
            a_second,
            burst,
        }
    }

    /// Takes a line: how many were dropped before it, or nothing when it is
    /// to be dropped as well.
    fn take(&mut self, now: Instant) -> Option<u64> {
        let earned = now.saturating_duration_since(self.at).as_secs_f64() * self.a_second;
        self.tokens = (self.tokens + earned).min(self.burst);
        self.at = now;
        if self.tokens < 1.0 {
            self.dropped = self.dropped.saturating_add(1);
            return None;
        }
        self.tokens -= 1.0;
        Some(std::mem::take(&mut self.dropped))
    }
}

impl PluginOutput {
    pub(crate) fn new(scope: PluginScope, sink: Arc<dyn LogSink>) -> Self {
        Self {
            scope,
            sink,
            rate: Mutex::new(Rate::new(LINES_A_SECOND, BURST)),
            of_host: Mutex::new(Rate::new(HOST_LINES_A_SECOND, HOST_BURST)),
        }
    }

    /// Takes a line, unless there are too many.
    pub(crate) fn line(
        &self,
        level: Level,
        source: Source,
        request: Option<RequestId>,
        message: &str,
    ) {
        if self.may(&self.rate, request) {
            self.write(level, source, request, escape(message));
        }
    }

    /// The host's own word about the plugin, in its log, unless there are too
    /// many: what a plugin does brings them about. What the plugin writes
    /// itself does not use them up.
    pub(crate) fn host(&self, level: Level, request: &RequestContext, message: &str) {
        let request = Some(request.request_id);
        if self.may(&self.of_host, request) {
            self.write(level, Source::Host, request, escape(message));
        }
    }

    /// Whether another line may come, having told of those that were dropped.
    fn may(&self, rate: &Mutex<Rate>, request: Option<RequestId>) -> bool {
        let (taken, a_second) = {
            let mut rate = rate.lock();
            (rate.take(Instant::now()), rate.a_second)
        };
        if let Some(dropped @ 1..) = taken {
            let told = format!("{dropped} lines were dropped: more than {a_second} a second");
            self.write(Level::Warn, Source::Host, request, told);
        }
        taken.is_some()
    }

    fn write(&self, level: Level, source: Source, request: Option<RequestId>, message: String) {
        self.sink.write(LogLine {
            scope: self.scope.clone(),
            at: SystemClock.now(),
            level,
            source,
            request,
            message,
        });
    }
}

/// Caps the length and escapes what a terminal or a log reader could take
/// for something else.
fn escape(message: &str) -> String {
    let mut end = message.len().min(MAX_LINE_BYTES);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    let cut = end < message.len();
    let kept = message.get(..end).unwrap_or_default();
    let mut text = String::with_capacity(kept.len());
    for c in kept.chars() {
        match c {
            '\t' => text.push(c),
            c if c.is_control()
                || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') =>
            {
                let _ = write!(text, "{}", c.escape_unicode());
            }
            c => text.push(c),
        }
    }
    if cut {
        let _ = write!(text, "… ({} bytes cut off)", message.len() - end);
    }
    text
}

/// Standard output or standard error of a guest.
#[derive(Clone)]
pub(crate) struct OutputStreamTarget {
    output: Arc<PluginOutput>,
    source: Source,
}

impl OutputStreamTarget {
    pub(crate) fn new(output: &Arc<PluginOutput>, source: Source) -> Self {
        Self {
            output: Arc::clone(output),
            source,
        }
    }

    fn writer(&self) -> LineWriter {
        LineWriter {
            target: self.clone(),
            partial: Vec::new(),
        }
    }
}

impl IsTerminal for OutputStreamTarget {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for OutputStreamTarget {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.writer())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.writer())
    }
}

/// Cuts what is written into lines.
struct LineWriter {
    target: OutputStreamTarget,
    partial: Vec<u8>,
}

impl LineWriter {
    fn push(&mut self, mut bytes: &[u8]) {
        while let Some(at) = bytes.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = bytes.split_at(at);
            self.keep(line);
            self.end_line();
            bytes = rest.get(1..).unwrap_or_default();
        }
        self.keep(bytes);
    }

    fn keep(&mut self, bytes: &[u8]) {
        // One byte more than is shown tells that something was cut off.
        let room = (MAX_LINE_BYTES + 1).saturating_sub(self.partial.len());
        self.partial
            .extend_from_slice(bytes.get(..room.min(bytes.len())).unwrap_or_default());
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.partial);
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches('\r');
        if !text.is_empty() {
            let level = match self.target.source {
                Source::Stderr => Level::Warn,
                _ => Level::Info,
            };
            self.target
                .output
                .line(level, self.target.source, None, text);
        }
    }
}

impl Drop for LineWriter {
    fn drop(&mut self) {
        self.end_line();
    }
}

#[async_trait::async_trait]
impl Pollable for LineWriter {
    async fn ready(&mut self) {}
}

#[async_trait::async_trait]
impl OutputStream for LineWriter {
    fn write(&mut self, bytes: Bytes) -> Result<(), StreamError> {
        self.push(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), StreamError> {
        Ok(())
    }

    fn check_write(&mut self) -> Result<usize, StreamError> {
        Ok(64 * 1024)
    }
}

impl AsyncWrite for LineWriter {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.push(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use atlashub_core::ProjectId;

    #[derive(Default)]
    struct Kept(Mutex<Vec<LogLine>>);

    impl LogSink for Kept {
        fn write(&self, line: LogLine) {
            self.0.lock().push(line);
        }
    }

    fn output() -> (Arc<Kept>, Arc<PluginOutput>) {
        let kept = Arc::new(Kept::default());
        let scope = PluginScope {
            project: ProjectId::new(),
            plugin: "p".parse().unwrap(),
        };
        let output = PluginOutput::new(scope, Arc::clone(&kept) as Arc<dyn LogSink>);
        (kept, Arc::new(output))
    }

    #[test]
    fn control_characters_are_escaped_and_long_lines_cut() {
        let (kept, output) = output();
        let mut writer = OutputStreamTarget::new(&output, Source::Stdout).writer();
        writer.push(b"one\x1b[31m\r\ntwo\n");
        writer.push("x".repeat(MAX_LINE_BYTES * 2).as_bytes());
        drop(writer);
        let lines = kept.0.lock();
        assert_eq!(lines[0].message, "one\\u{1b}[31m");
        assert_eq!(lines[1].message, "two");
        assert!(lines[2].message.contains("cut off"));
        assert!(lines[2].message.len() < MAX_LINE_BYTES + 50);
    }

    #[test]
    fn a_flood_is_capped_and_counted() {
        let (kept, output) = output();
        for _ in 0..10_000 {
            output.line(Level::Info, Source::Log, None, "again");
        }
        let kept = kept.0.lock().len();
        assert!((1_000..2_000).contains(&kept), "{kept} lines were kept");
    }

    #[test]
    fn what_was_dropped_is_told_when_there_is_room_again() {
        let start = Instant::now();
        let mut rate = Rate::new(2.0, 3.0);
        rate.at = start;
        for _ in 0..3 {
            assert_eq!(rate.take(start), Some(0));
        }
        for _ in 0..5 {
            assert_eq!(rate.take(start), None);
        }
        let later = start + std::time::Duration::from_secs(1);
        assert_eq!(rate.take(later), Some(5));
        assert_eq!(rate.take(later), Some(0));
        assert_eq!(rate.take(later), None);
    }

    #[test]
    fn what_the_host_says_of_a_plugin_is_capped_apart_from_what_the_plugin_writes() {
        let (kept, output) = output();
        let request = RequestId::new();
        let told = |rate: &Mutex<Rate>| {
            (0..10_000)
                .filter(|_| output.may(rate, Some(request)))
                .count()
        };
        let of_plugin = told(&output.rate);
        assert!((1_000..2_000).contains(&of_plugin), "{of_plugin}");
        let of_host = told(&output.of_host);
        assert!((200..1_000).contains(&of_host), "{of_host}");
        drop(kept);
    }
}
