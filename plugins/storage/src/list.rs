//! `GET /v1/storage/list`: objects in the order of their paths.

use crate::{
    access,
    buckets::Bucket,
    objects::{self, COLUMNS, Record},
    settings::Settings,
};
use atlashub_sdk::prelude::*;

/// Objects of a page when nothing is said, and at most.
const DEFAULT_LIMIT: u32 = 100;
const MAX_LIMIT: u32 = 1000;

#[derive(Debug, Deserialize)]
pub(crate) struct Wishes {
    bucket: String,
    #[serde(default)]
    prefix: String,
    limit: Option<u32>,
    /// The last path of the page before.
    cursor: Option<String>,
}

/// A page; `objects` and `nextCursor` are the same, as they were called before.
#[derive(Debug, Serialize)]
pub(crate) struct Page {
    items: Vec<Object>,
    next_cursor: Option<String>,
    objects: Vec<Object>,
    #[serde(rename = "nextCursor")]
    former_cursor: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Object {
    object_key: String,
    size: u64,
    content_type: String,
    owner_id: Option<String>,
    created_at: String,
}

impl From<Record> for Object {
    fn from(record: Record) -> Self {
        Self {
            object_key: record.path,
            size: record.size,
            content_type: record.content_type,
            owner_id: Some(record.owner).filter(|owner| owner != access::NOBODY),
            created_at: moment::rfc3339(record.created_at),
        }
    }
}

pub(crate) fn list(
    Query(wishes): Query<Wishes>,
    caller: Caller,
    Config(settings): Config<Settings>,
) -> Result<Json<Page>> {
    access::require_overseer(&caller)?;
    let bucket = Bucket::require(&wishes.bucket)?;
    objects::settle_some(&bucket, &wishes.prefix, &settings)?;
    let limit = wishes.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
    let after = wishes.cursor.unwrap_or_default();
    let mut records: Vec<Record> = sql::query(
        &format!(
            "SELECT {COLUMNS} FROM storage.objects WHERE bucket = $1 AND path > $2 AND path >= $3 \
             AND substr(path, 1, CAST($4 AS INTEGER)) = $3 ORDER BY path LIMIT {}",
            limit + 1
        ),
        params![
            &bucket.name,
            after,
            &wishes.prefix,
            wishes.prefix.chars().count()
        ],
    )?;
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = records.len() > wanted;
    records.truncate(wanted);
    let next_cursor = records
        .last()
        .filter(|_| more)
        .map(|record| record.path.clone());
    let items: Vec<Object> = records.into_iter().map(Object::from).collect();
    Ok(Json(Page {
        objects: items.clone(),
        items,
        former_cursor: next_cursor.clone(),
        next_cursor,
    }))
}
