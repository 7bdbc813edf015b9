//! `GET /mpesa/transactions`, one of them, and how it came about.

use crate::{
    phone,
    record::{COLUMNS, Row, Sees, Shown},
    state::State,
};
use atlashub_sdk::prelude::*;

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Wishes {
    status: Option<String>,
    kind: Option<String>,
    account: Option<String>,
    account_reference: Option<String>,
    phone: Option<String>,
    receipt_number: Option<String>,
    /// RFC 3339: not before, and before.
    from: Option<String>,
    to: Option<String>,
    cursor: Option<String>,
    limit: Option<usize>,
}

/// A page, the newest first.
#[derive(Debug, Serialize)]
pub(crate) struct Page {
    items: Vec<Shown>,
    next_cursor: Option<String>,
}

fn instant(name: &str, text: Option<&String>) -> Result<Option<i64>> {
    let Some(text) = text else {
        return Ok(None);
    };
    let at = moment::parse(text);
    at.map(Some)
        .ok_or_else(|| Error::invalid("invalid_time", format!("`{name}` is no time of RFC 3339")))
}

pub(crate) fn list(Query(wishes): Query<Wishes>, caller: Caller) -> Result<Json<Page>> {
    let sees = Sees::of(&caller)?;
    let limit = wishes.limit.unwrap_or(50).clamp(1, 200);
    if let Some(status) = &wishes.status
        && State::named(status).is_none()
    {
        return Err(Error::invalid(
            "invalid_status",
            "there is no such `status`",
        ));
    }
    let phone = wishes.phone.as_deref().map(|text| {
        // What is no number finds nothing.
        phone::normalised(text).unwrap_or_else(|| "none".to_owned())
    });
    let mut filter = String::from("WHERE ($1 = '' OR id < $1)");
    let mut parameters = params![wishes.cursor.clone().unwrap_or_default()];
    let mut also = |condition: &str, value: sql::Value| {
        parameters.push(value);
        filter.push_str(&format!(" AND {condition} ${}", parameters.len()));
    };
    if let Sees::Of(user) = &sees {
        also("user_id =", user.into());
    }
    for (condition, wanted) in [
        ("state =", &wishes.status),
        ("kind =", &wishes.kind),
        ("account =", &wishes.account),
        ("reference =", &wishes.account_reference),
        ("phone =", &phone),
        ("receipt =", &wishes.receipt_number),
    ] {
        if let Some(wanted) = wanted {
            also(condition, wanted.into());
        }
    }
    if let Some(from) = instant("from", wishes.from.as_ref())? {
        also("created_at >=", from.into());
    }
    if let Some(to) = instant("to", wishes.to.as_ref())? {
        also("created_at <", to.into());
    }
    let mut rows: Vec<Row> = sql::query(
        &format!(
            "SELECT {COLUMNS} FROM mpesa.transactions {filter} ORDER BY id DESC LIMIT {}",
            limit + 1
        ),
        parameters,
    )?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    Ok(Json(Page {
        next_cursor: rows.last().filter(|_| more).map(|row| row.id.clone()),
        items: rows.iter().map(Row::shown).collect(),
    }))
}

pub(crate) fn get(Path(id): Path<String>, caller: Caller) -> Result<Json<Shown>> {
    Ok(Json(Sees::of(&caller)?.row(&id)?.shown()))
}

/// A change of a state.
#[derive(Debug, Deserialize)]
struct Kept {
    id: String,
    from_state: Option<State>,
    to_state: State,
    source: String,
    detail: Option<String>,
    at: i64,
}

/// The same, as clients see it.
#[derive(Debug, Serialize)]
pub(crate) struct Transition {
    id: String,
    from: Option<State>,
    to: State,
    source: String,
    detail: Option<String>,
    at: String,
}

/// All of them.
#[derive(Debug, Serialize)]
pub(crate) struct History {
    items: Vec<Transition>,
}

pub(crate) fn history(Path(id): Path<String>, caller: Caller) -> Result<Json<History>> {
    let row = Sees::of(&caller)?.row(&id)?;
    let kept: Vec<Kept> = sql::query(
        "SELECT id, from_state, to_state, source, detail, at FROM mpesa.transitions \
         WHERE transaction_id = $1 ORDER BY at, id",
        params![&row.id],
    )?;
    let items = kept
        .into_iter()
        .map(|one| Transition {
            id: one.id,
            from: one.from_state,
            to: one.to_state,
            source: one.source,
            detail: one.detail,
            at: moment::rfc3339(one.at),
        })
        .collect();
    Ok(Json(History { items }))
}
