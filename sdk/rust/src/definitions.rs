//! How the project's own tables are made: read whole, tried, and made, by the
//! road of the admin's own calls, as migrations. Reading needs a grant of
//! `database`; changing needs `database:define`. Only for callers who reach
//! every row, which jobs do.
//!
//! The words are those of `POST /admin/v1/projects/{project}/tables`, alike on
//! both engines. What a host says beyond what is written here is kept, and
//! handed on.
//!
//! ```
//! # use atlashub_sdk::prelude::*;
//! use atlashub_sdk::definitions::{Column, NewTable};
//!
//! fn make_notes() -> Result<()> {
//!     let mut notes = NewTable::new("notes");
//!     notes.columns.push(Column::new("id", "uuid").primary_key());
//!     notes.columns.push(Column::new("text", "text"));
//!     definitions::create(&[notes])
//! }
//! ```

use crate::{
    Error, Result, StatusCode,
    host::{self, HostError},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

fn is_empty<T>(list: &[T]) -> bool {
    list.is_empty()
}

/// A column.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// `text`, `integer`, `bigint`, `real`, `numeric`, `boolean`, `json`,
    /// `timestamp`, `date`, `time`, `uuid` or `bytes`.
    #[serde(rename = "type")]
    pub column_type: String,
    /// Whether it takes NULL.
    #[serde(default = "yes")]
    pub nullable: bool,
    /// `{"value": …}` or `{"function": "now" | "uuid" | "autoincrement"}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// Whether it alone is the primary key.
    #[serde(default)]
    pub primary_key: bool,
    /// What a newer host says beside the rest.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

const fn yes() -> bool {
    true
}

impl Column {
    /// A column that takes NULL.
    #[must_use]
    pub fn new(name: &str, column_type: &str) -> Self {
        Self {
            name: name.to_owned(),
            column_type: column_type.to_owned(),
            nullable: true,
            ..Self::default()
        }
    }

    /// It alone is the primary key.
    #[must_use]
    pub fn primary_key(mut self) -> Self {
        self.primary_key = true;
        self.nullable = false;
        self
    }
}

/// A condition that holds for every row.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The condition, SQL of the engine.
    pub expression: String,
}

/// A foreign key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ForeignKey {
    /// Its name; made of the table's and the columns' unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The table's own columns.
    pub columns: Vec<String>,
    /// The other table.
    pub table: String,
    /// The other table's columns in the same order.
    pub references: Vec<String>,
    /// What a newer host says beside the rest.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// An index.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Index {
    /// Its name; made of the table's and the columns' unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its columns in order.
    pub columns: Vec<String>,
    /// Whether each combination occurs once.
    #[serde(default)]
    pub unique: bool,
    /// What a newer host says beside the rest.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// A table to be made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NewTable {
    /// Its name.
    pub name: String,
    /// Its columns in order.
    pub columns: Vec<Column>,
    /// Columns of the primary key, when it is more than one.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub primary_key: Vec<String>,
    /// Combinations of columns that occur once.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub unique: Vec<Vec<String>>,
    /// Conditions that hold for every row.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub checks: Vec<Check>,
    /// Its foreign keys.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub foreign_keys: Vec<ForeignKey>,
    /// Its indexes.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub indexes: Vec<Index>,
    /// What a newer host says beside the rest.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

impl NewTable {
    /// A table without columns.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }

    /// The columns of its primary key, however that is said.
    #[must_use]
    pub fn key(&self) -> Vec<String> {
        if !self.primary_key.is_empty() {
            return self.primary_key.clone();
        }
        let keys = self.columns.iter().filter(|column| column.primary_key);
        keys.map(|column| column.name.clone()).collect()
    }
}

/// Something that cannot be said, or made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// What it is: `index:by_word`, `check:things.some_title`.
    pub object: String,
    /// Why, in words.
    pub why: String,
    /// How its engine says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sql: Option<String>,
}

/// A table with its row policies.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Definition {
    /// The table.
    pub table: NewTable,
    /// Its row policies, as the admin's call about one takes it.
    #[serde(default)]
    pub policies: Vec<Value>,
    /// What of it has no words.
    #[serde(default)]
    pub left_out: Vec<LeftOut>,
}

/// All tables of the project.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Definitions {
    /// By name.
    pub tables: Vec<Definition>,
    /// What belongs to no table, such as views.
    #[serde(default)]
    pub left_out: Vec<LeftOut>,
}

/// A change to a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Change {
    /// Gives the table another name.
    Rename {
        /// The new name.
        to: String,
    },
    /// Adds a column.
    AddColumn {
        /// The column.
        column: Column,
    },
    /// Removes a column with its values.
    DropColumn {
        /// The column.
        column: String,
    },
    /// Adds an index.
    AddIndex {
        /// The index.
        index: Index,
    },
    /// Removes an index.
    DropIndex {
        /// Its name.
        name: String,
    },
    /// Adds a foreign key.
    AddForeignKey {
        /// The foreign key.
        foreign_key: ForeignKey,
    },
    /// Removes a foreign key.
    DropForeignKey {
        /// Its name.
        name: String,
    },
    /// Adds a condition that holds for every row.
    AddCheck {
        /// The condition.
        check: Check,
    },
    /// Removes a condition.
    DropCheck {
        /// Its name.
        name: String,
    },
    /// Any other, as the admin's call takes it.
    #[serde(untagged)]
    Other(Value),
}

/// The definitions of all tables.
///
/// # Errors
/// `not_granted` (403), `sql_denied` (403) for callers whom row policies bind.
pub fn read() -> Result<Definitions> {
    Ok(serde_json::from_str(
        &host::definitions_read().map_err(failed)?,
    )?)
}

/// What of these tables and policies cannot be made here; nothing changes.
///
/// # Errors
/// As [`read`], and `table_exists` (409).
pub fn check(definitions: &[Definition]) -> Result<Vec<LeftOut>> {
    let found = host::definitions_check(&serde_json::to_string(definitions)?).map_err(failed)?;
    Ok(serde_json::from_str(&found)?)
}

/// Makes tables, all or none. They may refer to each other in any order.
///
/// # Errors
/// As [`read`]; `table_exists` (409), `invalid_schema` (422).
pub fn create(tables: &[NewTable]) -> Result<()> {
    let text = serde_json::to_string(tables)?;
    host::definitions_create(&text).map_err(failed)
}

/// Makes changes to a table, all or none.
///
/// # Errors
/// As [`read`]; 404, `invalid_schema` (422).
pub fn alter(table: &str, changes: &[Change]) -> Result<()> {
    let text = serde_json::to_string(changes)?;
    host::definitions_alter(table, &text).map_err(failed)
}

/// Removes a table with its rows.
///
/// # Errors
/// As [`read`]; 404, `table_in_use` (409) while a foreign key refers to it.
pub fn remove(table: &str) -> Result<()> {
    host::definitions_remove(table).map_err(failed)
}

/// Gives a table exactly these row policies.
///
/// # Errors
/// As [`read`]; 404, `invalid_policy` (422).
pub fn set_policies(table: &str, policies: &[Value]) -> Result<()> {
    let text = serde_json::to_string(policies)?;
    host::definitions_set_policies(table, &text).map_err(failed)
}

/// A definition is mostly somebody else's words: what the database has against
/// it is for them to read.
fn failed(error: HostError) -> Error {
    let status = match error.code.as_str() {
        "table_exists"
        | "table_in_use"
        | "column_in_use"
        | "key_in_use"
        | "schema_change_given_up" => StatusCode::CONFLICT,
        "invalid_schema" | "invalid_policy" | "too_many_tables" | "sql_syntax" | "sql_failed" => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        "sql_denied" => StatusCode::FORBIDDEN,
        "schema_busy" => StatusCode::SERVICE_UNAVAILABLE,
        _ => return error.into(),
    };
    Error::new(status, error.code, error.message)
}
