//! A user's connections: listed, made, changed, ended.

use crate::{
    record::{self, COLUMNS, Row, Shown},
    service::Kind,
    settings::Settings,
};
use atlashub_sdk::prelude::*;
use serde_json::Value;
use uuid::Uuid;

#[derive(Debug, Deserialize)]
pub(crate) struct Wishes {
    cursor: Option<String>,
    limit: Option<usize>,
}

/// A page.
#[derive(Debug, Serialize)]
pub(crate) struct Page {
    items: Vec<Shown>,
    next_cursor: Option<String>,
}

pub(crate) fn list(Query(wishes): Query<Wishes>, caller: Caller) -> Result<Json<Page>> {
    let me = record::me(&caller)?;
    let limit = wishes.limit.unwrap_or(50).clamp(1, 200);
    // Ids are in the order of time.
    let mut rows: Vec<Row> = sql::query(
        &format!(
            "SELECT {COLUMNS} FROM backends.connections WHERE user_id = $1 AND id > $2 \
             ORDER BY id LIMIT {}",
            limit + 1
        ),
        params![&me, wishes.cursor.unwrap_or_default()],
    )?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    Ok(Json(Page {
        next_cursor: rows.last().filter(|_| more).map(|row| row.id.clone()),
        items: rows.iter().map(Row::shown).collect(),
    }))
}

/// Whether what was typed is tried before it is kept.
#[derive(Debug, Deserialize)]
pub(crate) struct Trial {
    test: Option<String>,
}

impl Trial {
    fn is_wanted(&self) -> bool {
        !matches!(self.test.as_deref(), Some("0" | "false"))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct New {
    #[serde(rename = "type")]
    kind: Kind,
    display_name: String,
    #[serde(default)]
    credentials: Value,
}

pub(crate) fn create(
    Query(trial): Query<Trial>,
    caller: Caller,
    Config(settings): Config<Settings>,
    mut request: Request,
) -> Result<Response> {
    let me = record::me(&caller)?;
    let new: New = body(&mut request)?;
    let name = record::clean_name(&new.display_name)?;
    let id = Uuid::now_v7().to_string();
    let sealed = record::sealed(&id, new.kind, new.credentials, &settings)?;
    if trial.is_wanted() {
        let row = record::unkept(&id, new.kind, sealed.clone());
        record::tried(&row, &settings)?;
    }
    let row = record::insert(&me, &id, new.kind, &name, &sealed)?;
    Ok(created(&row))
}

/// 201 with the connection, and where it is.
pub(crate) fn created(row: &Row) -> Response {
    let location = format!("{}/storage-backends/{}", identity::public_url(), row.id);
    (
        StatusCode::CREATED,
        [("location", location)],
        Json(row.shown()),
    )
        .into_response()
}

pub(crate) fn get(Path(id): Path<String>, caller: Caller) -> Result<Json<Shown>> {
    let me = record::me(&caller)?;
    Ok(Json(Row::of(&me, &id)?.shown()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    display_name: Option<String>,
    credentials: Option<Value>,
}

pub(crate) fn update(
    Path(id): Path<String>,
    Query(trial): Query<Trial>,
    caller: Caller,
    Config(settings): Config<Settings>,
    mut request: Request,
) -> Result<Json<Shown>> {
    let me = record::me(&caller)?;
    let row = Row::of(&me, &id)?;
    let change: Change = body(&mut request)?;
    let name = change.display_name.as_deref().map(record::clean_name);
    let name = name.transpose()?;
    if let Some(typed) = change.credentials {
        let sealed = record::sealed(&row.id, row.kind, typed, &settings)?;
        if trial.is_wanted() {
            let unkept = record::unkept(&row.id, row.kind, sealed.clone());
            record::tried(&unkept, &settings)?;
        }
        if !row.keep(&sealed)? {
            return Err(Error::conflict(
                "changed_meanwhile",
                "the credentials have been changed meanwhile: look, and try again",
            ));
        }
    }
    if let Some(name) = name {
        sql::execute(
            "UPDATE backends.connections SET display_name = $1, updated_at = $2 WHERE id = $3",
            params![name, record::now_ms(), &row.id],
        )?;
    }
    Ok(Json(Row::of(&me, &row.id)?.shown()))
}

pub(crate) fn delete(Path(id): Path<String>, caller: Caller) -> Result<StatusCode> {
    let me = record::me(&caller)?;
    let row = Row::of(&me, &id)?;
    sql::execute(
        "DELETE FROM backends.connections WHERE id = $1",
        params![&row.id],
    )?;
    Ok(StatusCode::NO_CONTENT)
}

/// The connection that `default` stands for in paths.
pub(crate) fn make_default(Path(id): Path<String>, caller: Caller) -> Result<Json<Shown>> {
    let me = record::me(&caller)?;
    let row = Row::of(&me, &id)?;
    sql::transaction(|transaction| {
        record::lock(transaction, &me)?;
        transaction.execute(
            "UPDATE backends.connections SET is_default = 0 WHERE user_id = $1 AND is_default = 1",
            params![&me],
        )?;
        let chosen = transaction.execute(
            "UPDATE backends.connections SET is_default = 1 WHERE id = $1",
            params![&row.id],
        )?;
        // Deleted meanwhile: the other one stays what it was.
        if chosen == 0 {
            return Err(Error::not_found("the storage backend"));
        }
        Ok(())
    })?;
    Ok(Json(Row::of(&me, &row.id)?.shown()))
}

/// What a trial came to.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

pub(crate) fn test(
    Path(id): Path<String>,
    caller: Caller,
    Config(settings): Config<Settings>,
) -> Result<Json<Outcome>> {
    let me = record::me(&caller)?;
    let row = Row::of(&me, &id)?;
    let tried = row.service(&settings).and_then(|service| service.check());
    match tried {
        Ok(()) => Ok(Json(Outcome {
            ok: true,
            code: None,
            message: None,
        })),
        Err(error) if crate::fault::is_of_service(&error) => Ok(Json(Outcome {
            ok: false,
            code: Some(error.code().to_owned()),
            message: Some(error.detail().to_owned()),
        })),
        Err(error) => Err(error),
    }
}

/// A body with credentials in it. What is wrong is said without them, which
/// the words of a parser may have.
fn body<T: serde::de::DeserializeOwned>(request: &mut Request) -> Result<T> {
    const LIMIT: usize = 64 * 1024;
    let bytes = request.take_body().bytes(LIMIT)?;
    let value: Value = serde_json::from_slice(&bytes)
        .map_err(|_| Error::bad_request("invalid_json", "the body is not JSON"))?;
    serde_json::from_value(value).map_err(|_| {
        Error::invalid(
            "invalid_body",
            "send `type` (webdav, nextcloud, s3), `display_name` and `credentials`; a change has the last two, or one of them",
        )
    })
}
