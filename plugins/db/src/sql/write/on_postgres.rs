//! Writes on Postgres. The rows go to the database as they came, one JSON
//! text, and it reads the values as the columns' types.

use super::{Group, Insert, Row, Run, Written};
use crate::{
    fault::Result,
    model::Select,
    sql::{
        Page, Writer, engine, quoted,
        read::{Reader, Wanted, page, such_that},
    },
};
use atlashub_sdk::database::{Column, Table};

/// What written rows are called while they are read.
const WRITTEN: &str = "written";

pub(super) fn insert(
    run: Run<'_>,
    insert: &Insert<'_>,
    groups: &[Group<'_>],
    back: Option<&Select<'_>>,
) -> Result<Written> {
    let mut all = Written {
        affected: 0,
        page: back.map(|_| Page::empty()),
    };
    let table = &quoted(&insert.table.name);
    for group in groups {
        if group.columns.is_empty() {
            for _ in &group.rows {
                let text = format!("INSERT INTO {} DEFAULT VALUES", name(insert.table));
                all.add(finish(run, Writer::default(), &text, table, back)?);
            }
            continue;
        }
        let mut sql = Writer::default();
        let json = sql.bind(serde_json::to_string(&group.rows)?);
        let columns = list(&group.columns, |column| quoted(&column.name));
        let text = format!(
            "INSERT INTO {} ({columns}) SELECT {columns} \
             FROM json_to_recordset(CAST(CAST({json} AS text) AS json)) AS given({}){}",
            name(insert.table),
            definitions(&group.columns),
            conflict(insert, &group.columns)
        );
        all.add(finish(run, sql, &text, table, back)?);
    }
    Ok(all)
}

fn conflict(insert: &Insert<'_>, columns: &[&Column]) -> String {
    let Some(conflict) = &insert.conflict else {
        return String::new();
    };
    if conflict.columns.is_empty() {
        return if conflict.merge {
            String::new()
        } else {
            " ON CONFLICT DO NOTHING".to_owned()
        };
    }
    let target = list(&conflict.columns, |column| quoted(&column.name));
    if !conflict.merge {
        return format!(" ON CONFLICT ({target}) DO NOTHING");
    }
    let set = list(columns, |column| {
        let name = quoted(&column.name);
        format!("{name} = excluded.{name}")
    });
    format!(" ON CONFLICT ({target}) DO UPDATE SET {set}")
}

pub(super) fn update(
    run: Run<'_>,
    rows: &Select<'_>,
    columns: &[&Column],
    values: &Row,
    back: Option<&Select<'_>>,
) -> Result<Written> {
    let mut sql = Writer::default();
    let json = sql.bind(serde_json::to_string(values)?);
    let alias = sql.alias();
    let conditions = Reader { engine: engine() }.conditions(&mut sql, &alias, rows)?;
    let text = format!(
        "UPDATE {} AS {alias} SET {} \
         FROM json_to_record(CAST(CAST({json} AS text) AS json)) AS given({}){}",
        name(rows.table),
        list(columns, |column| {
            let name = quoted(&column.name);
            format!("{name} = given.{name}")
        }),
        definitions(columns),
        such_that(&conditions)
    );
    finish(run, sql, &text, &alias, back)
}

pub(super) fn delete(
    run: Run<'_>,
    rows: &Select<'_>,
    back: Option<&Select<'_>>,
) -> Result<Written> {
    let mut sql = Writer::default();
    let alias = sql.alias();
    let conditions = Reader { engine: engine() }.conditions(&mut sql, &alias, rows)?;
    let text = format!(
        "DELETE FROM {} AS {alias}{}",
        name(rows.table),
        such_that(&conditions)
    );
    finish(run, sql, &text, &alias, back)
}

/// Runs the write; with the rows that it gives back.
fn finish(
    run: Run<'_>,
    mut sql: Writer,
    write: &str,
    alias: &str,
    back: Option<&Select<'_>>,
) -> Result<Written> {
    let Some(back) = back else {
        return Ok(Written {
            affected: run.execute(write, sql)?,
            page: None,
        });
    };
    let columns: Vec<&Column> = back.table.columns.iter().collect();
    let returning = list(&columns, |column| {
        format!("{alias}.{}", quoted(&column.name))
    });
    let total = format!(", (SELECT count(*) FROM {WRITTEN})");
    let read = Reader { engine: engine() }.page_from(
        &mut sql,
        back,
        &|alias| format!("{WRITTEN} AS {alias}"),
        "",
        &total,
    )?;
    let text = format!("WITH {WRITTEN} AS ({write} RETURNING {returning}) {read}");
    let mut found = page(run.query(&text, sql)?, Wanted { total: true })?;
    Ok(Written {
        affected: found.total.take().unwrap_or_default(),
        page: Some(found),
    })
}

fn name(table: &Table) -> String {
    format!("public.{}", quoted(&table.name))
}

fn list(columns: &[&Column], write: impl Fn(&Column) -> String) -> String {
    let written: Vec<String> = columns.iter().map(|column| write(column)).collect();
    written.join(", ")
}

fn definitions(columns: &[&Column]) -> String {
    list(columns, |column| {
        format!("{} {}", quoted(&column.name), column.data_type)
    })
}
