//! Keeping a project's database to the server's admin: a node that has not
//! heard that the project is closed cannot write into it then, whatever it is
//! at.

use super::{
    PostgresProjects,
    names::{self, quoted},
    provision::{failed, run},
};
use atlashub_core::{ProjectId, Result};

impl PostgresProjects {
    /// Ends all sessions of the project's roles and lets none of them in. Of
    /// an admin who is no superuser it would keep out the dump, too: there the
    /// project is closed by what nodes hear alone.
    pub(in crate::project) async fn fence(&self, project: ProjectId) -> Result<()> {
        let pool = self.admin.pool();
        let is_superuser: bool =
            sqlx::query_scalar("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
                .fetch_one(pool)
                .await
                .map_err(failed)?;
        if !is_superuser || !self.admin.exists(project).await? {
            return Ok(());
        }
        let database = names::database(project);
        let name = quoted(&database);
        run(pool, &format!("ALTER DATABASE {name} CONNECTION LIMIT 0")).await?;
        let [own, hashed] = names::role_prefixes(project);
        sqlx::query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 \
             AND (starts_with(usename, $2) OR starts_with(usename, $3))",
        )
        .bind(&database)
        .bind(own)
        .bind(hashed)
        .execute(pool)
        .await
        .map(drop)
        .map_err(failed)
    }

    /// Lets them in again.
    pub(in crate::project) async fn unfence(&self, project: ProjectId) -> Result<()> {
        if !self.admin.exists(project).await? {
            return Ok(());
        }
        let name = quoted(&names::database(project));
        let pool = self.admin.pool();
        run(pool, &format!("ALTER DATABASE {name} CONNECTION LIMIT -1")).await
    }
}
