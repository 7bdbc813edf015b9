//! What changed a project's tables so far, to be read and to be taken along.

use crate::App;
use atlashub_core::{
    Error, ErrorKind, ProjectId, Result,
    capability::{database::Database as _, sql::Dialect},
};
use atlashub_data::platform::{Page, ProjectMigration};
use std::fmt::Write as _;
use time::format_description::well_known::Rfc3339;

/// Most bytes of an export.
const MAX_EXPORT_BYTES: usize = 16 * 1024 * 1024;

impl App {
    /// A page of the changes of a project's tables, oldest first.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn schema_migrations(
        &self,
        project: ProjectId,
        after: Option<i64>,
        limit: u64,
    ) -> Result<Page<ProjectMigration, i64>> {
        self.platform()
            .project_migrations()
            .list(project, after, limit)
            .await
    }

    /// All changes of a project's tables as one SQL text, which makes the
    /// same tables in an empty database of the same engine.
    ///
    /// # Errors
    /// `export_too_large`.
    pub async fn export_migrations(&self, project: ProjectId) -> Result<String> {
        let sqlite = self.databases().dialect() == Dialect::Sqlite;
        let mut text = String::new();
        if sqlite {
            // Tables that are built anew are dropped for a moment.
            text.push_str("PRAGMA foreign_keys = off;\nPRAGMA legacy_alter_table = on;\n");
        }
        text.push_str("BEGIN;\n");
        let mut after = None;
        loop {
            let page = self.schema_migrations(project, after, 500).await?;
            for migration in &page.items {
                write_one(&mut text, migration);
            }
            if text.len() > MAX_EXPORT_BYTES {
                return Err(Error::new(
                    ErrorKind::TooLarge,
                    "export_too_large",
                    "the changes are too many for one file: read them page by page",
                ));
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        text.push_str("COMMIT;\n");
        if sqlite {
            text.push_str("PRAGMA legacy_alter_table = off;\nPRAGMA foreign_keys = on;\n");
        }
        Ok(text)
    }
}

fn write_one(text: &mut String, migration: &ProjectMigration) {
    let at = migration.started_at.format(&Rfc3339).unwrap_or_default();
    // A line break in a title would end the comment.
    let title: String = migration.title.replace(char::is_control, " ");
    let _ = writeln!(text, "\n-- {}: {title} ({at})", migration.number);
    match &migration.sql {
        Some(sql) => text.push_str(sql),
        None => text.push_str("-- was cut short\n"),
    }
}
