//! `GET /readable`, of plugins alone: what of others a user may read, as ids.
//! A plugin with an index of its own shows by it what the caller may see.

use crate::access::{self, Permission};
use atlashub_sdk::prelude::*;

/// Ids of a page.
const PAGE: usize = 5_000;

/// The folders that others share with a user, as a common table `inside` with
/// the columns `id` and `owner`: those that were shared themselves, and those
/// that lie in them. The user is `$1`.
pub(crate) const INSIDE: &str = "inside (id, owner) AS ( \
     SELECT f.id, f.owner FROM files.permissions p JOIN files.folders f ON f.id = p.subject \
     WHERE p.user_id = $1 AND p.kind = 'folder' AND f.deleted_at IS NULL \
     UNION SELECT f.id, f.owner FROM inside JOIN files.folders f \
     ON f.owner = inside.owner AND f.parent_id = inside.id WHERE f.deleted_at IS NULL)";

#[derive(Debug, Deserialize)]
pub(crate) struct Wishes {
    cursor: Option<String>,
}

/// A page of them.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Page {
    /// All that lies in them directly.
    folders: Vec<String>,
    /// Those that were shared themselves.
    files: Vec<String>,
    next_cursor: Option<String>,
}

pub(crate) fn readable(Query(wishes): Query<Wishes>, caller: Caller) -> Result<Json<Page>> {
    if caller.via_plugin.is_none() {
        return Err(Error::not_found("the route"));
    }
    let own = access::owner(&caller, Permission::Read)?;
    let mut found: Vec<(String, String)> = sql::query(
        &format!(
            "WITH RECURSIVE {INSIDE} SELECT id, kind FROM ( \
             SELECT id, 'folder' AS kind FROM inside \
             UNION ALL SELECT o.id, 'file' FROM files.permissions p JOIN files.objects o ON o.id = p.subject \
             WHERE p.user_id = $1 AND p.kind = 'file' AND o.deleted_at IS NULL) AS shared \
             WHERE id > $2 ORDER BY id LIMIT {}",
            PAGE + 1
        ),
        params![own, wishes.cursor.unwrap_or_default()],
    )?;
    let more = found.len() > PAGE;
    found.truncate(PAGE);
    let mut page = Page {
        next_cursor: found.last().filter(|_| more).map(|(id, _)| id.clone()),
        ..Page::default()
    };
    for (id, kind) in found {
        match kind.as_str() {
            "folder" => page.folders.push(id),
            _ => page.files.push(id),
        }
    }
    Ok(Json(page))
}
