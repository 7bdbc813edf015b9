//! Log lines of plugins: written in batches, read backwards, pruned by age and
//! by number. What a line may contain and how fast lines come is bounded
//! before they arrive here.

use super::{
    changes::uuid,
    entity::plugin_log::{ActiveModel, Column, Entity, Model},
    failure::{corrupt, failed},
    instant, journal,
    page::{Page, fetch_limit},
    unit::Db,
};
use atlashub_core::{
    PluginName, ProjectId, RequestId, Result,
    capability::{
        PluginScope,
        log::{Level, LogLine, Source},
    },
};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait as _, Condition, EntityTrait as _, ExprTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
};
use std::time::Duration;
use uuid::Uuid;

/// Lines that one statement inserts.
const BATCH: usize = 200;

/// What failed when pruning does.
const PRUNE: &str = "prune log lines";

/// A line as it was stored.
#[derive(Clone, Debug)]
pub struct StoredLogLine {
    /// Its number; grows with each line.
    pub seq: i64,
    /// The line.
    pub line: LogLine,
}

/// Which lines to read.
#[derive(Clone, Debug, Default)]
pub struct LogFilter {
    /// Lines of this gravity or graver ones.
    pub min_level: Option<Level>,
    /// Lines that contain this text, in any case (of ASCII letters).
    pub text: Option<String>,
    /// Lines of this request.
    pub request: Option<RequestId>,
    /// Lines with a smaller number: the previous page's `next`.
    pub before: Option<i64>,
    /// Lines with a greater number: what has come since.
    pub after: Option<i64>,
}

/// One page of lines, newest first.
pub type LogPage = Page<StoredLogLine, i64>;

/// The log lines of plugins.
pub struct PluginLogs<'a> {
    db: Db<'a>,
}

impl<'a> PluginLogs<'a> {
    pub(super) fn new(db: Db<'a>) -> Self {
        Self { db }
    }

    /// Stores lines in the order given, all or none.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn insert(&self, lines: &[LogLine]) -> Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        let unit = self.db.begin().await?;
        for lines in lines.chunks(BATCH) {
            Entity::insert_many(lines.iter().map(row))
                .exec_without_returning(&unit.executor())
                .await
                .map_err(failed("store log lines"))?;
        }
        unit.commit().await
    }

    /// A page of a plugin's lines, newest first.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn list(
        &self,
        scope: &PluginScope,
        filter: &LogFilter,
        limit: u64,
    ) -> Result<LogPage> {
        self.list_of(scope.project, Some(&scope.plugin), filter, limit)
            .await
    }

    /// A page of the lines of a project's plugins, or of one of them, newest
    /// first.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn list_of(
        &self,
        project: ProjectId,
        plugin: Option<&PluginName>,
        filter: &LogFilter,
        limit: u64,
    ) -> Result<LogPage> {
        let mut query = Entity::find().filter(Column::ProjectId.eq(uuid(project)));
        if let Some(plugin) = plugin {
            query = query.filter(Column::Plugin.eq(plugin.as_str()));
        }
        if let Some(level) = filter.min_level {
            query = query.filter(Column::Level.gte(rank(level)));
        }
        if let Some(text) = &filter.text {
            query = query.filter(journal::mentions(Column::Message, text));
        }
        if let Some(request) = filter.request {
            query = query.filter(Column::RequestId.eq(*request.as_uuid()));
        }
        if let Some(before) = filter.before {
            query = query.filter(Column::Seq.lt(before));
        }
        if let Some(after) = filter.after {
            query = query.filter(Column::Seq.gt(after));
        }
        let rows = query
            .order_by_desc(Column::Seq)
            .limit(fetch_limit(limit))
            .all(&self.db.read())
            .await
            .map_err(failed("read log lines"))?;
        let lines = rows.into_iter().map(record).collect::<Result<_>>()?;
        Ok(Page::cut(lines, limit, |line: &StoredLogLine| line.seq))
    }

    /// Removes lines older than `age`; how many there were.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn prune_older(&self, age: Duration) -> Result<u64> {
        journal::prune_older::<Entity>(self.db, Column::At, age, PRUNE).await
    }

    /// Keeps the newest `keep` lines of each plugin in each project; how many
    /// went.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn prune_to(&self, keep: u64) -> Result<u64> {
        let most = i64::try_from(keep).unwrap_or(i64::MAX);
        let crowded: Vec<(Uuid, String)> = Entity::find()
            .select_only()
            .column(Column::ProjectId)
            .column(Column::Plugin)
            .group_by(Column::ProjectId)
            .group_by(Column::Plugin)
            .having(Column::Seq.count().gt(most))
            .into_tuple()
            .all(&self.db.read())
            .await
            .map_err(failed(PRUNE))?;
        let groups = crowded.into_iter().map(|(project, plugin)| {
            Condition::all()
                .add(Column::ProjectId.eq(project))
                .add(Column::Plugin.eq(plugin))
        });
        journal::prune_to::<Entity>(self.db, Column::Seq, groups, keep, PRUNE).await
    }

    /// Removes all lines of a plugin in a project; how many there were.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn delete_all(&self, scope: &PluginScope) -> Result<u64> {
        let result = Entity::delete_many()
            .filter(Column::ProjectId.eq(uuid(scope.project)))
            .filter(Column::Plugin.eq(scope.plugin.as_str()))
            .exec(&self.db.write())
            .await
            .map_err(failed("delete a plugin's log lines"))?;
        Ok(result.rows_affected)
    }
}

const LEVELS: [Level; 6] = [
    Level::Trace,
    Level::Debug,
    Level::Info,
    Level::Warn,
    Level::Error,
    Level::Critical,
];

const SOURCES: [Source; 4] = [Source::Log, Source::Stdout, Source::Stderr, Source::Host];

fn rank(level: Level) -> i64 {
    match level {
        Level::Trace => 0,
        Level::Debug => 1,
        Level::Info => 2,
        Level::Warn => 3,
        Level::Error => 4,
        Level::Critical => 5,
    }
}

fn row(line: &LogLine) -> ActiveModel {
    ActiveModel {
        seq: NotSet,
        project_id: Set(uuid(line.scope.project)),
        plugin: Set(line.scope.plugin.to_string()),
        at: Set(instant::to_micros(line.at)),
        level: Set(rank(line.level)),
        source: Set(line.source.as_str().to_owned()),
        request_id: Set(line.request.map(|id| *id.as_uuid())),
        // Postgres text cannot hold it.
        message: Set(line.message.replace('\0', "\\0")),
    }
}

fn record(row: Model) -> Result<StoredLogLine> {
    let plugin: PluginName = row.plugin.parse()?;
    let level = LEVELS
        .into_iter()
        .find(|level| rank(*level) == row.level)
        .ok_or_else(|| corrupt("log level")("unknown level".into()))?;
    let source = SOURCES
        .into_iter()
        .find(|source| source.as_str() == row.source)
        .ok_or_else(|| corrupt("log source")("unknown source".into()))?;
    Ok(StoredLogLine {
        seq: row.seq,
        line: LogLine {
            scope: PluginScope {
                project: ProjectId::from_uuid(row.project_id),
                plugin,
            },
            at: instant::from_micros(row.at)?,
            level,
            source,
            request: row.request_id.map(RequestId::from_uuid),
            message: row.message,
        },
    })
}
