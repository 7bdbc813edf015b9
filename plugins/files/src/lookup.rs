//! `POST /files/lookup`: the metadata of files that somebody knows by their
//! ids, in one question. What is not there, or not the caller's to know of, is
//! left out.

use crate::{
    access,
    record::{COLUMNS, Metadata, Record},
};
use atlashub_sdk::prelude::*;
use std::collections::HashMap;

/// Most files of one question.
const MOST: usize = 100;

/// Which files.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wishes {
    ids: Vec<String>,
}

/// Those of them that the caller may know of, in the order of the question.
#[derive(Debug, Serialize)]
pub(crate) struct Known {
    items: Vec<Metadata>,
}

pub(crate) fn lookup(Json(wishes): Json<Wishes>) -> Result<Json<Known>> {
    if wishes.ids.len() > MOST {
        return Err(Error::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "too_many_ids",
            "at most 100 files are looked up at once",
        ));
    }
    let among = sql::texts_in(1);
    let records: Vec<Record> = sql::query(
        &format!(
            "SELECT {COLUMNS} FROM files.objects WHERE deleted_at IS NULL AND id IN ({among})"
        ),
        params![sql::Value::json(&wishes.ids)?],
    )?;
    let mut records: HashMap<String, Record> = records
        .into_iter()
        .map(|record| (record.id.clone(), record))
        .collect();
    let base = identity::public_url();
    let mut items = Vec::with_capacity(records.len());
    for id in &wishes.ids {
        let Some(record) = records.remove(id) else {
            // Who may know of none is not told that there is none.
            access::scope(&identity::caller(), access::Permission::Read)?;
            continue;
        };
        match access::check_readable(record.subject(), record.visibility) {
            Ok(()) => items.push(record.metadata(&base)),
            Err(error) if error.status() == StatusCode::NOT_FOUND => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Json(Known { items }))
}
