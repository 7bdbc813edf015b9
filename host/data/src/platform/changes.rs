//! The changes feed: what other nodes must take up, in commit order.
//!
//! A row is appended in the transaction that makes it true. On Postgres the
//! writers of the feed take an advisory lock as their last step before the
//! commit, so that numbers become visible in their order and a reader that
//! remembers the highest number it saw misses none. SQLite has one writer
//! anyway. A notification is a hint; this table is the truth.

use super::{
    Unit,
    entity::change::{ActiveModel, Column, Entity, Model},
    failure::failed,
    instant,
    page::fetch_limit,
    unit::Db,
};
use atlashub_core::{AdminId, KeyId, PluginName, ProjectId, Result, UserId, UserSessionId};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};
use std::time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

/// The channel on which Postgres tells nodes to read the feed.
pub(super) const CHANNEL: &str = "atlashub_changes";

/// Writers of the feed take turns, and tell once committed.
const LOCK: &str = "SELECT pg_advisory_xact_lock(4711046013)";
const NOTIFY: &str = "NOTIFY atlashub_changes";

/// What sort of thing changed. Kinds that a later version wrote are
/// [`Other`](Self::Other): take everything of the project up anew.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// A project is there.
    ProjectCreated,
    /// Its name, slug, domains, buckets or settings are others.
    ProjectChanged,
    /// It is gone.
    ProjectDeleted,
    /// A key is there; the subject is its id.
    KeyCreated,
    /// A key is revoked, now or at a time to come; the subject is its id.
    KeyRevoked,
    /// An installation is others or gone; the subject is the plugin's name.
    InstallationChanged,
    /// A storage limit is another.
    QuotaChanged,
    /// An admin's role, password or standing is another; the subject is the id.
    AdminChanged,
    /// Sessions of an admin ended; the subject is the admin's id.
    SessionsRevoked,
    /// A revision was added to the catalogue; the subject is the plugin's name.
    RevisionAdded,
    /// An end user's roles or standing are others, or all sessions ended; the
    /// subject is the user's id.
    UserChanged,
    /// A session of an end user ended; the subject is its id.
    UserSessionEnded,
    /// Roles that the project made are others.
    RolesChanged,
    /// How end users get in, or the keys of their tokens, are others.
    AuthChanged,
    /// Tables or row policies of a project are others.
    TablesChanged,
    /// A statement of the SQL editor is to be stopped; the subject is its id.
    StatementCancelled,
    /// The first row of the feed.
    FeedStarted,
    /// Something that this version does not know.
    Other(String),
}

impl ChangeKind {
    /// The kind as it is stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::ProjectCreated => "project_created",
            Self::ProjectChanged => "project_changed",
            Self::ProjectDeleted => "project_deleted",
            Self::KeyCreated => "key_created",
            Self::KeyRevoked => "key_revoked",
            Self::InstallationChanged => "installation_changed",
            Self::QuotaChanged => "quota_changed",
            Self::AdminChanged => "admin_changed",
            Self::SessionsRevoked => "sessions_revoked",
            Self::RevisionAdded => "revision_added",
            Self::UserChanged => "user_changed",
            Self::UserSessionEnded => "user_session_ended",
            Self::RolesChanged => "roles_changed",
            Self::AuthChanged => "auth_changed",
            Self::TablesChanged => "tables_changed",
            Self::StatementCancelled => "statement_cancelled",
            Self::FeedStarted => "feed_started",
            Self::Other(kind) => kind,
        }
    }

    fn from_stored(kind: String) -> Self {
        match kind.as_str() {
            "project_created" => Self::ProjectCreated,
            "project_changed" => Self::ProjectChanged,
            "project_deleted" => Self::ProjectDeleted,
            "key_created" => Self::KeyCreated,
            "key_revoked" => Self::KeyRevoked,
            "installation_changed" => Self::InstallationChanged,
            "quota_changed" => Self::QuotaChanged,
            "admin_changed" => Self::AdminChanged,
            "sessions_revoked" => Self::SessionsRevoked,
            "revision_added" => Self::RevisionAdded,
            "user_changed" => Self::UserChanged,
            "user_session_ended" => Self::UserSessionEnded,
            "roles_changed" => Self::RolesChanged,
            "auth_changed" => Self::AuthChanged,
            "tables_changed" => Self::TablesChanged,
            "statement_cancelled" => Self::StatementCancelled,
            "feed_started" => Self::FeedStarted,
            _ => Self::Other(kind),
        }
    }
}

/// One row of the feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its number; grows in commit order, with gaps.
    pub seq: i64,
    /// The project it is about; `None` for the platform.
    pub project: Option<ProjectId>,
    /// What sort of thing changed.
    pub kind: ChangeKind,
    /// Which one, as the kind says.
    pub subject: Option<String>,
    /// When.
    pub at: OffsetDateTime,
}

/// What happened after some number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangePage {
    /// The changes, in order.
    pub items: Vec<Change>,
    /// Whether changes after that number were pruned already: take everything
    /// up anew.
    pub lost: bool,
}

/// A change to announce.
#[derive(Clone, Debug)]
pub(super) struct NewChange {
    project: Option<ProjectId>,
    kind: ChangeKind,
    subject: Option<String>,
}

impl NewChange {
    pub(super) fn project(project: ProjectId, kind: ChangeKind) -> Self {
        Self {
            project: Some(project),
            kind,
            subject: None,
        }
    }

    pub(super) fn key(project: ProjectId, key: KeyId, kind: ChangeKind) -> Self {
        Self {
            project: Some(project),
            kind,
            subject: Some(key.to_string()),
        }
    }

    pub(super) fn user(project: ProjectId, user: UserId) -> Self {
        Self {
            project: Some(project),
            kind: ChangeKind::UserChanged,
            subject: Some(user.to_string()),
        }
    }

    pub(super) fn user_session(project: ProjectId, session: UserSessionId) -> Self {
        Self {
            project: Some(project),
            kind: ChangeKind::UserSessionEnded,
            subject: Some(session.to_string()),
        }
    }

    pub(super) fn installation(project: ProjectId, plugin: &PluginName) -> Self {
        Self {
            project: Some(project),
            kind: ChangeKind::InstallationChanged,
            subject: Some(plugin.to_string()),
        }
    }

    pub(super) fn statement(project: ProjectId, id: Uuid) -> Self {
        Self {
            project: Some(project),
            kind: ChangeKind::StatementCancelled,
            subject: Some(id.to_string()),
        }
    }

    pub(super) fn revision(plugin: &PluginName) -> Self {
        Self {
            project: None,
            kind: ChangeKind::RevisionAdded,
            subject: Some(plugin.to_string()),
        }
    }

    pub(super) fn admin(admin: AdminId, kind: ChangeKind) -> Self {
        Self {
            project: None,
            kind,
            subject: Some(admin.to_string()),
        }
    }
}

/// Appends `changes` as the last step of `unit`.
pub(super) async fn append(unit: &Unit, changes: Vec<NewChange>) -> Result<()> {
    if changes.is_empty() {
        return Ok(());
    }
    let context = failed("append to the changes feed");
    let executor = unit.executor();
    unit.on_postgres(LOCK).await.map_err(&context)?;
    let now = unit.now();
    let rows = changes.into_iter().map(|change| ActiveModel {
        seq: NotSet,
        project_id: Set(change.project.map(|id| *id.as_uuid())),
        kind: Set(change.kind.as_str().to_owned()),
        subject: Set(change.subject),
        at: Set(now),
    });
    Entity::insert_many(rows)
        .exec_without_returning(&executor)
        .await
        .map_err(&context)?;
    unit.on_postgres(NOTIFY).await.map_err(&context)
}

/// Reads the changes feed.
pub struct Changes<'a> {
    db: Db<'a>,
}

impl<'a> Changes<'a> {
    pub(super) fn new(db: Db<'a>) -> Self {
        Self { db }
    }

    /// The number of the newest change. Take it before loading a state that
    /// the feed then keeps current.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn latest_seq(&self) -> Result<i64> {
        let newest: Option<i64> = Entity::find()
            .select_only()
            .column_as(Column::Seq.max(), "seq")
            .into_tuple::<Option<i64>>()
            .one(&self.db.read())
            .await
            .map_err(failed("read the changes feed"))?
            .flatten();
        Ok(newest.unwrap_or(0))
    }

    /// Up to `limit` changes after the number `seq`, oldest first.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn since(&self, seq: i64, limit: u64) -> Result<ChangePage> {
        let context = failed("read the changes feed");
        let rows = Entity::find()
            .filter(Column::Seq.gt(seq))
            .order_by_asc(Column::Seq)
            .limit(fetch_limit(limit) - 1)
            .all(&self.db.read())
            .await
            .map_err(&context)?;
        // Read after the rows: what is pruned in between counts as lost.
        let oldest: Option<i64> = Entity::find()
            .select_only()
            .column_as(Column::Seq.min(), "seq")
            .into_tuple::<Option<i64>>()
            .one(&self.db.read())
            .await
            .map_err(&context)?
            .flatten();
        let items = rows.into_iter().map(record).collect::<Result<_>>()?;
        Ok(ChangePage {
            items,
            lost: oldest.is_some_and(|oldest| oldest > seq),
        })
    }

    /// Removes changes older than `age`, but never the newest. Answers how
    /// many went.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn prune(&self, age: Duration) -> Result<u64> {
        let before = instant::earlier(self.db.now(), age);
        let newest = self.latest_seq().await?;
        // A prefix of the feed, so that what is left has no holes.
        let first_kept: Option<i64> = Entity::find()
            .select_only()
            .column_as(Column::Seq.min(), "seq")
            .filter(Column::At.gte(before))
            .into_tuple::<Option<i64>>()
            .one(&self.db.read())
            .await
            .map_err(failed("read the changes feed"))?
            .flatten();
        let result = Entity::delete_many()
            .filter(Column::Seq.lt(first_kept.unwrap_or(newest).min(newest)))
            .exec(&self.db.write())
            .await
            .map_err(failed("prune the changes feed"))?;
        Ok(result.rows_affected)
    }
}

fn record(row: Model) -> Result<Change> {
    Ok(Change {
        seq: row.seq,
        project: row.project_id.map(ProjectId::from_uuid),
        kind: ChangeKind::from_stored(row.kind),
        subject: row.subject,
        at: instant::from_micros(row.at)?,
    })
}

/// The stored form of an id.
pub(super) fn uuid(id: ProjectId) -> Uuid {
    *id.as_uuid()
}
