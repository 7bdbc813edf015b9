//! `GET /files`, `GET /users/me/files`, `GET /files/trash`: pages of
//! metadata, sorted and filtered, each page after the last row of the one
//! before.

use crate::{
    access::{self, Permission, Scope},
    record::{COLUMNS, Metadata, Record},
};
use atlashub_sdk::prelude::*;

/// Rows of a page when nothing is said, and at most.
const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 200;

/// What may be asked for.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Wishes {
    limit: Option<u32>,
    cursor: Option<String>,
    /// `created_at`, `updated_at`, `filename` or `size`; `-` in front for the
    /// other direction.
    sort: Option<String>,
    /// A part of the name.
    q: Option<String>,
    /// A type, or the start of it: `image/`.
    #[serde(rename = "type")]
    mime_type: Option<String>,
    visibility: Option<String>,
    tag: Option<String>,
    /// For those who see everybody's files.
    owner: Option<String>,
}

/// A page.
#[derive(Debug, Serialize)]
pub(crate) struct Page {
    items: Vec<Metadata>,
    next_cursor: Option<String>,
}

pub(crate) fn files(Query(wishes): Query<Wishes>, caller: Caller) -> Result<Json<Page>> {
    page(&wishes, access::scope(&caller, Permission::Read)?, false)
}

pub(crate) fn own_files(Query(wishes): Query<Wishes>, caller: Caller) -> Result<Json<Page>> {
    page(
        &wishes,
        Scope::Owner(access::owner(&caller, Permission::Read)?),
        false,
    )
}

pub(crate) fn trash(Query(wishes): Query<Wishes>, caller: Caller) -> Result<Json<Page>> {
    page(&wishes, access::scope(&caller, Permission::Read)?, true)
}

/// How rows are ordered: by a column, then by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Order {
    column: &'static str,
    descending: bool,
}

impl Order {
    fn parse(sort: Option<&str>) -> Result<Self> {
        let Some(sort) = sort else {
            return Ok(Self {
                column: "created_at",
                descending: true,
            });
        };
        let (name, descending) = match sort.strip_prefix('-') {
            Some(name) => (name, true),
            None => (sort, false),
        };
        let column = ["created_at", "updated_at", "filename", "size"]
            .into_iter()
            .find(|column| *column == name);
        column.map(|column| Self { column, descending }).ok_or_else(|| {
            Error::bad_request(
                "invalid_query",
                "`sort` is `created_at`, `updated_at`, `filename` or `size`, with `-` in front for the other way round",
            )
        })
    }

    /// Where a row stands.
    fn position(self, record: &Record) -> sql::Value {
        match self.column {
            "filename" => record.filename.as_str().into(),
            "size" => record.size.into(),
            "updated_at" => record.updated_at.into(),
            _ => record.created_at.into(),
        }
    }
}

/// A `WHERE` that grows, with its parameters.
#[derive(Default)]
struct Conditions {
    text: String,
    parameters: Vec<sql::Value>,
}

impl Conditions {
    /// Adds a condition in which `?` stands for the value.
    fn add(&mut self, condition: &str, value: impl Into<sql::Value>) {
        self.parameters.push(value.into());
        let place = format!("${}", self.parameters.len());
        self.text.push_str(" AND ");
        self.text.push_str(&condition.replace('?', &place));
    }
}

fn page(wishes: &Wishes, scope: Scope, deleted: bool) -> Result<Json<Page>> {
    let order = Order::parse(wishes.sort.as_deref())?;
    let limit = wishes.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
    let mut conditions = Conditions::default();
    filter(&mut conditions, wishes, scope)?;
    if let Some(cursor) = &wishes.cursor {
        let (position, id) = read_cursor(cursor, order)?;
        let sign = if order.descending { '<' } else { '>' };
        conditions.add(&format!("({}, id) {sign} (?, ", order.column), position);
        conditions.parameters.push(id.into());
        conditions
            .text
            .push_str(&format!("${})", conditions.parameters.len()));
    }
    let direction = if order.descending { "DESC" } else { "ASC" };
    let statement = format!(
        "SELECT {COLUMNS} FROM files.objects WHERE deleted_at IS {}NULL{} \
         ORDER BY {} {direction}, id {direction} LIMIT {}",
        if deleted { "NOT " } else { "" },
        conditions.text,
        order.column,
        limit + 1,
    );
    let mut records: Vec<Record> = sql::query(&statement, conditions.parameters)?;
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = records.len() > wanted;
    records.truncate(wanted);
    let next_cursor = records
        .last()
        .filter(|_| more)
        .map(|record| write_cursor(&order.position(record), &record.id));
    let base = identity::public_url();
    let items = records
        .into_iter()
        .map(|record| record.metadata(&base))
        .collect();
    Ok(Json(Page { items, next_cursor }))
}

fn filter(conditions: &mut Conditions, wishes: &Wishes, scope: Scope) -> Result<()> {
    match (scope, &wishes.owner) {
        (Scope::Owner(own), _) => conditions.add("owner = ?", own),
        (Scope::All, Some(owner)) => conditions.add("owner = ?", owner),
        (Scope::All, None) => {}
    }
    if let Some(part) = &wishes.q {
        conditions.add(
            "lower(filename) LIKE ? ESCAPE '!'",
            format!("%{}%", escape(&part.to_lowercase())),
        );
    }
    if let Some(mime_type) = &wishes.mime_type {
        conditions.add(
            "mime_type LIKE ? ESCAPE '!'",
            format!("{}%", escape(&mime_type.to_ascii_lowercase())),
        );
    }
    if let Some(visibility) = &wishes.visibility {
        conditions.add(
            "visibility = ?",
            crate::record::Visibility::parse(visibility)?.as_str(),
        );
    }
    if let Some(tag) = &wishes.tag {
        // Tags are kept as a JSON list of texts: one of them, in its quotes.
        let quoted = serde_json::to_string(&tag.to_lowercase())?;
        conditions.add("tags LIKE ? ESCAPE '!'", format!("%{}%", escape(&quoted)));
    }
    Ok(())
}

/// Takes the meaning from the wildcards of `LIKE`.
fn escape(text: &str) -> String {
    text.replace('!', "!!")
        .replace('%', "!%")
        .replace('_', "!_")
}

/// The last row of a page: its position and its id, in hexadecimal so that it
/// passes through an address as it is.
fn write_cursor(position: &sql::Value, id: &str) -> String {
    let position = match position {
        sql::Value::Integer(number) => number.to_string(),
        sql::Value::Text(text) => text.clone(),
        _ => String::new(),
    };
    format!("{id}/{position}")
        .bytes()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn read_cursor(cursor: &str, order: Order) -> Result<(sql::Value, String)> {
    let read = || {
        let bytes: Option<Vec<u8>> = cursor
            .as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
            .collect();
        let text = String::from_utf8(bytes?).ok()?;
        let (id, position) = text.split_once('/')?;
        let position = match order.column {
            "filename" => position.into(),
            _ => position.parse::<i64>().ok()?.into(),
        };
        Some((position, id.to_owned()))
    };
    read().ok_or_else(|| {
        Error::bad_request(
            "invalid_cursor",
            "`cursor` is what `next_cursor` of the same list was",
        )
    })
}
