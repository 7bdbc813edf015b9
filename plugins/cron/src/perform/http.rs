//! The call of an address.

use crate::{
    finish::Ending,
    record::{Row, Run},
    settings::Settings,
    target,
    transcript::Redaction,
};
use atlashub_sdk::{http::Answer, prelude::*};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    time::{Duration, Instant},
};

/// Most header fields of an answer in a log, and the longest, bytes.
const FIELDS: usize = 50;
const FIELD: usize = 500;
/// Fields of an answer that are for whoever called only.
const HIDDEN: [&str; 2] = ["set-cookie", "www-authenticate"];

/// A call.
pub(super) struct Call {
    pub(super) url: String,
    pub(super) method: String,
    pub(super) headers: BTreeMap<String, Option<String>>,
    pub(super) body: Option<Value>,
}

impl Call {
    pub(super) fn perform(self, row: &Row, run: &Run, settings: &Settings) -> Result<Ending> {
        if let Err(error) = target::checked(&self.url, settings) {
            return Ok(Ending::failed(error.detail()));
        }
        let secrets = match row.secrets() {
            Ok(secrets) => secrets,
            Err(error) if error.code() == "secrets_lost" => {
                return Ok(Ending::failed(error.detail()));
            }
            Err(error) => return Err(error),
        };
        let method = Method::from_bytes(self.method.as_bytes()).map_err(Error::internal)?;
        let mut call = http::call(method, self.url.as_str())
            .header("user-agent", "AtlasHub cron")
            // The same for each attempt.
            .header("idempotency-key", run.id.as_str());
        if let Some(body) = &self.body {
            call = call.json(body)?;
        }
        for (name, value) in &self.headers {
            let value = value.as_deref().or_else(|| secrets.header(name));
            if let Some(value) = value {
                call = call.header(name, value);
            }
        }
        let head = format!("{} {}", self.method, self.url);
        Ok(Exchange::new(row, run, Redaction::of(&secrets), head).of(call, settings))
    }
}

/// A call and its answer, as they come to stand in the log.
pub(super) struct Exchange {
    began: Instant,
    timeout: Duration,
    timeout_ms: i64,
    redaction: Redaction,
    log: String,
}

impl Exchange {
    pub(super) fn new(row: &Row, run: &Run, redaction: Redaction, head: String) -> Self {
        let now = moment::rfc3339(moment::now_ms());
        let head = redaction.apply(&head);
        Self {
            began: Instant::now(),
            timeout: Duration::from_millis(u64::try_from(row.timeout_ms).unwrap_or(0)),
            timeout_ms: row.timeout_ms,
            redaction,
            log: format!("{now} attempt {}: {head}\n", run.attempt),
        }
    }

    /// Sends the call, reads what comes, and says what came of it.
    pub(super) fn of(mut self, call: atlashub_sdk::http::Call, settings: &Settings) -> Ending {
        let (ending, status) = match call.timeout(self.timeout).send() {
            Ok(answer) => {
                let status = answer.status;
                (self.answered(answer, settings), Some(status))
            }
            Err(error) => (self.unanswered(&error), None),
        };
        let duration = self.elapsed_ms();
        let _ = writeln!(self.log, "\n{duration} ms");
        if !ending.text().is_empty() {
            let _ = writeln!(self.log, "{}", ending.text());
        }
        ending
            .with_http_status(status)
            .with_duration(duration)
            .with_log(self.log)
    }

    fn answered(&mut self, answer: Answer, settings: &Settings) -> Ending {
        let status = answer.status;
        let _ = writeln!(self.log, "{status}");
        for (name, value) in answer.headers.iter().take(FIELDS) {
            if HIDDEN.contains(&name.to_ascii_lowercase().as_str()) {
                continue;
            }
            let value = String::from_utf8_lossy(value);
            let value = self.redaction.apply(&value);
            let end = value.floor_char_boundary(FIELD);
            let value = value.get(..end).unwrap_or_default();
            let _ = writeln!(self.log, "{name}: {value}");
        }
        let broke_off = self.read(answer.body, settings.response_bytes());
        if self.is_late() {
            return self.late();
        }
        if status.is_success() {
            return match broke_off {
                false => Ending::success(),
                true => Ending::failed("the answer broke off").with_again(),
            };
        }
        if status.is_redirection() {
            return Ending::failed(format!(
                "the target answered {status}: it leads elsewhere, which is not followed"
            ));
        }
        Ending::failed(format!("the target answered {status}")).with_again()
    }

    /// Keeps the beginning of an answer; whether it broke off. What comes
    /// behind that is not waited for.
    fn read(&mut self, mut body: Body, limit: usize) -> bool {
        let wanted = limit + self.redaction.longest();
        let mut bytes = Vec::new();
        let (mut more, mut broke_off) = (false, false);
        loop {
            match body.chunk() {
                Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(_) => {
                    broke_off = true;
                    break;
                }
            }
            if bytes.len() > wanted {
                bytes.truncate(wanted);
                more = true;
                break;
            }
            if self.is_late() {
                more = true;
                break;
            }
        }
        if !bytes.is_empty() {
            let more = more || broke_off;
            let kept = self.redaction.beginning(&bytes, limit, more);
            let _ = writeln!(self.log, "\n{kept}");
        }
        broke_off
    }

    fn unanswered(&self, error: &Error) -> Ending {
        match error.code() {
            "upstream_timeout" => self.late(),
            _ if self.is_late() => self.late(),
            "upstream_denied" => Ending::failed(
                "the host did not allow the call: the target is not allowed, or its address is not \
                 public and not named in ATLASHUB_EGRESS_ALLOW",
            ),
            "upstream_absent" => Ending::failed("there is no such target").with_again(),
            "upstream_failed" => Ending::failed("the target could not be reached").with_again(),
            code => Ending::failed(format!("the call failed: {code}")).with_again(),
        }
    }

    fn late(&self) -> Ending {
        Ending::timeout(format!("it took longer than {} ms", self.timeout_ms))
    }

    fn is_late(&self) -> bool {
        self.began.elapsed() >= self.timeout
    }

    fn elapsed_ms(&self) -> i64 {
        i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX)
    }
}
