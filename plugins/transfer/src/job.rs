//! A job: what is kept of it, and the turns at it.
//!
//! Whoever takes a job writes a name of its own into it. From then on what
//! another that had it does is not noted any more: each note is made under
//! the name, and says so when the name is another, or when the job was
//! cancelled.

use crate::{STORE, folder, import, settings::Settings};
use atlashub_sdk::{config, prelude::*};
use serde::de::DeserializeOwned;
use std::{
    cell::Cell,
    time::{Duration, Instant},
};
use uuid::Uuid;

/// How long a turn at a job is.
const TURN: Duration = Duration::from_secs(240);
/// How long a job waits for its first turn to be noted.
const NOT_BEGUN_MS: i64 = 900_000;
/// The host has stopped a turn by then that it took back: several times its
/// lease of half a minute.
const STOPPED: Duration = Duration::from_secs(120);
/// From one word to the host to the next at least.
const TELL: Duration = Duration::from_secs(1);

/// A row of `transfer.jobs`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Job {
    pub(crate) id: String,
    /// `export` or `import`.
    pub(crate) kind: String,
    /// `table`, `database`, `files`.
    pub(crate) what: String,
    /// The table.
    pub(crate) subject: Option<String>,
    pub(crate) format: String,
    pub(crate) status: String,
    pub(crate) rows_done: u64,
    pub(crate) rows_total: Option<u64>,
    pub(crate) bytes_done: u64,
    pub(crate) bytes_total: Option<u64>,
    pub(crate) rows_failed: u64,
    pub(crate) error_code: Option<String>,
    pub(crate) error_detail: Option<String>,
    pub(crate) result_key: Option<String>,
    pub(crate) result_name: Option<String>,
    pub(crate) result_type: Option<String>,
    pub(crate) result_size: Option<u64>,
    pub(crate) result_sha256: Option<String>,
    pub(crate) created_at: i64,
    pub(crate) started_at: Option<i64>,
    pub(crate) finished_at: Option<i64>,
    pub(crate) expires_at: Option<i64>,
    /// The host's job that works on it.
    pub(crate) item: Option<String>,
    /// What there is to say of files, JSON.
    pub(crate) outcome: Option<String>,
    /// 1 while what it made is being taken back.
    taking_back: u8,
}

/// Columns of [`Job`].
pub(crate) const COLUMNS: &str = "id, kind, what, subject, format, status, rows_done, rows_total, \
     bytes_done, bytes_total, rows_failed, error_code, error_detail, result_key, result_name, \
     result_type, result_size, result_sha256, created_at, started_at, finished_at, expires_at, item, outcome, \
     CASE WHEN kind = 'import' AND status IN ('failed', 'cancelled') \
     AND state <> '' THEN 1 ELSE 0 END AS taking_back";

/// What is to be done.
#[derive(Debug)]
pub(crate) struct NewJob<'a> {
    pub(crate) kind: &'static str,
    pub(crate) what: &'static str,
    pub(crate) subject: Option<&'a str>,
    pub(crate) format: &'static str,
    pub(crate) bytes_total: Option<u64>,
}

impl NewJob<'_> {
    /// Writes it down; `asked` is what it is to do.
    pub(crate) fn make(&self, asked: &impl Serialize) -> Result<Job> {
        let id = Uuid::now_v7().to_string();
        sql::execute(
            "INSERT INTO transfer.jobs (id, kind, what, subject, format, status, asked, state, run, \
             rows_done, bytes_done, bytes_total, rows_failed, created_at) \
             VALUES ($1, $2, $3, $4, $5, 'queued', $6, '', '', 0, 0, $7, 0, $8)",
            params![
                &id,
                self.kind,
                self.what,
                self.subject,
                self.format,
                sql::Value::json(asked)?,
                self.bytes_total,
                moment::now_ms()
            ],
        )?;
        Job::find(&id)
    }
}

impl Job {
    /// The job of that id.
    ///
    /// # Errors
    /// 404.
    pub(crate) fn find(id: &str) -> Result<Self> {
        Self::find_optional(id)?.ok_or_else(|| Error::not_found("job"))
    }

    /// As [`Job::find`]; none for what is not there.
    pub(crate) fn find_optional(id: &str) -> Result<Option<Self>> {
        sql::query_optional(
            &format!("SELECT {COLUMNS} FROM transfer.jobs WHERE id = $1"),
            params![id],
        )
    }

    /// What was noted of how far it is.
    pub(crate) fn state<S: DeserializeOwned>(&self) -> Result<Option<S>> {
        let state: Option<String> = sql::query_optional(
            "SELECT state FROM transfer.jobs WHERE id = $1",
            params![&self.id],
        )?;
        match state.as_deref() {
            None | Some("") => Ok(None),
            Some(text) => Ok(Some(serde_json::from_str(text)?)),
        }
    }

    /// Whether it will not come to its end, but what it made is still there: it
    /// is not over before that is gone.
    pub(crate) const fn is_taken_back(&self) -> bool {
        self.taking_back != 0
    }

    /// Whether files are what it takes in.
    pub(crate) fn is_folder(&self) -> bool {
        self.kind == "import" && self.what == "files"
    }

    /// When the last turn at a job is over that has ended, milliseconds since
    /// 1970, whatever became of the server that had it.
    pub(crate) fn last_turn_ends(&self) -> i64 {
        let ended = self.finished_at.unwrap_or(i64::MAX);
        ended.saturating_add(i64::try_from(STOPPED.as_millis()).unwrap_or(i64::MAX))
    }

    /// Nothing is left of it to be taken back.
    pub(crate) fn nothing_is_left(&self) -> Result<()> {
        sql::execute(
            "UPDATE transfer.jobs SET state = '' WHERE id = $1 AND status IN ('failed', 'cancelled')",
            params![&self.id],
        )?;
        Ok(())
    }

    /// Takes back what is left of a job that did not come to its end, once
    /// more.
    pub(crate) fn take_back(&self) -> Result<()> {
        match self.is_folder() {
            true => folder::undo(self, moment::now_ms() > self.last_turn_ends()),
            false => import::undo(self),
        }
    }

    /// How far it is.
    pub(crate) fn percent(&self) -> Option<u64> {
        let of = |done: u64, total: u64| (done.saturating_mul(100) / total.max(1)).min(99);
        match (self.status.as_str(), self.rows_total, self.bytes_total) {
            ("done", ..) => Some(100),
            (_, Some(total), _) => Some(of(self.rows_done, total)),
            (_, None, Some(total)) => Some(of(self.bytes_done, total)),
            _ => None,
        }
    }

    /// The job as it is, when the host has ended its turn for good, or has never
    /// heard of one.
    pub(crate) fn settled(self) -> Result<Self> {
        let is_open = matches!(self.status.as_str(), "queued" | "running");
        if is_open && self.item.is_none() && self.created_at < moment::now_ms() - NOT_BEGUN_MS {
            // Who asked for it got no answer, and may have asked again.
            let words = "it was cut short before it began: ask for it again";
            self.fail_with("not_begun", words, None, None)?;
            return Self::find(&self.id);
        }
        let Some(item) = self.item.as_deref().filter(|_| is_open) else {
            return Ok(self);
        };
        let Some(status) = jobs::get(item)? else {
            return Ok(self);
        };
        match status.state.as_str() {
            "cancelled" => {
                self.cancel()?;
            }
            "dead" => self.fail_with(
                status.error_code.as_deref().unwrap_or("given_up"),
                status.error_message.as_deref().unwrap_or_default(),
                None,
                None,
            )?,
            _ => return Ok(self),
        }
        Self::find(&self.id)
    }

    /// It has failed, for good; with `run` only if that has it still.
    fn fail_with(
        &self,
        code: &str,
        detail: &str,
        outcome: Option<String>,
        run: Option<&str>,
    ) -> Result<()> {
        let settings: Settings = config::load()?;
        let failed = sql::execute(
            "UPDATE transfer.jobs SET status = 'failed', run = '', error_code = $3, error_detail = $4, \
             finished_at = $5, expires_at = $6, rows_done = $7, rows_failed = $8, \
             outcome = coalesce($9, outcome) \
             WHERE id = $1 AND ($2 = '' OR run = $2) AND status IN ('queued', 'running')",
            params![
                &self.id,
                run.unwrap_or_default(),
                code,
                detail,
                moment::now_ms(),
                settings.expires(),
                self.rows_done,
                self.rows_failed,
                outcome
            ],
        )?;
        if failed > 0 {
            self.let_go(true)?;
        }
        Ok(())
    }

    /// Takes back what it leaves when it is not done; `is_over` unless a turn
    /// may still be at it.
    fn let_go(&self, is_over: bool) -> Result<()> {
        // As it is now that it has ended.
        let undone = match Self::find_optional(&self.id)? {
            Some(job) if job.is_folder() => folder::undo(&job, is_over),
            Some(job) if job.kind == "import" => import::undo(&job),
            _ => Ok(()),
        };
        // Who looks at a job may be somebody who changes nothing: then the
        // clock does it.
        if let Err(error) = undone {
            log::warn!(
                "what the job {} made is not taken back yet: {error}",
                self.id
            );
        }
        self.forget_parts()
    }

    /// Whether a turn may be at it, as the host has it. An attempt that was
    /// taken back is stopped in a while.
    fn is_under_way(&self) -> Result<bool> {
        let Some(item) = &self.item else {
            return Ok(false);
        };
        let status = jobs::get(item)?;
        Ok(status.is_some_and(|status| match status.state.as_str() {
            "running" => true,
            "cancelled" => status.attempt > 0,
            _ => false,
        }))
    }

    /// Ends it before it is done; false when it had ended.
    pub(crate) fn cancel(&self) -> Result<bool> {
        let settings: Settings = config::load()?;
        let changed = sql::execute(
            "UPDATE transfer.jobs SET status = 'cancelled', run = '', finished_at = $2, expires_at = $3 \
             WHERE id = $1 AND status IN ('queued', 'running')",
            params![&self.id, moment::now_ms(), settings.expires()],
        )?;
        if changed > 0 {
            // No turn begins any more.
            let is_under_way = Self::find(&self.id)?.is_under_way()?;
            if let Some(item) = &self.item {
                jobs::cancel(item)?;
            }
            self.let_go(!is_under_way)?;
            if is_under_way && self.is_folder() {
                self.look_again();
            }
        }
        Ok(changed > 0)
    }

    /// Lets the clock delete it when nothing is left to be taken back.
    pub(crate) fn expire(&self) -> Result<()> {
        sql::execute(
            "UPDATE transfer.jobs SET expires_at = $2 WHERE id = $1",
            params![&self.id, moment::now_ms()],
        )?;
        Ok(())
    }

    /// Has the clock look after it as soon as its turn is certainly over.
    fn look_again(&self) {
        let later = STOPPED + Duration::from_secs(1);
        let added = jobs::New::new("sweep", &serde_json::json!({}))
            .and_then(|sweep| sweep.after(later).enqueue());
        if let Err(error) = added {
            log::warn!("look after the job {} again: {error}", self.id);
        }
    }

    /// Deletes it with all that there is of it.
    pub(crate) fn delete(&self) -> Result<()> {
        sql::execute("DELETE FROM transfer.jobs WHERE id = $1", params![&self.id])?;
        self.delete_objects(None)
    }

    /// Deletes its parts, which are of no use any more.
    pub(crate) fn forget_parts(&self) -> Result<()> {
        for table in ["parts", "entries"] {
            sql::execute(
                &format!("DELETE FROM transfer.{table} WHERE job_id = $1"),
                params![&self.id],
            )?;
        }
        self.delete_objects(self.result_key.as_deref())
    }

    /// Deletes its objects but one, those among them that no row refers to.
    fn delete_objects(&self, but: Option<&str>) -> Result<()> {
        let prefix = format!("{}/", self.id);
        loop {
            let page = STORE.list(&prefix, None, 1_000)?;
            let gone: Vec<_> = page
                .objects
                .iter()
                .filter(|object| Some(object.key.as_str()) != but)
                .collect();
            for object in &gone {
                STORE.delete(&object.key)?;
            }
            if gone.is_empty() || page.next.is_none() {
                return Ok(());
            }
        }
    }
}

/// A turn at a job.
#[derive(Debug)]
pub(crate) struct Turn {
    pub(crate) job: Job,
    run: String,
    ends: Instant,
    /// When the host was told last how far it is.
    told: Cell<Option<Instant>>,
}

/// How a turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// There is nothing left to do.
    Done,
    /// Its time was over.
    GoesOn,
    /// Somebody else has the job now, or it was cancelled.
    Lost,
}

#[derive(Deserialize)]
struct Kept {
    asked: String,
    state: String,
}

impl Turn {
    /// Takes a job; none when nothing is to be done about it.
    pub(crate) fn take(id: &str, item: &str) -> Result<Option<Self>> {
        let run = Uuid::now_v7().to_string();
        let taken = sql::execute(
            "UPDATE transfer.jobs SET status = 'running', run = $2, \
             started_at = coalesce(started_at, $3), item = $4 \
             WHERE id = $1 AND status IN ('queued', 'running')",
            params![id, &run, moment::now_ms(), item],
        )?;
        if taken == 0 {
            return Ok(None);
        }
        Ok(Some(Self {
            job: Job::find(id)?,
            run,
            ends: Instant::now() + TURN,
            told: Cell::new(None),
        }))
    }

    /// What was asked for, and how far it is.
    pub(crate) fn kept<A: DeserializeOwned, S: DeserializeOwned + Default>(
        &self,
    ) -> Result<(A, S)> {
        let kept: Kept = sql::query_one(
            "SELECT asked, state FROM transfer.jobs WHERE id = $1",
            params![&self.job.id],
        )?;
        let state = match kept.state.as_str() {
            "" => S::default(),
            text => serde_json::from_str(text)?,
        };
        Ok((serde_json::from_str(&kept.asked)?, state))
    }

    /// Whether its time is over.
    pub(crate) fn is_over(&self) -> bool {
        Instant::now() >= self.ends
    }

    /// A name for a new object of the job's, which no other turn takes.
    pub(crate) fn object_key(&self, name: &str) -> String {
        format!("{}/{name}-{}", self.job.id, self.run)
    }

    /// Notes how far it is, with what belongs to that; false when it is not
    /// this turn's to note any more.
    pub(crate) fn note(
        &self,
        state: &impl Serialize,
        more: impl FnOnce(&sql::Transaction) -> Result<()>,
    ) -> Result<bool> {
        if !self.tell()? {
            return Ok(false);
        }
        let transaction = sql::Transaction::begin()?;
        let noted = transaction.execute(
            "UPDATE transfer.jobs SET state = $3, rows_done = $4, bytes_done = $5, rows_total = $6, \
             bytes_total = $7, rows_failed = $8 WHERE id = $1 AND run = $2 AND status = 'running'",
            params![
                &self.job.id,
                &self.run,
                sql::Value::json(state)?,
                self.job.rows_done,
                self.job.bytes_done,
                self.job.rows_total,
                self.job.bytes_total,
                self.job.rows_failed
            ],
        )?;
        if noted == 0 {
            transaction.rollback()?;
            return Ok(false);
        }
        more(&transaction)?;
        transaction.commit()?;
        Ok(true)
    }

    /// Writes down, with a note, what there is to say so far.
    pub(crate) fn note_outcome(
        &self,
        own: &sql::Transaction,
        outcome: Option<String>,
    ) -> Result<()> {
        if outcome.is_some() {
            own.execute(
                "UPDATE transfer.jobs SET outcome = $2 WHERE id = $1",
                params![&self.job.id, outcome],
            )?;
        }
        Ok(())
    }

    /// Tells the host how far it is; false when the host took the turn back.
    fn tell(&self) -> Result<bool> {
        let now = Instant::now();
        if self.told.get().is_some_and(|told| now < told + TELL) {
            return Ok(true);
        }
        self.told.set(Some(now));
        let percent = self.job.percent().unwrap_or_default();
        let words = format!("{} rows, {} bytes", self.job.rows_done, self.job.bytes_done);
        match jobs::progress(u8::try_from(percent).unwrap_or(99), Some(&words)) {
            Ok(()) => Ok(true),
            Err(error) if error.code() == "job_lost" => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The job is done, with this as its result, if it has one.
    pub(crate) fn finish(&mut self, result: Option<Outcome>) -> Result<Ended> {
        let outcome = result.unwrap_or_default();
        let settings: Settings = config::load()?;
        let expires = settings.expires();
        let done = sql::execute(
            "UPDATE transfer.jobs SET status = 'done', run = '', state = '', rows_done = $3, \
             bytes_done = $4, rows_failed = $5, result_key = $6, result_name = $7, result_type = $8, \
             result_size = $9, result_sha256 = $10, finished_at = $11, expires_at = $12, \
             outcome = coalesce($13, outcome) \
             WHERE id = $1 AND run = $2 AND status = 'running'",
            params![
                &self.job.id,
                &self.run,
                self.job.rows_done,
                self.job.bytes_done,
                self.job.rows_failed,
                outcome.key.clone(),
                outcome.name,
                outcome.content_type,
                outcome.size,
                outcome.sha256,
                moment::now_ms(),
                expires,
                outcome.report
            ],
        )?;
        if done == 0 {
            if let Some(key) = outcome.key {
                STORE.delete(&key)?;
            }
            return Ok(Ended::Lost);
        }
        self.job.result_key = outcome.key;
        self.job.forget_parts()?;
        Ok(Ended::Done)
    }

    /// The job has failed, for good.
    pub(crate) fn fail(&self, error: &Error) -> Result<()> {
        let detail = if error.status() == StatusCode::INTERNAL_SERVER_ERROR {
            "something went wrong here; the plugin's log says what"
        } else {
            error.detail()
        };
        let report = error.fields().get("report").map(ToString::to_string);
        self.job
            .fail_with(error.code(), detail, report, Some(&self.run))
    }
}

/// What came of a job, as an object.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) key: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) content_type: Option<String>,
    pub(crate) size: Option<u64>,
    pub(crate) sha256: Option<String>,
    /// What there is to say, JSON.
    pub(crate) report: Option<String>,
}
