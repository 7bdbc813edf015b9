//! What becomes of a project's archived rows: as they were where the project
//! is not any more, in place of those that are there, or in a copy of it.
//!
//! What would let somebody in again who was shut out stays as it is now when a
//! project is restored over itself: keys, host names, keys that sign tokens.
//! A copy gets none of these, and nothing that is the original's to do.

use super::load::Loaded;
use crate::{
    plugins::config,
    users::{oauth, second_factor},
};
use atlashub_core::{Error, PluginName, ProjectId, ProviderName, Result, UserId};
use atlashub_data::{
    platform::{
        Engine, ProjectSettings, Unit,
        archive::{ArchivedRow, RowsInto, TABLES, Whose},
        seal::Sealer,
    },
    project::archive::NewIds,
};
use secrecy::ExposeSecret as _;
use serde_json::Value;
use std::collections::HashMap;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use uuid::Uuid;

/// How a project comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Return {
    /// As it was, under its own id, which is free.
    Same,
    /// In place of itself.
    Over,
    /// As another project beside it.
    Copy,
}

/// Where rows go.
pub(super) struct RowsTo<'a> {
    pub(super) unit: &'a Unit,
    pub(super) engine: Engine,
    pub(super) sealer: &'a Sealer,
    pub(super) project: ProjectId,
    pub(super) how: Return,
    /// This moment, microseconds since 1970.
    pub(super) now: i64,
}

/// What the project's own rows said.
#[derive(Default)]
pub(super) struct ArchivedProject {
    pub(super) settings: ProjectSettings,
    pub(super) limit_bytes: Option<u64>,
}

/// A revision as the catalogue has it.
#[derive(Clone, Copy)]
struct Known {
    id: Uuid,
    is_new: bool,
}

/// Tables whose rows are made otherwise.
const MADE: &[&str] = &["projects", "storage_usage"];
/// The catalogue, which all projects share.
const SHARED: &[&str] = &["plugin_revisions", "plugin_descriptions"];
/// Tables that a restore over the project leaves as they are.
const STAY: &[&str] = &[
    "domains",
    "api_keys",
    "auth_signing_keys",
    "backup_policies",
];
/// Tables of which a copy gets nothing.
const NOT_COPIED: &[&str] = &[
    "domains",
    "api_keys",
    "auth_signing_keys",
    "backup_policies",
    "installation_history",
    "user_app_passwords",
    "sql_history",
    "queue_items",
];
/// Tables whose rows have ids of their own that are new in a copy.
const OWN_IDS: &[&str] = &[
    "installations",
    "user_identities",
    "saved_queries",
    "schedules",
];

impl RowsTo<'_> {
    fn leaves(&self, table: &str) -> bool {
        match self.how {
            Return::Same => false,
            Return::Over => STAY.contains(&table),
            Return::Copy => NOT_COPIED.contains(&table),
        }
    }

    /// Puts the rows of an archive in place.
    pub(super) async fn put(&self, loaded: &Loaded) -> Result<ArchivedProject> {
        for table in TABLES.iter().rev() {
            let (Whose::Project(condition) | Whose::Passing(condition)) = table.whose else {
                continue;
            };
            let kept = MADE.contains(&table.name)
                || SHARED.contains(&table.name)
                || (self.how == Return::Over && STAY.contains(&table.name));
            if !kept {
                self.unit
                    .remove_rows(table.name, condition, self.project)
                    .await?;
            }
        }
        let failed = |error| Error::internal("read kept rows of an archive", error);
        let file = tokio::fs::File::open(&loaded.rows).await.map_err(failed)?;
        let mut lines = BufReader::new(file).lines();
        let mut archived = ArchivedProject::default();
        let mut revisions: HashMap<Uuid, Known> = HashMap::new();
        let mut into: Option<(&'static str, RowsInto)> = None;
        while let Some(line) = lines.next_line().await.map_err(failed)? {
            let (name, json) = line
                .split_once('\t')
                .ok_or_else(|| Error::internal("read kept rows of an archive", "no table"))?;
            let Some(table) = TABLES.iter().find(|table| table.name == name) else {
                continue;
            };
            let mut row: ArchivedRow = serde_json::from_str(json)
                .map_err(|error| Error::internal("read kept rows of an archive", error))?;
            match table.name {
                "projects" => {
                    archived.settings = settings(&row)?;
                    continue;
                }
                "storage_usage" => {
                    archived.limit_bytes = row.get("limit_bytes").and_then(Value::as_u64);
                    continue;
                }
                name if self.leaves(name) => continue,
                _ => {}
            }
            if !self
                .fit(table.name, &mut row, loaded, &mut revisions)
                .await?
            {
                continue;
            }
            let same = into.as_ref().is_some_and(|(name, _)| *name == table.name);
            if !same {
                into = Some((table.name, self.unit.rows_into(table.name).await?));
            }
            if let Some((_, into)) = &into {
                self.unit.add_archived_row(into, &row).await?;
            }
        }
        Ok(archived)
    }

    /// Makes an archived row one of the project. `false` when there is such a
    /// row already.
    async fn fit(
        &self,
        table: &str,
        row: &mut ArchivedRow,
        loaded: &Loaded,
        revisions: &mut HashMap<Uuid, Known>,
    ) -> Result<bool> {
        match table {
            "plugin_revisions" => return self.fit_revision(row, revisions).await,
            "plugin_descriptions" => {
                let of = uuid(row, "revision_id")?;
                // One that was there has its description.
                return Ok(revisions.get(&of).is_some_and(|known| known.is_new));
            }
            _ => {}
        }
        for column in ["revision_id", "previous_revision_id"] {
            if let Some(new) = opt_uuid(row, column).and_then(|old| revisions.get(&old)) {
                self.set(row, column, new.id);
            }
        }
        if self.how == Return::Over && table == "schedules" {
            go_on_from(self.now, row);
        }
        if self.how != Return::Copy {
            return Ok(true);
        }
        if let Some(ids) = &loaded.ids {
            self.give_new_ids(table, row, ids);
        }
        if row.contains_key("project_id") {
            self.set(row, "project_id", self.project);
        }
        if OWN_IDS.contains(&table) {
            self.set(row, "id", Uuid::now_v7());
        }
        if table == "schedules" {
            put_on_hold(row);
        }
        self.seal_anew(table, row, loaded)?;
        Ok(true)
    }

    async fn fit_revision(
        &self,
        row: &ArchivedRow,
        revisions: &mut HashMap<Uuid, Known>,
    ) -> Result<bool> {
        let id = uuid(row, "id")?;
        let digest = row.get("digest").and_then(super::make::digest_of);
        let plugin: PluginName = text(row, "plugin")?.parse()?;
        let digest = digest.ok_or_else(|| wrong("plugin_revisions", "digest"))?;
        let catalogue = self.unit.revisions();
        let known = catalogue.find_by_digest(&plugin, &digest).await?;
        let known = Known {
            is_new: known.is_none(),
            id: known.map_or(id, |revision| *revision.id.as_uuid()),
        };
        revisions.insert(id, known);
        Ok(known.is_new)
    }

    fn give_new_ids(&self, table: &str, row: &mut ArchivedRow, ids: &NewIds) {
        let in_bytes = table == "kv";
        for (name, value) in row.iter_mut() {
            let Value::String(text) = value else { continue };
            let is_id = name == "id" || name.ends_with("_id");
            if is_id
                && let Ok(id) = Uuid::try_parse(text)
                && ids.of(id) != id
            {
                *value = self.written(ids.of(id));
            } else if in_bytes && (name == "key" || name == "value") {
                *text = in_hex(text, ids);
            } else if let std::borrow::Cow::Owned(changed) = ids.in_text(text.as_bytes())
                && let Ok(changed) = String::from_utf8(changed)
            {
                *text = changed;
            }
        }
    }

    /// Seals what the host sealed for the original for the copy.
    fn seal_anew(&self, table: &str, row: &mut ArchivedRow, loaded: &Loaded) -> Result<()> {
        let from = loaded.project.id;
        let (column, old, new) = match table {
            "installations" => {
                let plugin: PluginName = text(row, "plugin")?.parse()?;
                (
                    "config",
                    config::identity(from, &plugin),
                    config::identity(self.project, &plugin),
                )
            }
            "auth_providers" => {
                let name: ProviderName = text(row, "name")?.parse()?;
                (
                    "sealed_client_secret",
                    oauth::secret_identity(from, &name),
                    oauth::secret_identity(self.project, &name),
                )
            }
            "users" => {
                let new = UserId::from_uuid(uuid(row, "id")?);
                let old = loaded.ids.as_ref().and_then(|ids| ids.was(*new.as_uuid()));
                let old = old.map_or(new, UserId::from_uuid);
                (
                    "totp_secret",
                    second_factor::identity(from, old),
                    second_factor::identity(self.project, new),
                )
            }
            _ => return Ok(()),
        };
        let Some(Value::String(sealed)) = row.get_mut(column) else {
            return Ok(());
        };
        let plain = self.sealer.open(&old, sealed)?;
        *sealed = self.sealer.seal(&new, plain.expose_secret())?;
        Ok(())
    }

    fn set(&self, row: &mut ArchivedRow, column: &str, id: impl IntoUuid) {
        row.insert(column.to_owned(), self.written(id.into_uuid()));
    }

    /// An id as the engine's rows are archived.
    fn written(&self, id: Uuid) -> Value {
        match self.engine {
            Engine::Postgres => id.hyphenated().to_string().into(),
            Engine::Sqlite => format!("{:X}", id.simple()).into(),
        }
    }
}

trait IntoUuid {
    fn into_uuid(self) -> Uuid;
}

impl IntoUuid for Uuid {
    fn into_uuid(self) -> Uuid {
        self
    }
}

impl IntoUuid for ProjectId {
    fn into_uuid(self) -> Uuid {
        *self.as_uuid()
    }
}

/// What has fallen due since the backup was made has run, or was missed, and is
/// in no archive: schedules go on from this moment, whatever they catch up.
fn go_on_from(now: i64, row: &mut ArchivedRow) {
    let is = |column: &str| matches!(row.get(column), Some(value) if value.as_bool() == Some(true) || value.as_i64() == Some(1));
    if !is("enabled") || is("paused") || is("suspended") {
        return;
    }
    let rearm = match row.get("rearm") {
        Some(Value::Bool(_)) => Value::Bool(true),
        _ => Value::from(1),
    };
    row.insert("rearm".to_owned(), rearm);
    row.insert("next_at".to_owned(), now.into());
}

/// A copy does nothing by itself before an admin has looked at it: it would
/// call, pay and mail a second time what the original does.
fn put_on_hold(row: &mut ArchivedRow) {
    let is = |there: bool, row: &ArchivedRow| match row.get("paused") {
        Some(Value::Bool(_)) => Value::Bool(there),
        _ => Value::from(u8::from(there)),
    };
    let (on, off) = (is(true, row), is(false, row));
    for (column, value) in [
        ("paused", on),
        ("rearm", off),
        ("next_at", Value::Null),
        ("last_due_at", Value::Null),
        ("last_item", Value::Null),
        ("missed", 0.into()),
        ("last_missed_at", Value::Null),
    ] {
        row.insert(column.to_owned(), value);
    }
}

/// Bytes as rows are archived, with new ids in them.
fn in_hex(text: &str, ids: &NewIds) -> String {
    let (prefix, digits) = match text.strip_prefix("\\x") {
        Some(digits) => ("\\x", digits),
        None => ("", text),
    };
    let nibbles: Option<Vec<u8>> = digits
        .bytes()
        .map(|digit| {
            char::from(digit)
                .to_digit(16)
                .and_then(|d| u8::try_from(d).ok())
        })
        .collect();
    let Some(nibbles) = nibbles else {
        return text.to_owned();
    };
    let bytes: Vec<u8> = nibbles
        .chunks_exact(2)
        .map(|pair| pair.iter().fold(0, |byte, nibble| (byte << 4) | nibble))
        .collect();
    let changed = ids.in_text(&bytes);
    let digits: String = changed.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{prefix}{digits}")
}

/// The project's settings without what says where it was.
fn settings(row: &ArchivedRow) -> Result<ProjectSettings> {
    let mut settings: ProjectSettings = serde_json::from_str(text(row, "settings")?)
        .map_err(|error| wrong("projects", "settings").with_source(error))?;
    settings.set_location(None);
    settings.set_restoring(None);
    settings.set_home_of(None);
    settings.set_leftover(false);
    Ok(settings)
}

fn text<'a>(row: &'a ArchivedRow, column: &'static str) -> Result<&'a str> {
    row.get(column)
        .and_then(Value::as_str)
        .ok_or_else(|| wrong("a row", column))
}

fn opt_uuid(row: &ArchivedRow, column: &str) -> Option<Uuid> {
    Uuid::try_parse(row.get(column)?.as_str()?).ok()
}

fn uuid(row: &ArchivedRow, column: &'static str) -> Result<Uuid> {
    opt_uuid(row, column).ok_or_else(|| wrong("a row", column))
}

fn wrong(what: &str, column: &str) -> Error {
    super::archive::damaged(format!("{what} has no `{column}`"))
}
