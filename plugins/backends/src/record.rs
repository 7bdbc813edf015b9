//! A connection as it is kept and shown, and whose it is.

use crate::{
    credentials, fault,
    service::{
        Kind, Service,
        s3::{self, S3},
        webdav::{self, Webdav},
    },
    settings::Settings,
};
use atlashub_sdk::{identity::CallerKind, prelude::*};
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// The columns of a [`Row`].
pub(crate) const COLUMNS: &str =
    "id, kind, display_name, is_default, credentials, revision, created_at, updated_at";
/// Most connections of a user.
pub(crate) const MOST: i64 = 20;
/// Longest name that a user gives one, bytes.
const MAX_NAME: usize = 200;

/// A row of `backends.connections`.
#[derive(Clone, Deserialize)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) kind: Kind,
    display_name: String,
    is_default: i64,
    pub(crate) credentials: String,
    pub(crate) revision: i64,
    created_at: i64,
    updated_at: i64,
}

/// A connection, as its user sees it: without its credentials.
#[derive(Debug, Serialize)]
pub(crate) struct Shown {
    id: String,
    #[serde(rename = "type")]
    kind: Kind,
    display_name: String,
    is_default: bool,
    created_at: String,
    updated_at: String,
}

impl Row {
    /// The caller's connection of that id, or the default one. Another user's
    /// is as unknown as one that never was.
    pub(crate) fn of(me: &str, id: &str) -> Result<Self> {
        let found = if id == "default" {
            let sql = "WHERE user_id = $1 AND is_default = 1";
            Self::find(sql, params![me])?
        } else {
            Self::find("WHERE user_id = $1 AND id = $2", params![me, id])?
        };
        found.ok_or_else(|| Error::not_found("the storage backend"))
    }

    fn find(filter: &str, parameters: Vec<sql::Value>) -> Result<Option<Self>> {
        let sql = format!("SELECT {COLUMNS} FROM backends.connections {filter}");
        sql::query_optional(&sql, parameters)
    }

    pub(crate) fn shown(&self) -> Shown {
        Shown {
            id: self.id.clone(),
            kind: self.kind,
            display_name: self.display_name.clone(),
            is_default: self.is_default == 1,
            created_at: rfc3339(self.created_at),
            updated_at: rfc3339(self.updated_at),
        }
    }

    /// The service behind it.
    pub(crate) fn service(&self, settings: &Settings) -> Result<Box<dyn Service>> {
        self.reseal()?;
        match self.kind {
            Kind::Webdav | Kind::Nextcloud => {
                let kept: webdav::Credentials = credentials::open(&self.id, &self.credentials)?;
                Ok(Box::new(Webdav::new(&kept, settings)?))
            }
            Kind::S3 => {
                let kept: s3::Credentials = credentials::open(&self.id, &self.credentials)?;
                Ok(Box::new(S3::new(kept, settings)?))
            }
            Kind::Gdrive | Kind::Onedrive | Kind::Dropbox => crate::oauth::service(self, settings),
        }
    }

    /// Keeps the credentials under the host's present key from now on.
    fn reseal(&self) -> Result<()> {
        // What cannot be opened is told when it is.
        if let Ok(Some(sealed)) = credentials::renew(&self.id, &self.credentials) {
            self.keep(&sealed)?;
        }
        Ok(())
    }

    /// Puts sealed credentials in place of those that were read here; not of
    /// newer ones. Whether they were.
    pub(crate) fn keep(&self, sealed: &str) -> Result<bool> {
        let changed = sql::execute(
            "UPDATE backends.connections SET credentials = $1, revision = revision + 1, updated_at = $2 \
             WHERE id = $3 AND revision = $4",
            params![sealed, now_ms(), &self.id, self.revision],
        )?;
        Ok(changed == 1)
    }
}

/// Waits for whoever else changes which connections a user has, until the
/// transaction ends.
pub(crate) fn lock(transaction: &sql::Transaction, me: &str) -> Result<()> {
    let lock = match sql::dialect() {
        sql::Dialect::Postgres => "FOR UPDATE",
        // There one transaction writes at a time.
        sql::Dialect::Sqlite => "",
    };
    let _: Vec<String> = transaction.query(
        &format!("SELECT id FROM backends.connections WHERE user_id = $1 ORDER BY id {lock}"),
        params![me],
    )?;
    Ok(())
}

/// Adds a connection. The first of a user is the default one.
pub(crate) fn insert(me: &str, id: &str, kind: Kind, name: &str, sealed: &str) -> Result<Row> {
    let add = || add(me, id, kind, name, sealed);
    add().or_else(|error| match error.code() {
        // Two were the first: this one is the second.
        "sql_constraint_unique" => add(),
        _ => Err(error),
    })?;
    Row::of(me, id)
}

fn add(me: &str, id: &str, kind: Kind, name: &str, sealed: &str) -> Result<()> {
    sql::transaction(|transaction| {
        lock(transaction, me)?;
        let count: Option<i64> = transaction.query_optional(
            "SELECT count(*) FROM backends.connections WHERE user_id = $1",
            params![me],
        )?;
        let count = count.unwrap_or_default();
        if count >= MOST {
            return Err(Error::conflict(
                "too_many_backends",
                "a user has 20 storage backends at most",
            ));
        }
        transaction.execute(
            "INSERT INTO backends.connections \
             (id, user_id, kind, display_name, is_default, credentials, revision, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $7, $5, 0, $6, $6)",
            params![
                id,
                me,
                kind.as_str(),
                name,
                sealed,
                now_ms(),
                // With nothing to wait at, the index lets one be the first.
                i64::from(count == 0)
            ],
        )?;
        transaction.execute(
            "UPDATE backends.connections SET is_default = 1 WHERE id = $1 AND NOT EXISTS \
             (SELECT 1 FROM backends.connections c WHERE c.user_id = $2 AND c.is_default = 1)",
            params![id, me],
        )?;
        Ok(())
    })
}

/// What a user types to connect a service, checked; sealed for the row `id`.
pub(crate) fn sealed(id: &str, kind: Kind, typed: Value, settings: &Settings) -> Result<String> {
    match kind {
        Kind::Webdav | Kind::Nextcloud => {
            let kept = webdav::Credentials::read(kind, typed, settings)?;
            credentials::seal(id, &kept)
        }
        Kind::S3 => {
            let kept = s3::Credentials::read(typed, settings)?;
            // What can be said of the address is said now.
            let sealed = credentials::seal(id, &kept)?;
            S3::new(kept, settings)?;
            Ok(sealed)
        }
        Kind::Gdrive | Kind::Onedrive | Kind::Dropbox => Err(Error::invalid(
            "connect_needed",
            "users sign in to this service: call `POST /storage-backends/connect`",
        )),
    }
}

/// Tries what was just typed: a fault of the service is one of the request.
pub(crate) fn tried(row: &Row, settings: &Settings) -> Result<()> {
    row.service(settings)?.check().map_err(|error| {
        if fault::is_of_service(&error) && error.code() != "backend_busy" {
            let (code, detail) = (error.code().to_owned(), error.detail().to_owned());
            return Error::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail);
        }
        error
    })
}

/// A connection that is not kept yet.
pub(crate) fn unkept(id: &str, kind: Kind, sealed: String) -> Row {
    Row {
        id: id.to_owned(),
        kind,
        display_name: String::new(),
        is_default: 0,
        credentials: sealed,
        revision: 0,
        created_at: 0,
        updated_at: 0,
    }
}

/// A name as it is kept.
pub(crate) fn clean_name(text: &str) -> Result<String> {
    let name = text.trim();
    if name.is_empty() || name.len() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(Error::invalid(
            "invalid_display_name",
            "`display_name` has 1 to 200 bytes, and none that cannot be seen",
        ));
    }
    Ok(name.to_owned())
}

/// The user who calls: only users have storage of their own.
///
/// # Errors
/// 401 without credentials, 403 `user_needed` for others, 403
/// `permission_needed`.
pub(crate) fn me(caller: &Caller) -> Result<String> {
    let me = match caller.kind {
        CallerKind::User | CallerKind::Nobody | CallerKind::PublishableKey => {
            caller.require_id()?
        }
        _ => {
            return Err(Error::new(
                StatusCode::FORBIDDEN,
                "user_needed",
                "only users of the project have storage backends",
            ));
        }
    };
    users::require("backends:use")?;
    Ok(me.to_owned())
}

/// Now, in milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    i64::try_from(OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}

fn rfc3339(at: i64) -> String {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at) * 1_000_000)
        .ok()
        .and_then(|at| at.format(&Rfc3339).ok())
        .unwrap_or_default()
}
