//! What `files` tells of: each file is put into the index when it is new or
//! another, and taken out when it is gone. `files` shows a file to whoever
//! takes its events, so that nobody has to search first.

use crate::{entry, remote};
use atlashub_files_client::{File, file};
use atlashub_sdk::prelude::*;

/// The events that it takes.
pub(crate) fn subscriptions() -> Subscriptions {
    Subscriptions::new()
        .on("files.uploaded", take)
        .on("files.replaced", take)
        .on("files.changed", take)
        .on("files.restored", take)
        .on("files.retold", take_all)
        .on("files.trashed", forget)
        .on("files.deleted", forget)
}

/// Which file.
#[derive(Debug, Deserialize)]
pub(crate) struct Told {
    id: String,
}

/// Some files.
#[derive(Debug, Deserialize)]
pub(crate) struct Retold {
    ids: Vec<String>,
}

fn take(Payload(told): Payload<Told>) -> Result<()> {
    look_at(&told.id)
}

fn take_all(Payload(told): Payload<Retold>) -> Result<()> {
    told.ids.iter().try_for_each(|id| look_at(id))
}

/// As the file is now, whatever has happened since: the same event again
/// changes nothing, and one that comes late brings nothing back.
fn look_at(id: &str) -> Result<()> {
    let there: Option<File> = file(id)?;
    let Some(file) = there.filter(|file| file.deleted_at.is_none()) else {
        return entry::forget(id);
    };
    let text = remote::text(&file);
    sql::transaction(|transaction| entry::put(transaction, &file, text.as_deref()))?;
    entry::forget_if_gone(id)
}

fn forget(Payload(told): Payload<Told>) -> Result<()> {
    entry::forget(&told.id)
}
