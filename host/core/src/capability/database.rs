//! The project's own tables, in its schema `public`: what any plugin with
//! the grant `database` reads and writes, with the rights of the caller of
//! the request that it handles.
//!
//! [`Access`] says whose rights those are. Who is bound by row policies
//! reaches only the rows that they give; the database itself enforces it,
//! whatever the statement says. Making tables and policies is left to the
//! admin's own calls.

use super::{
    bulk::{RowReader, RowWriter},
    sql::{Dialect, SqlRows, SqlTransaction, SqlValue},
};
use crate::{AdminRole, Caller, KeyKind, ProjectId, Result};
use async_trait::async_trait;
use std::{
    collections::BTreeSet,
    sync::{Arc, LazyLock},
};
use uuid::Uuid;

/// Whose rights a statement has, and where.
#[derive(Clone, Debug)]
pub struct Access {
    /// The project.
    pub project: ProjectId,
    /// Which rows.
    pub reach: Reach,
    /// Whether it may write.
    pub write: bool,
}

impl Access {
    /// The rights of `caller` in `project`, for a plugin whose grant covers
    /// writing or not.
    #[must_use]
    pub fn of(project: ProjectId, caller: &Caller, write: bool) -> Self {
        let (reach, may_write) = match caller {
            Caller::Key {
                kind: KeyKind::Secret,
                ..
            }
            | Caller::Scheduler => (Reach::Everything, true),
            Caller::Admin { role, .. } => (Reach::Everything, *role != AdminRole::Viewer),
            Caller::User(user) => {
                let bound = BoundCaller::user(user.id, user.roles.clone());
                (Reach::Policies(Arc::new(bound)), true)
            }
            // A plugin has nobody's rights at what another one told it.
            Caller::Nobody | Caller::Key { .. } | Caller::Plugin(_) => {
                (Reach::Policies(BoundCaller::anonymous()), true)
            }
        };
        Self {
            project,
            reach,
            write: write && may_write,
        }
    }
}

/// Which rows a caller reaches.
#[derive(Clone, Debug)]
pub enum Reach {
    /// All.
    Everything,
    /// Those that the project's row policies give.
    Policies(Arc<BoundCaller>),
}

/// A caller whom row policies bind, as their expressions see it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BoundCaller {
    user: Option<Uuid>,
    roles: Vec<String>,
    claims: String,
}

impl BoundCaller {
    /// Nobody in particular, and a publishable key without a user.
    #[must_use]
    pub fn anonymous() -> Arc<Self> {
        static ANONYMOUS: LazyLock<Arc<BoundCaller>> = LazyLock::new(|| {
            Arc::new(BoundCaller {
                user: None,
                roles: Vec::new(),
                claims: serde_json::json!({ "role": "anon" }).to_string(),
            })
        });
        Arc::clone(&ANONYMOUS)
    }

    /// A signed-in end user with roles of the project.
    #[must_use]
    pub fn user(id: Uuid, roles: Vec<String>) -> Self {
        let claims = serde_json::json!({ "sub": id, "role": "authenticated", "roles": roles });
        Self {
            user: Some(id),
            claims: claims.to_string(),
            roles,
        }
    }

    /// `anon` or `authenticated`: what `caller_role()` answers.
    #[must_use]
    pub fn role(&self) -> &'static str {
        match self.user {
            None => "anon",
            Some(_) => "authenticated",
        }
    }

    /// The user: what `caller_id()` answers.
    #[must_use]
    pub fn id(&self) -> Option<Uuid> {
        self.user
    }

    /// Roles of the user within the project; `caller_has_role()` knows them
    /// beside [`BoundCaller::role`].
    #[must_use]
    pub fn roles(&self) -> &[String] {
        &self.roles
    }

    /// Whether a policy for that role is for this caller; `*` is for all.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        role == EVERYBODY || role == self.role() || self.roles.iter().any(|own| own == role)
    }

    /// A JSON object: what `caller_claims()` answers.
    #[must_use]
    pub fn claims(&self) -> &str {
        &self.claims
    }
}

/// The role of policies that are for all.
pub const EVERYBODY: &str = "*";

/// Who is told that there is a table: who reaches every row, and of those
/// whom row policies bind, the ones that some policy is for, at each table
/// that is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audience(Vec<BTreeSet<String>>);

impl Audience {
    /// For each table that is read, the roles of its policies.
    #[must_use]
    pub const fn new(roles: Vec<BTreeSet<String>>) -> Self {
        Self(roles)
    }

    /// Nobody whom row policies bind.
    #[must_use]
    pub fn nobody() -> Self {
        Self(vec![BTreeSet::new()])
    }

    /// Whether a caller of that reach is told.
    #[must_use]
    pub fn includes(&self, reach: &Reach) -> bool {
        match reach {
            Reach::Everything => true,
            Reach::Policies(caller) => {
                let mut tables = self.0.iter();
                tables.all(|roles| roles.iter().any(|role| caller.has_role(role)))
            }
        }
    }
}

/// Whether something is a table or a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableKind {
    /// A table.
    Table,
    /// A view.
    View,
}

impl TableKind {
    /// The kind as plugins see it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::View => "view",
        }
    }
}

/// What a column holds, alike on both engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// Text of any sort.
    Text,
    /// Whole numbers.
    Integer,
    /// Floating-point numbers.
    Real,
    /// Exact decimal numbers.
    Numeric,
    /// Truth values.
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
    /// An array (Postgres).
    Array,
    /// Something else.
    Other,
}

impl ColumnKind {
    /// The kind as plugins see it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer => "integer",
            Self::Real => "real",
            Self::Numeric => "numeric",
            Self::Boolean => "boolean",
            Self::Json => "json",
            Self::Timestamp => "timestamp",
            Self::Date => "date",
            Self::Time => "time",
            Self::Uuid => "uuid",
            Self::Bytes => "bytes",
            Self::Array => "array",
            Self::Other => "other",
        }
    }
}

/// A column of a table or view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type in the database's own words, such as `bigint`.
    pub data_type: String,
    /// What it holds.
    pub kind: ColumnKind,
    /// Whether it takes NULL.
    pub nullable: bool,
    /// Its default, SQL; `identity` for numbers that the database counts.
    pub default: Option<String>,
    /// Whether the database alone makes its values.
    pub generated: bool,
}

impl Column {
    /// Whether many rows at once bring its values along. A number that the
    /// database always counts comes that way, and not by a plain `INSERT`.
    #[must_use]
    pub fn takes_rows(&self) -> bool {
        !self.generated || self.default.as_deref() == Some("identity")
    }
}

/// A foreign key of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignKey {
    /// Its name; on SQLite, where most have none, one made of table and
    /// columns.
    pub name: String,
    /// The table's own columns.
    pub columns: Vec<String>,
    /// The other table.
    pub table: String,
    /// The other table's columns in the same order.
    pub references: Vec<String>,
}

/// A table or view of the project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Table or view.
    pub kind: TableKind,
    /// Its columns in order.
    pub columns: Vec<Column>,
    /// Columns of the primary key in order; empty where there is none.
    pub primary_key: Vec<String>,
    /// Sets of columns that are unique, besides the primary key.
    pub unique: Vec<Vec<String>>,
    /// Its foreign keys.
    pub foreign_keys: Vec<ForeignKey>,
    /// Who is told of it.
    pub audience: Audience,
}

/// SQL on the project's own tables. One statement a call, and none that
/// changes tables.
///
/// Errors have the codes of [`Sql`](super::sql::Sql), and `sql_policy` (403)
/// where a row policy forbids the row. Limits are those of `sql`.
#[async_trait]
pub trait Database: Send + Sync {
    /// The dialect to write in.
    fn dialect(&self) -> Dialect;

    /// A number that is another one after tables have changed, on this node
    /// and in this process. It costs no statement.
    fn schema_version(&self, project: ProjectId) -> u64;

    /// The tables and views of a project by name; what is the host's is left
    /// out. Kept until tables change.
    async fn describe(&self, project: ProjectId) -> Result<Arc<Vec<Table>>>;

    /// Runs a statement and returns its rows.
    async fn query(&self, access: &Access, sql: &str, parameters: Vec<SqlValue>)
    -> Result<SqlRows>;

    /// Runs a statement and returns how many rows it changed.
    async fn execute(&self, access: &Access, sql: &str, parameters: Vec<SqlValue>) -> Result<u64>;

    /// Begins to read the rows of a statement that only reads, many at once.
    async fn read_rows(&self, access: &Access, sql: &str) -> Result<Box<dyn RowReader>>;

    /// Begins to add rows to a table, many at once: values for `columns`. Only
    /// for who reaches every row and may write.
    ///
    /// `not_found` for what is no table or no column of it that takes values.
    async fn write_rows(
        &self,
        access: &Access,
        table: &str,
        columns: &[String],
    ) -> Result<Box<dyn RowWriter>>;

    /// Begins a transaction; it can write if `access` can.
    async fn begin(&self, access: &Access) -> Result<Box<dyn SqlTransaction>>;

    /// Whether the transaction of that name was committed; if not, it never
    /// will be. None when it is too long ago.
    ///
    /// `sql_busy` while that is not decided, `invalid_transaction` for what
    /// is no name of one.
    async fn was_committed(&self, access: &Access, name: &str) -> Result<Option<bool>>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{KeyId, identity::User};

    fn key(kind: KeyKind) -> Caller {
        Caller::Key {
            id: KeyId::new(),
            kind,
        }
    }

    #[test]
    fn only_servers_and_admins_reach_every_row() {
        let project = ProjectId::new();
        let admin = |role| Caller::Admin { id: None, role };
        for (caller, everything, writes) in [
            (key(KeyKind::Secret), true, true),
            (Caller::Scheduler, true, true),
            (admin(AdminRole::Owner), true, true),
            (admin(AdminRole::Admin), true, true),
            (admin(AdminRole::Viewer), true, false),
            (key(KeyKind::Publishable), false, true),
            (Caller::Nobody, false, true),
        ] {
            let access = Access::of(project, &caller, true);
            assert_eq!(matches!(access.reach, Reach::Everything), everything);
            assert_eq!(access.write, writes, "{caller:?}");
            assert!(!Access::of(project, &caller, false).write);
        }
    }

    #[test]
    fn a_table_is_told_to_those_whom_its_policies_are_for() {
        let anonymous = Reach::Policies(BoundCaller::anonymous());
        let user = BoundCaller::user(Uuid::now_v7(), vec!["clerk".to_owned()]);
        let user = Reach::Policies(Arc::new(user));
        let of = |tables: &[&[&str]]| {
            let roles = |table: &&[&str]| table.iter().map(|&role| role.to_owned()).collect();
            Audience::new(tables.iter().map(roles).collect())
        };
        for (audience, nobody, clerk) in [
            (Audience::nobody(), false, false),
            (of(&[&["*"]]), true, true),
            (of(&[&["anon", "editor"]]), true, false),
            (of(&[&["authenticated"]]), false, true),
            (of(&[&["clerk"], &["authenticated"]]), false, true),
            (of(&[&["clerk"], &["editor"]]), false, false),
            (of(&[&["*"], &[]]), false, false),
            // A view that reads no table.
            (of(&[]), true, true),
        ] {
            assert_eq!(audience.includes(&anonymous), nobody, "{audience:?}");
            assert_eq!(audience.includes(&user), clerk, "{audience:?}");
            assert!(audience.includes(&Reach::Everything));
        }
    }

    #[test]
    fn a_user_is_known_to_policies_by_id_roles_and_claims() {
        let id = Uuid::now_v7();
        let roles = vec!["editor".to_owned()];
        let user = Caller::User(Arc::new(User {
            id,
            roles,
            permissions: std::collections::BTreeSet::new(),
        }));
        let Reach::Policies(bound) = Access::of(ProjectId::new(), &user, true).reach else {
            unreachable!("a user is bound");
        };
        assert_eq!((bound.id(), bound.role()), (Some(id), "authenticated"));
        assert_eq!(bound.roles(), ["editor"]);
        let claims: serde_json::Value = serde_json::from_str(bound.claims()).unwrap();
        assert_eq!(claims["sub"], id.to_string());
        assert_eq!(BoundCaller::anonymous().role(), "anon");
    }
}
