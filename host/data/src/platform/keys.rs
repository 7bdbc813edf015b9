//! API keys of projects. Only the SHA-256 of a key is stored, with its first
//! characters so that people can tell keys apart.

use super::{
    changes::{ChangeKind, NewChange, uuid},
    entity::{
        api_key::{ActiveModel, Column, Entity, Model},
        project,
    },
    failure::{corrupt, failed, orphaned},
    instant,
    page::{Page, fetch_limit},
    unit::Db,
};
use atlashub_core::{Digest, Error, KeyId, KeyKind, ProjectId, Result, token};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, Condition, EntityTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, sea_query::Expr,
};
use time::OffsetDateTime;

/// Characters of a key that are kept for display, its prefix included.
const HINT_CHARS: usize = 8;

/// An API key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its id.
    pub id: KeyId,
    /// The project it opens.
    pub project: ProjectId,
    /// Publishable or secret.
    pub kind: KeyKind,
    /// What people call it; may be empty.
    pub name: String,
    /// SHA-256 of the key.
    pub hash: Digest,
    /// Its first characters.
    pub hint: String,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it stops working by itself.
    pub expires_at: Option<OffsetDateTime>,
    /// From when on it is revoked; may lie ahead.
    pub revoked_at: Option<OffsetDateTime>,
    /// When it was last used, as far as nodes have reported.
    pub last_used_at: Option<OffsetDateTime>,
}

impl Key {
    /// Whether the key works at the time `now`.
    #[must_use]
    pub fn is_valid_at(&self, now: OffsetDateTime) -> bool {
        self.expires_at.is_none_or(|at| at > now) && self.revoked_at.is_none_or(|at| at > now)
    }
}

/// A key to be made.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// Publishable or secret.
    pub kind: KeyKind,
    /// What people call it.
    pub name: String,
    /// SHA-256 of the key.
    pub hash: Digest,
    /// Its first characters.
    pub hint: String,
    /// When it stops working by itself.
    pub expires_at: Option<OffsetDateTime>,
}

impl NewKey {
    /// What is to be stored of the key `token`.
    #[must_use]
    pub fn of_token(
        kind: KeyKind,
        name: impl Into<String>,
        token: &str,
        expires_at: Option<OffsetDateTime>,
    ) -> Self {
        Self {
            kind,
            name: name.into(),
            hash: token::hash(token),
            hint: token.chars().take(HINT_CHARS).collect(),
            expires_at,
        }
    }
}

/// The API keys.
pub struct Keys<'a> {
    db: Db<'a>,
}

impl<'a> Keys<'a> {
    pub(super) fn new(db: Db<'a>) -> Self {
        Self { db }
    }

    /// Makes a key.
    ///
    /// # Errors
    /// `not_found` when there is no such project.
    pub async fn create(&self, project: ProjectId, new: NewKey) -> Result<Key> {
        let unit = self.db.begin().await?;
        let now = instant::from_micros(unit.now())?;
        let key = Key {
            id: KeyId::new(),
            project,
            kind: new.kind,
            name: new.name,
            hash: new.hash,
            hint: new.hint,
            created_at: now,
            expires_at: new.expires_at,
            revoked_at: None,
            last_used_at: None,
        };
        Entity::insert(ActiveModel {
            id: Set(*key.id.as_uuid()),
            project_id: Set(uuid(project)),
            kind: Set(key.kind.as_str().to_owned()),
            name: Set(key.name.clone()),
            hash: Set(key.hash.as_bytes().to_vec()),
            hint: Set(key.hint.clone()),
            created_at: Set(instant::to_micros(key.created_at)),
            expires_at: Set(key.expires_at.map(instant::to_micros)),
            revoked_at: Set(None),
            last_used_at: Set(None),
        })
        .exec_without_returning(&unit.executor())
        .await
        .map_err(orphaned("project", "create a key"))?;
        unit.announce(NewChange::key(project, key.id, ChangeKind::KeyCreated));
        unit.commit().await?;
        Ok(key)
    }

    /// The key with this hash, be it valid or not, of a project that is not
    /// deleted. The hash is compared once more in constant time.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn find_by_hash(&self, hash: &Digest) -> Result<Option<Key>> {
        let context = failed("find a key");
        let executor = self.db.read();
        let Some(row) = Entity::find()
            .filter(Column::Hash.eq(hash.as_bytes().to_vec()))
            .one(&executor)
            .await
            .map_err(&context)?
        else {
            return Ok(None);
        };
        let live = project::Entity::find_by_id(row.project_id)
            .filter(project::Column::DeletedAt.is_null())
            .one(&executor)
            .await
            .map_err(&context)?
            .is_some();
        let key = record(row)?;
        Ok((live && token::matches(&key.hash, hash)).then_some(key))
    }

    /// The key of a project with this id.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn find(&self, project: ProjectId, id: KeyId) -> Result<Option<Key>> {
        Entity::find_by_id(*id.as_uuid())
            .filter(Column::ProjectId.eq(uuid(project)))
            .one(&self.db.read())
            .await
            .map_err(failed("find a key"))?
            .map(record)
            .transpose()
    }

    /// A page of a project's keys, oldest first, revoked ones included.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn list(
        &self,
        project: ProjectId,
        after: Option<KeyId>,
        limit: u64,
    ) -> Result<Page<Key, KeyId>> {
        let mut query = Entity::find().filter(Column::ProjectId.eq(uuid(project)));
        if let Some(after) = after {
            query = query.filter(Column::Id.gt(*after.as_uuid()));
        }
        let rows = query
            .order_by_asc(Column::Id)
            .limit(fetch_limit(limit))
            .all(&self.db.read())
            .await
            .map_err(failed("list keys"))?;
        let keys = rows.into_iter().map(record).collect::<Result<_>>()?;
        Ok(Page::cut(keys, limit, |key: &Key| key.id))
    }

    /// Revokes a key at once; whether it was there and not yet revoked.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn revoke(&self, project: ProjectId, id: KeyId) -> Result<bool> {
        let unit = self.db.begin().await?;
        let now = unit.now();
        let result = Entity::update_many()
            .filter(Column::Id.eq(*id.as_uuid()))
            .filter(Column::ProjectId.eq(uuid(project)))
            .filter(not_revoked(now))
            .col_expr(Column::RevokedAt, Expr::value(now))
            .exec(&unit.executor())
            .await
            .map_err(failed("revoke a key"))?;
        if result.rows_affected == 0 {
            return Ok(false);
        }
        unit.announce(NewChange::key(project, id, ChangeKind::KeyRevoked));
        unit.commit().await?;
        Ok(true)
    }

    /// Puts a new key in place of an old one, which is revoked at once or at
    /// `old_until`. Both or neither.
    ///
    /// # Errors
    /// `not_found` when the project has no such key, `key_revoked` when it was
    /// revoked already.
    pub async fn rotate(
        &self,
        project: ProjectId,
        old: KeyId,
        new: NewKey,
        old_until: Option<OffsetDateTime>,
    ) -> Result<Key> {
        let unit = self.db.begin().await?;
        let now = unit.now();
        let until = old_until.map_or(now, |until| instant::to_micros(until).max(now));
        let result = Entity::update_many()
            .filter(Column::Id.eq(*old.as_uuid()))
            .filter(Column::ProjectId.eq(uuid(project)))
            .filter(Column::RevokedAt.is_null())
            .col_expr(Column::RevokedAt, Expr::value(until))
            .exec(&unit.executor())
            .await
            .map_err(failed("rotate a key"))?;
        if result.rows_affected == 0 {
            return Err(match unit.keys().find(project, old).await? {
                Some(_) => Error::conflict("key_revoked", "the key is revoked already"),
                None => Error::not_found("key"),
            });
        }
        unit.announce(NewChange::key(project, old, ChangeKind::KeyRevoked));
        let key = unit.keys().create(project, new).await?;
        unit.commit().await?;
        Ok(key)
    }

    /// Notes when keys were last used, many at a time, and answers which of
    /// them had never been used before, with their projects. Never moves a
    /// time back; keys that are gone are passed over.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn touch_last_used(
        &self,
        uses: &[(KeyId, OffsetDateTime)],
    ) -> Result<Vec<(ProjectId, KeyId)>> {
        let mut first = Vec::new();
        if uses.is_empty() {
            return Ok(first);
        }
        let mut uses = uses.to_vec();
        // All nodes in the same order, so that they never wait in a circle.
        uses.sort_unstable();
        let unit = self.db.begin().await?;
        for (id, at) in uses {
            let at = instant::to_micros(at);
            let context = failed("note the use of keys");
            let touch = Entity::update_many()
                .filter(Column::Id.eq(*id.as_uuid()))
                .col_expr(Column::LastUsedAt, Expr::value(at));
            let began = touch
                .clone()
                .filter(Column::LastUsedAt.is_null())
                .exec(&unit.executor())
                .await
                .map_err(&context)?;
            if began.rows_affected == 0 {
                touch
                    .filter(Column::LastUsedAt.lt(at))
                    .exec(&unit.executor())
                    .await
                    .map_err(&context)?;
                continue;
            }
            let row = Entity::find_by_id(*id.as_uuid())
                .one(&unit.executor())
                .await
                .map_err(&context)?;
            first.extend(row.map(|row| (ProjectId::from_uuid(row.project_id), id)));
        }
        unit.commit().await?;
        Ok(first)
    }
}

fn not_revoked(now: i64) -> Condition {
    Condition::any()
        .add(Column::RevokedAt.is_null())
        .add(Column::RevokedAt.gt(now))
}

fn record(row: Model) -> Result<Key> {
    Ok(Key {
        id: KeyId::from_uuid(row.id),
        project: ProjectId::from_uuid(row.project_id),
        kind: row.kind.parse()?,
        name: row.name,
        hash: digest(&row.hash)?,
        hint: row.hint,
        created_at: instant::from_micros(row.created_at)?,
        expires_at: instant::from_micros_opt(row.expires_at)?,
        revoked_at: instant::from_micros_opt(row.revoked_at)?,
        last_used_at: instant::from_micros_opt(row.last_used_at)?,
    })
}

/// A stored digest.
pub(super) fn digest(bytes: &[u8]) -> Result<Digest> {
    let bytes = bytes
        .try_into()
        .map_err(|error: std::array::TryFromSliceError| corrupt("digest")(error.into()))?;
    Ok(Digest::from_bytes(bytes))
}
