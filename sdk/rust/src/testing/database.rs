//! SQLite in memory, its main database named like the plugin's schema, as
//! the host does it with a file.

use crate::{
    Error, Result,
    host::{HostError, HostResult},
    sql::{Rows, Value},
};
use rusqlite::{Connection, Statement, ffi, types::ValueRef};
use std::{ffi::CString, fs, path::Path};

pub(super) struct Database {
    // Declared before `_name`, which SQLite reads as long as it is open.
    connection: Connection,
    _name: CString,
}

impl Database {
    #[expect(
        clippy::expect_used,
        reason = "a test cannot go on without its database"
    )]
    pub(super) fn open(schema: &str) -> Self {
        let connection = Connection::open_in_memory().expect("open a database in memory");
        let name = CString::new(schema).expect("a plugin's name has no NUL");
        // SAFETY: the handle is open, and the name outlives it (see the order
        // of the fields).
        let code = unsafe {
            ffi::sqlite3_db_config(
                connection.handle(),
                ffi::SQLITE_DBCONFIG_MAINDBNAME,
                name.as_ptr(),
            )
        };
        assert_eq!(code, ffi::SQLITE_OK, "the schema could not be named");
        connection
            .pragma_update(None, "foreign_keys", true)
            .expect("switch foreign keys on");
        Self {
            connection,
            _name: name,
        }
    }

    pub(super) fn migrate(&self, folder: &Path) -> Result<()> {
        let mut files: Vec<_> = fs::read_dir(folder)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<std::io::Result<_>>()?;
        files.sort();
        for file in files {
            let name = file
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            if name.ends_with(".sql") && !name.ends_with(".postgres.sql") {
                self.connection
                    .execute_batch(&fs::read_to_string(&file)?)
                    .map_err(|error| Error::internal(format_args!("{name}: {error}")))?;
            }
        }
        Ok(())
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Runs any number of statements.
    pub(super) fn run(&self, sql: &str) -> Result<()> {
        self.connection
            .execute_batch(sql)
            .map_err(|error| Error::internal(format_args!("make tables: {error}")))
    }

    pub(super) fn query(&self, sql: &str, parameters: Vec<Value>) -> HostResult<Rows> {
        let mut statement = self.connection.prepare(sql).map_err(syntax)?;
        bind(&mut statement, parameters)?;
        let columns: Vec<String> = statement
            .column_names()
            .into_iter()
            .map(str::to_owned)
            .collect();
        let count = columns.len();
        let mut found = statement.raw_query();
        let mut rows = Vec::new();
        while let Some(row) = found.next().map_err(failed)? {
            let cells = (0..count).map(|index| row.get_ref(index).map(cell));
            rows.push(cells.collect::<Result<_, _>>().map_err(failed)?);
        }
        Ok(Rows { columns, rows })
    }

    pub(super) fn execute(&self, sql: &str, parameters: Vec<Value>) -> HostResult<u64> {
        let mut statement = self.connection.prepare(sql).map_err(syntax)?;
        bind(&mut statement, parameters)?;
        let changed = statement.raw_execute().map_err(failed)?;
        Ok(u64::try_from(changed).unwrap_or(u64::MAX))
    }
}

/// To SQLite `$2` is a name, numbered by where it first stands; here it is
/// the second value.
fn bind(statement: &mut Statement<'_>, parameters: Vec<Value>) -> HostResult<()> {
    let values: Vec<_> = parameters.into_iter().map(bound).collect();
    let mut used = 0;
    for index in 1..=statement.parameter_count() {
        let number = statement
            .parameter_name(index)
            .and_then(|name| name.strip_prefix('$')?.parse::<usize>().ok())
            .filter(|number| *number > 0)
            .ok_or_else(|| HostError::new("sql_syntax", "parameters are `$1`, `$2`, …"))?;
        let value = values.get(number - 1).ok_or_else(|| {
            HostError::new("sql_syntax", format!("there is no value for ${number}"))
        })?;
        statement.raw_bind_parameter(index, value).map_err(failed)?;
        used = used.max(number);
    }
    if used < values.len() {
        return Err(HostError::new(
            "sql_syntax",
            format!("the statement has no ${}", values.len()),
        ));
    }
    Ok(())
}

fn bound(value: Value) -> rusqlite::types::Value {
    match value {
        Value::Null => rusqlite::types::Value::Null,
        Value::Boolean(value) => rusqlite::types::Value::Integer(value.into()),
        Value::Integer(value) => rusqlite::types::Value::Integer(value),
        Value::Real(value) => rusqlite::types::Value::Real(value),
        Value::Text(value) => rusqlite::types::Value::Text(value),
        Value::Blob(value) => rusqlite::types::Value::Blob(value),
    }
}

fn cell(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(value) => Value::Integer(value),
        ValueRef::Real(value) => Value::Real(value),
        ValueRef::Text(value) => Value::Text(String::from_utf8_lossy(value).into_owned()),
        ValueRef::Blob(value) => Value::Blob(value.to_vec()),
    }
}

fn syntax(error: rusqlite::Error) -> HostError {
    HostError::new("sql_syntax", error.to_string())
}

fn failed(error: rusqlite::Error) -> HostError {
    let code = match error.sqlite_error().map(|error| error.extended_code) {
        Some(
            ffi::SQLITE_CONSTRAINT_UNIQUE
            | ffi::SQLITE_CONSTRAINT_PRIMARYKEY
            | ffi::SQLITE_CONSTRAINT_ROWID,
        ) => "sql_constraint_unique",
        Some(code) if code & 0xff == ffi::SQLITE_CONSTRAINT => "sql_constraint",
        Some(code) if code & 0xff == ffi::SQLITE_BUSY => "sql_busy",
        _ => "sql_failed",
    };
    let state = match error.sqlite_error().map(|error| error.extended_code) {
        _ if code == "sql_constraint_unique" => "23505",
        Some(ffi::SQLITE_CONSTRAINT_FOREIGNKEY) => "23503",
        Some(ffi::SQLITE_CONSTRAINT_NOTNULL) => "23502",
        Some(ffi::SQLITE_CONSTRAINT_CHECK) => "23514",
        Some(ffi::SQLITE_CONSTRAINT_DATATYPE | ffi::SQLITE_MISMATCH) => "22P02",
        Some(code) if code & 0xff == ffi::SQLITE_CONSTRAINT => "23000",
        _ => "22000",
    };
    HostError {
        sqlstate: Some(state.to_owned()),
        ..HostError::new(code, error.to_string())
    }
}
