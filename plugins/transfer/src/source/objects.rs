//! JSON objects one after another: a line each, or members of one list. Each
//! is found by its brackets and read by itself.

use super::{Encoding, MAX_RECORD, Source, decode::Text};
use atlashub_sdk::prelude::*;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// The members of an object, as they were written.
pub(crate) type Object = BTreeMap<String, Box<RawValue>>;

/// Reads objects of a source.
#[derive(Debug)]
pub(crate) struct Objects {
    text: Text,
    buffer: Vec<u8>,
    at: usize,
    offset: u64,
    ended: bool,
    /// An object that was looked at, and where the next one begins.
    peeked: Option<(Object, u64)>,
}

impl Objects {
    /// Reads from `offset` on, which is behind an object, or the start.
    pub(crate) fn new(source: &Source, encoding: Encoding, offset: u64) -> Result<Self> {
        Ok(Self {
            text: source.text(encoding, offset)?,
            buffer: Vec::new(),
            at: 0,
            offset,
            ended: false,
            peeked: None,
        })
    }

    /// Where the next object begins, or what stands before it, in bytes of
    /// the source.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// The next object; none at the end.
    ///
    /// # Errors
    /// 422 `invalid_json` with the place; `record_too_large`.
    pub(crate) fn next(&mut self) -> Result<Option<Object>> {
        if let Some((object, offset)) = self.peeked.take() {
            self.offset = offset;
            return Ok(Some(object));
        }
        loop {
            let rest = self.buffer.get(self.at..).unwrap_or_default();
            let between =
                |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b',' | b'[' | b']');
            let skipped = rest.iter().take_while(|byte| between(byte)).count();
            let rest = rest.get(skipped..).unwrap_or_default();
            match rest.first() {
                None if self.ended => return Ok(None),
                None => {}
                Some(b'{') => {
                    if let Some(length) = object_length(rest) {
                        let bytes = rest.get(..length).unwrap_or_default();
                        let object = serde_json::from_slice(bytes)
                            .map_err(|error| self.broken(skipped, &error.to_string()));
                        let whole = self.buffer.get(self.at..self.at + skipped + length);
                        let passed = self.text.encoding.length(whole.unwrap_or_default());
                        self.at += skipped + length;
                        let object = object?;
                        self.offset += passed;
                        return Ok(Some(object));
                    }
                    if self.ended {
                        return Err(self.broken(skipped, "the object does not end"));
                    }
                    if rest.len() > MAX_RECORD {
                        return Err(Error::invalid(
                            "record_too_large",
                            format!(
                                "the object at byte {} has more than {MAX_RECORD} bytes",
                                self.offset
                            ),
                        ));
                    }
                }
                Some(_) => return Err(self.broken(skipped, "there is no object")),
            }
            self.fill()?;
        }
    }

    /// The names of the members of the next object, which stays the next;
    /// none at the end.
    ///
    /// # Errors
    /// As [`Objects::next`].
    pub(crate) fn peek(&mut self) -> Result<Option<Vec<String>>> {
        let before = self.offset;
        let object = self.next()?;
        let names = object
            .as_ref()
            .map(|object| object.keys().cloned().collect());
        self.peeked = object.map(|object| (object, self.offset));
        self.offset = before;
        Ok(names)
    }

    fn fill(&mut self) -> Result<()> {
        self.buffer.drain(..self.at);
        self.at = 0;
        let wanted = (self.buffer.len() * 2).max(64 * 1024);
        while self.buffer.len() < wanted && !self.ended {
            self.ended = !self.text.more(&mut self.buffer)?;
        }
        Ok(())
    }

    fn broken(&self, skipped: usize, why: &str) -> Error {
        let between = self.buffer.get(self.at..self.at + skipped);
        let at = self.offset + self.text.encoding.length(between.unwrap_or_default());
        Error::invalid(
            "invalid_json",
            format!("at byte {at}: {why}; a row is an object, in a list or a line each"),
        )
        .with_field("offset", at)
    }
}

/// Bytes of the object that the bytes begin with, if it ends.
fn object_length(bytes: &[u8]) -> Option<usize> {
    let (mut depth, mut within, mut escaped) = (0_usize, false, false);
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if within => escaped = true,
            b'"' => within = !within,
            b'{' | b'[' if !within => depth += 1,
            b'}' | b']' if !within => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_ends_with_its_last_bracket() {
        for (text, length) in [
            ("{}", Some(2)),
            (r#"{"a":"}\"}"} {"#, Some(12)),
            (r#"{"a":[{"b":1}]},"#, Some(15)),
            (r#"{"a":"#, None),
        ] {
            assert_eq!(object_length(text.as_bytes()), length, "{text}");
        }
    }
}
