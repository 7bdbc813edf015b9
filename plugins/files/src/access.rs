//! Who may see and change what.

use crate::{folders, record::Visibility, settings::Settings};
use atlashub_sdk::{identity::CallerKind, prelude::*};

/// What one may be allowed to do, as the manifest declares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Permission {
    /// List and download.
    Read,
    /// Upload and change.
    Write,
    /// Delete and throw away.
    Delete,
    /// Let others see.
    Share,
}

impl Permission {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "files:read",
            Self::Write => "files:write",
            Self::Delete => "files:delete",
            Self::Share => "files:share",
        }
    }

    /// Refuses users whose roles do not have it.
    pub(crate) fn require(self) -> Result<()> {
        users::require_of_users(self.as_str())
    }
}

/// Whose files a caller works with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Everybody's.
    All,
    /// Those of one owner.
    Owner(String),
}

/// What belongs to callers who have no id: the development token's, and that
/// of jobs.
const NO_ID: &str = "";

/// As whom a caller keeps files of its own.
pub(crate) fn owner(caller: &Caller, permission: Permission) -> Result<String> {
    let owner = if caller.kind == CallerKind::Admin {
        caller.id.clone().unwrap_or_else(|| NO_ID.to_owned())
    } else if works_for_all(caller)? {
        NO_ID.to_owned()
    } else {
        caller.require_id()?.to_owned()
    };
    permission.require()?;
    Ok(owner)
}

/// As [`owner`], or the user whom those name who work with everybody's files:
/// by id, e-mail address or handle.
///
/// # Errors
/// 403 `forbidden` for all others; 422 `unknown_user`.
pub(crate) fn owner_named(
    caller: &Caller,
    permission: Permission,
    named: Option<&str>,
) -> Result<String> {
    let own = owner(caller, permission)?;
    let Some(named) = named.map(str::trim).filter(|named| !named.is_empty()) else {
        return Ok(own);
    };
    if scope(caller, permission)? != Scope::All {
        return Err(Error::forbidden(
            "only a secret key and admins store and find files in the name of another",
        ));
    }
    let id = match uuid::Uuid::try_parse(named) {
        Ok(id) => users::existing(&[id.to_string()])?.pop_first(),
        Err(_) => users::find(named)?.map(|user| user.id),
    };
    id.ok_or_else(|| Error::invalid("unknown_user", format!("the project has no user `{named}`")))
}

/// Whether a plugin asks that takes an event of this one: the caller is this
/// plugin itself then, which nobody else can be. An admin has let it be told
/// of everybody's files, and call.
fn follows(caller: &Caller) -> bool {
    caller.kind == CallerKind::Plugin
        && caller.id.as_deref() == Some("files")
        && caller.via_plugin.is_some()
}

/// Whether a plugin asks in a job of its own, and an admin lets it work with
/// everybody's files then: by itself it has looked at who began the job.
fn works_for_all(caller: &Caller) -> Result<bool> {
    let (CallerKind::Scheduler, Some(plugin)) = (caller.kind, &caller.via_plugin) else {
        return Ok(false);
    };
    let settings: Settings = config::load()?;
    Ok(settings.workers.contains(plugin))
}

/// Which files a caller may use so, beside what is public.
pub(crate) fn scope(caller: &Caller, permission: Permission) -> Result<Scope> {
    let scope = match caller.kind {
        CallerKind::SecretKey | CallerKind::Admin => Scope::All,
        _ if permission == Permission::Read && follows(caller) => Scope::All,
        _ if works_for_all(caller)? => Scope::All,
        _ => Scope::Owner(caller.require_id()?.to_owned()),
    };
    permission.require()?;
    Ok(scope)
}

impl Scope {
    /// Whether it covers what `owner` has.
    pub(crate) fn covers(&self, owner: &str) -> bool {
        match self {
            Self::All => true,
            Self::Owner(own) => own == owner,
        }
    }
}

/// Whether a user's list has everybody's files. What is in them stays with
/// those who own them and whom they share them with.
pub(crate) fn oversees(caller: &Caller) -> bool {
    caller.kind == CallerKind::User && users::has_permission("files:oversee")
}

/// Whether a caller works with everybody's files.
pub(crate) fn sees_all(caller: &Caller) -> bool {
    matches!(caller.kind, CallerKind::SecretKey | CallerKind::Admin)
}

/// What one may do with a file or a folder; each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    /// See and download.
    Viewer,
    /// Change, add and throw away.
    Editor,
    /// Share.
    Admin,
    /// Delete for good. Nobody is given it.
    Owner,
}

impl Role {
    /// As the database has it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Editor => "editor",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }
}

/// A file or a folder, as far as it matters who may use it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) owner: &'a str,
    pub(crate) id: &'a str,
    /// The folder in which it lies.
    pub(crate) folder: Option<&'a str>,
}

/// Refuses a caller who may not do so much with a file or a folder: 404 when
/// it is not theirs to know, 403 when they may do less.
pub(crate) fn require(
    caller: &Caller,
    permission: Permission,
    subject: Subject<'_>,
    least: Role,
) -> Result<Role> {
    if scope(caller, permission)?.covers(subject.owner) {
        return Ok(Role::Owner);
    }
    match granted(caller, subject)? {
        None => Err(unknown()),
        Some(role) if role < least => Err(Error::new(
            StatusCode::FORBIDDEN,
            "role_needed",
            format!(
                "this needs the role `{}` on the file or folder, yours is `{}`",
                least.as_str(),
                role.as_str()
            ),
        )),
        Some(role) => Ok(role),
    }
}

/// Refuses to move something where its roles would be others', by those who
/// may not share: into a folder that they may not change, or out of the one
/// through which they have it.
pub(crate) fn may_move(caller: &Caller, subject: Subject<'_>, to: Option<&str>) -> Result<()> {
    if to == subject.folder || scope(caller, Permission::Write)?.covers(subject.owner) {
        return Ok(());
    }
    let Some(to) = to else {
        return require(caller, Permission::Write, subject, Role::Owner).map(drop);
    };
    folders::live_for(to, caller, Permission::Write, Role::Editor)?;
    let without_it = Subject { id: "", ..subject };
    require(caller, Permission::Write, without_it, Role::Editor).map(drop)
}

/// The highest role that a user was given on something, or on a folder around
/// it.
fn granted(caller: &Caller, subject: Subject<'_>) -> Result<Option<Role>> {
    let (CallerKind::User, Some(user)) = (caller.kind, &caller.id) else {
        return Ok(None);
    };
    let roles: Vec<Role> = sql::query(
        "WITH RECURSIVE around (id, parent_id) AS ( \
         SELECT id, parent_id FROM files.folders WHERE id = $3 \
         UNION ALL SELECT f.id, f.parent_id FROM files.folders f JOIN around ON f.id = around.parent_id) \
         SELECT role FROM files.permissions WHERE user_id = $1 \
         AND (subject = $2 OR subject IN (SELECT id FROM around))",
        params![user, subject.id, subject.folder],
    )?;
    Ok(roles.into_iter().max())
}

/// Refuses whoever may not read a file: 404 for those who could own one, 401
/// or 403 for the rest. The caller is asked for only when it matters.
pub(crate) fn check_readable(subject: Subject<'_>, visibility: Visibility) -> Result<()> {
    if visibility == Visibility::Public {
        return Ok(());
    }
    let caller = identity::caller();
    require(&caller, Permission::Read, subject, Role::Viewer).map(drop)
}

/// The answer for what is not there, as seen by this caller.
pub(crate) fn missing() -> Error {
    scope(&identity::caller(), Permission::Read)
        .err()
        .unwrap_or_else(unknown)
}

/// 404.
pub(crate) fn unknown() -> Error {
    Error::not_found("file")
}
