//! `/api/v1/permissions`: who else may use a file.

use crate::record::List;
use atlashub_files_client::{BASE, Page, address, ask, from_cursor};
use atlashub_sdk::prelude::*;
use serde_json::{Value, json};

/// Permissions of a page when nothing is said, and at most.
const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 200;

/// A role that a user has on a file.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Permission {
    /// None where it is told of to the user who has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    file: String,
    user: String,
    role: String,
    granted_by: Option<String>,
    created_at: String,
}

/// What `files` says of a role.
#[derive(Debug, Deserialize)]
struct Granted {
    id: String,
    user_id: String,
    role: String,
    granted_by: Option<String>,
    created_at: String,
}

impl Granted {
    fn on(self, file: &str) -> Permission {
        Permission {
            id: Some(self.id),
            file: file.to_owned(),
            user: self.user_id,
            role: self.role,
            granted_by: self.granted_by,
            created_at: self.created_at,
        }
    }
}

/// What `files` says of a file that is shared with the caller.
#[derive(Debug, Deserialize)]
struct Shared {
    id: String,
    role: String,
    shared_by: Option<String>,
    shared_at: String,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Wishes {
    #[serde(alias = "fileId")]
    file: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
}

/// `GET /api/v1/permissions`: those on a file, or without one those that others
/// gave the caller.
pub(crate) fn list(Query(wishes): Query<Wishes>, caller: Caller) -> Result<Json<List<Permission>>> {
    if let Some(file) = wishes.file {
        let page: Page<Granted> = ask(http::get(of_file(&file)))?;
        let items = page.items.into_iter().map(|granted| granted.on(&file));
        return Ok(Json(List {
            items: items.collect(),
            next_cursor: page.next_cursor,
        }));
    }
    let user = caller.require_id()?;
    let limit = wishes.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
    let url = format!("{BASE}/files/shared-with-me?limit={limit}");
    let page: Page<Shared> = ask(http::get(from_cursor(&url, wishes.cursor.as_deref())))?;
    let items = page.items.into_iter().map(|shared| Permission {
        id: None,
        file: shared.id,
        user: user.to_owned(),
        role: shared.role,
        granted_by: shared.shared_by,
        created_at: shared.shared_at,
    });
    Ok(Json(List {
        items: items.collect(),
        next_cursor: page.next_cursor,
    }))
}

/// Whom a role is for, on what, and which.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Grant {
    #[serde(alias = "fileId")]
    file: String,
    /// An id, an e-mail address, or a handle after `@`.
    #[serde(alias = "userId")]
    user: String,
    /// `viewer`, `editor` or `admin`.
    role: String,
}

impl Grant {
    /// As `files` wants to be told.
    fn to_files(&self) -> Value {
        let whom = match self.user.find('@') {
            Some(0) => "handle",
            Some(_) => "email",
            None => "user",
        };
        json!({ whom: self.user, "role": self.role })
    }
}

/// `POST /api/v1/permissions`
pub(crate) fn give(Json(grant): Json<Grant>) -> Result<(StatusCode, Json<Permission>)> {
    let call = http::post(of_file(&grant.file)).json(&grant.to_files())?;
    let granted: Granted = ask(call)?;
    Ok((StatusCode::CREATED, Json(granted.on(&grant.file))))
}

fn of_file(id: &str) -> String {
    format!("{}/permissions", address(id))
}
