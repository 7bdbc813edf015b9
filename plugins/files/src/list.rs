//! `GET /files`, `GET /users/me/files`, `GET /files/trash`: pages of
//! metadata, sorted and filtered, each page after the last row of the one
//! before.

use crate::{
    access::{self, Permission, Role, Scope},
    cursor, folders,
    record::{COLUMNS, Metadata, Record},
};
use atlashub_sdk::prelude::*;

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
    /// Those in this folder; `root` for those in none.
    folder_id: Option<String>,
    /// The one at this path.
    path: Option<String>,
    /// Those with these bytes.
    sha256: Option<String>,
    /// Only those whose bytes the caller may read, for who sees the metadata
    /// of others.
    readable: Option<bool>,
}

/// A page.
#[derive(Debug, Serialize)]
pub(crate) struct Page {
    items: Vec<Metadata>,
    next_cursor: Option<String>,
}

pub(crate) fn files(Query(wishes): Query<Wishes>, caller: Caller) -> Result<Json<Page>> {
    let mut scope = access::scope(&caller, Permission::Read)?;
    if let Some(id) = wishes.folder_id.as_deref().filter(|id| *id != "root") {
        // Whoever sees the folder sees what is in it.
        let folder = folders::live_for(id, &caller, Permission::Read, Role::Viewer)?;
        scope = Scope::Owner(folder.owner);
    }
    if wishes.folder_id.is_none() && wishes.readable != Some(true) && access::oversees(&caller) {
        scope = Scope::All;
    }
    page(&wishes, scope, false)
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
    fn position(self, record: &Record) -> String {
        match self.column {
            "filename" => record.filename.clone(),
            "size" => record.size.to_string(),
            "updated_at" => record.updated_at.to_string(),
            _ => record.created_at.to_string(),
        }
    }

    /// The position and the id that are parameters of these numbers, to
    /// compare with.
    ///
    /// On Postgres each in a query of its own, so that it plans without
    /// looking at the value: near the end of a list it expects so few rows
    /// that it plans anew with each call, and a last page costs more than a
    /// first for that alone.
    fn places(self, position: usize, id: usize) -> [String; 2] {
        let kind = match self.column {
            "filename" => "TEXT",
            _ => "BIGINT",
        };
        match sql::dialect() {
            sql::Dialect::Sqlite => [format!("${position}"), format!("${id}")],
            sql::Dialect::Postgres => [
                format!("(SELECT CAST(${position} AS {kind}))"),
                format!("(SELECT CAST(${id} AS TEXT))"),
            ],
        }
    }

    /// The position and the id in a cursor.
    fn read(self, cursor: &str) -> Result<(sql::Value, String)> {
        Ok(match self.column {
            "filename" => {
                let (name, id) = cursor::read(cursor)?;
                (name.into(), id)
            }
            _ => {
                let (number, id) = cursor::read_number(cursor)?;
                (number.into(), id)
            }
        })
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
    let limit = cursor::limit(wishes.limit);
    let mut conditions = Conditions::default();
    filter(&mut conditions, wishes, scope)?;
    if let Some(cursor) = &wishes.cursor {
        let (position, id) = order.read(cursor)?;
        let sign = if order.descending { '<' } else { '>' };
        conditions.parameters.extend([position, id.into()]);
        let last = conditions.parameters.len();
        let [position, id] = order.places(last - 1, last);
        conditions.text.push_str(&format!(
            " AND ({}, id) {sign} ({position}, {id})",
            order.column
        ));
    }
    let direction = if order.descending { "DESC" } else { "ASC" };
    let statement = format!(
        "SELECT {COLUMNS} FROM files.objects WHERE deleted_at IS {}NULL{} \
         ORDER BY {} {direction}, id {direction} LIMIT {}",
        if deleted {
            // Not what went with its folder, or is being deleted for good.
            "NOT NULL AND deleted_at > 0 AND trashed_with IS "
        } else {
            ""
        },
        conditions.text,
        order.column,
        limit + 1,
    );
    let records: Vec<Record> = sql::query(&statement, conditions.parameters)?;
    let (records, next_cursor) = cursor::cut(records, limit, |record| {
        (order.position(record), record.id.clone())
    });
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
    match wishes.folder_id.as_deref() {
        None => {}
        Some("root") => conditions.text.push_str(" AND folder_id IS NULL"),
        Some(id) => conditions.add("folder_id = ?", id),
    }
    if let Some(path) = &wishes.path {
        conditions.add("path = ?", path.as_str());
    }
    if let Some(sha256) = &wishes.sha256 {
        conditions.add("sha256 = ?", sha256.to_ascii_lowercase());
    }
    if let Some(part) = &wishes.q {
        match sql::dialect() {
            sql::Dialect::Sqlite => conditions.add("filename GLOB ?", in_any_case_glob(part)),
            sql::Dialect::Postgres => conditions.add("filename ~ ?", in_any_case_regex(part)),
        }
    }
    if let Some(mime_type) = &wishes.mime_type {
        conditions.add(
            "mime_type LIKE ? ESCAPE '!'",
            format!("{}%", sql::escape_like(&mime_type.to_ascii_lowercase())),
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
        conditions.add(
            "tags LIKE ? ESCAPE '!'",
            format!("%{}%", sql::escape_like(&quoted)),
        );
    }
    Ok(())
}

/// Small and capital, where a letter has both and each is one character.
fn cases(letter: char) -> Option<(char, char)> {
    let one = |mut all: Box<dyn Iterator<Item = char>>| {
        let first = all.next()?;
        all.next().is_none().then_some(first)
    };
    let small = one(Box::new(letter.to_lowercase()))?;
    let capital = one(Box::new(letter.to_uppercase()))?;
    (small != capital).then_some((small, capital))
}

/// A pattern of SQLite's `GLOB` for names that have this in them, in whatever
/// case: what the engines call small is ASCII's alone here, and of the locale
/// there.
fn in_any_case_glob(part: &str) -> String {
    let letters = part.chars().map(|letter| match cases(letter) {
        Some((small, capital)) => format!("[{small}{capital}]"),
        None if "*?[".contains(letter) => format!("[{letter}]"),
        None => letter.to_string(),
    });
    format!("*{}*", letters.collect::<String>())
}

/// The same for Postgres' regular expressions.
fn in_any_case_regex(part: &str) -> String {
    let letters = part.chars().map(|letter| match cases(letter) {
        Some((small, capital)) => format!("[{small}{capital}]"),
        None if letter.is_ascii() && !letter.is_ascii_alphanumeric() => format!("\\{letter}"),
        None => letter.to_string(),
    });
    letters.collect()
}
