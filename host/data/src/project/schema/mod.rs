//! Changes to a project's own tables as admins ask for them, and the SQL that
//! each engine needs for them.
//!
//! The words here are the same for both engines. On SQLite tables are
//! `STRICT`, and a comment after a column's type says what it holds. What
//! SQLite cannot alter is built anew from the text that it keeps of a table,
//! with every row, in the transaction that asks for it; `text` is the part
//! that reads such texts. Which project and who may ask are left to others.

mod keys;
pub(in crate::project) mod moved;
mod names;
mod plain;
mod postgres;
mod sqlite;
mod table_text;
mod told;

pub(super) use names::check_changes as check;
pub(super) use postgres::{
    alter as alter_on_postgres, create as create_on_postgres, create_all as create_all_on_postgres,
    without_keys,
};
pub(super) use sqlite::{Plan, alter as alter_on_sqlite, create as create_on_sqlite};
pub(super) use table_text::{Clause, Kind, TableText};
pub(super) use told::told;
pub use told::{LeftOut, ProjectDefinitions, TableDefinition};

use atlashub_core::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// Most columns of a new table.
const MAX_COLUMNS: usize = 200;
/// Most keys, checks or indexes of a new table, each.
const MAX_PARTS: usize = 50;
/// Most changes in one call.
pub(super) const MAX_CHANGES: usize = 50;
/// Longest check, bytes.
const MAX_CHECK_BYTES: usize = 4_000;
/// Longest literal of a default, bytes.
const MAX_LITERAL_BYTES: usize = 4_000;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ColumnType {
    /// Text.
    Text,
    /// A whole number, 32 bits at least.
    Integer,
    /// A whole number of 64 bits.
    Bigint,
    /// A floating-point number.
    Real,
    /// An exact decimal number.
    Numeric,
    /// A truth value.
    Boolean,
    /// JSON.
    Json,
    /// A point in time.
    Timestamp,
    /// A day.
    Date,
    /// A time of day.
    Time,
    /// A UUID.
    Uuid,
    /// Bytes.
    Bytes,
}

/// What a column holds when a row does not say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ColumnDefault {
    /// This value.
    Value(Value),
    /// What a function answers.
    Function(DefaultFunction),
}

/// What makes a default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DefaultFunction {
    /// The time of the insert.
    Now,
    /// A random UUID.
    Uuid,
    /// The next number; on SQLite for the one column of a primary key.
    Autoincrement,
}

/// What becomes of rows whose parent is removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnDelete {
    /// The parent cannot be removed.
    #[default]
    NoAction,
    /// The parent cannot be removed, not even for a moment.
    Restrict,
    /// They go with it.
    Cascade,
    /// Their columns become NULL.
    SetNull,
    /// Their columns take their defaults.
    SetDefault,
}

impl OnDelete {
    const fn sql(self) -> &'static str {
        match self {
            Self::NoAction => "NO ACTION",
            Self::Restrict => "RESTRICT",
            Self::Cascade => "CASCADE",
            Self::SetNull => "SET NULL",
            Self::SetDefault => "SET DEFAULT",
        }
    }
}

/// A column to be made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewColumn {
    /// Its name.
    pub name: String,
    /// What it holds.
    #[serde(rename = "type")]
    pub column_type: ColumnType,
    /// Whether it takes NULL; true unless said otherwise.
    #[serde(default = "yes")]
    pub nullable: bool,
    /// What it holds when a row does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<ColumnDefault>,
    /// Whether it alone is the primary key.
    #[serde(default)]
    pub primary_key: bool,
    /// Whether each value occurs once.
    #[serde(default)]
    pub unique: bool,
    /// A condition that holds for every row, SQL of the engine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
    /// The column of a table whose values it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub references: Option<Reference>,
}

const fn yes() -> bool {
    true
}

/// The column of a table that another column refers to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// The table.
    pub table: String,
    /// Its column.
    pub column: String,
    /// What becomes of rows whose parent is removed.
    #[serde(default)]
    pub on_delete: OnDelete,
}

/// A condition that holds for every row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCheck {
    /// Its name; made of the table's unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The condition, SQL of the engine.
    pub expression: String,
}

/// A foreign key to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewForeignKey {
    /// Its name; made of the table's and the columns' unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The table's own columns.
    pub columns: Vec<String>,
    /// The other table.
    pub table: String,
    /// The other table's columns in the same order.
    pub references: Vec<String>,
    /// What becomes of rows whose parent is removed.
    #[serde(default)]
    pub on_delete: OnDelete,
}

/// An index to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewIndex {
    /// Its name; made of the table's and the columns' unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its columns in order.
    pub columns: Vec<String>,
    /// Whether each combination occurs once.
    #[serde(default)]
    pub unique: bool,
}

/// A table to be made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTable {
    /// Its name.
    pub name: String,
    /// Its columns in order.
    pub columns: Vec<NewColumn>,
    /// Columns of the primary key, when it is more than one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub primary_key: Vec<String>,
    /// Combinations of columns that occur once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unique: Vec<Vec<String>>,
    /// Conditions that hold for every row.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<NewCheck>,
    /// Its foreign keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub foreign_keys: Vec<NewForeignKey>,
    /// Its indexes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub indexes: Vec<NewIndex>,
}

/// A change to a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum TableChange {
    /// Gives the table another name.
    Rename {
        /// The new name.
        to: String,
    },
    /// Adds a column.
    AddColumn {
        /// The column.
        column: NewColumn,
    },
    /// Removes a column with its values.
    DropColumn {
        /// The column.
        column: String,
    },
    /// Gives a column another name.
    RenameColumn {
        /// The column.
        column: String,
        /// The new name.
        to: String,
    },
    /// Changes what a column holds. What is not given stays as it is.
    AlterColumn {
        /// The column.
        column: String,
        /// What it holds from now on; values are converted.
        #[serde(rename = "type", default)]
        column_type: Option<ColumnType>,
        /// Whether it takes NULL.
        #[serde(default)]
        nullable: Option<bool>,
        /// What it holds when a row does not say.
        #[serde(default)]
        default: Option<ColumnDefault>,
        /// Whether the default goes.
        #[serde(default)]
        drop_default: bool,
    },
    /// Adds an index.
    AddIndex {
        /// The index.
        index: NewIndex,
    },
    /// Removes an index.
    DropIndex {
        /// Its name.
        name: String,
    },
    /// Adds a foreign key.
    AddForeignKey {
        /// The foreign key.
        foreign_key: NewForeignKey,
    },
    /// Removes a foreign key.
    DropForeignKey {
        /// Its name.
        name: String,
    },
    /// Makes a combination of columns occur once.
    AddUnique {
        /// The columns.
        columns: Vec<String>,
    },
    /// Lets a combination of columns occur more than once.
    DropUnique {
        /// The columns, in any order.
        columns: Vec<String>,
    },
    /// Puts another primary key in place of the one there is, or makes one.
    SetPrimaryKey {
        /// Its columns, which take no NULL from then on.
        columns: Vec<String>,
    },
    /// Adds a condition that holds for every row.
    AddCheck {
        /// The condition.
        check: NewCheck,
    },
    /// Removes a condition.
    DropCheck {
        /// Its name.
        name: String,
    },
}

/// The error for a definition that makes no sense.
fn invalid(message: impl Into<String>) -> Error {
    Error::invalid("invalid_schema", message)
}

/// The table with its columns alone, under a name of its own.
pub(super) fn bare(table: &NewTable) -> NewTable {
    NewTable {
        name: names::made_of(&[&table.name], "trial"),
        columns: table.columns.clone(),
        primary_key: Vec::new(),
        unique: Vec::new(),
        checks: Vec::new(),
        foreign_keys: Vec::new(),
        indexes: Vec::new(),
    }
}

/// Refuses what cannot be the name of a new table.
///
/// # Errors
/// `invalid_schema`.
pub(super) fn check_table_name(name: &str) -> Result<()> {
    names::check_name("table", name)
}

/// Whether two lists name the same columns, in any order.
pub(super) fn are_same(left: &[String], right: &[String]) -> bool {
    let sorted = |columns: &[String]| {
        let mut columns: Vec<String> = columns.iter().map(|name| name.to_lowercase()).collect();
        columns.sort_unstable();
        columns
    };
    sorted(left) == sorted(right)
}

/// The error for a uniqueness that no constraint of the table says.
pub(super) fn no_unique(columns: &[String]) -> Error {
    Error::not_found(format!(
        "the constraint that `{}` is unique (an index is dropped with `drop_index`)",
        columns.join("`, `")
    ))
}

/// The error for a key that goes while another table's foreign key needs it.
pub(super) fn key_in_use() -> Error {
    Error::conflict(
        "key_in_use",
        "a foreign key of another table refers to these columns: drop it first",
    )
}
