//! What an owner uses of storage. An account's row is also the lock under
//! which an owner's files and folders change: whoever changes the tree takes
//! it first, so that paths, cycles and sums are decided one after another,
//! on every node.

use crate::{
    access::{self, Permission},
    settings::Settings,
};
use atlashub_sdk::{identity::CallerKind, prelude::*, sql::Transaction};

/// What a change adds to an account, or takes from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) bytes: i64,
    /// Files and folders.
    pub(crate) entries: i64,
}

impl Change {
    /// A new file of that size.
    pub(crate) fn file(size: u64) -> Self {
        Self {
            bytes: signed(size),
            entries: 1,
        }
    }

    /// More bytes, or fewer.
    pub(crate) const fn bytes(bytes: i64) -> Self {
        Self { bytes, entries: 0 }
    }

    /// A new folder.
    pub(crate) const FOLDER: Self = Self {
        bytes: 0,
        entries: 1,
    };
}

/// A size as the database counts.
pub(crate) fn signed(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

#[derive(Debug, Deserialize)]
struct Account {
    limited: bool,
    used_bytes: i64,
    entries: i64,
}

fn read(transaction: &Transaction, owner: &str) -> Result<Option<Account>> {
    transaction.query_optional(
        "SELECT limited = 1 AS limited, used_bytes, entries FROM files.accounts WHERE owner = $1",
        params![owner],
    )
}

/// Takes the owner's lock without changing the account.
pub(crate) fn lock(transaction: &Transaction, owner: &str) -> Result<()> {
    let locked = "UPDATE files.accounts SET entries = entries WHERE owner = $1";
    if transaction.execute(locked, params![owner])? == 0 {
        open(transaction, owner)?;
    }
    Ok(())
}

/// Takes the owner's lock and changes the account: one guarded update, so
/// that what does not fit is refused however many try at once.
///
/// # Errors
/// `quota_exceeded`, `too_many_entries`.
pub(crate) fn charge(
    transaction: &Transaction,
    owner: &str,
    change: Change,
    settings: &Settings,
) -> Result<()> {
    let limit = settings.user_quota()?;
    for _ in 0..2 {
        let changed = transaction.execute(
            "UPDATE files.accounts SET used_bytes = used_bytes + CAST($2 AS BIGINT), \
             entries = entries + CAST($3 AS BIGINT) \
             WHERE owner = $1 AND (limited = 0 OR ( \
             (CAST($2 AS BIGINT) <= 0 OR used_bytes + CAST($2 AS BIGINT) <= CAST($4 AS BIGINT)) \
             AND (CAST($3 AS BIGINT) <= 0 OR entries + CAST($3 AS BIGINT) <= CAST($5 AS BIGINT))))",
            params![
                owner,
                change.bytes,
                change.entries,
                signed(limit),
                signed(settings.user_max_entries)
            ],
        )?;
        if changed > 0 {
            return Ok(());
        }
        if let Some(account) = read(transaction, owner)? {
            let over = account.used_bytes.saturating_add(change.bytes) > signed(limit);
            return Err(if change.bytes > 0 && over {
                exceeded(account.used_bytes, change.bytes, limit)
            } else {
                too_many(settings)
            });
        }
        open(transaction, owner)?;
    }
    Err(Error::internal("an account is gone again"))
}

/// Gives back what is gone; the lock is held.
pub(crate) fn shrink(transaction: &Transaction, owner: &str, change: Change) -> Result<()> {
    transaction.execute(
        "UPDATE files.accounts SET used_bytes = used_bytes + CAST($2 AS BIGINT), \
         entries = entries + CAST($3 AS BIGINT) WHERE owner = $1",
        params![owner, change.bytes, change.entries],
    )?;
    Ok(())
}

/// Makes the account of an owner who has none, from the files that are there.
fn open(transaction: &Transaction, owner: &str) -> Result<()> {
    let opened = transaction.execute(
        "INSERT INTO files.accounts (owner, limited, used_bytes, entries) VALUES ($1, $2, 0, 0) \
         ON CONFLICT (owner) DO NOTHING",
        params![owner, i64::from(is_user(owner))],
    )?;
    if opened > 0 {
        transaction.execute(
            "UPDATE files.accounts SET \
             used_bytes = COALESCE((SELECT CAST(SUM(size) AS BIGINT) FROM files.objects WHERE owner = $1), 0), \
             entries = (SELECT COUNT(*) FROM files.objects WHERE owner = $1) \
             + (SELECT COUNT(*) FROM files.folders WHERE owner = $1) \
             WHERE owner = $1",
            params![owner],
        )?;
    }
    Ok(())
}

/// Whether an owner is a user. Keys and admins have no limit of their own.
fn is_user(owner: &str) -> bool {
    let caller = identity::caller();
    if caller.id.as_deref() == Some(owner) {
        return caller.kind == CallerKind::User;
    }
    matches!(users::get(owner), Ok(Some(_)))
}

/// How many more bytes the caller may store; none where there is no limit.
/// For refusing early: what counts is [`charge`].
pub(crate) fn room(owner: &str, settings: &Settings) -> Result<Option<u64>> {
    let account: Option<Account> = sql::query_optional(
        "SELECT limited = 1 AS limited, used_bytes, entries FROM files.accounts WHERE owner = $1",
        params![owner],
    )?;
    let limit = settings.user_quota()?;
    let left = |used: i64| {
        let used = u64::try_from(used).unwrap_or_default();
        limit.saturating_sub(used)
    };
    Ok(match account {
        Some(account) => account.limited.then(|| left(account.used_bytes)),
        None => is_user(owner).then(|| left(0)),
    })
}

/// 413 for what does not fit into the account.
pub(crate) fn does_not_fit(owner: &str, requested: u64, settings: &Settings) -> Error {
    let used: Result<Option<i64>> = sql::query_optional(
        "SELECT used_bytes FROM files.accounts WHERE owner = $1",
        params![owner],
    );
    let used = used.ok().flatten().unwrap_or_default();
    match settings.user_quota() {
        Ok(limit) => exceeded(used, signed(requested), limit),
        Err(error) => error,
    }
}

fn exceeded(used: i64, requested: i64, limit: u64) -> Error {
    Error::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "quota_exceeded",
        "the user's storage has no room for this",
    )
    .with_field("limit_bytes", limit)
    .with_field("used_bytes", used)
    .with_field("requested_bytes", requested)
}

fn too_many(settings: &Settings) -> Error {
    Error::conflict(
        "too_many_entries",
        "there are too many files and folders already, delete some for good",
    )
    .with_field("limit", settings.user_max_entries)
}

/// `GET /users/me/quota`.
#[derive(Debug, Serialize)]
pub(crate) struct Quota {
    /// None for keys and admins, whom only the project's limit binds.
    limit_bytes: Option<u64>,
    used_bytes: i64,
    available_bytes: Option<u64>,
    entries: i64,
}

pub(crate) fn quota(caller: Caller, Config(settings): Config<Settings>) -> Result<Json<Quota>> {
    let owner = access::owner(&caller, Permission::Read)?;
    let account = sql::transaction(|transaction| {
        lock(transaction, &owner)?;
        read(transaction, &owner)
    })?;
    let account = account.ok_or_else(|| Error::internal("an account is gone again"))?;
    let used = u64::try_from(account.used_bytes).unwrap_or_default();
    let limit = settings.user_quota()?;
    let limit_bytes = account.limited.then_some(limit);
    Ok(Json(Quota {
        limit_bytes,
        used_bytes: account.used_bytes,
        available_bytes: limit_bytes.map(|limit| limit.saturating_sub(used)),
        entries: account.entries,
    }))
}
