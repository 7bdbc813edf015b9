//! The platform database: one set of tables and repositories for SQLite and
//! Postgres.
//!
//! [`Platform`] is the way in; `platform.projects()` and its like give the
//! repository of a table, whose calls each commit by themselves, and
//! [`Platform::begin`] a [`Unit`] with the same repositories, committed as a
//! whole. Records are plain structs; times are UTC with microseconds, lists
//! are paged by id or number, at most [`MAX_LIMIT`](page::MAX_LIMIT) rows at
//! once.
//!
//! What other nodes must learn is appended to the [changes feed](changes) in
//! the transaction that makes it true. Left to others: who may do what, what
//! a configuration means, project databases.

mod admins;
pub mod archive;
mod audit;
mod auth;
mod backups;
mod buckets;
pub mod changes;
mod channel_messages;
mod connect;
mod credentials;
mod direct_uploads;
mod domains;
mod entity;
mod failure;
mod history;
mod idempotency;
mod installations;
mod instant;
mod journal;
mod keys;
mod kv;
mod kv_budget;
mod listen;
mod logs;
mod migrate;
pub mod moving;
mod nodes;
mod oauth;
pub mod page;
mod project_migrations;
mod projects;
mod queue;
mod requests;
mod revisions;
mod saved_queries;
mod schedules;
pub mod seal;
mod seal_of_plugins;
mod series;
mod sessions;
mod sql_history;
mod tries;
mod unit;
mod usage;
mod users;

pub use admins::{Admin, AdminPatch, Admins, Invitation, Invitations, NewAdmin, NewInvitation};
pub use audit::{Audit, AuditEvent, AuditFilter, NewAuditEvent};
pub use auth::{AuthStore, NewSigningKey, SigningKey};
pub use backups::{
    Backup, BackupPolicy, BackupReason, BackupRun, BackupTotals, BackupTurn, Backups, PolicyTask,
    RunKind, TurnEnd, TurnFailure,
};
pub use buckets::{Bucket, BucketSettings, Buckets, DEFAULT_BUCKETS};
pub use changes::{Change, ChangeKind, ChangePage, Changes};
pub use channel_messages::{ChannelMessage, ChannelMessages, Missed};
pub use connect::{Engine, PlatformOptions, Synchronous};
pub use credentials::{Credential, Credentials};
pub use direct_uploads::{DirectUpload, DirectUploads, NewDirectUpload};
pub use domains::{Domain, Domains};
pub use history::{HistoryEntry, InstallationChange};
pub use idempotency::{Begin, IdempotencyKeys, IdempotencyRequest, StoredAnswer, Ticket};
pub use installations::{Installation, InstallationState, Installations};
pub use keys::{Key, Keys, NewKey};
pub use kv::KvStore;
pub use listen::ChangeHints;
pub use logs::{LogFilter, LogPage, PluginLogs, StoredLogLine};
pub use migrate::MigrationStatus;
pub use nodes::Nodes;
pub use oauth::{
    AuthProvider, AuthProviders, NewOAuthCode, NewOAuthSignIn, OAuthCode, OAuthCodes, OAuthSignIn,
    OAuthSignIns, ProviderKind, PutProvider,
};
pub use page::Page;
pub use project_migrations::{BegunMigration, ProjectMigration, ProjectMigrations};
pub use projects::{NewProject, Project, ProjectPatch, ProjectSettings, Projects};
pub use queue::{
    Backlog, Enqueued, ItemFilter, ItemKind, ItemState, JobWork, Lease, NewItem, Outcome, Queue,
    QueueCounts, QueueItem, Retention, Tick, WorkFailure,
};
pub use requests::{KeptRequest, RequestFilter, Requests, StoredRequest};
pub use revisions::{NewRevision, Revision, Revisions};
pub use saved_queries::{SavedQueries, SavedQuery};
pub use schedules::{Advance, DueSchedule, FixedSchedule, NewSchedule, ScheduleFilter, Schedules};
pub use series::{
    LATENCY_BUCKETS, Level, PointOfUse, Series, SeriesBatch, SeriesCounts, SeriesPoint,
    SeriesRange, SeriesRow,
};
pub use sessions::{AdminSession, NewSession, Sessions};
pub use sql_history::{NewRun, Run, SqlHistory};
pub use tries::{Tries, TryAllowance, TryVerdict};
pub use unit::Unit;
pub use usage::{DEFAULT_STORAGE_BYTES, ReservationId, StorageUsage, Usage};
pub use users::{
    AppPassword, AppPasswordUser, AppPasswords, EndUser, Identities, Identity, MAX_APP_PASSWORDS,
    MAX_AWAITING, MAX_SESSIONS, NewAppPassword, NewIdentity, NewUser, NewUserSession, OneTimeKind,
    OneTimeToken, OneTimeTokens, Refreshed, Role, Roles, SecondFactor, SessionLevel, SessionUser,
    UserFilter, UserPatch, UserSession, UserSessions, Users,
};

use atlashub_core::Result;
use connect::Pools;
use kv_budget::KvBudget;
use secrecy::{ExposeSecret as _, SecretString};
use std::sync::{Arc, OnceLock};
use time::OffsetDateTime;
use tokio::sync::watch;
use uuid::Uuid;

/// The platform database. Cheap to clone; all clones share their connections,
/// which end with the last of them or with [`close`](Self::close).
#[derive(Clone)]
pub struct Platform(Arc<Inner>);

struct Inner {
    pools: Pools,
    options: PlatformOptions,
    /// Counts the changes that this process has announced.
    hints: watch::Sender<u64>,
    kv_budget: KvBudget,
    /// As which node this process takes part, if as one.
    node: OnceLock<Uuid>,
}

impl Platform {
    /// Opens the database at `sqlite:<path>` (made when missing) or
    /// `postgres://…` (which must exist). Changes nothing in it.
    ///
    /// # Errors
    /// `invalid_database_url`, or a 500 when it cannot be opened.
    pub async fn connect(url: &SecretString, options: PlatformOptions) -> Result<Self> {
        let pools = connect::open(url.expose_secret(), &options).await?;
        Ok(Self(Arc::new(Inner {
            pools,
            options,
            hints: watch::Sender::new(0),
            kv_budget: KvBudget::default(),
            node: OnceLock::new(),
        })))
    }

    /// Which database it is.
    #[must_use]
    pub fn engine(&self) -> Engine {
        self.0.pools.engine
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<()> {
        self.0.pools.ping().await
    }

    /// Ends all connections, after what is under way. Later calls fail.
    ///
    /// # Errors
    /// When a connection could not be ended in order.
    pub async fn close(&self) -> Result<()> {
        self.0.pools.close().await
    }

    /// Starts a unit of work: several changes that take effect together.
    ///
    /// # Errors
    /// When no connection is free in time.
    pub async fn begin(&self) -> Result<Unit> {
        unit::Db::Pool(self).begin().await
    }

    /// Now, by the platform's clock, as precise as it can be stored.
    #[must_use]
    pub fn now(&self) -> OffsetDateTime {
        let now = self.0.options.clock.now();
        now.replace_nanosecond(now.microsecond() * 1_000)
            .unwrap_or(now)
    }

    /// Says once as which node this process takes part: what it sets aside
    /// is given back when that node is gone.
    pub fn take_part_as(&self, node: Uuid) {
        self.0.node.get_or_init(|| node);
    }

    fn node(&self) -> Option<Uuid> {
        self.0.node.get().copied()
    }

    fn pools(&self) -> &Pools {
        &self.0.pools
    }

    fn hint(&self) {
        self.0
            .hints
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    fn hints(&self) -> watch::Receiver<u64> {
        self.0.hints.subscribe()
    }
}

impl std::fmt::Debug for Platform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Platform")
            .field("engine", &self.engine())
            .finish_non_exhaustive()
    }
}
