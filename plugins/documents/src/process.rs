//! Reading documents: claimed for a while, so that two callers do not read
//! one at once; what is claimed by somebody who went away is free again when
//! the time is up.

use crate::{
    access, classify, follow, notice,
    record::{Document, Record},
    remote::{self, Extracted, Reading},
    stems,
};
use atlashub_sdk::prelude::*;

/// How long a document is claimed, milliseconds: longer than a request lasts.
const CLAIM: i64 = 150_000;
/// Documents that one call reads when nothing is said, and at most.
const DEFAULT_LIMIT: u32 = 5;
const MAX_LIMIT: u32 = 20;
/// After this time of one call no further document is begun, milliseconds.
const ENOUGH: i64 = 40_000;

#[derive(Debug, Deserialize)]
pub(crate) struct Wishes {
    limit: Option<u32>,
}

/// What a call did.
#[derive(Debug, Serialize)]
pub(crate) struct Processed {
    /// Documents that are ready or cannot be read, now.
    processed: usize,
    /// Of the caller's, those that wait.
    pending: i64,
    /// Whether all of the caller's files were looked at.
    complete: bool,
}

/// `POST /documents/process`
pub(crate) fn pending(Query(wishes): Query<Wishes>, caller: Caller) -> Result<Json<Processed>> {
    let scope = access::to_write(&caller)?;
    let complete = follow::catch_up(&scope)?;
    let limit = wishes.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
    let begun = moment::now_ms();
    let mut parameters = Vec::new();
    let own = access::condition(&scope, &mut parameters);
    let free = "(status = 'pending' OR status = 'processing')";
    parameters.push(begun.into());
    let place = parameters.len();
    let ids: Vec<String> = sql::query(
        &format!(
            "SELECT id FROM documents.documents WHERE {own} AND {free} AND leased_until < ${place} \
             ORDER BY created_at, id LIMIT {limit}"
        ),
        parameters,
    )?;
    let mut processed = 0;
    for id in ids {
        if moment::now_ms() - begun > ENOUGH {
            break;
        }
        processed += usize::from(process(&id)?);
    }
    let mut parameters = Vec::new();
    let own = access::condition(&scope, &mut parameters);
    let owed: Vec<String> = sql::query(
        &format!("SELECT id FROM documents.documents WHERE {own} AND owed = 1 LIMIT {limit}"),
        parameters,
    )?;
    owed.iter().for_each(|id| hand_over_now(id));
    let mut parameters = Vec::new();
    let own = access::condition(&scope, &mut parameters);
    let unclassified: Vec<String> = sql::query(
        &format!(
            "SELECT id FROM documents.documents WHERE {own} AND unclassified = 1 AND status = 'ready' LIMIT {limit}"
        ),
        parameters,
    )?;
    unclassified
        .iter()
        .try_for_each(|id| classify::classify_unclassified(id))?;
    let mut parameters = Vec::new();
    let own = access::condition(&scope, &mut parameters);
    let pending = sql::query_one(
        &format!("SELECT count(*) FROM documents.documents WHERE {own} AND {free}"),
        parameters,
    )?;
    Ok(Json(Processed {
        processed,
        pending,
        complete,
    }))
}

/// `POST /documents/{id}/process`: reads it, again if it was read.
pub(crate) fn one(Path(id): Path<String>, caller: Caller) -> Result<Json<Document>> {
    let scope = access::to_write(&caller)?;
    Record::require_own(&id, &scope)?;
    sql::execute(
        "UPDATE documents.documents SET status = 'pending' WHERE id = $1 AND status IN ('ready', 'error')",
        params![&id],
    )?;
    process(&id)?;
    hand_over_now(&id);
    Ok(Json(Record::require(&id)?.shown()))
}

/// Tells `search` what is written in a document now, if it has yet to know.
///
/// # Errors
/// When `search` did not take it; it is owed then.
pub(crate) fn hand_over(id: &str) -> Result<()> {
    let owed: Option<(i64, Option<String>)> = sql::query_optional(
        "SELECT documents.version, texts.text FROM documents.documents \
         LEFT JOIN documents.texts ON texts.id = documents.id WHERE documents.id = $1 AND documents.owed = 1",
        params![id],
    )?;
    let Some((version, text)) = owed else {
        return Ok(());
    };
    remote::index(id, text.as_deref().unwrap_or_default())?;
    sql::execute(
        "UPDATE documents.documents SET owed = 0 WHERE id = $1 AND version = $2",
        params![id, version],
    )?;
    Ok(())
}

/// As [`hand_over`], for those whom it need not keep: it is owed until the
/// next call.
fn hand_over_now(id: &str) {
    if let Err(error) = hand_over(id) {
        log::warn!("search did not take the text of {id}: {error}");
    }
}

/// Reads a document that waits; answers whether this came to an end. What was
/// read is to be handed over.
pub(crate) fn process(id: &str) -> Result<bool> {
    let now = moment::now_ms();
    let claimed: Option<(i64, String, String)> = sql::query_optional(
        "UPDATE documents.documents SET status = 'processing', leased_until = $2 WHERE id = $1 \
         AND (status = 'pending' OR status = 'processing') AND leased_until < $3 RETURNING version, filename, owner",
        params![id, now + CLAIM, now],
    )?;
    let Some((version, filename, owner)) = claimed else {
        return Ok(false);
    };
    let claim = Claim {
        id,
        version,
        until: now + CLAIM,
    };
    match remote::extract(id, &filename) {
        Ok(Reading::Done(found)) => claim.ready(&found),
        Ok(Reading::Impossible(code, detail)) => {
            if claim.unreadable(&code, &detail)? {
                notice::failed(id, &owner, &filename);
            }
            Ok(true)
        }
        Ok(Reading::Later(error)) => {
            claim.end("pending", Some((error.code(), error.detail())))?;
            Ok(false)
        }
        Err(error) if error.status() == StatusCode::NOT_FOUND => {
            follow::forget(id)?;
            Ok(false)
        }
        Err(error) => {
            claim.end("pending", Some((error.code(), error.detail())))?;
            Err(error)
        }
    }
}

/// A document that is being read here.
struct Claim<'a> {
    id: &'a str,
    version: i64,
    until: i64,
}

impl Claim<'_> {
    /// Notes how the reading ended, unless somebody else reads it meanwhile,
    /// or there is another version; whether it did.
    fn end(&self, status: &str, problem: Option<(&str, &str)>) -> Result<bool> {
        let (code, detail) = problem.unzip();
        let ended = sql::execute(
            "UPDATE documents.documents SET status = $4, error_code = $5, error_detail = $6, leased_until = 0, \
             processed_at = $7 WHERE id = $1 AND version = $2 AND leased_until = $3",
            params![
                self.id,
                self.version,
                self.until,
                status,
                code,
                detail,
                moment::now_ms()
            ],
        )?;
        Ok(ended > 0)
    }

    /// Notes that this version cannot be read, and keeps nothing of the one
    /// before, unless somebody else reads it meanwhile; whether it did.
    fn unreadable(&self, code: &str, detail: &str) -> Result<bool> {
        sql::transaction(|transaction| {
            let changed = transaction.execute(
                "UPDATE documents.documents SET status = 'error', error_code = $4, error_detail = $5, \
                 leased_until = 0, processed_at = $6, topics = '[]', unclassified = 0, \
                 owed = CASE WHEN EXISTS (SELECT 1 FROM documents.texts WHERE texts.id = $1) THEN 1 ELSE owed END \
                 WHERE id = $1 AND version = $2 AND leased_until = $3",
                params![
                    self.id,
                    self.version,
                    self.until,
                    code,
                    detail,
                    moment::now_ms()
                ],
            )?;
            if changed > 0 {
                for table in ["texts", "features"] {
                    transaction.execute(
                        &format!("DELETE FROM documents.{table} WHERE id = $1"),
                        params![self.id],
                    )?;
                }
            }
            Ok(changed > 0)
        })
    }

    fn ready(&self, found: &Extracted) -> Result<bool> {
        let counts = stems::count(&found.text, found.language.as_deref());
        let is_mine = sql::transaction(|transaction| {
            let changed = transaction.execute(
                "UPDATE documents.documents SET status = 'ready', error_code = NULL, error_detail = NULL, \
                 leased_until = 0, processed_at = $4, kind = $5, title = $6, language = $7, pages = $8, \
                 words = $9, truncated = $10, owed = 1, unclassified = 1, encoding = $11 WHERE id = $1 AND version = $2 AND leased_until = $3",
                params![
                    self.id,
                    self.version,
                    self.until,
                    moment::now_ms(),
                    &found.kind,
                    found.title.as_deref(),
                    found.language.as_deref(),
                    found.pages,
                    found.words,
                    i64::from(found.truncated),
                    found.encoding.as_deref()
                ],
            )?;
            if changed == 0 {
                return Ok(false);
            }
            transaction.execute(
                "INSERT INTO documents.texts (id, text) VALUES ($1, $2) \
                 ON CONFLICT (id) DO UPDATE SET text = excluded.text",
                params![self.id, &found.text],
            )?;
            classify::keep_features(transaction, self.id, &counts)?;
            Ok(true)
        })?;
        if is_mine {
            classify::classify(self.id)?;
        } else {
            // A newer version came meanwhile: it waits for its turn.
            sql::execute(
                "UPDATE documents.documents SET leased_until = 0 WHERE id = $1 AND leased_until = $2",
                params![self.id, self.until],
            )?;
        }
        Ok(is_mine)
    }
}
