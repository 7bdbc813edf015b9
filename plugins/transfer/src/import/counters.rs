//! Numbers that Postgres gives to new rows: an import that brought numbers
//! along leaves its counters behind, and the next row that an app adds would
//! get one that is taken. SQLite looks at the rows themselves.

use super::Plan;
use crate::names::{self, literal, of_table, quoted};
use atlashub_sdk::{database, prelude::*, sql::Dialect};

/// Numbers that are passed by in one statement, and at most.
const AT_ONCE: i64 = 1_000_000;
const MOST: i64 = 50_000_000;

/// A counter that is too far behind to be counted on: an admin sets it before
/// rows are added whose numbers it gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Behind {
    table: String,
    column: String,
    /// The largest number in the table.
    largest: i64,
    /// What an admin runs.
    sql: String,
}

/// Brings the counters of a table behind the largest of their numbers. A
/// counter may be counted on, but not set: those that are too far behind are
/// answered.
pub(super) fn advance(plan: &Plan) -> Result<Vec<Behind>> {
    let mut behind = Vec::new();
    if plan.dry_run || database::dialect() == Dialect::Sqlite {
        return Ok(behind);
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
            let largest: Option<i64> = database::query_one(&largest, params![])?;
            let Some(largest) = largest.filter(|largest| *largest > 0) else {
                continue;
            };
            if !count_to(&counter, largest)? {
                behind.push(Behind {
                    table: plan.table.clone(),
                    column: name.clone(),
                    largest,
                    sql: format!("SELECT setval({}, {largest})", literal(&counter)),
                });
            }
        }
    }
    Ok(behind)
}

/// Counts on up to that number; false when it is too far.
fn count_to(counter: &str, largest: i64) -> Result<bool> {
    let counter = literal(counter);
    let mut at: i64 = database::query_one(&format!("SELECT nextval({counter})"), params![])?;
    if largest.saturating_sub(at) > MOST {
        return Ok(false);
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
    Ok(true)
}

/// An outcome, JSON, with these counters in it; each column is told of once.
pub(super) fn told(outcome: Option<&str>, behind: &[Behind]) -> Result<String> {
    #[derive(Default, Serialize, Deserialize)]
    struct Outcome {
        #[serde(default)]
        counters_behind: Vec<Behind>,
        #[serde(flatten)]
        rest: serde_json::Map<String, serde_json::Value>,
    }
    let mut outcome: Outcome = outcome
        .map(serde_json::from_str)
        .transpose()?
        .unwrap_or_default();
    let is_new = |own: &Behind| {
        let mut behind = behind.iter();
        !behind.any(|one| (&one.table, &one.column) == (&own.table, &own.column))
    };
    outcome.counters_behind.retain(is_new);
    outcome.counters_behind.extend_from_slice(behind);
    Ok(serde_json::to_string(&outcome)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn counters_are_told_beside_what_is_told_already_and_once() {
        let behind = |table: &str, largest: i64| Behind {
            table: table.to_owned(),
            column: "id".to_owned(),
            largest,
            sql: format!("SELECT setval('{table}', {largest})"),
        };
        let first = told(Some(r#"{"tables_made":["a"]}"#), &[behind("a", 5)]).unwrap();
        let both = told(Some(&first), &[behind("b", 6)]).unwrap();
        let again = told(Some(&both), &[behind("a", 7)]).unwrap();
        let again: serde_json::Value = serde_json::from_str(&again).unwrap();
        assert_eq!(again["tables_made"], json!(["a"]));
        let told_of: Vec<_> = again["counters_behind"]
            .as_array()
            .unwrap()
            .iter()
            .collect();
        assert_eq!(told_of.len(), 2, "{again}");
        assert_eq!(
            (&told_of[1]["table"], &told_of[1]["largest"]),
            (&json!("a"), &json!(7))
        );
        let alone = told(None, &[behind("a", 5)]).unwrap();
        assert!(alone.contains("counters_behind"), "{alone}");
    }
}
