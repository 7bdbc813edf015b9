//! A project's storage account against what its store holds.
//!
//! Uploads and deletions change both, one after the other: only when nothing
//! was set aside and the account stood still over two counts with the same
//! outcome is it decided on. What a killed node leaves makes the host count
//! by itself: see [`recount_wanted`].

use super::{Check, HOST, finding};
use crate::App;
use atlashub_core::{ProjectId, Result};
use atlashub_storage::PathPrefix;

/// How often a project is counted before it counts as busy.
const TRIES: usize = 4;
/// Projects that are counted in one go.
const PROJECTS: u64 = 20;

/// What counting a project's objects showed.
enum Counted {
    /// The account is right.
    Right(u64),
    /// It says `account` and should say `stored`.
    Wrong { account: u64, stored: u64 },
    /// Objects come and go all the time.
    Busy,
}

impl Check {
    pub(super) async fn check_account(&mut self) -> Result<()> {
        let project = self.project();
        match count(&self.app, project).await? {
            Counted::Right(_) => {}
            Counted::Busy => self.summary.left_alone += 1,
            Counted::Wrong { account, stored } => {
                let usage = self.app.platform().usage();
                let mended = self.options.repair && usage.correct(project, account, stored).await?;
                let message = format!(
                    "the account says that {account} bytes are in use, stored are {stored}"
                );
                let subject = format!("the storage of {}", self.entry.slug);
                let wrong = finding("account_differs", subject, message, mended);
                self.found(HOST, wrong).await?;
            }
        }
        Ok(())
    }
}

/// Counts projects anew in which a node that is gone had set storage aside;
/// how many accounts were wrong.
pub(crate) async fn recount_wanted(app: &App) -> Result<u64> {
    let usage = app.platform().usage();
    let mut corrected = 0;
    for project in usage.wanting_recount(PROJECTS).await? {
        match count(app, project).await? {
            Counted::Right(bytes) => {
                usage.correct(project, bytes, bytes).await?;
            }
            Counted::Wrong { account, stored } => {
                if usage.correct(project, account, stored).await? {
                    tracing::info!(%project, account, stored, "corrected a storage account");
                    corrected += 1;
                }
            }
            // The next time.
            Counted::Busy => {}
        }
    }
    Ok(corrected)
}

/// Counts a project's objects anew.
///
/// # Errors
/// When the store or the database cannot.
pub(crate) async fn recount(app: &App, project: ProjectId) -> Result<()> {
    let usage = app.platform().usage();
    if let Counted::Wrong { account, stored } = count(app, project).await?
        && usage.correct(project, account, stored).await?
    {
        tracing::info!(%project, account, stored, "corrected a storage account");
    }
    Ok(())
}

async fn count(app: &App, project: ProjectId) -> Result<Counted> {
    let mut last = None;
    for _ in 0..TRIES {
        let before = app.platform().usage().get(project).await?;
        // What is announced counts like what is stored.
        let stored = stored_bytes(app, project).await? + before.announced_bytes;
        let after = app.platform().usage().get(project).await?;
        if before != after || before.reserved_bytes > before.announced_bytes {
            last = None;
            continue;
        }
        let account = before.used_bytes;
        if account == stored {
            return Ok(Counted::Right(account));
        }
        if last == Some((account, stored)) {
            return Ok(Counted::Wrong { account, stored });
        }
        last = Some((account, stored));
    }
    Ok(Counted::Busy)
}

async fn stored_bytes(app: &App, project: ProjectId) -> Result<u64> {
    let prefix = PathPrefix::project(project);
    let (mut bytes, mut after) = (0_u64, None);
    loop {
        let page = app.storage().walk(&prefix, after.as_deref(), 1_000).await?;
        let sizes = page.entries.iter().map(|entry| entry.meta.size);
        bytes = bytes.saturating_add(sizes.sum());
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(bytes),
        }
    }
}
