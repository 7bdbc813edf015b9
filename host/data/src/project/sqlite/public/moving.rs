//! What is moved of a project's own tables.

use super::{
    describe::{foreign_keys, is_row_id, kind_of, objects, rows, said_kinds},
    rules::{Rules, is_ours},
    store,
};
use crate::project::{
    moving::{PlannedPart, PublicPlan, Trouble},
    pool::Side,
    schema::{
        Clause, Kind, TableText, are_same,
        moved::{Facts, FactsColumn, FactsIndex, FactsKey, moved},
    },
    sqlite::{Connection, SqliteProjects, blocking, error::Failure, policy::Author},
};
use atlashub_core::{ProjectId, Result};
use rusqlite::{Connection as Inner, OptionalExtension as _};

impl SqliteProjects {
    pub(in crate::project) async fn plan_public(&self, project: ProjectId) -> Result<PublicPlan> {
        let (path, options) = (self.files.public(project), self.options.clone());
        blocking(move || {
            if !path.exists() {
                return Ok(PublicPlan::default());
            }
            let author = Author::Public(Box::new(Rules::new(Side::Owner)));
            let opened =
                Connection::open(&path, "public", author, super::super::Mode::Read, &options);
            let mut connection = opened.map_err(Failure::into_error)?;
            let (facts, views, triggers, policies) = connection.as_host(|own| {
                let inner = own.inner();
                Ok((
                    all_facts(inner)?,
                    made(inner, "view")?,
                    made(inner, "trigger")?,
                    store::all(inner)?,
                ))
            })?;
            let mut plan = PublicPlan::default();
            let mut keys = Vec::new();
            for facts in &facts {
                let moved = moved(facts);
                plan.tables.push(moved.table);
                plan.begin.push(moved.begin);
                plan.rest.extend(moved.rest);
                keys.extend(moved.keys);
                plan.troubles.extend(moved.troubles);
            }
            plan.rest.extend(keys);
            for (name, sql) in views {
                let part = PlannedPart {
                    object: format!("view:{name}"),
                    needed: false,
                    sql,
                };
                plan.views.push((name, part));
            }
            plan.troubles
                .extend(triggers.into_iter().map(|(name, _)| Trouble {
                    object: format!("trigger:{name}"),
                    why: "triggers are written in a language of SQLite's own".to_owned(),
                    may_stay: true,
                }));
            for (table, text) in policies {
                plan.policies.push((table, store::parse(&text)?));
            }
            Ok(plan)
        })
        .await
    }
}

/// Views or triggers of the admin's, in the order in which they were made.
fn made(connection: &Inner, kind: &str) -> rusqlite::Result<Vec<(String, String)>> {
    let found: Vec<(String, String)> = rows(
        connection,
        "SELECT name, sql FROM public.sqlite_schema WHERE type = ?1 ORDER BY rowid",
        &[&kind],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    Ok(found
        .into_iter()
        .filter(|(name, _)| !is_ours(name))
        .collect())
}

pub(super) fn all_facts(connection: &Inner) -> rusqlite::Result<Vec<Facts>> {
    objects(connection)?
        .into_iter()
        .filter(|object| object.is_plain_table && !is_ours(&object.name))
        .map(|object| facts(connection, object.name, &object.sql))
        .collect()
}

fn facts(connection: &Inner, name: String, sql: &str) -> rusqlite::Result<Facts> {
    struct Info {
        name: String,
        kind: String,
        not_null: bool,
        default: Option<String>,
        key: i64,
        hidden: i64,
    }
    let infos = rows(
        connection,
        "SELECT name, type, \"notnull\", dflt_value, pk, hidden \
         FROM pragma_table_xinfo(?1, 'public') WHERE hidden <> 1 ORDER BY cid",
        &[&name],
        |row| {
            Ok(Info {
                name: row.get(0)?,
                kind: row.get(1)?,
                not_null: row.get(2)?,
                default: row.get(3)?,
                key: row.get(4)?,
                hidden: row.get(5)?,
            })
        },
    )?;
    let text = TableText::read(sql).ok();
    let said = said_kinds(sql);
    let clauses = |kind: Kind| {
        text.iter()
            .flat_map(|text| text.constraints())
            .filter(move |(_, clause)| clause.kind == kind)
    };
    let generated = |column: &str| {
        clauses(Kind::Generated)
            .find(|(own, _)| own.is_some_and(|own| own.eq_ignore_ascii_case(column)))
            .map(|(_, clause)| clause.inside.clone())
    };
    let mut key: Vec<(i64, String)> = infos
        .iter()
        .filter(|info| info.key > 0)
        .map(|info| (info.key, info.name.clone()))
        .collect();
    key.sort();
    let counts = key.len() == 1
        && infos
            .iter()
            .any(|info| info.key > 0 && info.kind.eq_ignore_ascii_case("integer"))
        && is_row_id(connection, &name)?;
    Ok(Facts {
        columns: infos
            .iter()
            .map(|info| FactsColumn {
                name: info.name.clone(),
                kind: kind_of(
                    said.get(&info.name.to_ascii_lowercase())
                        .map_or(info.kind.as_str(), String::as_str),
                ),
                data_type: said
                    .get(&info.name.to_ascii_lowercase())
                    .unwrap_or(&info.kind)
                    .clone(),
                nullable: !info.not_null && info.key == 0,
                default: info.default.clone().filter(|_| info.hidden == 0),
                generated: (info.hidden > 1).then(|| generated(&info.name).unwrap_or_default()),
            })
            .collect(),
        primary_key: key.into_iter().map(|(_, column)| column).collect(),
        counts,
        last: last_number(connection, &name)?,
        unique: constraint_sets(connection, &name)?,
        checks: clauses(Kind::Check)
            .map(|(_, clause)| (clause.name.clone(), clause.inside.clone()))
            .collect(),
        keys: foreign_keys(connection, &name)?
            .into_iter()
            .map(|found| FactsKey {
                deferrable: clauses(Kind::References)
                    .any(|(own, clause)| is_deferrable(own, clause, &found.key.columns)),
                name: clauses(Kind::References)
                    .find(|(own, clause)| is_of(*own, clause, &found.key.columns))
                    .and_then(|(_, clause)| clause.name.clone())
                    .unwrap_or(found.key.name),
                columns: found.key.columns,
                table: found.key.table,
                references: found.key.references,
                on_delete: found.on_delete,
                on_update: found.on_update,
            })
            .collect(),
        indexes: indexes(connection, &name)?,
        collates: clauses(Kind::Collate)
            .filter(|(_, clause)| !clause.text.to_ascii_uppercase().contains("BINARY"))
            .filter_map(|(own, _)| own.map(str::to_owned))
            .collect(),
        understood: text.is_some(),
        name,
    })
}

/// Whether a clause is the foreign key of these columns.
fn is_of(column: Option<&str>, clause: &Clause, columns: &[String]) -> bool {
    let own = column.map_or_else(|| clause.columns(), |column| vec![column.to_owned()]);
    are_same(&own, columns)
}

fn is_deferrable(column: Option<&str>, clause: &Clause, columns: &[String]) -> bool {
    let text = clause.text.to_ascii_uppercase();
    is_of(column, clause, columns)
        && text.contains("DEFERRABLE")
        && !text.contains("NOT DEFERRABLE")
}

/// The largest number that a table's key has counted to.
pub(in crate::project::sqlite) fn last_number(
    connection: &Inner,
    table: &str,
) -> rusqlite::Result<Option<i64>> {
    let is_kept = connection
        .query_row(
            "SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_sequence'",
            [],
            |_| Ok(()),
        )
        .optional()?;
    if is_kept.is_none() {
        return Ok(None);
    }
    connection
        .query_row(
            "SELECT seq FROM sqlite_sequence WHERE name = ?1",
            [table],
            |row| row.get(0),
        )
        .optional()
}

/// The columns of constraints that say each combination occurs once.
fn constraint_sets(connection: &Inner, table: &str) -> rusqlite::Result<Vec<Vec<String>>> {
    let names: Vec<String> = rows(
        connection,
        "SELECT name FROM pragma_index_list(?1, 'public') WHERE origin = 'u' ORDER BY seq DESC",
        &[&table],
        |row| row.get(0),
    )?;
    names
        .iter()
        .map(|index| {
            rows(
                connection,
                "SELECT name FROM pragma_index_info(?1, 'public') ORDER BY seqno",
                &[index],
                |row| row.get(0),
            )
        })
        .collect()
}

fn indexes(connection: &Inner, table: &str) -> rusqlite::Result<Vec<FactsIndex>> {
    let listed: Vec<(String, bool, String)> = rows(
        connection,
        "SELECT l.name, l.\"unique\", s.sql FROM pragma_index_list(?1, 'public') AS l \
         JOIN public.sqlite_schema AS s ON s.name = l.name AND s.type = 'index' \
         WHERE l.origin = 'c' ORDER BY l.name",
        &[&table],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )?;
    let mut found = Vec::new();
    for (name, unique, definition) in listed {
        let columns: Vec<(Option<String>, bool)> = rows(
            connection,
            "SELECT name, \"desc\" FROM pragma_index_xinfo(?1, 'public') WHERE \"key\" ORDER BY seqno",
            &[&name],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let has_condition = definition.to_ascii_uppercase().contains(" WHERE ");
        found.push(FactsIndex {
            plain: !has_condition
                && columns
                    .iter()
                    .all(|(column, descends)| column.is_some() && !descends),
            columns: columns
                .into_iter()
                .map(|(name, descends)| name.map(|name| (name, descends)))
                .collect(),
            name,
            unique,
            definition,
        });
    }
    Ok(found)
}
