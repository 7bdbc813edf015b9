//! What tables of lines that are written once and pruned have in common: text
//! is looked for in them, and the oldest lines go.

use super::{failure::failed, instant, unit::Db};
use atlashub_core::Result;
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, ExprTrait as _, IntoSimpleExpr, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
    sea_query::{Expr, Func, LikeExpr, SimpleExpr},
};
use std::time::Duration;

/// That `column` contains `text` as it stands, in any case of ASCII letters.
pub(super) fn mentions(column: impl IntoSimpleExpr, text: &str) -> SimpleExpr {
    contains(column, &text.to_ascii_lowercase())
}

/// That `column`, in lower case, contains `text` as it stands.
pub(super) fn contains(column: impl IntoSimpleExpr, text: &str) -> SimpleExpr {
    let lowered = Func::lower(column.into_simple_expr());
    Expr::expr(lowered).like(LikeExpr::new(pattern(text)).escape('\\'))
}

/// A `LIKE` pattern for text that contains `text` as it stands.
fn pattern(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for c in text.chars().filter(|c| *c != '\0') {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

/// Removes rows whose time, `at`, lies more than `age` back; how many there
/// were.
///
/// # Errors
/// When the database cannot; `doing` says what failed.
pub(super) async fn prune_older<E: EntityTrait>(
    db: Db<'_>,
    at: E::Column,
    age: Duration,
    doing: &'static str,
) -> Result<u64> {
    let result = E::delete_many()
        .filter(at.lt(instant::earlier(db.now(), age)))
        .exec(&db.write())
        .await
        .map_err(failed(doing))?;
    Ok(result.rows_affected)
}

/// Keeps the `keep` rows with the highest numbers, `seq`, among those of each
/// of `groups`; how many went.
///
/// # Errors
/// When the database cannot; `doing` says what failed.
pub(super) async fn prune_to<E: EntityTrait>(
    db: Db<'_>,
    seq: E::Column,
    groups: impl IntoIterator<Item = Condition>,
    keep: u64,
    doing: &'static str,
) -> Result<u64> {
    let context = failed(doing);
    let mut removed = 0;
    for group in groups {
        let newest_to_go: Option<i64> = E::find()
            .select_only()
            .column(seq)
            .filter(group.clone())
            .order_by_desc(seq)
            .offset(keep)
            .limit(1)
            .into_tuple()
            .one(&db.read())
            .await
            .map_err(&context)?;
        let Some(newest_to_go) = newest_to_go else {
            continue;
        };
        let result = E::delete_many()
            .filter(group)
            .filter(seq.lte(newest_to_go))
            .exec(&db.write())
            .await
            .map_err(&context)?;
        removed += result.rows_affected;
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::pattern;

    #[test]
    fn a_pattern_means_its_text_and_nothing_else() {
        assert_eq!(pattern(r"50%_\"), r"%50\%\_\\%");
        assert_eq!(pattern("a\0b"), "%ab%");
    }
}
