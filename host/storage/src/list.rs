//! Listings in pages, in the order of the keys' bytes.

use crate::{ObjectMeta, path::check_key_prefix};
use atlashub_core::{Error, Result, capability::blob::ObjectKey};

/// An object of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListEntry {
    /// Its key below the prefix.
    pub key: String,
    /// What is known of it.
    pub meta: ObjectMeta,
}

/// One page of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListPage {
    /// Objects in the order of their keys' bytes.
    pub entries: Vec<ListEntry>,
    /// The last key, when there are more: the next page begins after it.
    pub next: Option<String>,
}

/// Checks what a listing is narrowed to and where it begins.
pub(crate) fn check(start: &str, after: Option<&str>) -> Result<()> {
    check_key_prefix(start)?;
    match after.map(str::parse::<ObjectKey>) {
        Some(Err(_)) => Err(Error::bad_request(
            "invalid_cursor",
            "the cursor is not one that a page gave",
        )),
        _ => Ok(()),
    }
}

/// Makes a page of what was found, which may be one more than is asked for.
pub(crate) fn page(found: Vec<(String, ObjectMeta)>, limit: usize) -> ListPage {
    let more = found.len() > limit;
    let entries: Vec<_> = found
        .into_iter()
        .take(limit)
        .map(|(key, meta)| ListEntry { key, meta })
        .collect();
    let next = entries
        .last()
        .filter(|_| more)
        .map(|entry| entry.key.clone());
    ListPage { entries, next }
}
