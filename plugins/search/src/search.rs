//! `GET /files/search`.

use crate::{
    access::{EVERYTHING, Sight},
    entry, follow, highlight, spelling, words,
};
use atlashub_files_client::{Scope, lookup};
use atlashub_sdk::prelude::*;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashMap};

/// Files of a page when nothing is said, and at most.
const DEFAULT_LIMIT: usize = 20;
const MAX_LIMIT: usize = 50;
/// Files that are ranked for their words: of what more files have, the newest,
/// and the newest of those that have it in their name or tags.
const RANKED: usize = 500;
const RANKED_BY_NAME: usize = 200;
/// Files that have the words and of which it is asked, on Postgres, whether the
/// caller may see them, before all others are asked about.
const LOOKED_AT: usize = 2_000;
/// Files that are listed when no word is asked for, the newest first.
const LISTED: usize = 2_000;
/// Values of a facet that are told.
const FACETS: usize = 20;

/// What may be asked for.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Wishes {
    #[serde(default)]
    q: String,
    /// Names, with commas between: files that have all of them.
    #[serde(default)]
    tags: String,
    /// A MIME type, or the start of one: `image/`.
    #[serde(rename = "type")]
    mime_type: Option<String>,
    /// Made at that time or later; a day means its beginning.
    from: Option<String>,
    /// Made before that time; a day means its end.
    to: Option<String>,
    owner: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Page {
    /// Metadata as `files` has it, with `score` and `highlights`.
    items: Vec<Value>,
    next_cursor: Option<String>,
    facets: Facets,
    /// What was looked for in place of a word that is nowhere.
    corrections: BTreeMap<String, Vec<String>>,
    /// Whether the index knew of all of the caller's files.
    complete: bool,
    /// Whether more files may be meant than were ranked, or listed.
    truncated: bool,
}

#[derive(Debug, Default, Serialize)]
struct Facets {
    types: Vec<Facet>,
    tags: Vec<Facet>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Facet {
    value: String,
    count: i64,
}

/// What was found.
#[derive(Debug, Deserialize)]
struct Hit {
    number: i64,
    file_id: String,
    filename: String,
    mime_type: String,
    score: f64,
}

pub(crate) fn search(Query(wishes): Query<Wishes>, caller: Caller) -> Result<Json<Page>> {
    let scope = Scope::to_read(&caller)?;
    let complete = follow::catch_up(&scope, follow::PAGES_OF_A_SEARCH)?;
    let limit = wishes.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
    let start: usize = match &wishes.cursor {
        None => 0,
        Some(cursor) => cursor.parse().map_err(|_| {
            Error::bad_request("invalid_cursor", "`cursor` is what `next_cursor` was")
        })?,
    };
    let sight = Sight::of(scope)?;
    follow::take_missing(&sight)?;
    let asked = words::of_query(&wishes.q);
    let mut corrections = BTreeMap::new();
    if asked.is_empty() && !wishes.q.trim().is_empty() {
        // Nothing that is asked for is a word.
        return Ok(Json(Page {
            items: Vec::new(),
            next_cursor: None,
            facets: Facets::default(),
            corrections,
            complete,
            truncated: false,
        }));
    }
    let mut meant: Vec<Vec<String>> = asked.iter().map(|word| vec![word.clone()]).collect();
    let mut hits = find(&wishes, &meant, &sight)?;
    if hits.is_empty() {
        for (word, stands_for) in asked.iter().zip(&mut meant) {
            *stands_for = spelling::meant(word, &sight)?;
            if !stands_for.contains(word) {
                corrections.insert(word.clone(), stands_for.clone());
            }
        }
        if !corrections.is_empty() {
            hits = find(&wishes, &meant, &sight)?;
        }
    }
    let facets = facets(&hits)?;
    let most = if meant.is_empty() { LISTED } else { RANKED };
    let truncated = hits.len() >= most;
    let wanted: Vec<String> = meant.into_iter().flatten().collect();
    let mut items = Vec::new();
    let mut at = start;
    // Some of what was found may be the caller's no more.
    while items.len() < limit && at < hits.len() {
        let next = hits.iter().skip(at).take(limit - items.len());
        let next: Vec<&Hit> = next.collect();
        at += next.len();
        items.extend(show(&next, &wanted, &sight.scope)?);
    }
    Ok(Json(Page {
        items,
        next_cursor: (at < hits.len()).then(|| at.to_string()),
        facets,
        corrections,
        complete,
        truncated,
    }))
}

/// The metadata of what was found, as far as the caller may see it still.
fn show(hits: &[&Hit], wanted: &[String], scope: &Scope) -> Result<Vec<Value>> {
    let ids: Vec<&str> = hits.iter().map(|hit| hit.file_id.as_str()).collect();
    let mut files: HashMap<String, Value> = lookup::<Value>(&ids)?
        .into_iter()
        .filter_map(|file| Some((file.get("id")?.as_str()?.to_owned(), file)))
        .collect();
    let texts = match wanted.is_empty() {
        true => HashMap::new(),
        false => texts(hits)?,
    };
    let mut shown = Vec::with_capacity(hits.len());
    for hit in hits {
        let Some(mut file) = files.remove(&hit.file_id) else {
            if *scope == Scope::All {
                entry::forget(&hit.file_id)?;
            }
            continue;
        };
        let mut highlights = Map::new();
        if let Some(marked) = highlight::whole(&hit.filename, wanted) {
            highlights.insert("filename".into(), marked.into());
        }
        let text = texts.get(&hit.number);
        if let Some(piece) = text.and_then(|text| highlight::piece(text, wanted)) {
            highlights.insert("content".into(), piece.into());
        }
        if let Some(file) = file.as_object_mut() {
            file.insert("score".into(), json!(hit.score));
            file.insert("highlights".into(), highlights.into());
        }
        shown.push(file);
    }
    Ok(shown)
}

/// The beginnings of what stands in the files.
fn texts(hits: &[&Hit]) -> Result<HashMap<i64, String>> {
    let numbers: Vec<i64> = hits.iter().map(|hit| hit.number).collect();
    let rows: Vec<(i64, String)> = sql::query(
        &format!(
            "SELECT number, substr(content, 1, {}) FROM search.texts \
             WHERE number IN ({})",
            highlight::LOOKED_AT,
            numbers_in()
        ),
        params![sql::Value::json(&numbers)?],
    )?;
    Ok(rows.into_iter().collect())
}

/// A condition that grows, with its values.
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

fn find(wishes: &Wishes, meant: &[Vec<String>], sight: &Sight) -> Result<Vec<Hit>> {
    let mut parameters = Vec::new();
    let text = sight.condition(&mut parameters)?;
    let mut conditions = Conditions { text, parameters };
    filter(&mut conditions, wishes)?;
    if meant.is_empty() {
        let statement = format!(
            "SELECT number, file_id, filename, mime_type, CAST(0 AS DOUBLE PRECISION) AS score \
             FROM search.entries WHERE {} ORDER BY created_at DESC, number DESC LIMIT {LISTED}",
            conditions.text
        );
        return sql::query(&statement, conditions.parameters);
    }
    let expression = expression(meant);
    conditions.parameters.push(expression.as_str().into());
    let Conditions { text, parameters } = conditions;
    let place = format!("${}", parameters.len());
    match sql::dialect() {
        sql::Dialect::Sqlite => sql::query(&by_words_on_sqlite(&text, &place), parameters),
        sql::Dialect::Postgres => {
            // Where all may be seen, no more are looked at than are wanted.
            if text == EVERYTHING {
                return sql::query(
                    &by_words_on_postgres(Looked::AsWanted, &text, &place),
                    parameters,
                );
            }
            let statement = by_words_on_postgres(Looked::AtNewest, &text, &place);
            let hits: Vec<Hit> = sql::query(&statement, parameters.clone())?;
            if hits.len() >= RANKED || !more_than_looked_at(&expression)? {
                return Ok(hits);
            }
            sql::query(
                &by_words_on_postgres(Looked::AtAll, &text, &place),
                parameters,
            )
        }
    }
}

/// Whether more files have the words than are looked at first.
fn more_than_looked_at(expression: &str) -> Result<bool> {
    let last: Option<i64> = sql::query_optional(
        &format!(
            "SELECT 1 FROM search.matching(to_tsquery('simple', CAST($1 AS text)), {LOOKED_AT}) \
             OFFSET {} LIMIT 1",
            LOOKED_AT - 1
        ),
        params![expression],
    )?;
    Ok(last.is_some())
}

/// Names and tags are asked for by themselves, too: a word that most texts have
/// says nothing there, and much in a name.
fn by_words_on_sqlite(condition: &str, place: &str) -> String {
    let ranked = |words: &str, most: usize| {
        format!(
            "SELECT * FROM (SELECT entries.number, entries.file_id, entries.filename, \
             entries.mime_type, entries.updated_at, -bm25(words, 8.0, 4.0, 1.0) AS score \
             FROM search.words JOIN search.entries ON entries.number = words.rowid \
             WHERE words MATCH {words} AND {condition} ORDER BY words.rowid DESC LIMIT {most})"
        )
    };
    let newest = ranked(place, RANKED);
    let named = ranked(
        &format!("'{{name tags}} : (' || {place} || ')'"),
        RANKED_BY_NAME,
    );
    format!(
        "SELECT number, file_id, filename, mime_type, max(score) AS score \
         FROM ({newest} UNION ALL {named}) AS found GROUP BY number \
         ORDER BY score DESC, updated_at DESC, number DESC"
    )
}

/// Of which of the files that have the words it is asked whether they may be
/// shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Looked {
    /// Nothing is asked: of the newest, as many as are ranked.
    AsWanted,
    /// Of the newest, which soon are enough for whoever sees many.
    AtNewest,
    /// Of all.
    AtAll,
}

fn by_words_on_postgres(looked: Looked, condition: &str, place: &str) -> String {
    let query = format!("to_tsquery('simple', CAST({place} AS text))");
    let some = |named: bool, most: usize| {
        let which = if named { "_names" } else { "" };
        let found = match looked {
            Looked::AsWanted => {
                return format!(
                    "(SELECT * FROM search.matching{which}({query}, {most}) LIMIT {most})"
                );
            }
            Looked::AtNewest => format!("search.matching{which}({query}, {LOOKED_AT})"),
            Looked::AtAll => format!("search.matching_all{which}({query})"),
        };
        format!(
            "(SELECT entries.number FROM {found} AS found (number) \
             JOIN search.entries ON entries.number = found.number \
             WHERE {condition} ORDER BY entries.number DESC LIMIT {most})"
        )
    };
    format!(
        "SELECT entries.number, entries.file_id, entries.filename, entries.mime_type, \
         CAST(ts_rank('{{0.1, 0.1, 0.5, 1.0}}', words.words, {query}, 1) AS double precision) AS score \
         FROM ({} UNION {}) AS candidates (number) \
         JOIN search.words ON words.number = candidates.number \
         JOIN search.entries ON entries.number = candidates.number \
         ORDER BY score DESC, entries.updated_at DESC, entries.number DESC",
        some(false, RANKED),
        some(true, RANKED_BY_NAME)
    )
}

/// All the words, each by its beginning or by what it was meant for. They are
/// letters and digits only, so nothing in them is an operator.
fn expression(meant: &[Vec<String>]) -> String {
    let (start, end, and, or) = match sql::dialect() {
        sql::Dialect::Sqlite => ("\"", "\"*", " AND ", " OR "),
        sql::Dialect::Postgres => ("", ":*", " & ", " | "),
    };
    let words: Vec<String> = meant
        .iter()
        .map(|any| {
            let any: Vec<String> = any
                .iter()
                .map(|word| format!("{start}{word}{end}"))
                .collect();
            format!("({})", any.join(or))
        })
        .collect();
    words.join(and)
}

fn filter(conditions: &mut Conditions, wishes: &Wishes) -> Result<()> {
    let tags = wishes.tags.split(',').map(|tag| tag.trim().to_lowercase());
    for tag in tags.filter(|tag| !tag.is_empty()).take(20) {
        conditions.add(
            "EXISTS (SELECT 1 FROM search.entry_tags JOIN search.tags ON tags.id = entry_tags.tag_id \
             WHERE entry_tags.number = entries.number AND tags.name = ?)",
            tag,
        );
    }
    if let Some(mime_type) = &wishes.mime_type {
        let escaped = sql::escape_like(&mime_type.to_ascii_lowercase());
        conditions.add("entries.mime_type LIKE ? ESCAPE '!'", format!("{escaped}%"));
    }
    if let Some(from) = &wishes.from {
        conditions.add("entries.created_at >= ?", instant(from, false)?);
    }
    if let Some(to) = &wishes.to {
        conditions.add("entries.created_at < ?", instant(to, true)?);
    }
    if let Some(owner) = &wishes.owner {
        conditions.add("entries.owner = ?", owner.as_str());
    }
    Ok(())
}

/// Milliseconds since 1970 of a time, or of a day's beginning or end.
fn instant(text: &str, end: bool) -> Result<i64> {
    const DAY: i64 = 24 * 60 * 60 * 1000;
    let is_day = text.len() == "2024-01-31".len();
    let time = if is_day {
        format!("{text}T00:00:00Z")
    } else {
        text.to_owned()
    };
    match moment::parse(&time) {
        None => Err(Error::bad_request(
            "invalid_query",
            "`from` and `to` are days like `2024-01-31`, or times like `2024-01-31T12:00:00Z`",
        )),
        Some(begin) if is_day && end => Ok(begin.saturating_add(DAY)),
        Some(time) => Ok(time),
    }
}

/// The numbers of the JSON list that is the first parameter, for a condition.
fn numbers_in() -> &'static str {
    match sql::dialect() {
        sql::Dialect::Sqlite => "SELECT value FROM json_each($1)",
        sql::Dialect::Postgres => {
            "SELECT CAST(json_array_elements_text(CAST($1 AS text)::json) AS bigint)"
        }
    }
}

fn facets(hits: &[Hit]) -> Result<Facets> {
    let mut types: BTreeMap<&str, i64> = BTreeMap::new();
    for hit in hits {
        *types.entry(&hit.mime_type).or_default() += 1;
    }
    let mut types: Vec<Facet> = types
        .into_iter()
        .map(|(value, count)| Facet {
            value: value.to_owned(),
            count,
        })
        .collect();
    types.sort_by_key(|facet| std::cmp::Reverse(facet.count));
    types.truncate(FACETS);
    let numbers: Vec<i64> = hits.iter().map(|hit| hit.number).collect();
    let tags = sql::query(
        &format!(
            "SELECT tags.name AS value, count(*) AS count FROM search.entry_tags \
             JOIN search.tags ON tags.id = entry_tags.tag_id WHERE entry_tags.number IN ({}) \
             GROUP BY tags.name ORDER BY count(*) DESC, tags.name LIMIT {FACETS}",
            numbers_in()
        ),
        params![sql::Value::json(&numbers)?],
    )?;
    Ok(Facets { types, tags })
}
