//! What was asked and what was sent, the newest so many.

use serde::Serialize;
use serde_json::Value;
use std::collections::VecDeque;

/// Most entries.
const MOST: usize = 20_000;

/// A request that came, or a call that went out.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// Whether it went out.
    pub sent: bool,
    /// The path that was asked for, or the address that was called.
    pub path: String,
    /// What it carried; a text where that was no JSON.
    pub body: Value,
    /// What it was answered with; 0 for none.
    pub status: u16,
    /// The answer.
    pub answer: Value,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Journal(VecDeque<Entry>);

impl Journal {
    pub(crate) fn note(&mut self, entry: Entry) {
        if self.0.len() == MOST {
            self.0.pop_front();
        }
        self.0.push_back(entry);
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.0.iter().cloned().collect()
    }
}

/// A body for the journal.
pub(crate) fn body(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(bytes).into_owned()))
}
