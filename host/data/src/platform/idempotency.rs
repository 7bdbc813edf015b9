//! Answers kept for `Idempotency-Key`: the first request with a key runs, the
//! same request again gets the first answer, another request with the same
//! key is refused.
//!
//! A key is kept for 24 hours. One that is still running blocks the others
//! until [`RUNNING_LEASE`](IdempotencyKeys::RUNNING_LEASE) has passed since it began: then its node is taken
//! to be gone, and its late answer is not stored any more.

use super::{
    entity::idempotency_key::{Column, Entity, Model},
    failure::{corrupt, failed},
    instant,
    unit::{Db, returning, statement},
};
use atlashub_core::{Digest, Error, ErrorKind, ProjectId, Result};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait as _, EntityTrait as _, QueryFilter as _, Value,
    sea_query::Expr,
};
use std::time::Duration;
use uuid::Uuid;

/// A request that came with a key.
#[derive(Clone, Copy, Debug)]
pub struct IdempotencyRequest<'a> {
    /// The project; `None` for the platform.
    pub project: Option<ProjectId>,
    /// Who asks, so that callers cannot see each other's answers.
    pub caller: &'a str,
    /// The key.
    pub key: &'a str,
    /// Digest of method, path and body.
    pub request_hash: Digest,
}

/// An answer to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAnswer {
    /// Its status code.
    pub status: u16,
    /// Its headers.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

/// The right to answer for a key.
#[derive(Clone, Debug)]
pub struct Ticket {
    scope: String,
    caller: String,
    key: String,
    attempt: Uuid,
}

/// What to do with a request that came with a key.
#[derive(Clone, Debug)]
pub enum Begin {
    /// Run it, then call [`IdempotencyKeys::finish`] or
    /// [`IdempotencyKeys::abandon`].
    Run(Ticket),
    /// The same request was answered before: answer the same.
    Answered(StoredAnswer),
    /// The same request is still running (409).
    Running,
    /// The key was used for another request (422).
    OtherRequest,
}

/// The answers kept for keys.
pub struct IdempotencyKeys<'a> {
    db: Db<'a>,
}

impl<'a> IdempotencyKeys<'a> {
    /// How long an answer is kept.
    pub const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

    /// How long a request that has not answered blocks its key.
    pub const RUNNING_LEASE: Duration = Duration::from_secs(10 * 60);

    /// Most keys of calls to a project's plugins that are kept.
    pub const MAX_OF_PROJECT: i64 = 50_000;

    /// Longest key, bytes.
    pub const MAX_KEY_BYTES: usize = 255;

    pub(super) fn new(db: Db<'a>) -> Self {
        Self { db }
    }

    /// Decides what to do with a request; of any number at once, one runs.
    ///
    /// # Errors
    /// `invalid_idempotency_key` when the key is empty or too long.
    pub async fn begin(&self, request: IdempotencyRequest<'_>) -> Result<Begin> {
        if request.key.is_empty()
            || request.key.len() > Self::MAX_KEY_BYTES
            || request.key.chars().any(char::is_control)
        {
            return Err(Error::bad_request(
                "invalid_idempotency_key",
                format!(
                    "an idempotency key must have 1 to {} bytes and no control characters",
                    Self::MAX_KEY_BYTES
                ),
            ));
        }
        if request.project.is_some() {
            self.check_room(&request).await?;
        }
        let ticket = Ticket {
            scope: scope(request.project),
            caller: request.caller.to_owned(),
            key: request.key.to_owned(),
            attempt: Uuid::now_v7(),
        };
        let now = self.db.now();
        // Takes the key when it is free, expired, or left behind by a request
        // that was the same.
        let taken = returning(
            &self.db.write(),
            statement(
                self.db.engine(),
                "INSERT INTO idempotency_keys (scope, caller, key, request_hash, attempt, state, \
                 started_at, expires_at) VALUES ($1, $2, $3, $4, $5, 'running', $6, $7) \
                 ON CONFLICT (scope, caller, key) DO UPDATE SET \
                 request_hash = excluded.request_hash, attempt = excluded.attempt, \
                 state = 'running', status = NULL, headers = NULL, body = NULL, \
                 started_at = excluded.started_at, expires_at = excluded.expires_at \
                 WHERE idempotency_keys.expires_at <= $6 OR (idempotency_keys.state = 'running' \
                 AND idempotency_keys.started_at <= $8 \
                 AND idempotency_keys.request_hash = excluded.request_hash) RETURNING attempt",
                [
                    Value::from(ticket.scope.as_str()),
                    ticket.caller.as_str().into(),
                    ticket.key.as_str().into(),
                    request.request_hash.as_bytes().to_vec().into(),
                    ticket.attempt.into(),
                    now.into(),
                    instant::later(now, Self::KEPT).into(),
                    instant::earlier(now, Self::RUNNING_LEASE).into(),
                ],
            ),
        )
        .await
        .map_err(failed("take an idempotency key"))?;
        if taken.is_some() {
            return Ok(Begin::Run(ticket));
        }
        let row = Entity::find_by_id((ticket.scope, ticket.caller, ticket.key))
            .one(&self.db.write())
            .await
            .map_err(failed("read an idempotency key"))?;
        match row {
            Some(row) if row.request_hash != request.request_hash.as_bytes() => {
                Ok(Begin::OtherRequest)
            }
            Some(row) if row.state == "done" => Ok(Begin::Answered(answer(row)?)),
            // Gone again between the two statements: it was running.
            Some(_) | None => Ok(Begin::Running),
        }
    }

    /// Refuses a new key of a project that has as many as are kept.
    async fn check_room(&self, request: &IdempotencyRequest<'_>) -> Result<()> {
        let context = failed("count idempotency keys");
        let row = returning(
            &self.db.read(),
            statement(
                self.db.engine(),
                "SELECT CAST(COUNT(*) AS BIGINT) AS count FROM (SELECT 1 FROM idempotency_keys \
                 WHERE scope = $1 AND expires_at > $2 LIMIT $3) AS kept \
                 WHERE NOT EXISTS (SELECT 1 FROM idempotency_keys \
                 WHERE scope = $1 AND caller = $4 AND key = $5)",
                [
                    scope(request.project).into(),
                    self.db.now().into(),
                    Self::MAX_OF_PROJECT.into(),
                    request.caller.into(),
                    request.key.into(),
                ],
            ),
        )
        .await
        .map_err(&context)?;
        let count: i64 = match row {
            Some(row) => row.try_get("", "count").map_err(&context)?,
            None => 0,
        };
        if count < Self::MAX_OF_PROJECT {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::RateLimited,
            "too_many_idempotency_keys",
            "the project has used as many idempotency keys in a day as are kept",
        )
        .with_retry_after(600))
    }

    /// Keeps the answer. `false` when the ticket had been taken over, and
    /// nothing was kept.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn finish(&self, ticket: &Ticket, answer: &StoredAnswer) -> Result<bool> {
        let result = Entity::update_many()
            .filter(own(ticket))
            .col_expr(Column::State, Expr::value("done"))
            .col_expr(Column::Status, Expr::value(i64::from(answer.status)))
            .col_expr(
                Column::Headers,
                Expr::value(instant::to_json(&answer.headers)?),
            )
            .col_expr(Column::Body, Expr::value(answer.body.clone()))
            .exec(&self.db.write())
            .await
            .map_err(failed("keep an answer"))?;
        Ok(result.rows_affected > 0)
    }

    /// Frees the key again: the request changed nothing and may be tried
    /// anew.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn abandon(&self, ticket: &Ticket) -> Result<()> {
        Entity::delete_many()
            .filter(own(ticket))
            .exec(&self.db.write())
            .await
            .map(drop)
            .map_err(failed("free an idempotency key"))
    }

    /// Removes answers kept for 24 hours; how many there were.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn sweep_expired(&self) -> Result<u64> {
        let result = Entity::delete_many()
            .filter(Column::ExpiresAt.lte(self.db.now()))
            .exec(&self.db.write())
            .await
            .map_err(failed("remove old answers"))?;
        Ok(result.rows_affected)
    }

    /// Removes all answers of a project: it is being purged.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn delete_all(&self, project: ProjectId) -> Result<()> {
        let statement = statement(
            self.db.engine(),
            "DELETE FROM idempotency_keys WHERE scope = $1",
            [scope(Some(project)).into()],
        );
        self.db
            .write()
            .execute_raw(statement)
            .await
            .map(drop)
            .map_err(failed("remove a project's answers"))
    }
}

fn scope(project: Option<ProjectId>) -> String {
    project.map_or_else(|| "platform".to_owned(), |project| project.to_string())
}

fn own(ticket: &Ticket) -> sea_orm::Condition {
    sea_orm::Condition::all()
        .add(Column::Scope.eq(ticket.scope.as_str()))
        .add(Column::Caller.eq(ticket.caller.as_str()))
        .add(Column::Key.eq(ticket.key.as_str()))
        .add(Column::Attempt.eq(ticket.attempt))
        .add(Column::State.eq("running"))
}

fn answer(row: Model) -> Result<StoredAnswer> {
    let missing = || corrupt("answer")("a part of it is missing".into());
    let status = row
        .status
        .and_then(|status| u16::try_from(status).ok())
        .ok_or_else(missing)?;
    let headers = row.headers.ok_or_else(missing)?;
    Ok(StoredAnswer {
        status,
        headers: instant::from_json("answer's headers", &headers)?,
        body: row.body.ok_or_else(missing)?,
    })
}
