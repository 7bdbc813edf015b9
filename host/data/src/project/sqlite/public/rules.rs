//! What SQL may do in the project's own tables: the answers of the
//! authorizer on their connections.
//!
//! For callers whom row policies bind this is a wall. A table is read
//! through a temporary view of its name that holds the policies, and written
//! directly, under temporary triggers that hold them. The rules let a
//! statement reach a table by no other road. SQLite names the view or
//! trigger that an access comes from, but a common table expression can bear
//! any name; so only views and triggers with secret names are believed, and
//! a statement that contains the start of such a name is refused before.
//!
//! Foreign keys and the admin's own triggers reach tables in ways that look
//! like the statement's. A statement is therefore first prepared where both
//! are switched off, under [`Gate::Strict`]; what passes there is prepared
//! anew with both, under [`Gate::Lenient`], where only they add anything.
//! Meanwhile the gate is [`Gate::Closed`]: when tables have changed, SQLite
//! would prepare a statement again by itself, and finds out here.

use crate::project::{
    pool::Side,
    sqlite::policy::{FUNCTIONS, PRAGMAS},
};
use parking_lot::{Mutex, RwLock};
use rusqlite::hooks::{AuthAction, AuthContext};
use std::{
    collections::{HashMap, HashSet},
    sync::atomic::{AtomicBool, AtomicU8, Ordering},
};

/// What names of ours begin with, and nobody else's may.
pub(crate) const RESERVED: &str = "_atlashub";

/// Modules that are tables without having been made, and harmless.
pub(super) const HARMLESS: &[&str] = &["json_each", "json_tree"];
/// The start of names of modules that tell of the database's insides.
const TELLING: &[&str] = &["pragma_", "sqlite_", "dbstat", "bytecode", "tables_used"];

/// How far the gate of bound callers is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    /// Nothing may be prepared.
    Closed,
    /// What policies allow.
    Strict,
    /// What was found to be allowed, with foreign keys and triggers.
    Lenient,
}

/// Where an access that is believed comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// A view that holds the policies of this table.
    View(String),
    /// A trigger that holds policies.
    Trigger,
}

/// What the rules know of the tables. Names are in lower case.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Views by the names of tables and views, to be read.
    pub(super) readable: HashSet<String>,
    /// Tables under triggers, to be written; and the name by which SQLite
    /// reports their row id.
    pub(super) writable: HashMap<String, String>,
    /// Views and triggers with secret names.
    pub(super) origins: HashMap<String, Origin>,
    /// All that there is in the file.
    pub(super) objects: HashSet<String>,
}

/// The rules of one connection.
#[derive(Debug)]
pub(in crate::project::sqlite) struct Rules {
    side: Side,
    gate: AtomicU8,
    stale: AtomicBool,
    target: Mutex<Option<String>>,
    known: RwLock<Known>,
}

impl Rules {
    pub(in crate::project::sqlite) fn new(side: Side) -> Self {
        Self {
            side,
            gate: AtomicU8::new(0),
            stale: AtomicBool::new(false),
            target: Mutex::new(None),
            known: RwLock::default(),
        }
    }

    /// With whose rights.
    pub(in crate::project::sqlite) fn side(&self) -> Side {
        self.side
    }

    pub(super) fn open(&self, gate: Gate) {
        let number = match gate {
            Gate::Closed => 0,
            Gate::Strict => 1,
            Gate::Lenient => 2,
        };
        self.gate.store(number, Ordering::Relaxed);
        *self.target.lock() = None;
    }

    fn gate(&self) -> Gate {
        match self.gate.load(Ordering::Relaxed) {
            1 => Gate::Strict,
            2 => Gate::Lenient,
            _ => Gate::Closed,
        }
    }

    /// Whether something was to be prepared while the gate was closed.
    pub(in crate::project::sqlite) fn take_stale(&self) -> bool {
        self.stale.swap(false, Ordering::Relaxed)
    }

    pub(super) fn learn(&self, known: Known) {
        *self.known.write() = known;
    }

    /// Whether bound callers can write the table at all.
    pub(super) fn is_writable(&self, table: &str) -> bool {
        let table = table.to_ascii_lowercase();
        self.known.read().writable.contains_key(&table)
    }

    /// Why the action is refused, if it is.
    pub(in crate::project::sqlite) fn refuse(&self, context: &AuthContext<'_>) -> Option<String> {
        match self.side {
            Side::Owner => owner(context),
            Side::Service => service(context),
            Side::Bound => match self.gate() {
                Gate::Closed => {
                    self.stale.store(true, Ordering::Relaxed);
                    Some("tables have changed meanwhile".to_owned())
                }
                Gate::Strict => self.strict(context),
                Gate::Lenient => lenient(context),
            },
        }
    }

    fn strict(&self, context: &AuthContext<'_>) -> Option<String> {
        use AuthAction as A;
        match context.action {
            A::Select | A::Recursive => None,
            A::Function { function_name } => function(function_name),
            A::Read {
                table_name,
                column_name,
            } => self.strict_read(
                &table_name.to_ascii_lowercase(),
                column_name,
                context.database_name,
                context.accessor,
            ),
            A::Insert { table_name } | A::Update { table_name, .. } | A::Delete { table_name } => {
                let table = table_name.to_ascii_lowercase();
                if !is_public(context.database_name) {
                    return Some(format!("write to `public.{table_name}`"));
                }
                if context.accessor.is_some() || !self.known.read().writable.contains_key(&table) {
                    return Some(format!("`{table_name}` cannot be written"));
                }
                *self.target.lock() = Some(table);
                None
            }
            _ => Some(not_offered(context)),
        }
    }

    fn strict_read(
        &self,
        table: &str,
        column: &str,
        database: Option<&str>,
        accessor: Option<&str>,
    ) -> Option<String> {
        let known = self.known.read();
        let telling = TELLING.iter().any(|start| table.starts_with(start));
        let allowed = match database {
            _ if telling => false,
            Some("temp") => known.readable.contains(table) || known.origins.contains_key(table),
            // Something of which no column is read, with the database as it
            // was written: a view of ours, a common table expression, or one
            // of the file's own that has no view.
            None => {
                column.is_empty()
                    && (known.readable.contains(table) || !known.objects.contains(table))
            }
            database if is_public(database) => {
                let harmless = HARMLESS.contains(&table) && !known.objects.contains(table);
                let believed = match accessor.and_then(|name| known.origins.get(name)) {
                    Some(Origin::View(of)) => of == table,
                    Some(Origin::Trigger) => !table.starts_with(RESERVED),
                    None => false,
                };
                // Rows to be written are named by their ids.
                let row_id = accessor.is_none()
                    && self.target.lock().as_deref() == Some(table)
                    && known.writable.get(table).is_some_and(|id| id == column);
                harmless || believed || row_id
            }
            Some(_) => false,
        };
        (!allowed).then(|| {
            if known.readable.contains(table) {
                format!("`public.{table}` can only be written: read `{table}`")
            } else {
                format!("`{table}` cannot be read")
            }
        })
    }
}

/// A statement that passed before, now with foreign keys and triggers.
fn lenient(context: &AuthContext<'_>) -> Option<String> {
    use AuthAction as A;
    match context.action {
        A::Select | A::Recursive | A::Read { .. } => None,
        A::Function { function_name } => function(function_name),
        A::Insert { table_name } | A::Update { table_name, .. } | A::Delete { table_name }
            if is_public(context.database_name) && !is_ours(table_name) =>
        {
            None
        }
        // Asked by the full-text search about its own tables.
        A::Pragma {
            pragma_name: "data_version",
            ..
        } => None,
        _ => Some(not_offered(context)),
    }
}

fn service(context: &AuthContext<'_>) -> Option<String> {
    use AuthAction as A;
    match context.action {
        A::Select | A::Recursive => None,
        A::Function { function_name } => function(function_name),
        A::Read { table_name, .. } => {
            let table = table_name.to_ascii_lowercase();
            let telling = TELLING.iter().any(|start| table.starts_with(start));
            (telling || is_ours(&table)).then(|| format!("`{table_name}` cannot be read"))
        }
        A::Insert { table_name } | A::Update { table_name, .. } | A::Delete { table_name } => {
            (!is_public(context.database_name) || is_ours(table_name))
                .then(|| format!("`{table_name}` cannot be written"))
        }
        A::Pragma {
            pragma_name: "data_version",
            ..
        } => None,
        _ => Some(not_offered(context)),
    }
}

fn owner(context: &AuthContext<'_>) -> Option<String> {
    use AuthAction as A;
    let own = |name: &str| {
        if is_ours(name) {
            return Some(format!("names that begin with `{RESERVED}` are the host's"));
        }
        (!is_public(context.database_name))
            .then(|| "tables are only kept in the schema `public`".to_owned())
    };
    match context.action {
        A::Select | A::Recursive => None,
        A::Function { function_name } => function(function_name),
        A::Read { table_name, .. } => {
            is_ours(table_name).then(|| format!("`{table_name}` cannot be read"))
        }
        // Renaming looks there, too; the defensive mode keeps statements from
        // writing to it by themselves.
        A::Update {
            table_name: "sqlite_temp_master" | "sqlite_temp_schema",
            ..
        } => None,
        A::Insert { table_name }
        | A::Update { table_name, .. }
        | A::Delete { table_name }
        | A::CreateTable { table_name }
        | A::DropTable { table_name }
        | A::Analyze { table_name } => own(table_name),
        A::AlterTable {
            database_name,
            table_name,
        } => (!is_public(Some(database_name)) || is_ours(table_name))
            .then(|| format!("`{table_name}` cannot be altered")),
        A::CreateIndex { table_name, .. } | A::DropIndex { table_name, .. } => own(table_name),
        A::CreateTrigger {
            table_name,
            trigger_name,
        }
        | A::DropTrigger {
            table_name,
            trigger_name,
        } => own(trigger_name).or_else(|| own(table_name)),
        A::CreateView { view_name } | A::DropView { view_name } => own(view_name),
        A::Reindex { index_name } => own(index_name),
        A::CreateVtable {
            module_name,
            table_name,
        }
        | A::DropVtable {
            module_name,
            table_name,
        } => {
            if module_name.eq_ignore_ascii_case("fts5") {
                own(table_name)
            } else {
                Some(format!(
                    "virtual tables of the kind `{module_name}` are not offered"
                ))
            }
        }
        // Asked when a column with a check is added.
        A::Pragma {
            pragma_name: "quick_check",
            ..
        } => None,
        A::Pragma { pragma_name, .. } => (!PRAGMAS
            .contains(&pragma_name.to_ascii_lowercase().as_str()))
        .then(|| format!("the pragma `{pragma_name}` belongs to the host")),
        _ => Some(not_offered(context)),
    }
}

fn is_public(database: Option<&str>) -> bool {
    database.is_some_and(|name| {
        name.eq_ignore_ascii_case("public") || name.eq_ignore_ascii_case("main")
    })
}

/// Whether the name is one that the host keeps for itself.
pub(crate) fn is_ours(name: &str) -> bool {
    name.get(..RESERVED.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(RESERVED))
}

fn function(name: &str) -> Option<String> {
    FUNCTIONS
        .contains(&name)
        .then(|| format!("the function `{name}` is not offered"))
}

fn not_offered(context: &AuthContext<'_>) -> String {
    use AuthAction as A;
    match context.action {
        A::Transaction { .. } | A::Savepoint { .. } => {
            "transactions are begun and ended through the interface, not in SQL".to_owned()
        }
        A::Attach { .. } | A::Detach { .. } => {
            "no other database can be attached, and none detached".to_owned()
        }
        A::Pragma { pragma_name, .. } => format!("the pragma `{pragma_name}` belongs to the host"),
        _ => "tables are changed by an admin, not here".to_owned(),
    }
}
