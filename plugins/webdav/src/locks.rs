//! Locks (RFC 4918 §§6–7): exclusive and shared, of one thing or of a folder
//! with all in it, for a time. They bind those who come by WebDAV; the rest
//! of the project does not know of them.

use crate::{
    address::holds,
    xml::{self, Element},
};
use atlashub_sdk::{prelude::*, sql::Transaction};
use std::time::{SystemTime, UNIX_EPOCH};
use uuid::Uuid;

/// How long a lock holds unless the client asks for less or more, and at
/// most, seconds.
const SECONDS: i64 = 600;
const MOST_SECONDS: i64 = 3_600;
/// Locks of one owner at once.
const MOST: usize = 500;
/// Longest word of a client about itself, bytes.
const MAX_HOLDER: usize = 2_048;
/// The code of a refusal for a lock, and the fields that say more.
const LOCKED: &str = "locked";
const CONDITION: &str = "condition";
const HREF: &str = "href";

/// A lock.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Lock {
    pub(crate) token: String,
    pub(crate) path: String,
    deep: i64,
    shared: i64,
    holder: String,
    seconds: i64,
    expires_at: i64,
}

/// What is to be locked, and how.
#[derive(Debug)]
pub(crate) struct Wish {
    pub(crate) path: String,
    pub(crate) deep: bool,
    pub(crate) shared: bool,
    pub(crate) holder: String,
    pub(crate) seconds: i64,
}

const COLUMNS: &str = "token, path, deep, shared, holder, seconds, expires_at";

fn now() -> i64 {
    let elapsed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX)
}

impl Lock {
    /// Whether it protects what lies at a path.
    pub(crate) fn covers(&self, path: &str) -> bool {
        self.path == path || self.deep == 1 && holds(&self.path, path)
    }

    fn is_shared(&self) -> bool {
        self.shared == 1
    }

    fn bars(&self, wish: &Wish) -> bool {
        let overlaps = self.covers(&wish.path) || wish.deep && holds(&wish.path, &self.path);
        overlaps && !(wish.shared && self.is_shared())
    }

    /// Writes it as an element of `lockdiscovery`.
    pub(crate) fn write(&self, href: &str, out: &mut String) {
        let scope = if self.is_shared() {
            "shared"
        } else {
            "exclusive"
        };
        let depth = if self.deep == 1 { "infinity" } else { "0" };
        let left = (self.expires_at - now()).max(1);
        out.push_str(&format!(
            "<D:activelock><D:locktype><D:write/></D:locktype><D:lockscope><D:{scope}/></D:lockscope>\
             <D:depth>{depth}</D:depth>{}<D:timeout>Second-{left}</D:timeout>\
             <D:locktoken><D:href>{}</D:href></D:locktoken><D:lockroot><D:href>{href}</D:href></D:lockroot></D:activelock>",
            self.holder, self.token
        ));
    }
}

/// The locks of an owner that have not run out.
pub(crate) fn of(owner: &str) -> Result<Vec<Lock>> {
    sql::query(
        &format!("SELECT {COLUMNS} FROM webdav.locks WHERE owner = $1 AND expires_at > $2"),
        params![owner, now()],
    )
}

fn within(transaction: &Transaction, owner: &str) -> Result<Vec<Lock>> {
    transaction.query(
        &format!("SELECT {COLUMNS} FROM webdav.locks WHERE owner = $1 AND expires_at > $2"),
        params![owner, now()],
    )
}

/// Takes turns with whoever else changes locks or properties of an owner.
pub(crate) fn take_turn(transaction: &Transaction, owner: &str) -> Result<()> {
    transaction.execute(
        "INSERT INTO webdav.owners AS o (owner, changes) VALUES ($1, 1) \
         ON CONFLICT (owner) DO UPDATE SET changes = o.changes + 1",
        params![owner],
    )?;
    Ok(())
}

/// The lock of something at `paths`, or below those of `trees`, whose token was
/// not shown, if there is one. Of shared locks one token is enough.
pub(crate) fn closed<'a>(
    locks: &'a [Lock],
    shown: &[String],
    paths: &[&str],
    trees: &[&str],
) -> Option<&'a Lock> {
    let touched = |lock: &&Lock| {
        paths.iter().any(|path| lock.covers(path))
            || trees
                .iter()
                .any(|tree| lock.covers(tree) || holds(tree, &lock.path))
    };
    let is_shown = |lock: &Lock| shown.contains(&lock.token);
    let shared_with = |lock: &Lock| {
        lock.is_shared()
            && locks
                .iter()
                .any(|other| other.is_shared() && other.path == lock.path && is_shown(other))
    };
    locks
        .iter()
        .filter(touched)
        .find(|lock| !is_shown(lock) && !shared_with(lock))
}

/// What a lock keeps somebody from, as a condition of RFC 4918 §16.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Barred {
    /// From changing something without the lock's token.
    Change,
    /// From locking the same.
    Lock,
}

impl Barred {
    const fn condition(self) -> &'static str {
        match self {
            Self::Change => "lock-token-submitted",
            Self::Lock => "no-conflicting-lock",
        }
    }
}

/// 423, because of a lock of what has this address.
pub(crate) fn locked(from: Barred, href: String) -> Error {
    Error::new(
        StatusCode::LOCKED,
        LOCKED,
        "another program has locked this; wait until it is done, or show the lock's token",
    )
    .with_field(CONDITION, from.condition())
    .with_field(HREF, href)
}

/// What `locked` says as programs read it; any other refusal as it is.
pub(crate) fn told(error: Error) -> Response {
    let field = |name: &str| error.fields().get(name).and_then(serde_json::Value::as_str);
    match (error.code(), field(CONDITION), field(HREF)) {
        (LOCKED, Some(condition), href) => xml::unmet(error.status(), condition, href),
        _ => error.into_response(),
    }
}

/// What came of a wish for a lock.
#[derive(Debug)]
pub(crate) enum Made {
    /// It holds.
    Lock(Lock),
    /// This one is in its way.
    Barred(Lock),
}

/// Makes a lock, if none is in its way.
///
/// # Errors
/// 507 `too_many_locks`.
pub(crate) fn make(owner: &str, wish: &Wish) -> Result<Made> {
    sql::transaction(|transaction| {
        take_turn(transaction, owner)?;
        transaction.execute(
            "DELETE FROM webdav.locks WHERE owner = $1 AND expires_at <= $2",
            params![owner, now()],
        )?;
        let mut others = within(transaction, owner)?;
        if let Some(place) = others.iter().position(|lock| lock.bars(wish)) {
            return Ok(Made::Barred(others.swap_remove(place)));
        }
        if others.len() >= MOST {
            return Err(Error::new(
                StatusCode::INSUFFICIENT_STORAGE,
                "too_many_locks",
                format!("there are {MOST} locks already"),
            ));
        }
        let lock = Lock {
            token: format!("urn:uuid:{}", Uuid::now_v7()),
            path: wish.path.clone(),
            deep: i64::from(wish.deep),
            shared: i64::from(wish.shared),
            holder: wish.holder.clone(),
            seconds: wish.seconds,
            expires_at: now() + wish.seconds,
        };
        transaction.execute(
            &format!(
                "INSERT INTO webdav.locks (owner, {COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
            ),
            params![
                owner,
                &lock.token,
                &lock.path,
                lock.deep,
                lock.shared,
                &lock.holder,
                lock.seconds,
                lock.expires_at
            ],
        )?;
        Ok(Made::Lock(lock))
    })
}

/// Lets a lock hold for longer.
pub(crate) fn refresh(owner: &str, lock: &Lock, seconds: Option<i64>) -> Result<Lock> {
    let seconds = seconds.unwrap_or(lock.seconds);
    let refreshed: Option<Lock> = sql::query_optional(
        &format!(
            "UPDATE webdav.locks SET seconds = $3, expires_at = $4 \
             WHERE token = $1 AND owner = $2 RETURNING {COLUMNS}"
        ),
        params![&lock.token, owner, seconds, now() + seconds],
    )?;
    refreshed.ok_or_else(not_held)
}

/// 412: the lock that the sender names is not there.
pub(crate) fn not_held() -> Error {
    Error::new(
        StatusCode::PRECONDITION_FAILED,
        "precondition_failed",
        "show the lock's token in the header `If`",
    )
}

/// Ends a lock; whether it was there.
pub(crate) fn end(owner: &str, token: &str) -> Result<bool> {
    let ended = sql::execute(
        "DELETE FROM webdav.locks WHERE owner = $1 AND token = $2",
        params![owner, token],
    )?;
    Ok(ended > 0)
}

/// Ends the locks of what is no longer at a path, or below it.
pub(crate) fn end_tree(owner: &str, locks: &[Lock], path: &str) -> Result<()> {
    let gone = locks
        .iter()
        .filter(|lock| lock.path == path || holds(path, &lock.path));
    for lock in gone {
        end(owner, &lock.token)?;
    }
    Ok(())
}

/// How long the client wants a lock to hold: the first of its wishes that
/// can be read, within bounds.
pub(crate) fn seconds(request: &Request) -> Option<i64> {
    let wishes = request.header("timeout")?.split(',').map(str::trim);
    wishes
        .filter_map(|wish| {
            if wish.eq_ignore_ascii_case("infinite") {
                return Some(MOST_SECONDS);
            }
            let number = wish
                .get(..7)
                .filter(|word| word.eq_ignore_ascii_case("second-"));
            number.and_then(|_| wish.get(7..)?.parse::<i64>().ok())
        })
        .map(|seconds| seconds.clamp(1, MOST_SECONDS))
        .next()
}

/// What a `lockinfo` asks for.
///
/// # Errors
/// 400 `invalid_lock`.
pub(crate) fn wish(info: &Element, path: &str, deep: bool, seconds: Option<i64>) -> Result<Wish> {
    let refused = |why: &str| Error::bad_request("invalid_lock", why.to_owned());
    if !info.name.is_dav("lockinfo") {
        return Err(refused("the body is no `lockinfo`"));
    }
    let scope = info.dav("lockscope");
    let shared = match scope {
        Some(scope) if scope.dav("exclusive").is_some() => false,
        Some(scope) if scope.dav("shared").is_some() => true,
        _ => return Err(refused("the lock's scope is `exclusive` or `shared`")),
    };
    if info
        .dav("locktype")
        .and_then(|kind| kind.dav("write"))
        .is_none()
    {
        return Err(refused("the lock's type is `write`"));
    }
    let mut holder = String::new();
    if let Some(owner) = info.dav("owner") {
        owner.write(&mut holder);
    }
    if holder.len() > MAX_HOLDER {
        return Err(refused("the lock's owner says too much"));
    }
    Ok(Wish {
        path: path.to_owned(),
        deep,
        shared,
        holder,
        seconds: seconds.unwrap_or(SECONDS),
    })
}
