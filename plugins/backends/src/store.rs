//! `POST /storage-backends/{id}/store`: a file of `files` is stored there.

use crate::{
    fault,
    files::Contents,
    path::RemotePath,
    record::{self, Row},
    service::{Entry, EntryKind},
    settings::Settings,
};
use atlashub_sdk::prelude::*;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wish {
    file_id: String,
    /// Where to; with a slash at its end the folder to put it into.
    #[serde(default)]
    path: String,
    #[serde(default)]
    overwrite: bool,
}

pub(crate) fn store(
    Path(id): Path<String>,
    caller: Caller,
    Config(settings): Config<Settings>,
    Json(wish): Json<Wish>,
) -> Result<Response> {
    let me = record::me(&caller)?;
    let row = Row::of(&me, &id)?;
    let contents = Contents::of(&wish.file_id)?;
    let mut path = RemotePath::parse(&wish.path)?;
    if path.is_top() || wish.path.ends_with('/') {
        path = path.join(contents.filename())?;
    }
    let service = row.service(&settings)?;
    let there = service.stat(&path)?;
    if there.as_ref().is_some_and(Entry::is_folder) {
        return Err(fault::not_a_file());
    }
    if there.is_some() && !wish.overwrite {
        return Err(Error::conflict(
            "path_taken",
            "a file lies at this path already: send `overwrite` to have its place",
        ));
    }
    service.put(&path, &contents)?;
    let entry = Entry {
        name: path.name().unwrap_or_default().to_owned(),
        path: path.to_string(),
        kind: EntryKind::File,
        size: Some(contents.size()),
        ..Entry::top()
    };
    // What the service says of it now, if it can be asked.
    let entry = service.stat(&path).ok().flatten().unwrap_or(entry);
    Ok((StatusCode::CREATED, Json(entry)).into_response())
}
