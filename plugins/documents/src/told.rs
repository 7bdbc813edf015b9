//! What `files` tells of: a file that can be read is read when it is new or
//! has another version, without anybody asking. What cannot be read now is
//! tried again by the host, and among the project's dead work in the end: its
//! owner is told when nobody tries any more.

use crate::{
    follow, notice, process,
    record::{Record, Status},
    remote::is_document,
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
        .on("files.deleted", forget)
}

/// Which file.
#[derive(Debug, Deserialize)]
pub(crate) struct Told {
    id: String,
}

/// As the file is now: a version that was read is not read again, so the same
/// event may come twice.
fn take(event: Event, Payload(told): Payload<Told>) -> Result<()> {
    let Some(file) = file::<File>(&told.id)? else {
        return Ok(());
    };
    if !is_document(&file) {
        return Ok(());
    }
    follow::note(&file)?;
    let outcome = process::process(&told.id);
    let Some(record) = Record::find(&told.id)?.filter(|record| record.status == Status::Pending)
    else {
        return outcome.map(drop);
    };
    if event.attempt >= event.max_attempts {
        notice::failed(&record.id, &record.owner, &record.filename);
    }
    outcome?;
    Err(Error::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "not_read_yet",
        "the document could not be read now",
    ))
}

fn forget(Payload(told): Payload<Told>) -> Result<()> {
    follow::forget(&told.id)
}
