//! Tags: `files` keeps those of each file, and says who may change them; here
//! they have ids, are counted, renamed and merged.

use crate::{access::Sight, entry, follow, remote};
use atlashub_files_client::{File, Scope, file};
use atlashub_sdk::prelude::*;

/// Tags of a page when nothing is said, and at most.
const DEFAULT_LIMIT: u32 = 100;
const MAX_LIMIT: u32 = 500;
/// Files that one call renames a tag of.
const RENAMED_AT_ONCE: u32 = 500;

/// A tag.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Tag {
    id: String,
    name: String,
    /// Files with it, of those that the caller sees.
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewTags {
    tags: Vec<String>,
}

/// A file's tags.
#[derive(Debug, Serialize)]
pub(crate) struct FileTags {
    id: String,
    tags: Vec<Tag>,
}

/// `POST /files/{id}/tags`
pub(crate) fn add(
    Path(id): Path<String>,
    caller: Caller,
    Json(new): Json<NewTags>,
) -> Result<Json<FileTags>> {
    Scope::to_write(&caller)?;
    let mut tags = remote::require_file(&id)?.tags;
    for tag in new.tags {
        let tag = tag.trim().to_lowercase();
        if !tag.is_empty() && !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    change(&id, &tags).map(Json)
}

/// `DELETE /files/{id}/tags/{tag_id}`
pub(crate) fn remove(
    Path((id, tag_id)): Path<(String, String)>,
    caller: Caller,
) -> Result<StatusCode> {
    Scope::to_write(&caller)?;
    let mut tags = remote::require_file(&id)?.tags;
    let before = tags.len();
    if let Some(tag) = find(&tag_id)? {
        tags.retain(|name| *name != tag.name);
    }
    if tags.len() == before {
        return Err(Error::not_found("tag"));
    }
    change(&id, &tags)?;
    Ok(StatusCode::NO_CONTENT)
}

fn change(id: &str, tags: &[String]) -> Result<FileTags> {
    let file = remote::set_tags(id, tags)?;
    sql::transaction(|transaction| entry::put(transaction, &file, None))?;
    let tags = sql::query(
        "SELECT tags.id, tags.name, CAST(NULL AS BIGINT) AS count FROM search.entries \
         JOIN search.entry_tags ON entry_tags.number = entries.number \
         JOIN search.tags ON tags.id = entry_tags.tag_id WHERE entries.file_id = $1 ORDER BY tags.name",
        params![id],
    )?;
    Ok(FileTags { id: file.id, tags })
}

#[derive(Debug, Deserialize)]
pub(crate) struct Wishes {
    /// What the name begins with.
    q: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Page {
    items: Vec<Tag>,
    next_cursor: Option<String>,
}

/// `GET /tags`
pub(crate) fn list(Query(wishes): Query<Wishes>, caller: Caller) -> Result<Json<Page>> {
    let scope = Scope::to_read(&caller)?;
    follow::catch_up(&scope, follow::PAGES_OF_A_SEARCH)?;
    let limit = wishes.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
    let sight = Sight::of(scope)?;
    follow::take_missing(&sight)?;
    let mut parameters = Vec::new();
    let visible = sight.condition(&mut parameters)?;
    let mut conditions = String::new();
    if let Some(start) = wishes.q.as_deref().map(str::trim).filter(|q| !q.is_empty()) {
        parameters.push(start.to_lowercase().into());
        let place = parameters.len();
        conditions.push_str(&format!(
            " AND substr(tags.name, 1, length(CAST(${place} AS TEXT))) = ${place}"
        ));
    }
    if let Some(cursor) = wishes.cursor {
        parameters.push(cursor.into());
        conditions.push_str(&format!(" AND tags.name > ${}", parameters.len()));
    }
    let mut items: Vec<Tag> = sql::query(
        &format!(
            "SELECT tags.id, tags.name, count(*) AS count FROM search.tags \
             JOIN search.entry_tags ON entry_tags.tag_id = tags.id \
             JOIN search.entries ON entries.number = entry_tags.number \
             WHERE {visible}{conditions} GROUP BY tags.id, tags.name ORDER BY tags.name LIMIT {}",
            limit + 1
        ),
        parameters,
    )?;
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = items.len() > wanted;
    items.truncate(wanted);
    let next_cursor = items.last().filter(|_| more).map(|tag| tag.name.clone());
    Ok(Json(Page { items, next_cursor }))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewName {
    name: String,
}

/// How a tag was renamed.
#[derive(Debug, Serialize)]
pub(crate) struct Renamed {
    /// The tag that has the new name, its own or another that it was merged
    /// into.
    tag: Tag,
    /// Files whose tag was renamed.
    renamed: usize,
    /// Whether no file of the caller has the old name any more.
    done: bool,
}

/// `PATCH /tags/{tag_id}`: renames the tag on the caller's files; a name that
/// is there already takes them in.
pub(crate) fn rename(
    Path(tag_id): Path<String>,
    caller: Caller,
    Json(new): Json<NewName>,
) -> Result<Json<Renamed>> {
    let scope = Scope::to_write(&caller)?;
    let name = new.name.trim().to_lowercase();
    if name.is_empty() {
        return Err(Error::invalid("invalid_tag", "a tag has a name"));
    }
    let old = find(&tag_id)?.ok_or_else(|| Error::not_found("tag"))?;
    let own = match &scope {
        Scope::All => String::new(),
        Scope::Owner(_) => " AND entries.owner = $2".into(),
    };
    let mut parameters = params![&tag_id];
    if let Scope::Owner(owner) = &scope {
        parameters.push(owner.as_str().into());
    }
    let files: Vec<String> = sql::query(
        &format!(
            "SELECT entries.file_id FROM search.entry_tags JOIN search.entries \
             ON entries.number = entry_tags.number WHERE entry_tags.tag_id = $1{own} \
             ORDER BY entries.number LIMIT {}",
            RENAMED_AT_ONCE + 1
        ),
        parameters,
    )?;
    if files.is_empty() {
        return Err(Error::not_found("tag"));
    }
    let most = usize::try_from(RENAMED_AT_ONCE).unwrap_or(usize::MAX);
    let mut renamed = 0;
    for id in files.iter().take(most) {
        let Some(file) = file::<File>(id)? else {
            entry::forget(id)?;
            continue;
        };
        let mut tags = file.tags;
        tags.retain(|tag| *tag != old.name && *tag != name);
        tags.push(name.clone());
        let file = remote::set_tags(id, &tags)?;
        sql::transaction(|transaction| entry::put(transaction, &file, None))?;
        renamed += 1;
    }
    let tag = sql::query_one(
        "SELECT id, name, CAST(NULL AS BIGINT) AS count FROM search.tags WHERE name = $1",
        params![name],
    )?;
    Ok(Json(Renamed {
        tag,
        renamed,
        done: files.len() <= most,
    }))
}

fn find(id: &str) -> Result<Option<Tag>> {
    sql::query_optional(
        "SELECT id, name, CAST(NULL AS BIGINT) AS count FROM search.tags WHERE id = $1",
        params![id],
    )
}
