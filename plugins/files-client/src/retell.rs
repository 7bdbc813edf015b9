//! What `files` does for plugins alone: it tells its events again, and says
//! what of others a user may read.

use crate::{BASE, Refusal, from_cursor, read, send};
use atlashub_sdk::prelude::*;
use serde_json::json;

/// Files that are named in one call.
const MOST: usize = 100;
/// Pages of ids that are asked for, of 5,000 each.
const PAGES: usize = 4;

/// Has `files` tell of some files again, `files.retold`, to whoever takes its
/// events: as an event's caller, a plugin may read any file.
///
/// # Errors
/// Those of [`crate::ask`].
pub fn retell(ids: &[String]) -> Result<()> {
    ids.chunks(MOST)
        .try_for_each(|ids| call(&json!({ "ids": ids })))
}

/// Has `files` tell of all files of the project again, over the queue.
///
/// # Errors
/// Those of [`crate::ask`].
pub fn retell_all() -> Result<()> {
    call(&json!({}))
}

fn call(wish: &serde_json::Value) -> Result<()> {
    let answer = send(http::post(format!("{BASE}/retell")).json(wish)?)?;
    if answer.status.is_success() {
        return Ok(());
    }
    let status = answer.status;
    let body = answer.body.bytes(64 * 1024).unwrap_or_default();
    Err(Refusal::new(status, &body).into_error())
}

/// What others let a user read, as ids.
#[derive(Debug, Default, Deserialize)]
pub struct Readable {
    /// Folders: all that lies in them directly.
    pub folders: Vec<String>,
    /// Files that were shared themselves.
    pub files: Vec<String>,
}

/// What others let the caller read, 20,000 files and folders at most.
///
/// # Errors
/// Those of [`crate::ask`].
pub fn readable() -> Result<Readable> {
    #[derive(Deserialize)]
    struct Page {
        #[serde(flatten)]
        ids: Readable,
        next_cursor: Option<String>,
    }
    let mut all = Readable::default();
    let mut cursor = None;
    for _ in 0..PAGES {
        let url = from_cursor(&format!("{BASE}/readable"), cursor.as_deref());
        let page: Page = read(send(http::get(url))?, Refusal::into_error)?;
        all.folders.extend(page.ids.folders);
        all.files.extend(page.ids.files);
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    Ok(all)
}
