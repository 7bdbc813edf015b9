//! Writes on SQLite: rows are found through what may be read, written by
//! their ids, and read again.

use super::{Group, Insert, Row, Run, Written, cells, too_many};
use crate::{
    fault::{Fault, Result},
    model::{MAX_ROWS, Select},
    sql::{
        Page, Writer, engine, quoted,
        read::{Reader, Wanted, page, such_that},
    },
};
use atlashub_sdk::{
    database::{Column, Table},
    sql::{Rows, Value},
};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn insert(
    run: Run<'_>,
    insert: &Insert<'_>,
    groups: &[Group<'_>],
    back: Option<&Select<'_>>,
) -> Result<Written> {
    let mut affected = 0;
    let mut ids = Vec::new();
    for group in groups {
        let merged = match &insert.conflict {
            Some(conflict) if conflict.merge && !conflict.columns.is_empty() => {
                merge(run, insert.table, group, &conflict.columns)?
            }
            _ => BTreeMap::new(),
        };
        let fresh = Group {
            columns: group.columns.clone(),
            rows: group
                .rows
                .iter()
                .enumerate()
                .filter(|(at, _)| !merged.contains_key(at))
                .map(|(_, row)| *row)
                .collect(),
        };
        let ignore = insert
            .conflict
            .as_ref()
            .is_some_and(|conflict| !conflict.merge);
        let made = make(run, insert.table, &fresh, ignore, back.is_some())?;
        affected += made.affected + u64::try_from(merged.len()).unwrap_or_default();
        // In the order in which the client sent them.
        let mut made = made.ids.into_iter();
        ids.extend(
            (0..group.rows.len()).filter_map(|at| match merged.get(&at) {
                Some(id) => Some(*id),
                None => made.next(),
            }),
        );
    }
    let page = match back {
        Some(back) => Some(read_back(run, back, &ids, true)?),
        None => None,
    };
    Ok(Written { affected, page })
}

struct Made {
    affected: u64,
    ids: Vec<i64>,
}

/// Inserts rows of the same columns.
fn make(
    run: Run<'_>,
    table: &Table,
    group: &Group<'_>,
    ignore: bool,
    wants_ids: bool,
) -> Result<Made> {
    let mut made = Made {
        affected: 0,
        ids: Vec::new(),
    };
    let mut write = |mut text: String, sql: Writer| -> Result<()> {
        if wants_ids {
            text.push_str(" RETURNING rowid");
            made.ids.extend(ids(run.query(&text, sql)?));
            made.affected = u64::try_from(made.ids.len()).unwrap_or_default();
        } else {
            made.affected += run.execute(&text, sql)?;
        }
        Ok(())
    };
    if group.columns.is_empty() {
        for _ in &group.rows {
            let text = format!("INSERT INTO {} DEFAULT VALUES", name(table));
            write(text, Writer::default())?;
        }
    } else if !group.rows.is_empty() {
        let mut sql = Writer::default();
        let given = sql.bind(given(&group.columns, &group.rows)?);
        let names: Vec<String> = group.columns.iter().map(|c| quoted(&c.name)).collect();
        let values: Vec<String> = (0_usize..)
            .zip(&group.columns)
            .map(|(at, column)| value_at(at, column))
            .collect();
        let text = format!(
            "INSERT INTO {} ({}) SELECT {} FROM json_each({given}) AS given WHERE true{}",
            name(table),
            names.join(", "),
            values.join(", "),
            if ignore {
                " ON CONFLICT DO NOTHING"
            } else {
                ""
            }
        );
        write(text, sql)?;
    }
    Ok(made)
}

/// Rows as a JSON list of lists, in the order of the columns.
fn given(columns: &[&Column], rows: &[&Row]) -> Result<String> {
    let mut lists = Vec::with_capacity(rows.len());
    for row in rows {
        let list = columns
            .iter()
            .map(|column| match row.get(&column.name) {
                Some(raw) => cells::member(column, raw),
                None => Ok(serde_json::Value::Null),
            })
            .collect::<Result<Vec<_>>>()?;
        lists.push(list);
    }
    Ok(serde_json::to_string(&lists)?)
}

/// A value of such a list.
fn value_at(at: usize, column: &Column) -> String {
    let value = format!("given.value ->> {at}");
    if column.kind == "bytes" {
        format!("unhex({value})")
    } else {
        value
    }
}

/// Gives the rows that are there already the new values: their ids by the
/// place of the row in the group.
fn merge(
    run: Run<'_>,
    table: &Table,
    group: &Group<'_>,
    target: &[&Column],
) -> Result<BTreeMap<usize, i64>> {
    let mut sql = Writer::default();
    let given = sql.bind(given(target, &group.rows)?);
    let same: Vec<String> = (0_usize..)
        .zip(target)
        .map(|(at, column)| format!("t.{} = {}", quoted(&column.name), value_at(at, column)))
        .collect();
    let text = format!(
        "SELECT given.key, t._rowid_ FROM json_each({given}) AS given JOIN {} AS t ON {}",
        quoted(&table.name),
        same.join(" AND ")
    );
    let mut found = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for row in run.query(&text, sql)?.rows {
        if let [Value::Integer(at), Value::Integer(id)] = row.as_slice() {
            if !seen.insert(*id) {
                return Err(Fault::twice());
            }
            found.insert(usize::try_from(*at).unwrap_or_default(), *id);
        }
    }
    for (at, id) in &mut found {
        let Some(row) = group.rows.get(*at) else {
            continue;
        };
        let changed: Vec<&Column> = group
            .columns
            .iter()
            .copied()
            .filter(|column| !target.iter().any(|key| key.name == column.name))
            .collect();
        if changed.is_empty() {
            continue;
        }
        let mut sql = Writer::default();
        let set = assignments(&mut sql, &changed, row)?;
        let place = sql.bind(*id);
        let text = format!(
            "UPDATE {} SET {set} WHERE rowid = {place} RETURNING rowid",
            name(table)
        );
        *id = ids(run.query(&text, sql)?)
            .first()
            .copied()
            .ok_or_else(|| Fault::policy(&table.name))?;
    }
    Ok(found)
}

fn assignments(sql: &mut Writer, columns: &[&Column], row: &Row) -> Result<String> {
    let mut set = Vec::with_capacity(columns.len());
    for column in columns {
        let value = match row.get(&column.name) {
            Some(raw) => cells::bound(column, raw)?,
            None => Value::Null,
        };
        set.push(format!("{} = {}", quoted(&column.name), sql.bind(value)));
    }
    Ok(set.join(", "))
}

pub(super) fn update(
    run: Run<'_>,
    rows: &Select<'_>,
    columns: &[&Column],
    values: &Row,
    back: Option<&Select<'_>>,
) -> Result<Written> {
    if back.is_some() {
        check_count(run, rows)?;
    }
    let mut sql = Writer::default();
    let set = assignments(&mut sql, columns, values)?;
    let found = found(&mut sql, rows)?;
    let text = format!(
        "UPDATE {} SET {set} WHERE rowid IN ({found})",
        name(rows.table)
    );
    let Some(back) = back else {
        return Ok(Written {
            affected: run.execute(&text, sql)?,
            page: None,
        });
    };
    let ids = ids(run.query(&format!("{text} RETURNING rowid"), sql)?);
    Ok(Written {
        affected: u64::try_from(ids.len()).unwrap_or_default(),
        page: Some(read_back(run, back, &ids, false)?),
    })
}

pub(super) fn delete(
    run: Run<'_>,
    rows: &Select<'_>,
    back: Option<&Select<'_>>,
) -> Result<Written> {
    let mut sql = Writer::default();
    let Some(back) = back else {
        let found = found(&mut sql, rows)?;
        let text = format!("DELETE FROM {} WHERE rowid IN ({found})", name(rows.table));
        return Ok(Written {
            affected: run.execute(&text, sql)?,
            page: None,
        });
    };
    check_count(run, rows)?;
    let found = found(&mut sql, rows)?;
    let before = ids(run.query(&found, sql)?);
    // Policies may keep some of them from being deleted. That is found out
    // before they are read, and they can only be read before they are gone.
    let readable = Reads::of(run, back, &before)?;
    let mut sql = Writer::default();
    let list = sql.bind(serde_json::to_string(&before)?);
    let text = format!(
        "DELETE FROM {} WHERE rowid IN (SELECT value FROM json_each({list})) RETURNING rowid",
        name(rows.table)
    );
    let gone: BTreeSet<i64> = ids(run.query(&text, sql)?).into_iter().collect();
    Ok(Written {
        affected: u64::try_from(gone.len()).unwrap_or_default(),
        page: Some(readable.only(&gone)),
    })
}

/// Rows as they were, with their ids.
struct Reads(Vec<(i64, String)>);

impl Reads {
    fn of(run: Run<'_>, back: &Select<'_>, ids: &[i64]) -> Result<Self> {
        let mut sql = Writer::default();
        let text = Reader { engine: engine() }.rows_by_id(&mut sql, back, ids)?;
        let rows = run.query(&text, sql)?.rows;
        Ok(Self(
            rows.into_iter()
                .filter_map(|row| match <[Value; 2]>::try_from(row).ok()? {
                    [Value::Integer(id), Value::Text(json)] => Some((id, json)),
                    _ => None,
                })
                .collect(),
        ))
    }

    /// Those with these ids.
    fn only(self, ids: &BTreeSet<i64>) -> Page {
        let rows: Vec<String> = self
            .0
            .into_iter()
            .filter(|(id, _)| ids.contains(id))
            .map(|(_, json)| json)
            .collect();
        Page {
            rows: u64::try_from(rows.len()).unwrap_or_default(),
            json: format!("[{}]", rows.join(",")),
            total: None,
        }
    }
}

/// The ids of the rows that are selected.
fn found(sql: &mut Writer, rows: &Select<'_>) -> Result<String> {
    let alias = sql.alias();
    let conditions = Reader { engine: engine() }.conditions(sql, &alias, rows)?;
    Ok(format!(
        "SELECT {alias}._rowid_ FROM {} AS {alias}{}",
        quoted(&rows.table.name),
        such_that(&conditions)
    ))
}

/// Refuses more rows than may be given back, before they are written.
fn check_count(run: Run<'_>, rows: &Select<'_>) -> Result<()> {
    let mut sql = Writer::default();
    let text = Reader { engine: engine() }.count(&mut sql, rows)?;
    let count = run.query(&text, sql)?;
    let most = i64::try_from(MAX_ROWS).unwrap_or(i64::MAX);
    if ids(count).first().is_some_and(|count| *count > most) {
        return Err(too_many());
    }
    Ok(())
}

/// Reads what was written, in the order of the ids.
fn read_back(run: Run<'_>, back: &Select<'_>, ids: &[i64], all: bool) -> Result<Page> {
    let mut sql = Writer::default();
    let text = Reader { engine: engine() }.by_id(&mut sql, back, ids)?;
    let page = page(run.query(&text, sql)?, Wanted::default())?;
    let expected = u64::try_from(ids.len()).unwrap_or(u64::MAX).min(MAX_ROWS);
    if all && !back.is_narrowed() && page.rows < expected {
        // As on Postgres: what is given back must be there to be seen.
        return Err(Fault::policy(&back.table.name));
    }
    Ok(page)
}

fn name(table: &Table) -> String {
    format!("public.{}", quoted(&table.name))
}

/// The whole numbers of the first column.
fn ids(rows: Rows) -> Vec<i64> {
    rows.rows
        .into_iter()
        .filter_map(|row| match row.first() {
            Some(Value::Integer(id)) => Some(*id),
            _ => None,
        })
        .collect()
}
