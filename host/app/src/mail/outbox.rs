//! Mails that are not sent: one file each, for developers. The oldest go, so
//! that a stranger cannot fill the disk.

use atlashub_core::{Error, Result};
use lettre::Message;
use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};
use uuid::Uuid;

/// Mails that are kept.
const MOST: usize = 1_000;

/// A folder of mails.
pub(super) struct Outbox(PathBuf);

impl Outbox {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// Writes a mail; its file's name sorts by time.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub(super) async fn keep(&self, message: &Message) -> Result<()> {
        let folder = self.0.clone();
        let bytes = message.formatted();
        let path = tokio::task::spawn_blocking(move || write(&folder, &bytes))
            .await
            .map_err(|error| Error::internal("write a mail to the outbox", error))?
            .map_err(|error| Error::internal("write a mail to the outbox", error))?;
        tracing::info!(file = %path.display(), "a mail was written, no mail server is configured");
        Ok(())
    }
}

fn write(folder: &Path, bytes: &[u8]) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let mut kept: Vec<PathBuf> = fs::read_dir(folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|end| end == "eml"))
        .collect();
    kept.sort_unstable();
    let surplus = (kept.len() + 1).saturating_sub(MOST);
    for old in kept.into_iter().take(surplus) {
        fs::remove_file(old)?;
    }
    let path = folder.join(format!("{}.eml", Uuid::now_v7()));
    let making = path.with_extension("part");
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    // A mail holds the key to an account.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(&making)?.write_all(bytes)?;
    fs::rename(&making, &path)?;
    Ok(path)
}
