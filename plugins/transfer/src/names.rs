//! Tables and columns by the names that the database gives them: no other
//! name gets into a statement.

use atlashub_sdk::{
    database::{self, Column, Table},
    prelude::*,
};

/// `name` as an identifier.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text within a statement; only for what the database named itself.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A table as statements name it.
pub(crate) fn of_table(table: &Table) -> String {
    format!("public.{}", quoted(&table.name))
}

/// The table of that name.
///
/// # Errors
/// 404 `unknown_table`; 422 `not_a_table` for a view.
pub(crate) fn table(name: &str) -> Result<Table> {
    let found = database::describe()?
        .into_iter()
        .find(|table| table.name == name);
    let Some(table) = found else {
        return Err(Error::new(
            StatusCode::NOT_FOUND,
            "unknown_table",
            format!("there is no table `{name}`"),
        ));
    };
    if table.kind != "table" {
        return Err(Error::invalid(
            "not_a_table",
            format!(
                "`{name}` is a view, whose rows have no order of their own: name the tables that it reads"
            ),
        ));
    }
    Ok(table)
}

/// The columns of these names, or all, in the order of the table.
///
/// # Errors
/// 422 `unknown_column` naming the first that is not there.
pub(crate) fn columns<'a>(table: &'a Table, names: Option<&[String]>) -> Result<Vec<&'a Column>> {
    let Some(names) = names else {
        return Ok(table.columns.iter().collect());
    };
    names.iter().map(|name| column(table, name)).collect()
}

/// The column of that name.
///
/// # Errors
/// 422 `unknown_column`.
pub(crate) fn column<'a>(table: &'a Table, name: &str) -> Result<&'a Column> {
    let found = table.columns.iter().find(|column| column.name == name);
    found.ok_or_else(|| {
        Error::invalid(
            "unknown_column",
            format!("there is no column `{name}` in the table `{}`", table.name),
        )
    })
}

/// Whether the database always counts the column's values: they are made by it,
/// but rows that come from elsewhere may bring theirs along.
pub(crate) fn is_always_counted(column: &Column) -> bool {
    column.generated && column.default.as_deref() == Some("identity")
}

/// Whether rows that come in may have values for the column; what is
/// calculated is calculated again.
pub(crate) fn takes_values(column: &Column) -> bool {
    !column.generated || is_always_counted(column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_calculated_takes_no_values_and_what_is_counted_does() {
        let column = |generated: bool, default: Option<&str>| Column {
            generated,
            default: default.map(str::to_owned),
            ..Column::default()
        };
        for (generated, default, counted, takes) in [
            (false, None, false, true),
            (false, Some("identity"), false, true),
            (true, Some("identity"), true, true),
            (true, None, false, false),
        ] {
            let column = column(generated, default);
            assert_eq!(
                (is_always_counted(&column), takes_values(&column)),
                (counted, takes),
                "{column:?}"
            );
        }
    }
}
