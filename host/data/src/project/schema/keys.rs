//! Foreign keys and indexes, which both engines write alike but for how a
//! table is named.

use super::{
    NewForeignKey, NewIndex,
    names::{list, made_of, quoted},
};

/// A foreign key of `table` as a constraint; `named` writes a table's name.
pub(super) fn foreign_key_text(
    table: &str,
    key: &NewForeignKey,
    named: fn(&str) -> String,
) -> String {
    let made = || made_of(&[table, &key.columns.join("_")], "fkey");
    let name = key.name.clone().unwrap_or_else(made);
    format!(
        "CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {} ({}) ON DELETE {}",
        quoted(&name),
        list(&key.columns),
        named(&key.table),
        list(&key.references),
        key.on_delete.sql()
    )
}

/// The statement that makes an index of `table`; `named` writes its name.
pub(super) fn index_text(table: &str, index: &NewIndex, named: fn(&str) -> String) -> String {
    let made = || made_of(&[table, &index.columns.join("_")], "idx");
    let name = index.name.clone().unwrap_or_else(made);
    format!(
        "CREATE {}INDEX {} ON {} ({})",
        if index.unique { "UNIQUE " } else { "" },
        quoted(&name),
        named(table),
        list(&index.columns)
    )
}
