//! Tables defined by plugins with the grant `database:define`: the same road
//! as the admin's own calls, migrations and audit entries included, which
//! name the plugin.

use crate::{Actor, App, app::WeakApp, tables::Author};
use async_trait::async_trait;
use atlashub_core::{
    Error, ErrorKind, Result,
    capability::definitions::{Definer, Definitions, MAX_TEXT_BYTES},
};
use atlashub_data::project::{
    public::RowPolicy,
    schema::{NewTable, TableChange, TableDefinition},
};
use serde::de::DeserializeOwned;
use std::sync::{Arc, OnceLock};

/// Definitions as plugins have them. Made before the app, which needs the
/// runtime, which needs this.
#[derive(Default)]
pub(crate) struct DefinitionsOfPlugins {
    app: OnceLock<WeakApp>,
}

impl DefinitionsOfPlugins {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Connects it to the app; only the first call counts.
    pub(crate) fn connect(&self, app: &App) {
        let _ = self.app.set(app.downgrade());
    }

    fn app(&self) -> Result<App> {
        let app = self.app.get().and_then(WeakApp::upgrade);
        app.ok_or_else(|| {
            Error::new(
                ErrorKind::Unavailable,
                "busy",
                "the server is not ready, try again",
            )
        })
    }
}

fn actor(definer: &Definer) -> Actor {
    Actor {
        caller: definer.caller.clone(),
        request: Some(definer.request),
    }
}

fn parsed<T: DeserializeOwned>(text: &str) -> Result<T> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(too_large());
    }
    serde_json::from_str(text)
        .map_err(|error| Error::invalid("invalid_schema", format!("the definition: {error}")))
}

fn written(value: &impl serde::Serialize) -> Result<String> {
    let text = serde_json::to_string(value)
        .map_err(|error| Error::internal("write definitions of tables", error))?;
    if text.len() > MAX_TEXT_BYTES {
        return Err(too_large());
    }
    Ok(text)
}

fn too_large() -> Error {
    Error::new(
        ErrorKind::TooLarge,
        "too_many_tables",
        format!("definitions have at most {MAX_TEXT_BYTES} bytes at once"),
    )
}

#[async_trait]
impl Definitions for DefinitionsOfPlugins {
    async fn read(&self, definer: &Definer) -> Result<String> {
        definer.check_reader()?;
        let app = self.app()?;
        written(&app.databases().definitions(definer.scope.project).await?)
    }

    async fn check(&self, definer: &Definer, definitions: &str) -> Result<String> {
        definer.check_writer()?;
        let definitions: Vec<TableDefinition> = parsed(definitions)?;
        let app = self.app()?;
        let project = definer.scope.project;
        written(&app.databases().try_tables(project, definitions).await?)
    }

    async fn create(&self, definer: &Definer, tables: &str) -> Result<()> {
        definer.check_writer()?;
        let tables: Vec<NewTable> = parsed(tables)?;
        let app = self.app()?;
        let actor = actor(definer);
        let author = Author::plugin(&actor, &definer.scope.plugin);
        app.create_tables(author, definer.scope.project, &tables)
            .await
    }

    async fn alter(&self, definer: &Definer, table: &str, changes: &str) -> Result<()> {
        definer.check_writer()?;
        let changes: Vec<TableChange> = parsed(changes)?;
        let app = self.app()?;
        let actor = actor(definer);
        let author = Author::plugin(&actor, &definer.scope.plugin);
        app.alter_table(author, definer.scope.project, table, &changes)
            .await
    }

    async fn remove(&self, definer: &Definer, table: &str) -> Result<()> {
        definer.check_writer()?;
        let app = self.app()?;
        let project = definer.scope.project;
        let actor = actor(definer);
        let author = Author::plugin(&actor, &definer.scope.plugin);
        app.drop_table(author, project, table, Some(table)).await
    }

    async fn set_policies(&self, definer: &Definer, table: &str, policies: &str) -> Result<()> {
        definer.check_writer()?;
        let policies: Vec<RowPolicy> = parsed(policies)?;
        let app = self.app()?;
        let actor = actor(definer);
        let author = Author::plugin(&actor, &definer.scope.plugin);
        app.set_row_policies(author, definer.scope.project, table, policies)
            .await
    }
}
