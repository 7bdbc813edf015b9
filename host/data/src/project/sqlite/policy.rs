//! What SQL may do on SQLite: the authorizer that SQLite asks
//! about every action while it prepares a statement.
//!
//! The wall is elsewhere: a connection has one file open, no other can be
//! attached, and the defensive mode protects the schema table. The
//! authorizer keeps a plugin from the things that would take that wall down
//! or change the host's own settings, and notes which statements may take
//! long within a single step. For the project's own tables `public::rules`
//! decides.

use super::public::rules::Rules;
use parking_lot::Mutex;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// Pragmas that only describe the schema.
pub(super) const PRAGMAS: &[&str] = &[
    "table_info",
    "table_xinfo",
    "table_list",
    "index_list",
    "index_info",
    "index_xinfo",
    "foreign_key_list",
    "foreign_key_check",
    // Full-text tables ask for it.
    "data_version",
];

/// Functions that reach outside of the plugin's own data.
pub(super) const FUNCTIONS: &[&str] = &["load_extension", "fts3_tokenizer", "sqlite_log"];

/// Functions whose one call always ends quickly. All others run where they
/// may hold the thread.
const QUICK: &[&str] = &[
    "abs",
    "avg",
    "ceil",
    "ceiling",
    "changes",
    "char",
    "coalesce",
    "concat",
    "count",
    "current_date",
    "current_time",
    "current_timestamp",
    "date",
    "datetime",
    "dense_rank",
    "first_value",
    "floor",
    "ifnull",
    "iif",
    "if",
    "julianday",
    "lag",
    "last_insert_rowid",
    "last_value",
    "lead",
    "length",
    "lower",
    "max",
    "min",
    "mod",
    "nth_value",
    "ntile",
    "nullif",
    "octet_length",
    "pow",
    "power",
    "random",
    "rank",
    "round",
    "row_number",
    "sign",
    "sqrt",
    "strftime",
    "substr",
    "substring",
    "sum",
    "time",
    "timediff",
    "total",
    "total_changes",
    "trunc",
    "typeof",
    "unicode",
    "unixepoch",
    "upper",
];

/// Functions whose one call takes time in the size of its arguments: quick
/// enough for the project's own tables, whose rows are mostly asked for as
/// one JSON text.
const LINEAR: &[&str] = &[
    "->",
    "->>",
    "base64",
    "caller_claims",
    "caller_has_role",
    "caller_id",
    "caller_role",
    "json",
    "json_array",
    "json_extract",
    "json_group_array",
    "json_group_object",
    "json_object",
    "json_quote",
    "json_type",
    "json_valid",
];

/// Whose SQL it is.
#[derive(Debug)]
pub(super) enum Author {
    /// A plugin, in the schema of this name.
    Plugin(String),
    /// Somebody at the project's own tables.
    Public(Box<Rules>),
}

/// The rules of one connection.
#[derive(Debug)]
pub(super) struct Policy {
    author: Author,
    host: AtomicBool,
    slow: AtomicBool,
    reason: Mutex<Option<String>>,
    witnessed: Mutex<Option<BTreeSet<String>>>,
}

impl Policy {
    pub(super) fn new(author: Author) -> Self {
        Self {
            author,
            host: AtomicBool::new(false),
            slow: AtomicBool::new(false),
            reason: Mutex::new(None),
            witnessed: Mutex::new(None),
        }
    }

    /// The rules of the project's own tables.
    pub(super) fn public(&self) -> Option<&Rules> {
        match &self.author {
            Author::Public(rules) => Some(rules),
            Author::Plugin(_) => None,
        }
    }

    /// Lets the host's own statements pass, or ends that; answers how it was.
    pub(super) fn for_host(&self, host: bool) -> bool {
        self.host.swap(host, Ordering::Relaxed)
    }

    /// The names of tables and views that statements read which the host
    /// prepares in `work`.
    pub(super) fn witness<T>(&self, work: impl FnOnce() -> T) -> (T, BTreeSet<String>) {
        *self.witnessed.lock() = Some(BTreeSet::new());
        let result = work();
        (result, self.witnessed.lock().take().unwrap_or_default())
    }

    /// Forgets what was noted of the statement before.
    pub(super) fn start(&self) {
        self.slow.store(false, Ordering::Relaxed);
        *self.reason.lock() = None;
    }

    /// Whether the statement that was prepared calls nothing slow.
    pub(super) fn was_quick(&self) -> bool {
        !self.slow.load(Ordering::Relaxed)
    }

    /// Why the statement was refused.
    pub(super) fn reason(&self) -> Option<String> {
        self.reason.lock().take()
    }

    /// Whether the author may do this.
    pub(super) fn decide(self: &Arc<Self>, context: AuthContext<'_>) -> Authorization {
        if self.host.load(Ordering::Relaxed) {
            if let AuthAction::Read { table_name, .. } = context.action
                && let Some(names) = &mut *self.witnessed.lock()
            {
                names.insert(table_name.to_owned());
            }
            return Authorization::Allow;
        }
        let refused = match &self.author {
            Author::Plugin(schema) => self.refuse(schema, &context),
            Author::Public(rules) => {
                self.note_function(&context, LINEAR);
                rules.refuse(&context)
            }
        };
        match refused {
            None => Authorization::Allow,
            Some(reason) => {
                *self.reason.lock() = Some(reason);
                Authorization::Deny
            }
        }
    }

    fn note_function(&self, context: &AuthContext<'_>, also: &[&str]) {
        if let AuthAction::Function { function_name } = context.action
            && !QUICK.contains(&function_name)
            && !also.contains(&function_name)
        {
            self.slow.store(true, Ordering::Relaxed);
        }
    }

    fn refuse(&self, schema: &str, context: &AuthContext<'_>) -> Option<String> {
        use AuthAction as A;
        let own = |what: &str| {
            let database = context.database_name.unwrap_or(schema);
            (database != schema).then(|| format!("{what} is only allowed in the schema `{schema}`"))
        };
        match context.action {
            A::Select | A::Recursive => None,
            A::Read { .. } if context.database_name == Some("temp") => None,
            A::Read { .. } => own("reading"),
            A::Insert { .. } | A::Update { .. } | A::Delete { .. } => own("writing"),
            A::CreateTable { .. }
            | A::CreateIndex { .. }
            | A::CreateView { .. }
            | A::CreateTrigger { .. }
            | A::DropTable { .. }
            | A::DropIndex { .. }
            | A::DropView { .. }
            | A::DropTrigger { .. }
            | A::Reindex { .. }
            | A::Analyze { .. } => own("changing tables"),
            A::AlterTable { database_name, .. } => {
                (database_name != schema).then(|| "only own tables can be altered".to_owned())
            }
            A::CreateVtable { module_name, .. } | A::DropVtable { module_name, .. } => {
                if module_name.eq_ignore_ascii_case("fts5") {
                    own("changing tables")
                } else {
                    Some(format!(
                        "virtual tables of the kind `{module_name}` are not offered"
                    ))
                }
            }
            A::Function { function_name } => {
                if FUNCTIONS.contains(&function_name) {
                    return Some(format!("the function `{function_name}` is not offered"));
                }
                self.note_function(context, &[]);
                None
            }
            A::Pragma { pragma_name, .. } => (!PRAGMAS
                .contains(&pragma_name.to_ascii_lowercase().as_str()))
            .then(|| format!("the pragma `{pragma_name}` belongs to the host")),
            A::Transaction { .. } | A::Savepoint { .. } => Some(
                "transactions are begun and ended through the interface, not in SQL".to_owned(),
            ),
            A::Attach { .. } | A::Detach { .. } => {
                Some("no other database can be attached, and none detached".to_owned())
            }
            A::CreateTempTable { .. }
            | A::CreateTempIndex { .. }
            | A::CreateTempView { .. }
            | A::CreateTempTrigger { .. }
            | A::DropTempTable { .. }
            | A::DropTempIndex { .. }
            | A::DropTempView { .. }
            | A::DropTempTrigger { .. } => Some("temporary tables are not offered".to_owned()),
            _ => Some("the statement is not offered".to_owned()),
        }
    }
}
