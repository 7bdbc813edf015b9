//! The temporary views and triggers that hold the row policies on a bound
//! caller's connection, made anew when tables or policies have changed.
//!
//! For a table `todos` there are a view with a secret name, which reads it
//! under the policies; a view `todos`, which reads that; and triggers with
//! secret names on `public.todos`. A view of the admin's is made once more as
//! a temporary one: the tables that it reads are then the views of this
//! module, so that it shows a caller what the caller may see. Rows that
//! policies hide are passed over by updates and deletes; rows that policies
//! do not let come to be end the statement.

use super::{
    describe::{self, Shape},
    rules::{Known, Origin, RESERVED, is_ours},
    store,
};
use crate::project::{
    public::{Action, Expression, RowPolicy},
    text,
};
use atlashub_core::{Error, Result};
use rusqlite::Connection;
use std::collections::HashMap;

/// What the message of a refused row begins with.
pub(in crate::project::sqlite) const REFUSED: &str = "_atlashub_policy:";

/// What holds for no row; not a constant to SQLite.
const NEVER: &str = "(caller_role() IS NULL)";

/// The policies of each table, by its name in lower case.
pub(super) type Policies = HashMap<String, Vec<RowPolicy>>;

/// Reads the stored policies.
pub(super) fn stored(connection: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    store::all(connection)
}

/// Groups stored policies by table.
pub(super) fn grouped(stored: Vec<(String, String)>) -> Result<Policies> {
    let mut policies = Policies::new();
    for (table, text) in stored {
        let policy = store::parse(&text)?;
        policies
            .entry(table.to_ascii_lowercase())
            .or_default()
            .push(policy);
    }
    Ok(policies)
}

/// Makes the views and triggers, in place of those that are there. Within a
/// transaction, so that all is of one moment. `key` is not to be guessed.
pub(super) fn build(
    connection: &Connection,
    policies: &Policies,
    key: &str,
) -> rusqlite::Result<Known> {
    clear(connection)?;
    let mut known = Known::default();
    let objects = describe::objects(connection)?;
    for object in &objects {
        known.objects.insert(object.name.to_ascii_lowercase());
    }
    let none = Vec::new();
    for (number, object) in objects.iter().enumerate() {
        if is_ours(&object.name) {
            continue;
        }
        let lower = object.name.to_ascii_lowercase();
        if object.is_view {
            if let Some(rest) = object.sql.strip_prefix("CREATE VIEW") {
                connection.execute_batch(&format!("CREATE TEMP VIEW{rest}"))?;
                known.readable.insert(lower);
            }
        } else if object.is_plain_table {
            let shape = describe::shape(connection, &object.name)?;
            let own = policies.get(&lower).unwrap_or(&none);
            let makes = Maker {
                table: &object.name,
                shape: &shape,
                policies: own,
                secret: format!("{RESERVED}_{key}_{number}"),
            };
            connection.execute_batch(&makes.view())?;
            known
                .origins
                .insert(makes.secret.clone(), Origin::View(lower.clone()));
            known.readable.insert(lower.clone());
            // A table that replaces rows by itself does so without a trigger.
            let replaces = text::runs(&object.sql)
                .any(|(word, calls)| word.eq_ignore_ascii_case("replace") && !calls);
            if let Some(row_id) = shape.row_id.as_ref().filter(|_| !replaces) {
                for (name, sql) in makes.triggers() {
                    connection.execute_batch(&sql)?;
                    known.origins.insert(name, Origin::Trigger);
                }
                known.writable.insert(lower, row_id.clone());
            }
        }
    }
    Ok(known)
}

/// Drops what an earlier [`build`] made.
fn clear(connection: &Connection) -> rusqlite::Result<()> {
    let mut statement = connection.prepare("SELECT type, name FROM temp.sqlite_schema")?;
    let made: Vec<(String, String)> = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    drop(statement);
    for (kind, name) in made {
        let kind = if kind == "view" { "VIEW" } else { "TRIGGER" };
        // A trigger whose table is gone cannot be dropped; it sleeps until a
        // table of that name comes, and is dropped then.
        connection.execute_batch(&format!("DROP {kind} IF EXISTS temp.{}", quoted(&name)))?;
    }
    Ok(())
}

struct Maker<'a> {
    table: &'a str,
    shape: &'a Shape,
    policies: &'a [RowPolicy],
    secret: String,
}

impl Maker<'_> {
    fn view(&self) -> String {
        let table = quoted(self.table);
        let secret = quoted(&self.secret);
        let columns: Vec<String> = self
            .shape
            .row_id
            .iter()
            .map(|_| "_rowid_ AS \"_rowid_\"".to_owned())
            .chain(self.shape.columns.iter().map(|column| quoted(column)))
            .collect();
        // Reading a column keeps SQLite from asking as if no column of the
        // table were read, which is refused. So nothing here may be a
        // constant that makes the column superfluous.
        let anchor = self
            .shape
            .anchor
            .as_ref()
            .map(|column| format!("{0} IS {0} AND ", quoted(column)))
            .unwrap_or_default();
        // Of a table that has no column but its row id none can be read: there
        // the view stays one, and SQLite asks in its name. Rows are distinct by
        // their ids.
        let distinct = match &self.shape.anchor {
            Some(_) => "",
            None => "DISTINCT ",
        };
        format!(
            "CREATE TEMP VIEW {secret} AS SELECT {distinct}{columns} FROM public.{table} WHERE {anchor}({condition});\n\
             CREATE TEMP VIEW {table} AS SELECT * FROM temp.{secret};",
            columns = columns.join(", "),
            condition = self.condition(Action::Select, RowPolicy::using),
        )
    }

    fn triggers(&self) -> [(String, String); 4] {
        let sees = self.condition(Action::Select, RowPolicy::using);
        let both = |action, part: fn(&RowPolicy) -> Option<&Expression>| {
            format!("({sees}) AND ({})", self.condition(action, part))
        };
        let deletes = self.on_row("OLD", &both(Action::Delete, RowPolicy::using));
        let updates = self.on_row("OLD", &both(Action::Update, RowPolicy::using));
        let updated = self.on_row("NEW", &both(Action::Update, RowPolicy::check));
        let inserted = self.on_row("NEW", &self.condition(Action::Insert, RowPolicy::check));
        let deleted_along = self.left_behind(|key| key.follows_delete);
        let updated_along = self.left_behind(|key| key.follows_change);
        let refuse = format!(
            "RAISE(ABORT, {})",
            literal(&format!("{REFUSED}{}", self.table))
        );
        let trigger = |suffix: &str, when: &str, then: &str, unless: String| {
            let name = format!("{}{suffix}", self.secret);
            let sql = format!(
                "CREATE TEMP TRIGGER {} {when} ON public.{} BEGIN SELECT {then} WHERE NOT ({unless}); END;",
                quoted(&name),
                quoted(self.table)
            );
            (name, sql)
        };
        [
            trigger("i", "AFTER INSERT", &refuse, inserted),
            trigger(
                "u",
                "BEFORE UPDATE",
                "RAISE(IGNORE)",
                format!("{updates}{updated_along}"),
            ),
            trigger(
                "c",
                "AFTER UPDATE",
                &refuse,
                format!("{updated}{updated_along}"),
            ),
            trigger(
                "d",
                "BEFORE DELETE",
                "RAISE(IGNORE)",
                format!("{deletes}{deleted_along}"),
            ),
        ]
    }

    /// Whether a condition on the table's columns holds for `NEW` or `OLD`.
    fn on_row(&self, row: &str, condition: &str) -> String {
        let columns: Vec<String> = self
            .shape
            .columns
            .iter()
            .map(|column| format!("{row}.{0} AS {0}", quoted(column)))
            .collect();
        format!(
            "EXISTS (SELECT 1 FROM (SELECT {}) AS {} WHERE {condition})",
            columns.join(", "),
            quoted(self.table)
        )
    }

    /// Also holds for a row whose parent is gone: a foreign key is about to
    /// carry the parent's change on to it, as the admin who made the key
    /// wants, whoever changed the parent.
    fn left_behind(&self, follows: fn(&describe::Key) -> bool) -> String {
        let mut text = String::new();
        for key in self.shape.keys.iter().filter(|key| follows(key)) {
            let mut set = Vec::new();
            let mut same = Vec::new();
            for (own, other) in &key.columns {
                set.push(format!("OLD.{} IS NOT NULL", quoted(own)));
                same.push(format!("parent.{} = OLD.{}", quoted(other), quoted(own)));
            }
            text.push_str(&format!(
                " OR ({} AND NOT EXISTS (SELECT 1 FROM public.{} AS parent WHERE {}))",
                set.join(" AND "),
                quoted(&key.table),
                same.join(" AND ")
            ));
        }
        text
    }

    /// What the policies say together.
    fn condition(
        &self,
        action: Action,
        part: impl Fn(&RowPolicy) -> Option<&Expression>,
    ) -> String {
        let alternatives: Vec<String> = self
            .policies
            .iter()
            .filter(|policy| policy.actions.contains(&action))
            .filter_map(|policy| {
                let rows = self.expression(part(policy)?);
                Some(match roles(policy) {
                    None => rows,
                    Some(roles) => format!("({roles} AND {rows})"),
                })
            })
            .collect();
        if alternatives.is_empty() {
            return NEVER.to_owned();
        }
        alternatives.join(" OR ")
    }

    fn expression(&self, expression: &Expression) -> String {
        match expression {
            Expression::Constant(true) => "1".to_owned(),
            Expression::Constant(false) => NEVER.to_owned(),
            Expression::Owner { owner } => {
                let column = quoted(owner);
                if self.shape.is_bytes(owner) {
                    format!("{column} = unhex(caller_id(), '-')")
                } else {
                    format!("{column} = caller_id()")
                }
            }
            Expression::Sql(sql) => format!("({sql})"),
        }
    }
}

/// Whom a policy is for, unless it is for all.
fn roles(policy: &RowPolicy) -> Option<String> {
    if policy.is_for_all() {
        return None;
    }
    let each: Vec<String> = policy
        .roles
        .iter()
        .map(|role| format!("caller_has_role({})", literal(role)))
        .collect();
    Some(format!("({})", each.join(" OR ")))
}

/// `name` as a quoted identifier.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Names the table whose policies a failure's message speaks of.
pub(in crate::project::sqlite) fn refused_table(message: &str) -> Option<&str> {
    message.strip_prefix(REFUSED)
}

/// The name of a new set: 128 bits that are not to be guessed.
pub(super) fn key() -> Result<String> {
    let text = atlashub_core::token::generate("")?;
    let mut digest = atlashub_core::Digest::of(text.as_bytes()).to_hex();
    digest.truncate(32);
    if digest.len() < 32 {
        return Err(Error::internal("name a set of policies", "a short digest"));
    }
    Ok(digest)
}
