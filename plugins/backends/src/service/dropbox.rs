//! Dropbox (API v2): paths, arguments as JSON in a header field where the body
//! is bytes.

use super::{
    Entry, EntryKind, Listing, PAGE, Service,
    bearer::{Bearer, json, plain_name, sent},
};
use crate::{fault, files::Contents, path::RemotePath};
use atlashub_sdk::{
    http::{Answer, Call},
    prelude::*,
};
use serde_json::{Value, json as value};
use std::fmt::Write as _;

/// Most bytes that one call stores.
const MAX_AT_ONCE: u64 = 140 * 1024 * 1024;
/// Bytes of a part: a multiple of 4 MiB.
const PART: u64 = 64 * 1024 * 1024;
/// How much is read of a refusal, bytes.
const MAX_REFUSAL: usize = 16 * 1024;

/// A connection.
pub(crate) struct Dropbox {
    bearer: Bearer,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    #[serde(rename = ".tag")]
    tag: String,
    name: String,
    size: Option<u64>,
    server_modified: Option<String>,
    rev: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Folder {
    entries: Vec<Metadata>,
    cursor: String,
    has_more: bool,
}

impl Metadata {
    fn entry(self, path: &RemotePath) -> Entry {
        Entry {
            name: path.name().unwrap_or_default().to_owned(),
            path: path.to_string(),
            kind: if self.tag == "folder" {
                EntryKind::Folder
            } else {
                EntryKind::File
            },
            size: self.size,
            modified: self.server_modified,
            etag: self.rev,
        }
    }
}

impl Dropbox {
    pub(crate) fn new(bearer: Bearer) -> Self {
        Self { bearer }
    }

    fn ask<T: serde::de::DeserializeOwned>(&self, what: &str, argument: &Value) -> Result<T> {
        let url = format!("{}/files/{what}", self.bearer.provider.api);
        let call = self.bearer.call(Method::POST, url).json(argument)?;
        json(settled(call.send().map_err(fault::unanswered)?)?)
    }

    /// A call whose body is bytes.
    fn content(&self, what: &str, argument: &Value) -> Call {
        let url = format!("{}/files/{what}", self.bearer.provider.content);
        self.bearer
            .call(Method::POST, url)
            .header("dropbox-api-arg", ascii(argument))
    }

    fn put_in_parts(&self, commit: &Value, contents: &Contents) -> Result<()> {
        #[derive(Deserialize)]
        struct Session {
            session_id: String,
        }
        let octets = |call: Call| call.header("content-type", "application/octet-stream");
        let size = contents.size();
        let begun = octets(self.content("upload_session/start", &value!({"close": false})));
        let session: Session = json(sent(begun.header("content-length", "0"))?)?;
        let mut start = 0;
        while start < size {
            let end = size.min(start + PART);
            let cursor = value!({"session_id": session.session_id, "offset": start});
            let argument = value!({"cursor": cursor, "close": false});
            let call = octets(self.content("upload_session/append_v2", &argument));
            settled(contents.send_part(call, &(start..end))?)?;
            start = end;
        }
        let cursor = value!({"session_id": session.session_id, "offset": size});
        let argument = value!({"cursor": cursor, "commit": commit});
        let call = octets(self.content("upload_session/finish", &argument));
        let answer = call.header("content-length", "0").send();
        settled(answer.map_err(fault::unanswered)?).map(drop)
    }
}

impl Service for Dropbox {
    fn list(&self, folder: &RemotePath, cursor: Option<&str>) -> Result<Listing> {
        let found: Folder = match cursor {
            None => {
                let argument = value!({"path": argument_path(folder), "limit": PAGE});
                self.ask("list_folder", &argument)?
            }
            Some(cursor) => self.ask("list_folder/continue", &value!({"cursor": cursor}))?,
        };
        let entry = |metadata: Metadata| {
            let path = folder.join(&plain_name(&metadata.name)).ok()?;
            Some(metadata.entry(&path))
        };
        Ok(Listing {
            items: found.entries.into_iter().filter_map(entry).collect(),
            next_cursor: Some(found.cursor).filter(|_| found.has_more),
        })
    }

    fn stat(&self, path: &RemotePath) -> Result<Option<Entry>> {
        if path.is_top() {
            return Ok(Some(Entry::top()));
        }
        let argument = value!({"path": argument_path(path)});
        let found: Result<Metadata> = self.ask("get_metadata", &argument);
        Ok(super::bearer::there(found)?.map(|metadata| metadata.entry(path)))
    }

    fn fetch(&self, path: &RemotePath, range: Option<&str>) -> Result<Answer> {
        let mut call = self.content("download", &value!({"path": argument_path(path)}));
        if let Some(range) = range {
            call = call.header("range", range);
        }
        settled(call.send().map_err(fault::unanswered)?)
    }

    fn put(&self, path: &RemotePath, contents: &Contents) -> Result<()> {
        let commit = value!({"path": argument_path(path), "mode": "overwrite", "mute": true});
        if contents.size() > MAX_AT_ONCE {
            return self.put_in_parts(&commit, contents);
        }
        let call = self
            .content("upload", &commit)
            .header("content-type", "application/octet-stream");
        settled(contents.send_part(call, &(0..contents.size()))?).map(drop)
    }
}

/// As Dropbox writes a path: the top is nothing.
fn argument_path(path: &RemotePath) -> String {
    if path.is_top() {
        String::new()
    } else {
        path.to_string()
    }
}

/// JSON in ASCII, as it may stand in a header field.
fn ascii(argument: &Value) -> String {
    let mut out = String::new();
    for unit in argument.to_string().encode_utf16() {
        match u8::try_from(unit) {
            Ok(byte @ 0x20..=0x7e) => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

/// Refusals are 409, and say why in JSON.
fn settled(answer: Answer) -> Result<Answer> {
    if answer.status != StatusCode::CONFLICT {
        return fault::success(answer);
    }
    let words = answer.body.text(MAX_REFUSAL).unwrap_or_default();
    Err(if words.contains("not_found") {
        fault::missing()
    } else if words.contains("not_file") {
        fault::not_a_file()
    } else if words.contains("insufficient_space") {
        Error::new(
            StatusCode::INSUFFICIENT_STORAGE,
            "backend_full",
            "the service has no room for this",
        )
    } else {
        fault::unreadable("it answered 409")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_ascii() {
        let argument = value!({"path": "/für \u{1f3af}\u{7f}"});
        assert_eq!(
            ascii(&argument),
            r#"{"path":"/f\u00fcr \ud83c\udfaf\u007f"}"#
        );
    }
}
