//! What has changed and was not told yet. A change notes its file or folder in
//! its own transaction, and [`crate::happened::tell`] takes the note away once
//! the event is in the queue. After a kill in between the note is there still:
//! the file is told of again, when this plugin looks after the project, which
//! was arranged before the change was committed.

use crate::{
    due,
    happened::{self, Change},
    retell,
};
use atlashub_sdk::{prelude::*, sql::Transaction};
use std::cell::RefCell;
use uuid::Uuid;

/// Notes of one flush.
const STEP: u32 = 500;
/// Notes of changes that were taken back, at most.
const FORGOTTEN: usize = 10_000;

thread_local! {
    /// Notes of this request: their ids, and what they are about.
    static NOTED: RefCell<Vec<(String, String)>> = const { RefCell::new(Vec::new()) };
}

/// Notes a file that changes in this transaction.
pub(crate) fn file(transaction: &Transaction, subject: &str) -> Result<()> {
    note(transaction, subject, false)
}

/// Notes a folder that changes in this transaction with all that lies in it.
pub(crate) fn folder(transaction: &Transaction, subject: &str) -> Result<()> {
    note(transaction, subject, true)
}

/// A transaction in which something may be noted. That it is told is arranged
/// first: within, nothing but the database is asked, since others wait for it.
pub(crate) fn transaction<T>(change: impl FnOnce(&Transaction) -> Result<T>) -> Result<T> {
    due::soon();
    sql::transaction(change)
}

fn note(transaction: &Transaction, subject: &str, is_folder: bool) -> Result<()> {
    let id = Uuid::now_v7().to_string();
    transaction.execute(
        "INSERT INTO files.untold (id, subject, is_folder) VALUES ($1, $2, $3)",
        params![&id, subject, is_folder],
    )?;
    NOTED.with_borrow_mut(|noted| {
        if noted.len() >= FORGOTTEN {
            noted.clear();
        }
        noted.push((id, subject.to_owned()));
    });
    Ok(())
}

/// It was told: takes this request's notes of it away.
pub(crate) fn told(transaction: &Transaction, subject: &str) -> Result<()> {
    let ids = NOTED.with_borrow_mut(|noted| {
        let (about, others) = std::mem::take(noted)
            .into_iter()
            .partition::<Vec<_>, _>(|(_, other)| other == subject);
        *noted = others;
        about
    });
    for (id, _) in ids {
        transaction.execute("DELETE FROM files.untold WHERE id = $1", params![id])?;
    }
    Ok(())
}

#[derive(Debug, Deserialize)]
struct Note {
    id: String,
    subject: String,
    is_folder: bool,
}

/// Tells of what was not told; whether that was all.
///
/// # Errors
/// `queue_full`, and the host's others.
pub(crate) fn flush() -> Result<bool> {
    let notes: Vec<Note> = sql::query(
        &format!("SELECT id, subject, is_folder FROM files.untold ORDER BY id LIMIT {STEP}"),
        params![],
    )?;
    let (folders, files): (Vec<_>, Vec<_>) = notes.iter().partition(|note| note.is_folder);
    let files: Vec<String> = files.iter().map(|note| note.subject.clone()).collect();
    retell::some(&files)?;
    for folder in folders {
        happened::publish(Change::FolderChanged, &folder.subject)?;
        retell::within(&folder.subject)?;
    }
    // Told before they are forgotten: after a kill they are told of again.
    sql::transaction(|transaction| {
        for note in &notes {
            transaction.execute("DELETE FROM files.untold WHERE id = $1", params![&note.id])?;
        }
        Ok(())
    })?;
    Ok(notes.len() < usize::try_from(STEP).unwrap_or(usize::MAX))
}
