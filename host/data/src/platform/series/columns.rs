//! The columns that are added up, and the pieces of SQL that name them all.

use std::{fmt::Write as _, sync::LazyLock};

/// In the order of the members of [`SeriesCounts`](super::SeriesCounts).
pub(super) const COLUMNS: [&str; 22] = [
    "requests",
    "client_errors",
    "server_errors",
    "bytes_out",
    "jobs_done",
    "jobs_failed",
    "l0",
    "l1",
    "l2",
    "l3",
    "l4",
    "l5",
    "l6",
    "l7",
    "l8",
    "l9",
    "l10",
    "l11",
    "l12",
    "l13",
    "l14",
    "l15",
];

/// `requests, client_errors, …`.
pub(super) static NAMES: LazyLock<String> = LazyLock::new(|| COLUMNS.join(", "));

/// The sum of each, by its name.
pub(super) static SUMS: LazyLock<String> =
    LazyLock::new(|| of_each(|column| format!("CAST(sum({column}) AS BIGINT) AS {column}")));

/// What becomes of a row that is there already.
pub(super) static ADDED: LazyLock<String> = LazyLock::new(|| {
    let sums = of_each(|column| format!("{column} = series.{column} + excluded.{column}"));
    format!("ON CONFLICT (project_id, at, step, plugin) DO UPDATE SET {sums}")
});

/// Each as a member of the array `told.value`, behind project and plugin.
pub(super) fn from_json(kind: &str) -> String {
    let mut text = String::new();
    for place in 2..COLUMNS.len() + 2 {
        write!(text, ", CAST(told.value ->> {place} AS {kind})").unwrap_or_default();
    }
    text
}

fn of_each(say: impl Fn(&str) -> String) -> String {
    COLUMNS.map(say).join(", ")
}
