//! Small values of plugins, behind the capability trait.
//!
//! Each write is one statement, so that compare-and-swap holds whoever else
//! writes. A version is the time of its write in microseconds, or one more
//! than the last where that is later: it grows even over a deletion. An
//! expired value counts as absent, swept or not.

use super::{
    Platform,
    changes::uuid,
    entity::kv::{Column, Entity},
    failure::{failed, orphaned},
    instant,
    kv_budget::{ROW_BYTES, Verdict, full},
    unit::{Db, returning, statement},
};
use async_trait::async_trait;
use atlashub_core::{
    Error, ErrorKind, Result,
    capability::{
        PluginScope,
        kv::{Kv, KvCondition, KvEntry, MAX_KEY_BYTES, MAX_LIST, MAX_VALUE_BYTES},
    },
};
use sea_orm::{
    ColumnTrait as _, Condition, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, Statement, Value,
};
use std::time::Duration;

/// The values of plugins. [`Platform`] implements [`Kv`] with it.
pub struct KvStore<'a> {
    db: Db<'a>,
}

impl<'a> KvStore<'a> {
    pub(super) fn new(db: Db<'a>) -> Self {
        Self { db }
    }

    /// As [`Kv::get`].
    ///
    /// # Errors
    /// `kv_key_invalid`.
    pub async fn get(&self, scope: &PluginScope, key: &str) -> Result<Option<KvEntry>> {
        check_key(key)?;
        let row = Entity::find_by_id(id(scope, key))
            .filter(alive(self.db.now()))
            .one(&self.db.read())
            .await
            .map_err(failed("read a value"))?;
        Ok(row.map(|row| KvEntry {
            value: row.value,
            version: instant::from_bytes(row.version),
        }))
    }

    /// As [`Kv::set`].
    ///
    /// # Errors
    /// `kv_key_invalid`, `kv_value_too_large`, `kv_full` when the plugin's
    /// values take too much in all.
    pub async fn set(
        &self,
        scope: &PluginScope,
        key: &str,
        value: Vec<u8>,
        ttl: Option<Duration>,
        condition: KvCondition,
    ) -> Result<Option<u64>> {
        check_key(key)?;
        if value.len() > MAX_VALUE_BYTES {
            return Err(Error::new(
                ErrorKind::TooLarge,
                "kv_value_too_large",
                format!("a value may have {MAX_VALUE_BYTES} bytes at most"),
            ));
        }
        self.check_room(scope, key, &value).await?;
        let now = self.db.now();
        let expires_at = ttl.map(|ttl| instant::later(now, ttl));
        let Some(statement) = self.write(scope, key, value, expires_at, now, condition) else {
            return Ok(None);
        };
        let context = failed("write a value");
        let row = returning(&self.db.write(), statement)
            .await
            .map_err(orphaned("project", "write a value"))?;
        row.map(|row| row.try_get::<i64>("", "version").map(instant::from_bytes))
            .transpose()
            .map_err(context)
    }

    /// Refuses a write when the plugin's values take too much.
    async fn check_room(&self, scope: &PluginScope, key: &str, value: &[u8]) -> Result<()> {
        let platform = self.db.platform();
        let budget = &platform.0.kv_budget;
        let limit = platform.0.options.kv_bytes_per_plugin;
        let bytes = u64::try_from(key.len() + value.len()).unwrap_or(u64::MAX) + ROW_BYTES;
        if budget.add(scope, bytes, limit)? == Verdict::Fits {
            return Ok(());
        }
        budget.measured(scope, self.size(scope).await?);
        match budget.add(scope, bytes, limit)? {
            Verdict::Fits => Ok(()),
            Verdict::Measure => Err(full(limit)),
        }
    }

    /// What the values of a plugin take in a project, bytes, roughly; expired
    /// ones count until they are swept.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn size(&self, scope: &PluginScope) -> Result<u64> {
        let context = failed("measure a plugin's values");
        let row = returning(
            &self.db.read(),
            statement(
                self.db.engine(),
                "SELECT CAST(COUNT(*) AS BIGINT) AS count, \
                 CAST(COALESCE(SUM(LENGTH(key) + LENGTH(value)), 0) AS BIGINT) AS bytes \
                 FROM kv WHERE project_id = $1 AND plugin = $2",
                [uuid(scope.project).into(), scope.plugin.as_str().into()],
            ),
        )
        .await
        .map_err(&context)?;
        let (count, bytes): (i64, i64) = match row {
            Some(row) => (
                row.try_get("", "count").map_err(&context)?,
                row.try_get("", "bytes").map_err(&context)?,
            ),
            None => (0, 0),
        };
        Ok(instant::from_bytes(bytes) + instant::from_bytes(count) * ROW_BYTES)
    }

    /// The statement that writes under `condition`, answering the version;
    /// `None` when the condition cannot hold.
    fn write(
        &self,
        scope: &PluginScope,
        key: &str,
        value: Vec<u8>,
        expires_at: Option<i64>,
        now: i64,
        condition: KvCondition,
    ) -> Option<Statement> {
        let (sql, last): (&'static str, Option<Value>) = match condition {
            KvCondition::Always => (
                "INSERT INTO kv (project_id, plugin, key, value, version, expires_at) \
                 VALUES ($1, $2, $3, $4, $5, $6) \
                 ON CONFLICT (project_id, plugin, key) DO UPDATE SET value = excluded.value, \
                 version = CASE WHEN kv.version >= excluded.version THEN kv.version + 1 \
                 ELSE excluded.version END, expires_at = excluded.expires_at RETURNING version",
                None,
            ),
            KvCondition::Absent => (
                "INSERT INTO kv (project_id, plugin, key, value, version, expires_at) \
                 VALUES ($1, $2, $3, $4, $5, $6) \
                 ON CONFLICT (project_id, plugin, key) DO UPDATE SET value = excluded.value, \
                 version = CASE WHEN kv.version >= excluded.version THEN kv.version + 1 \
                 ELSE excluded.version END, expires_at = excluded.expires_at \
                 WHERE kv.expires_at <= $7 RETURNING version",
                Some(now.into()),
            ),
            KvCondition::Version(version) => (
                "UPDATE kv SET value = $4, version = CASE WHEN version >= $5 THEN version + 1 \
                 ELSE $5 END, expires_at = $6 \
                 WHERE project_id = $1 AND plugin = $2 AND key = $3 AND version = $7 \
                 AND (expires_at IS NULL OR expires_at > $8) RETURNING version",
                Some(i64::try_from(version).ok()?.into()),
            ),
        };
        let mut values: Vec<Value> = vec![
            uuid(scope.project).into(),
            scope.plugin.as_str().into(),
            key.as_bytes().to_vec().into(),
            value.into(),
            now.into(),
            expires_at.into(),
        ];
        values.extend(last);
        if matches!(condition, KvCondition::Version(_)) {
            values.push(now.into());
        }
        Some(statement(self.db.engine(), sql, values))
    }

    /// As [`Kv::delete`].
    ///
    /// # Errors
    /// `kv_key_invalid`.
    pub async fn delete(&self, scope: &PluginScope, key: &str) -> Result<bool> {
        check_key(key)?;
        let now = self.db.now();
        let result = Entity::delete_many()
            .filter(Column::ProjectId.eq(uuid(scope.project)))
            .filter(Column::Plugin.eq(scope.plugin.as_str()))
            .filter(Column::Key.eq(key.as_bytes().to_vec()))
            .filter(alive(now))
            .exec(&self.db.write())
            .await
            .map_err(failed("delete a value"))?;
        Ok(result.rows_affected > 0)
    }

    /// As [`Kv::list`].
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn list(
        &self,
        scope: &PluginScope,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>> {
        let mut query = Entity::find()
            .select_only()
            .column(Column::Key)
            .filter(Column::ProjectId.eq(uuid(scope.project)))
            .filter(Column::Plugin.eq(scope.plugin.as_str()))
            .filter(Column::Key.gte(prefix.as_bytes().to_vec()))
            .filter(alive(self.db.now()));
        if let Some(end) = after_prefix(prefix.as_bytes()) {
            query = query.filter(Column::Key.lt(end));
        }
        if let Some(after) = after {
            query = query.filter(Column::Key.gt(after.as_bytes().to_vec()));
        }
        let limit = u64::try_from(limit.clamp(1, MAX_LIST)).unwrap_or(1);
        let keys: Vec<Vec<u8>> = query
            .order_by_asc(Column::Key)
            .limit(limit)
            .into_tuple()
            .all(&self.db.read())
            .await
            .map_err(failed("list keys of values"))?;
        keys.into_iter()
            .map(|key| {
                String::from_utf8(key)
                    .map_err(|error| Error::internal("read the key of a value", error))
            })
            .collect()
    }

    /// Removes all values of a plugin in a project; how many there were.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn delete_all(&self, scope: &PluginScope) -> Result<u64> {
        let result = Entity::delete_many()
            .filter(Column::ProjectId.eq(uuid(scope.project)))
            .filter(Column::Plugin.eq(scope.plugin.as_str()))
            .exec(&self.db.write())
            .await
            .map_err(failed("delete a plugin's values"))?;
        self.db.platform().0.kv_budget.forget(scope);
        Ok(result.rows_affected)
    }

    /// Removes values that expired; how many there were.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn sweep_expired(&self) -> Result<u64> {
        let result = Entity::delete_many()
            .filter(Column::ExpiresAt.lte(self.db.now()))
            .exec(&self.db.write())
            .await
            .map_err(failed("remove expired values"))?;
        Ok(result.rows_affected)
    }
}

#[async_trait]
impl Kv for Platform {
    async fn get(&self, scope: &PluginScope, key: &str) -> Result<Option<KvEntry>> {
        self.kv().get(scope, key).await
    }

    async fn set(
        &self,
        scope: &PluginScope,
        key: &str,
        value: Vec<u8>,
        ttl: Option<Duration>,
        condition: KvCondition,
    ) -> Result<Option<u64>> {
        self.kv().set(scope, key, value, ttl, condition).await
    }

    async fn delete(&self, scope: &PluginScope, key: &str) -> Result<bool> {
        self.kv().delete(scope, key).await
    }

    async fn list(
        &self,
        scope: &PluginScope,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>> {
        self.kv().list(scope, prefix, after, limit).await
    }
}

fn id(scope: &PluginScope, key: &str) -> (uuid::Uuid, String, Vec<u8>) {
    (
        uuid(scope.project),
        scope.plugin.to_string(),
        key.as_bytes().to_vec(),
    )
}

fn alive(now: i64) -> Condition {
    Condition::any()
        .add(Column::ExpiresAt.is_null())
        .add(Column::ExpiresAt.gt(now))
}

fn check_key(key: &str) -> Result<()> {
    if key.is_empty() || key.len() > MAX_KEY_BYTES {
        return Err(Error::invalid(
            "kv_key_invalid",
            format!("a key must have 1 to {MAX_KEY_BYTES} bytes"),
        ));
    }
    Ok(())
}

/// The first byte string that comes after all with this prefix, if any does.
fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            return Some(end);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_prefix_is_the_next_byte_string() {
        assert_eq!(after_prefix(b"ab"), Some(b"ac".to_vec()));
        assert_eq!(after_prefix(b"a\xff"), Some(b"b".to_vec()));
        assert_eq!(after_prefix(b"\xff\xff"), None);
        assert_eq!(after_prefix(b""), None);
    }
}
