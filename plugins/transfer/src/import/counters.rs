//! Numbers that Postgres gives to new rows: an import that brought numbers
//! along leaves its counters behind, and the next row that an app adds would
//! get one that is taken. SQLite looks at the rows themselves.

use super::Plan;
use crate::names::{self, literal, of_table, quoted};
use atlashub_sdk::{database, prelude::*, sql::Dialect};

/// Numbers that are passed by in one statement, and at most.
const AT_ONCE: i64 = 1_000_000;
const MOST: i64 = 50_000_000;

/// Brings the counters of a table behind the largest of their numbers. A
/// counter may be counted on, but not set; what is too far is told in the log.
pub(super) fn advance(plan: &Plan) -> Result<()> {
    if plan.dry_run || database::dialect() == Dialect::Sqlite {
        return Ok(());
    }
    let table = names::table(&plan.table)?;
    for name in plan.to.iter().flatten() {
        let column = names::column(&table, name)?;
        let default = column.default.as_deref().unwrap_or_default();
        if default != "identity" && !default.starts_with("nextval(") {
            continue;
        }
        let into = of_table(&table);
        let counter: Option<String> = database::query_one(
            &format!(
                "SELECT pg_get_serial_sequence({}, {})",
                literal(&into),
                literal(name)
            ),
            params![],
        )?;
        if let Some(counter) = counter {
            let largest = format!("SELECT CAST(max({}) AS bigint) FROM {into}", quoted(name));
            count_to(&counter, database::query_one(&largest, params![])?)?;
        }
    }
    Ok(())
}

fn count_to(counter: &str, largest: Option<i64>) -> Result<()> {
    let Some(largest) = largest.filter(|largest| *largest > 0) else {
        return Ok(());
    };
    let counter = literal(counter);
    let mut at: i64 = database::query_one(&format!("SELECT nextval({counter})"), params![])?;
    if largest.saturating_sub(at) > MOST {
        log::warn!("the counter {counter} stays behind {largest}: an admin sets it");
        return Ok(());
    }
    while at < largest {
        let count = largest.saturating_sub(at).min(AT_ONCE);
        at = database::query_one(
            &format!(
                "SELECT max(n) FROM (SELECT nextval({counter}) AS n FROM generate_series(1, {count})) AS c"
            ),
            params![],
        )?;
    }
    Ok(())
}
