//! What is in a project's file, as SQLite itself tells it.
//!
//! A column of a `STRICT` table has one of few types; a comment directly
//! after the type says more: `id TEXT /* uuid */ NOT NULL`. SQLite keeps it
//! through every rename.

use super::{
    rules::{HARMLESS, is_ours},
    set::quoted,
};
use crate::project::{
    public::Described,
    sqlite::connection::Connection as Own,
    text::{identifier, next_definition, skip_blanks},
};
use atlashub_core::capability::database::{
    Audience, Column, ColumnKind, ForeignKey, Table, TableKind,
};
use rusqlite::{Connection, Row, ToSql};
use std::collections::{BTreeSet, HashMap};

/// A table or view.
pub(super) struct Object {
    pub(super) name: String,
    pub(super) sql: String,
    pub(super) is_view: bool,
    /// Neither a view, nor virtual, nor part of a virtual one.
    pub(super) is_plain_table: bool,
}

/// All tables and views, by name.
pub(super) fn objects(connection: &Connection) -> rusqlite::Result<Vec<Object>> {
    rows(
        connection,
        "SELECT l.name, l.type, s.sql FROM pragma_table_list AS l \
         LEFT JOIN public.sqlite_schema AS s ON s.name = l.name AND s.type IN ('table', 'view') \
         WHERE l.schema IN ('public', 'main') ORDER BY l.name",
        &[],
        |row| {
            let kind: String = row.get(1)?;
            Ok(Object {
                name: row.get(0)?,
                sql: row.get::<_, Option<String>>(2)?.unwrap_or_default(),
                is_view: kind == "view",
                is_plain_table: kind == "table",
            })
        },
    )
    .map(|mut objects| {
        for object in &mut objects {
            object.is_plain_table &= !object.name.starts_with("sqlite_");
        }
        objects
    })
}

/// A foreign key, as far as policies need it.
pub(super) struct Key {
    pub(super) table: String,
    /// The table's own columns with those of the other.
    pub(super) columns: Vec<(String, String)>,
    /// Whether rows go with their parent.
    pub(super) follows_delete: bool,
    /// Whether rows change with their parent.
    pub(super) follows_change: bool,
}

/// A table as far as policies need it.
pub(super) struct Shape {
    pub(super) columns: Vec<String>,
    bytes: Vec<String>,
    /// How SQLite reports the row id, where rows can be named by it.
    pub(super) row_id: Option<String>,
    /// A stored column that is not the row id.
    pub(super) anchor: Option<String>,
    pub(super) keys: Vec<Key>,
}

impl Shape {
    /// Whether the column holds bytes.
    pub(super) fn is_bytes(&self, column: &str) -> bool {
        self.bytes
            .iter()
            .any(|own| own.eq_ignore_ascii_case(column))
    }
}

struct Info {
    name: String,
    data_type: String,
    not_null: bool,
    default: Option<String>,
    key_part: i64,
    hidden: i64,
}

fn infos(connection: &Connection, table: &str) -> rusqlite::Result<Vec<Info>> {
    rows(
        connection,
        "SELECT name, type, \"notnull\", dflt_value, pk, hidden \
         FROM pragma_table_xinfo(?1, 'public') WHERE hidden <> 1 ORDER BY cid",
        &[&table],
        |row| {
            Ok(Info {
                name: row.get(0)?,
                data_type: row.get(1)?,
                not_null: row.get(2)?,
                default: row.get(3)?,
                key_part: row.get(4)?,
                hidden: row.get(5)?,
            })
        },
    )
}

/// The shape of a plain table.
pub(super) fn shape(connection: &Connection, table: &str) -> rusqlite::Result<Shape> {
    let infos = infos(connection, table)?;
    let without: bool = connection.query_row(
        "SELECT wr FROM pragma_table_list WHERE schema IN ('public', 'main') AND name = ?1",
        [table],
        |row| row.get(0),
    )?;
    let taken = infos
        .iter()
        .any(|info| ["rowid", "_rowid_", "oid"].contains(&info.name.to_ascii_lowercase().as_str()));
    let keys: Vec<&Info> = infos.iter().filter(|info| info.key_part > 0).collect();
    // SQLite speaks of the row id by the name of the column that is one.
    let alias = match keys.as_slice() {
        [only]
            if only.data_type.eq_ignore_ascii_case("integer") && is_row_id(connection, table)? =>
        {
            Some(only.name.clone())
        }
        _ => None,
    };
    let anchor = infos
        .iter()
        .find(|info| info.hidden == 0 && Some(&info.name) != alias.as_ref())
        .map(|info| info.name.clone());
    let row_id = (!without && !taken).then(|| alias.unwrap_or_else(|| "ROWID".to_owned()));
    Ok(Shape {
        bytes: infos
            .iter()
            .filter(|info| kind_of(&info.data_type) == ColumnKind::Bytes)
            .map(|info| info.name.clone())
            .collect(),
        columns: infos.into_iter().map(|info| info.name).collect(),
        row_id,
        anchor,
        keys: foreign_keys(connection, table)?
            .into_iter()
            .map(|found| Key {
                columns: found
                    .key
                    .columns
                    .into_iter()
                    .zip(found.key.references)
                    .collect(),
                table: found.key.table,
                follows_delete: found.on_delete == "CASCADE",
                follows_change: follows(&found.on_update)
                    || (follows(&found.on_delete) && found.on_delete != "CASCADE"),
            })
            .collect(),
    })
}

fn follows(action: &str) -> bool {
    ["CASCADE", "SET NULL", "SET DEFAULT"].contains(&action)
}

/// Whether a single integer key is the row id itself: then it has no index.
pub(super) fn is_row_id(connection: &Connection, table: &str) -> rusqlite::Result<bool> {
    connection.query_row(
        "SELECT NOT EXISTS (SELECT 1 FROM pragma_index_list(?1, 'public') WHERE origin = 'pk')",
        [table],
        |row| row.get(0),
    )
}

/// All tables and views that are not the host's, and what the views read.
/// The host is at work on the connection.
pub(super) fn tables(own: &Own) -> rusqlite::Result<Described> {
    let connection = own.inner();
    let mut described = Described::default();
    for object in objects(connection)? {
        if is_ours(&object.name) || !(object.is_view || object.is_plain_table) {
            continue;
        }
        let is_view = object.is_view;
        match table(connection, object) {
            Ok(table) => described.tables.push(table),
            // A view of what is gone, or of what it may not call.
            Err(_) if is_view => {}
            Err(error) => return Err(error),
        }
    }
    let is_view = |table: &&Table| table.kind == TableKind::View;
    for view in described.tables.iter().filter(is_view) {
        let reads = reads_of(own, &view.name);
        described.reads.insert(view.name.clone(), reads);
    }
    Ok(described)
}

/// What a view reads, through other views, too. Of one that cannot be read
/// itself there is nothing to tell.
fn reads_of(own: &Own, view: &str) -> BTreeSet<String> {
    let sql = format!("SELECT * FROM public.{}", quoted(view));
    let (prepared, mut reads) = own.policy.witness(|| own.inner().prepare(&sql).map(drop));
    if prepared.is_err() {
        return BTreeSet::from([sql]);
    }
    reads.retain(|name| name != view && !HARMLESS.contains(&name.as_str()));
    reads
}

fn table(connection: &Connection, object: Object) -> rusqlite::Result<Table> {
    let infos = infos(connection, &object.name)?;
    let said = if object.is_view {
        HashMap::new()
    } else {
        said_kinds(&object.sql)
    };
    let mut key: Vec<(i64, String)> = infos
        .iter()
        .filter(|info| info.key_part > 0)
        .map(|info| (info.key_part, info.name.clone()))
        .collect();
    key.sort();
    let unique = rows(
        connection,
        "SELECT name FROM pragma_index_list(?1, 'public') \
         WHERE \"unique\" AND NOT partial AND origin <> 'pk' ORDER BY seq DESC",
        &[&object.name],
        |row| row.get::<_, String>(0),
    )?;
    let mut sets = Vec::new();
    for index in unique {
        let columns: Vec<Option<String>> = rows(
            connection,
            "SELECT name FROM pragma_index_info(?1, 'public') ORDER BY seqno",
            &[&index],
            |row| row.get(0),
        )?;
        // Of an index on expressions there are no names.
        sets.extend(columns.into_iter().collect::<Option<Vec<_>>>());
    }
    let columns = infos
        .into_iter()
        .map(|info| {
            let said = said.get(&info.name.to_ascii_lowercase());
            Column {
                kind: said.map_or_else(|| kind_of(&info.data_type), |kind| kind_of(kind)),
                nullable: !info.not_null && info.key_part == 0,
                generated: info.hidden > 1,
                name: info.name,
                data_type: info.data_type,
                default: info.default,
            }
        })
        .collect();
    Ok(Table {
        kind: if object.is_view {
            TableKind::View
        } else {
            TableKind::Table
        },
        columns,
        primary_key: key.into_iter().map(|(_, column)| column).collect(),
        unique: sets,
        foreign_keys: foreign_keys(connection, &object.name)?
            .into_iter()
            .map(|found| found.key)
            .collect(),
        name: object.name,
        audience: Audience::nobody(),
    })
}

pub(super) struct FoundKey {
    pub(super) key: ForeignKey,
    pub(super) on_delete: String,
    pub(super) on_update: String,
}

pub(super) fn foreign_keys(
    connection: &Connection,
    table: &str,
) -> rusqlite::Result<Vec<FoundKey>> {
    struct Part {
        id: i64,
        other: String,
        from: String,
        to: Option<String>,
        on_update: String,
        on_delete: String,
    }
    let parts = rows(
        connection,
        "SELECT id, \"table\", \"from\", \"to\", on_update, on_delete \
         FROM pragma_foreign_key_list(?1, 'public') ORDER BY id DESC, seq",
        &[&table],
        |row| {
            Ok(Part {
                id: row.get(0)?,
                other: row.get(1)?,
                from: row.get(2)?,
                to: row.get(3)?,
                on_update: row.get(4)?,
                on_delete: row.get(5)?,
            })
        },
    )?;
    let mut keys: Vec<(i64, FoundKey)> = Vec::new();
    for part in parts {
        if keys.last().is_none_or(|(last, _)| *last != part.id) {
            let key = ForeignKey {
                name: String::new(),
                columns: Vec::new(),
                table: part.other.clone(),
                references: Vec::new(),
            };
            keys.push((
                part.id,
                FoundKey {
                    key,
                    on_delete: part.on_delete,
                    on_update: part.on_update,
                },
            ));
        }
        let Some((_, FoundKey { key, .. })) = keys.last_mut() else {
            continue;
        };
        let to = match part.to {
            Some(to) => Some(to),
            // Without a name the other table's primary key is meant.
            None => primary_key(connection, &part.other)?
                .into_iter()
                .nth(key.columns.len()),
        };
        key.columns.push(part.from);
        key.references.extend(to);
    }
    Ok(keys
        .into_iter()
        .map(|(_, mut found)| {
            found.key.name = format!("{table}_{}_fkey", found.key.columns.join("_"));
            found
        })
        .collect())
}

fn primary_key(connection: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    rows(
        connection,
        "SELECT name FROM pragma_table_xinfo(?1, 'public') WHERE pk > 0 ORDER BY pk",
        &[&table],
        |row| row.get(0),
    )
}

pub(super) fn rows<T>(
    connection: &Connection,
    sql: &str,
    parameters: &[&dyn ToSql],
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    let mut statement = connection.prepare(sql)?;
    let found = statement.query_map(parameters, read)?;
    found.collect()
}

/// What a column of that type holds.
pub(super) fn kind_of(data_type: &str) -> ColumnKind {
    let name = data_type.to_ascii_lowercase();
    let has = |part: &str| name.contains(part);
    match name.as_str() {
        "" | "any" => ColumnKind::Other,
        _ if has("bool") => ColumnKind::Boolean,
        _ if has("json") => ColumnKind::Json,
        _ if has("uuid") => ColumnKind::Uuid,
        _ if has("timestamp") || has("datetime") => ColumnKind::Timestamp,
        _ if has("date") => ColumnKind::Date,
        _ if has("time") => ColumnKind::Time,
        _ if has("int") => ColumnKind::Integer,
        _ if has("numeric") || has("decimal") => ColumnKind::Numeric,
        _ if has("real") || has("floa") || has("doub") => ColumnKind::Real,
        _ if has("blob") || has("bytea") || has("bytes") => ColumnKind::Bytes,
        _ if has("text") || has("char") || has("clob") => ColumnKind::Text,
        _ => ColumnKind::Other,
    }
}

/// What comments directly after the types say of columns, by their names in
/// lower case.
pub(super) fn said_kinds(sql: &str) -> HashMap<String, String> {
    let mut said = HashMap::new();
    let after_name = sql
        .strip_prefix("CREATE TABLE")
        .and_then(|named| identifier(skip_blanks(named)))
        .and_then(|(_, rest)| skip_blanks(rest).strip_prefix('('));
    let Some(mut rest) = after_name else {
        return said;
    };
    loop {
        let Some((name, after)) = identifier(skip_blanks(rest)) else {
            return said;
        };
        let after = skip_blanks(after);
        if let Some((_, after_type)) = identifier(after)
            && let Some(comment) = after_type.trim_start().strip_prefix("/*")
            && let Some((comment, _)) = comment.split_once("*/")
        {
            said.insert(name.to_ascii_lowercase(), comment.trim().to_owned());
        }
        match next_definition(after) {
            Some(next) => rest = next,
            None => return said,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_after_types_say_what_a_column_holds() {
        let said = said_kinds(
            "CREATE TABLE \"a(b\" (\n  \"id\" TEXT /* uuid */ NOT NULL CHECK (\"id\" <> ',('),\n  \
             [made at] TEXT/*timestamptz*/, -- a, comment\n  plain TEXT, 'q''s' INTEGER /* boolean */ \
             DEFAULT 0, PRIMARY KEY (\"id\")) STRICT",
        );
        let of = |name: &str| said.get(name).map(String::as_str);
        assert_eq!(of("id"), Some("uuid"));
        assert_eq!(of("made at"), Some("timestamptz"));
        assert_eq!(of("q's"), Some("boolean"));
        assert_eq!(of("plain"), None);
        assert_eq!(kind_of("timestamptz"), ColumnKind::Timestamp);
    }
}
