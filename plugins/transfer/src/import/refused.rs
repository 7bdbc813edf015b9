//! Rows that an import does not take, and the report of them.

use super::rows::Refusal;
use atlashub_sdk::prelude::*;

/// A row that was not taken.
pub(super) struct Refused {
    pub(super) row: u64,
    pub(super) why: Refusal,
}

/// Writes rows that were not taken into the report.
pub(super) fn report(
    own: &sql::Transaction,
    job: &str,
    table: &str,
    first: u64,
    refused: &[Refused],
) -> Result<()> {
    for (n, Refused { row, why }) in (first..).zip(refused) {
        own.execute(
            "INSERT INTO transfer.row_errors (job_id, n, table_name, row_number, column_name, value, code, reason) \
             VALUES ($1, $2, $8, $3, $4, $5, $6, $7) ON CONFLICT (job_id, n) DO UPDATE SET \
             table_name = excluded.table_name, row_number = excluded.row_number, column_name = excluded.column_name, \
             value = excluded.value, code = excluded.code, reason = excluded.reason",
            params![
                job,
                n,
                *row,
                why.column.clone(),
                why.value.clone(),
                &why.code,
                &why.reason,
                table
            ],
        )?;
    }
    Ok(())
}

/// What the database has against rows; any other failure stays one.
pub(super) fn refusal(error: Error) -> Result<Refusal> {
    let Some(code) = refused_as(&error) else {
        return Err(error);
    };
    let said = error.cause().unwrap_or(error.detail()).to_owned();
    Ok(Refusal::new(code, said))
}

/// As what the database refused rows, if that is what happened.
pub(super) fn refused_as(error: &Error) -> Option<&'static str> {
    let state = error.sqlstate().unwrap_or_default();
    Some(match (state, state.get(..2).unwrap_or_default()) {
        ("23505", _) => "sql_constraint_unique",
        ("23503", _) => "sql_constraint_foreign_key",
        (_, "23") => "sql_constraint",
        (_, "22" | "21") | ("42804", _) => "invalid_value",
        // A trigger of the project's own.
        ("P0001", _) => "sql_constraint",
        _ if error.code().starts_with("sql_constraint") => "sql_constraint",
        // Fewer rows may be fast enough.
        _ if error.code() == "sql_timeout" => "sql_timeout",
        _ => return None,
    })
}
