//! What `files` tells of: a file that can be read is read when it is new or
//! has another version, without anybody asking. What cannot be read now is
//! tried again by the host, and among the project's dead work in the end: its
//! owner is told when nobody tries any more.

use crate::{
    classify, follow, notice, process,
    record::{Record, Status},
    remote::{self, is_document},
};
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

/// After this time no further file of an event is begun, milliseconds.
const ENOUGH: i64 = 40_000;

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

fn take(event: Event, Payload(told): Payload<Told>) -> Result<()> {
    look_at(&told.id, is_last(&event))
}

/// One that cannot be read now keeps no other waiting; the event comes again
/// for what is left.
fn take_all(event: Event, Payload(told): Payload<Retold>) -> Result<()> {
    let begun = moment::now_ms();
    let mut done = Ok(());
    for id in &told.ids {
        if moment::now_ms() - begun > ENOUGH {
            return Err(not_yet());
        }
        done = look_at(id, is_last(&event)).and(done);
    }
    done
}

/// Whether the event does not come again.
fn is_last(event: &Event) -> bool {
    event.attempt >= event.max_attempts
}

/// As the file is now: a version that was read is not read again, so the same
/// event may come twice.
fn look_at(id: &str, is_last: bool) -> Result<()> {
    let Some(file) = file::<File>(id)? else {
        return follow::forget(id);
    };
    if !is_document(&file) {
        // It may have been one, under another name.
        if Record::find(id)?.is_some() {
            remote::index(id, "")?;
            follow::forget(id)?;
        }
        return Ok(());
    }
    follow::note(&file)?;
    let outcome = process::process(id);
    let waits = Record::find(id)?.filter(|record| record.status == Status::Pending);
    if let Some(record) = waits {
        // Not each time that it is told of again.
        if is_last && record.retells <= 1 {
            notice::failed(&record.id, &record.owner, &record.filename);
        }
        return outcome.and(Err(not_yet()));
    }
    outcome?;
    classify::classify_unclassified(id)?;
    process::hand_over(id)
}

fn not_yet() -> Error {
    Error::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "not_read_yet",
        "the document could not be read now",
    )
}

fn forget(Payload(told): Payload<Told>) -> Result<()> {
    follow::forget(&told.id)
}
