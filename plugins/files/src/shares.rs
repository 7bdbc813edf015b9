//! Share links, as those see them who make them: `POST`, `GET` and `DELETE`
//! of `/files/{id}/share` and `/folders/{id}/share`.

use crate::{
    access::{Permission, Role},
    account, due,
    happened::{self, Change},
    secret, sweep,
    target::{Kind, Target},
};
use atlashub_sdk::{identity::CallerKind, prelude::*};
use std::time::Duration;
use uuid::Uuid;

/// Most links of one file or folder.
const MOST: i64 = 100;
/// Longest password, bytes.
const MAX_PASSWORD: usize = 256;

/// What a link allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Allows {
    /// Seeing and downloading.
    #[default]
    #[serde(alias = "view", alias = "viewer", alias = "download")]
    Read,
    /// Putting files into a folder, without seeing what is in it.
    Upload,
}

impl Allows {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Upload => "upload",
        }
    }
}

/// A row of `files.shares`. Times are milliseconds since 1970.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Share {
    pub(crate) id: String,
    pub(crate) subject: String,
    pub(crate) kind: Kind,
    pub(crate) permission: Allows,
    pub(crate) password_hash: Option<String>,
    pub(crate) expires_at: Option<i64>,
    pub(crate) max_uses: Option<i64>,
    pub(crate) uses: i64,
    created_by: Option<String>,
    by_user: i64,
    created_at: i64,
}

impl Share {
    /// Who made it, where that is a user.
    pub(crate) fn user(&self) -> Option<&str> {
        self.created_by.as_deref().filter(|_| self.by_user == 1)
    }
}

/// Columns of [`Share`].
pub(crate) const SHARE: &str = "id, subject, kind, permission, password_hash, expires_at, max_uses, uses, created_by, by_user, created_at";

/// A link as its maker sees it. The token is shown once.
#[derive(Debug, Serialize)]
struct Link {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    permission: Allows,
    has_password: bool,
    expires_at: Option<String>,
    max_downloads: Option<i64>,
    downloads: i64,
    created_by: Option<String>,
    created_at: String,
}

impl Link {
    fn of(share: Share, token: Option<String>) -> Self {
        let base = identity::public_url();
        Self {
            id: share.id,
            url: token.as_ref().map(|token| format!("{base}/share/{token}")),
            token,
            permission: share.permission,
            has_password: share.password_hash.is_some(),
            expires_at: share.expires_at.map(moment::rfc3339),
            max_downloads: share.max_uses,
            downloads: share.uses,
            created_by: share.created_by,
            created_at: moment::rfc3339(share.created_at),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct New {
    expires_at: Option<String>,
    password: Option<String>,
    /// Of an upload link: uploads.
    max_downloads: Option<i64>,
    #[serde(default)]
    permission: Allows,
}

pub(crate) fn share_file(
    Path(id): Path<String>,
    caller: Caller,
    Json(new): Json<New>,
) -> Result<Response> {
    create(Kind::File, &id, &caller, new)
}

pub(crate) fn share_folder(
    Path(id): Path<String>,
    caller: Caller,
    Json(new): Json<New>,
) -> Result<Response> {
    create(Kind::Folder, &id, &caller, new)
}

fn create(kind: Kind, id: &str, caller: &Caller, new: New) -> Result<Response> {
    let target = Target::live_for(kind, id, caller, Permission::Share, Role::Admin)?;
    let refuse = |why: &str| Error::invalid("invalid_share", why);
    if new.permission == Allows::Upload && kind == Kind::File {
        return Err(refuse("a link to upload is for a folder"));
    }
    let expires_at = new.expires_at.as_deref().map(moment).transpose()?;
    if expires_at.is_some_and(|at| at <= moment::now_ms()) {
        return Err(refuse("`expires_at` is past"));
    }
    if new.max_downloads.is_some_and(|most| most < 1) {
        return Err(refuse("`max_downloads` is 1 at least"));
    }
    let password = new.password.filter(|password| !password.is_empty());
    if password
        .as_ref()
        .is_some_and(|password| password.len() > MAX_PASSWORD)
    {
        return Err(refuse("the password has 256 bytes at most"));
    }
    let password_hash = password.as_deref().map(secret::hash_password).transpose()?;
    let token = secret::token()?;
    let share = sql::transaction(|transaction| {
        account::lock(transaction, target.subject().owner)?;
        let others: Option<i64> = transaction.query_optional(
            "SELECT COUNT(*) FROM files.shares WHERE subject = $1",
            params![id],
        )?;
        if others.unwrap_or_default() >= MOST {
            return Err(Error::conflict(
                "too_many_shares",
                "it has as many links as can be, end some",
            ));
        }
        let share: Option<Share> = transaction.query_optional(
            &format!(
                "INSERT INTO files.shares ({SHARE}, token_hash, tries, tries_since) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $11, $9, $10, 0, 0) RETURNING {SHARE}"
            ),
            params![
                Uuid::now_v7().to_string(),
                id,
                kind.as_str(),
                new.permission.as_str(),
                password_hash,
                expires_at,
                new.max_downloads,
                caller.id.as_deref(),
                moment::now_ms(),
                secret::hash_of_token(&token),
                i64::from(caller.kind == CallerKind::User)
            ],
        )?;
        share.ok_or_else(|| Error::internal("a link was not written"))
    })?;
    if let Some(left) = expires_at.and_then(|at| u64::try_from(at - moment::now_ms()).ok()) {
        due::within(Duration::from_millis(left) + sweep::SHARES_AGE);
    }
    happened::tell(Change::Shared, id, Some(&share.id));
    Ok((StatusCode::CREATED, Json(Link::of(share, Some(token)))).into_response())
}

/// A moment in RFC 3339, in milliseconds since 1970.
fn moment(text: &str) -> Result<i64> {
    moment::parse(text)
        .ok_or_else(|| Error::invalid("invalid_share", "`expires_at` is a time in RFC 3339"))
}

#[derive(Debug, Serialize)]
pub(crate) struct Links {
    items: Vec<Link>,
    next_cursor: Option<String>,
}

pub(crate) fn of_file(Path(id): Path<String>, caller: Caller) -> Result<Json<Links>> {
    list(Kind::File, &id, &caller)
}

pub(crate) fn of_folder(Path(id): Path<String>, caller: Caller) -> Result<Json<Links>> {
    list(Kind::Folder, &id, &caller)
}

fn list(kind: Kind, id: &str, caller: &Caller) -> Result<Json<Links>> {
    Target::live_for(kind, id, caller, Permission::Share, Role::Admin)?;
    let shares: Vec<Share> = sql::query(
        &format!("SELECT {SHARE} FROM files.shares WHERE subject = $1 ORDER BY id DESC"),
        params![id],
    )?;
    Ok(Json(Links {
        items: shares
            .into_iter()
            .map(|share| Link::of(share, None))
            .collect(),
        next_cursor: None,
    }))
}

pub(crate) fn end_of_file(
    Path((id, which)): Path<(String, String)>,
    caller: Caller,
) -> Result<StatusCode> {
    end(Kind::File, &id, &which, &caller)
}

pub(crate) fn end_of_folder(
    Path((id, which)): Path<(String, String)>,
    caller: Caller,
) -> Result<StatusCode> {
    end(Kind::Folder, &id, &which, &caller)
}

/// Ends a link, named by its token or its id.
fn end(kind: Kind, id: &str, which: &str, caller: &Caller) -> Result<StatusCode> {
    Target::live_for(kind, id, caller, Permission::Share, Role::Admin)?;
    let ended: Option<String> = sql::query_optional(
        "DELETE FROM files.shares WHERE subject = $1 AND (id = $2 OR token_hash = $3) RETURNING id",
        params![id, which, secret::hash_of_token(which)],
    )?;
    let ended = ended.ok_or_else(|| Error::not_found("link"))?;
    happened::tell(Change::Unshared, id, Some(&ended));
    Ok(StatusCode::NO_CONTENT)
}
