//! Definitions of the project's own tables: what any plugin with the grant
//! `database:define` reads and makes, by the road of the admin's own calls.
//!
//! They are JSON, as the admin's calls about tables take it, so that they can
//! say more one day without another interface. [`Definer`] says who asks;
//! only who reaches every row and may write changes tables. Reading the texts
//! is left to who stands behind the trait.

use super::{PluginScope, database::Access};
use crate::{Caller, Error, ErrorKind, RequestId, Result, capability::database::Reach};
use async_trait::async_trait;

/// Longest text that is taken or given, bytes.
pub const MAX_TEXT_BYTES: usize = 16 * 1024 * 1024;

/// A plugin that defines tables, and for whom.
#[derive(Clone, Debug)]
pub struct Definer {
    /// The plugin, and where.
    pub scope: PluginScope,
    /// For whom, as the host knows.
    pub caller: Caller,
    /// During which request.
    pub request: RequestId,
}

impl Definer {
    /// Lets who reaches every row look at definitions: they say whom row
    /// policies let in.
    ///
    /// # Errors
    /// 403 `sql_denied`.
    pub fn check_reader(&self) -> Result<()> {
        match self.access().reach {
            Reach::Everything => Ok(()),
            Reach::Policies(_) => Err(denied()),
        }
    }

    /// Lets who may write every row, too, change tables.
    ///
    /// # Errors
    /// 403 `sql_denied`.
    pub fn check_writer(&self) -> Result<()> {
        self.check_reader()?;
        if self.access().write {
            return Ok(());
        }
        Err(denied())
    }

    fn access(&self) -> Access {
        Access::of(self.scope.project, &self.caller, true)
    }
}

fn denied() -> Error {
    Error::new(
        ErrorKind::Forbidden,
        "sql_denied",
        "definitions of tables are for secret keys, admins who may write, and the scheduler",
    )
}

/// Definitions of a project's own tables.
///
/// Codes: those of the admin's calls about tables, `invalid_schema`,
/// `table_exists`, `table_in_use`, `invalid_policy`, `schema_busy`;
/// `not_found`; `sql_denied`; `too_many_tables`; the codes of `sql`.
#[async_trait]
pub trait Definitions: Send + Sync {
    /// All definitions: JSON.
    async fn read(&self, definer: &Definer) -> Result<String>;

    /// What cannot be made of these definitions here: JSON. Nothing changes.
    async fn check(&self, definer: &Definer, definitions: &str) -> Result<String>;

    /// Makes tables in one transaction, all or none, as one migration.
    async fn create(&self, definer: &Definer, tables: &str) -> Result<()>;

    /// Makes changes to a table, all or none, as one migration.
    async fn alter(&self, definer: &Definer, table: &str, changes: &str) -> Result<()>;

    /// Removes a table with its rows, as one migration.
    async fn remove(&self, definer: &Definer, table: &str) -> Result<()>;

    /// Gives a table exactly these row policies.
    async fn set_policies(&self, definer: &Definer, table: &str, policies: &str) -> Result<()>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AdminRole, KeyId, KeyKind, ProjectId};

    #[test]
    fn only_servers_and_admins_who_write_define_tables() {
        let key = |kind| Caller::Key {
            id: KeyId::new(),
            kind,
        };
        let admin = |role| Caller::Admin { id: None, role };
        for (caller, reads, writes) in [
            (key(KeyKind::Secret), true, true),
            (Caller::Scheduler, true, true),
            (admin(AdminRole::Owner), true, true),
            (admin(AdminRole::Viewer), true, false),
            (key(KeyKind::Publishable), false, false),
            (Caller::Nobody, false, false),
        ] {
            let definer = Definer {
                scope: PluginScope {
                    project: ProjectId::new(),
                    plugin: "transfer".parse().unwrap(),
                },
                caller,
                request: RequestId::new(),
            };
            assert_eq!(definer.check_reader().is_ok(), reads, "{definer:?}");
            assert_eq!(definer.check_writer().is_ok(), writes, "{definer:?}");
        }
    }
}
