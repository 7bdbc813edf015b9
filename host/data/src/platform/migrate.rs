//! Brings the schema up to date: all pending migrations in one transaction,
//! one node at a time.

use super::{
    Engine, Platform, Unit,
    failure::failed,
    unit::{Db, statement},
};
use atlashub_core::{Error, Result};
use atlashub_migrations::Migrator;
use sea_orm::{ConnectionTrait as _, DbErr};
use sea_orm_migration::{MigrationStatus as Status, MigratorTrait as _};

/// Held while migrations run on Postgres, so that nodes that start together
/// take turns.
const LOCK: &str = "SELECT pg_advisory_xact_lock(4711046012)";

/// A migration and whether it has been applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationStatus {
    /// Its name.
    pub name: String,
    /// Whether the database has it.
    pub applied: bool,
}

impl Platform {
    /// Applies all pending migrations; either all of them or none. Answers
    /// the names of those that it applied.
    ///
    /// # Errors
    /// `schema_too_new` when the database was migrated by a later version.
    pub async fn migrate(&self) -> Result<Vec<String>> {
        let unit = Db::Pool(self).begin().await?;
        let context = failed("apply the platform's migrations");
        if self.engine() == Engine::Postgres {
            for sql in ["SET LOCAL statement_timeout = 0", LOCK] {
                unit.executor()
                    .execute_raw(statement(self.engine(), sql, []))
                    .await
                    .map_err(&context)?;
            }
        }
        let pending = pending(&unit).await?;
        if pending.is_empty() {
            unit.roll_back().await?;
        } else {
            Migrator::up(unit.executor(), None)
                .await
                .map_err(&context)?;
            unit.commit().await?;
        }
        Ok(pending)
    }

    /// All migrations in order, and which of them the database has. Changes
    /// nothing.
    ///
    /// # Errors
    /// `schema_too_new` when the database was migrated by a later version.
    pub async fn migrations(&self) -> Result<Vec<MigrationStatus>> {
        let statuses = Migrator::get_migration_with_status_read_only(&Db::Pool(self).read())
            .await
            .map_err(unknown_migration)?;
        Ok(statuses
            .iter()
            .map(|migration| MigrationStatus {
                name: migration.name().to_owned(),
                applied: migration.status() == Status::Applied,
            })
            .collect())
    }

    /// Names of the migrations that [`migrate`](Self::migrate) would apply.
    ///
    /// # Errors
    /// As [`migrations`](Self::migrations).
    pub async fn pending_migrations(&self) -> Result<Vec<String>> {
        let all = self.migrations().await?;
        Ok(all
            .into_iter()
            .filter(|migration| !migration.applied)
            .map(|migration| migration.name)
            .collect())
    }
}

async fn pending(unit: &Unit) -> Result<Vec<String>> {
    let pending = Migrator::get_pending_migrations_read_only(&unit.executor())
        .await
        .map_err(unknown_migration)?;
    Ok(pending
        .iter()
        .map(|migration| migration.name().to_owned())
        .collect())
}

fn unknown_migration(error: DbErr) -> Error {
    match error {
        DbErr::Custom(_) => Error::conflict(
            "schema_too_new",
            "the platform database was migrated by a later version of this program",
        )
        .with_source(error),
        error => failed("read the platform's migrations")(error),
    }
}
