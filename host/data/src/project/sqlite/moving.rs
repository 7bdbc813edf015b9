//! Rows as they are moved: read from a file that nobody else has open, told as
//! Postgres' `COPY` reads them.

use super::{
    Connection, Mode, SqliteProjects, blocking,
    error::Failure,
    policy::Author,
    public::{last_number, rules::Rules},
};
use crate::project::{
    moving::{MovedTable, PUBLIC},
    pool::Side,
};
use atlashub_core::{Error, PluginName, ProjectId, Result, capability::PluginScope};
use bytes::Bytes;
use rusqlite::types::ValueRef;
use std::{io::Write as _, path::PathBuf};
use tokio::sync::mpsc;

/// Bytes handed on at once.
const CHUNK: usize = 256 * 1024;
/// Chunks on their way.
const ON_THEIR_WAY: usize = 4;

/// What the other side makes of a column's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::project) enum Told {
    /// Truth values.
    Boolean,
    /// Whole numbers.
    Integer,
    /// Floating-point numbers.
    Real,
    /// Bytes.
    Bytes,
    /// UUIDs.
    Uuid,
    /// What is written as text.
    Text,
}

/// Rows on their way, and how many are in each chunk.
pub(in crate::project) type Rows = mpsc::Receiver<Result<(u64, Bytes)>>;

impl SqliteProjects {
    pub(in crate::project) async fn schemas(&self, project: ProjectId) -> Result<Vec<String>> {
        let files = self.files.clone();
        blocking(move || {
            let found = files.databases(project)?;
            Ok(found.into_iter().map(|(schema, _)| schema).collect())
        })
        .await
    }

    pub(in crate::project) async fn count_rows(
        &self,
        project: ProjectId,
        schema: &str,
        table: &str,
    ) -> Result<u64> {
        let opening = self.to_read(project, schema)?;
        let sql = format!("SELECT count(*) FROM {}", quoted(table));
        blocking(move || {
            let mut connection = opening.open()?;
            let count = connection.as_host(|own| own.inner().query_row(&sql, [], |row| row.get(0)));
            count.map(|count: i64| u64::try_from(count).unwrap_or(0))
        })
        .await
    }

    pub(in crate::project) async fn plain_tables(
        &self,
        project: ProjectId,
        schema: &str,
    ) -> Result<Vec<MovedTable>> {
        let opening = self.to_read(project, schema)?;
        blocking(move || {
            let mut connection = opening.open()?;
            connection.as_host(|own| {
                let inner = own.inner();
                let mut statement = inner.prepare(
                    "SELECT name FROM pragma_table_list WHERE type = 'table' \
                     AND schema <> 'temp' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
                     AND name <> '_migrations' ORDER BY name",
                )?;
                let names: Vec<String> = statement
                    .query_map([], |row| row.get(0))?
                    .collect::<rusqlite::Result<_>>()?;
                let mut tables = Vec::new();
                for name in names {
                    let mut columns = inner.prepare(
                        "SELECT name FROM pragma_table_xinfo(?1) WHERE hidden = 0 ORDER BY cid",
                    )?;
                    let columns = columns
                        .query_map([&name], |row| row.get(0))?
                        .collect::<rusqlite::Result<_>>()?;
                    tables.push(MovedTable {
                        last: last_number(inner, &name)?,
                        name,
                        columns,
                    });
                }
                Ok(tables)
            })
        })
        .await
    }

    /// Begins to read the rows of a table.
    pub(in crate::project) fn rows_to_move(
        &self,
        project: ProjectId,
        schema: &str,
        table: &str,
        columns: Vec<(String, Told)>,
    ) -> Result<Rows> {
        let opening = self.to_read(project, schema)?;
        let (sender, receiver) = mpsc::channel(ON_THEIR_WAY);
        let table = table.to_owned();
        tokio::task::spawn_blocking(move || {
            let read = opening
                .open()
                .and_then(|mut connection| send(&mut connection, &table, &columns, &sender));
            if let Err(error) = read {
                // Whoever does not listen any more has failed by itself.
                let _ = sender.blocking_send(Err(error));
            }
        });
        Ok(receiver)
    }

    fn to_read(&self, project: ProjectId, schema: &str) -> Result<ToRead> {
        let path = if schema == PUBLIC {
            self.files.public(project)
        } else {
            let plugin: PluginName = schema.replace('_', "-").parse()?;
            self.files.plugin(&PluginScope { project, plugin })
        };
        Ok(ToRead {
            path,
            schema: schema.to_owned(),
            options: self.options.clone(),
        })
    }
}

/// A file that is to be read.
struct ToRead {
    path: PathBuf,
    schema: String,
    options: std::sync::Arc<crate::project::Options>,
}

impl ToRead {
    fn open(&self) -> Result<Connection> {
        let author = if self.schema == PUBLIC {
            Author::Public(Box::new(Rules::new(Side::Owner)))
        } else {
            Author::Plugin(self.schema.clone())
        };
        Connection::open(&self.path, &self.schema, author, Mode::Read, &self.options)
            .map_err(Failure::into_error)
    }
}

/// Why reading ended early.
enum Halt {
    /// Nobody listens.
    Unheard,
    /// A value that Postgres cannot hold.
    Value(Error),
}

fn send(
    connection: &mut Connection,
    table: &str,
    columns: &[(String, Told)],
    sender: &mpsc::Sender<Result<(u64, Bytes)>>,
) -> Result<()> {
    let names: Vec<String> = columns.iter().map(|(name, _)| quoted(name)).collect();
    let selected = if names.is_empty() {
        "NULL".to_owned()
    } else {
        names.join(", ")
    };
    let sql = format!("SELECT {selected} FROM {}", quoted(table));
    let mut halt = None;
    connection.as_host(|own| {
        let mut statement = own.inner().prepare(&sql)?;
        let mut rows = statement.query([])?;
        let mut chunk = Vec::with_capacity(CHUNK + CHUNK / 4);
        let (mut count, mut number) = (0, 0_u64);
        while let Some(row) = rows.next()? {
            number += 1;
            for (at, (name, told)) in columns.iter().enumerate() {
                if at > 0 {
                    chunk.push(b'\t');
                }
                if let Err(why) = tell(&mut chunk, row.get_ref(at)?, *told) {
                    halt = Some(Halt::Value(does_not_fit(table, name, number, why)));
                    return Ok(());
                }
            }
            chunk.push(b'\n');
            count += 1;
            if chunk.len() >= CHUNK {
                let ready = std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK + CHUNK / 4));
                if sender.blocking_send(Ok((count, ready.into()))).is_err() {
                    halt = Some(Halt::Unheard);
                    return Ok(());
                }
                count = 0;
            }
        }
        if !chunk.is_empty() && sender.blocking_send(Ok((count, chunk.into()))).is_err() {
            halt = Some(Halt::Unheard);
        }
        Ok(())
    })?;
    match halt {
        Some(Halt::Value(error)) => Err(error),
        Some(Halt::Unheard) | None => Ok(()),
    }
}

/// Tells a value as `COPY` reads it (PostgreSQL, COPY, text format).
fn tell(into: &mut Vec<u8>, value: ValueRef<'_>, told: Told) -> Result<(), &'static str> {
    match (value, told) {
        (ValueRef::Null, _) => into.extend_from_slice(b"\\N"),
        (ValueRef::Integer(number), Told::Boolean) => match number {
            0 => into.push(b'f'),
            1 => into.push(b't'),
            _ => return Err("a truth value is 0 or 1"),
        },
        (ValueRef::Integer(_) | ValueRef::Real(_), Told::Bytes) => {
            return Err("a number stands where bytes are");
        }
        (ValueRef::Integer(number), _) => write(into, format_args!("{number}")),
        (ValueRef::Real(number), Told::Integer) if is_integral(number) => {
            write(into, format_args!("{number:.0}"));
        }
        (ValueRef::Real(number), _) if number.is_infinite() => {
            let text = if number > 0.0 {
                "Infinity"
            } else {
                "-Infinity"
            };
            into.extend_from_slice(text.as_bytes());
        }
        (ValueRef::Real(number), _) => write(into, format_args!("{number:?}")),
        (ValueRef::Text(bytes) | ValueRef::Blob(bytes), Told::Bytes) => hexadecimal(into, bytes),
        (ValueRef::Text(bytes), _) => {
            if bytes.contains(&0) {
                return Err("a text has a NUL character, which Postgres cannot keep");
            }
            if std::str::from_utf8(bytes).is_err() {
                return Err("a text is not UTF-8");
            }
            escape(into, bytes);
        }
        (ValueRef::Blob(bytes), Told::Uuid) if bytes.len() == 16 => {
            for byte in bytes {
                write(into, format_args!("{byte:02x}"));
            }
        }
        (ValueRef::Blob(_), _) => return Err("bytes stand where text or a number is"),
    }
    Ok(())
}

fn is_integral(number: f64) -> bool {
    number.fract() == 0.0 && number.abs() < 9.0e15
}

fn write(into: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Writing into memory does not fail.
    let _ = into.write_fmt(text);
}

fn hexadecimal(into: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    into.extend_from_slice(b"\\\\x");
    into.reserve(bytes.len() * 2);
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            into.extend(DIGITS.get(usize::from(digit)));
        }
    }
}

fn escape(into: &mut Vec<u8>, bytes: &[u8]) {
    for byte in bytes {
        match byte {
            b'\\' => into.extend_from_slice(b"\\\\"),
            b'\n' => into.extend_from_slice(b"\\n"),
            b'\r' => into.extend_from_slice(b"\\r"),
            b'\t' => into.extend_from_slice(b"\\t"),
            byte => into.push(*byte),
        }
    }
}

fn does_not_fit(table: &str, column: &str, row: u64, why: &str) -> Error {
    Error::invalid(
        "value_does_not_fit",
        format!("row {row} of `{table}`, column `{column}`: {why}"),
    )
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    fn told(value: ValueRef<'_>, told: Told) -> Result<String, &'static str> {
        let mut into = Vec::new();
        tell(&mut into, value, told)?;
        Ok(String::from_utf8(into).unwrap())
    }

    #[test]
    fn values_are_told_as_postgres_reads_them() {
        use ValueRef as V;
        for (value, kind, expected) in [
            (V::Null, Told::Text, "\\N"),
            (V::Integer(1), Told::Boolean, "t"),
            (V::Integer(-7), Told::Integer, "-7"),
            (V::Real(3.0), Told::Integer, "3"),
            (V::Real(0.1), Told::Real, "0.1"),
            (V::Real(1e300), Told::Real, "1e300"),
            (V::Text(b"a\tb\\c\n"), Told::Text, "a\\tb\\\\c\\n"),
            (V::Text(b"\\N"), Told::Text, "\\\\N"),
            (V::Blob(&[0, 255]), Told::Bytes, "\\\\x00ff"),
            (
                V::Blob(&[1; 16]),
                Told::Uuid,
                "01010101010101010101010101010101",
            ),
        ] {
            assert_eq!(told(value, kind).as_deref(), Ok(expected));
        }
        assert!(told(V::Text(b"a\0b"), Told::Text).is_err());
        assert!(told(V::Integer(2), Told::Boolean).is_err());
        assert!(told(V::Blob(b"x"), Told::Text).is_err());
    }
}
