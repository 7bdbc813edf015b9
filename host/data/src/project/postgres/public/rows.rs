//! Rows many at once, by `COPY`. A task owns the session while it goes on, and
//! ends with the reader or the writer: what is cut short ends its backend.
//!
//! Rows go out with the caller's rights. They come in by the owner's session,
//! since Postgres copies into no table under row-level security: that is for
//! callers who reach every row, and only data is theirs, never a word of SQL.

use super::super::{
    PostgresProjects,
    error::Fault,
    guard,
    names::{literal, quoted},
    session::{Feed, Session},
    session_of,
    transaction::PostgresTransaction,
};
use super::{ended, place};
use crate::project::{denied, pool::Lease, text, transaction_over};
use async_trait::async_trait;
use atlashub_core::{
    Error, ProjectId, Result,
    capability::{
        bulk::{RowReader, RowWriter},
        database::Access,
        sql::SqlTransaction,
    },
};
use tokio::{sync::mpsc, task::JoinHandle};

/// Chunks that wait for whoever is slower.
const WAITING: usize = 2;

/// A task that ends with whoever owns it.
struct Owned<T>(JoinHandle<T>);

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct Reader {
    chunks: mpsc::Receiver<Result<Vec<u8>>>,
    _task: Owned<()>,
}

#[async_trait]
impl RowReader for Reader {
    async fn read(&mut self) -> Result<Option<Vec<u8>>> {
        self.chunks.recv().await.transpose()
    }
}

impl PostgresProjects {
    pub(in crate::project) async fn lines_out(
        &self,
        access: &Access,
        sql: &str,
    ) -> Result<Box<dyn RowReader>> {
        guard::check_public(sql)?;
        if !text::may_only_read(sql) {
            return Err(denied("rows are read by a statement that only reads"));
        }
        let access = Access {
            write: false,
            ..access.clone()
        };
        let mut lease = self.lease_for(&place(&access), &access).await?;
        let (sender, chunks) = mpsc::channel(WAITING);
        let sql = sql.to_owned();
        let task = tokio::spawn(async move {
            let copied = match session_of(&mut lease) {
                Ok(session) => session
                    .copy_out(&sql, &sender)
                    .await
                    .map_err(Fault::into_error),
                Err(error) => Err(error),
            };
            drop(lease);
            if let Err(error) = copied {
                let _ = sender.send(Err(error)).await;
            }
        });
        Ok(Box::new(Reader {
            chunks,
            _task: Owned(task),
        }))
    }

    pub(in crate::project) async fn lines_in(
        &self,
        project: ProjectId,
        table: &str,
        columns: &[String],
    ) -> Result<Box<dyn RowWriter>> {
        let mut lease = self.owner(project).await?;
        let name = begin(session_of(&mut lease)?)
            .await
            .map_err(Fault::into_error)?;
        let columns: Vec<String> = columns.iter().map(|column| quoted(column)).collect();
        let sql = format!(
            "COPY public.{} ({}) FROM STDIN",
            quoted(table),
            columns.join(", ")
        );
        let (feed, mut fed) = mpsc::channel(WAITING);
        let task = tokio::spawn(async move {
            let rows = session_of(&mut lease)?
                .copy_in(&sql, &mut fed)
                .await
                .map_err(Fault::into_error)?;
            Ok((rows, lease))
        });
        Ok(Box::new(Writer {
            name,
            feed: Some(feed),
            task: Some(Owned(task)),
            finished: None,
        }))
    }
}

/// Begins a transaction of the owner in the service's name, as triggers and
/// checks see it; answers the transaction's.
async fn begin(session: &mut Session) -> Result<String, Fault> {
    session.begin(false).await?;
    session
        .run("SET LOCAL atlashub.caller_role = 'service'")
        .await?;
    let claims = literal(r#"{"role":"service"}"#);
    session
        .run(&format!("SET LOCAL atlashub.caller_claims = {claims}"))
        .await?;
    ended::identify(session).await
}

/// How many rows were written, and the session they were written by.
type Ended = Result<(u64, Lease<Session>)>;

struct Writer {
    name: String,
    feed: Option<mpsc::Sender<Feed>>,
    task: Option<Owned<Ended>>,
    finished: Option<PostgresTransaction>,
}

impl Writer {
    /// What the database says in the end.
    async fn end(&mut self) -> Result<u64> {
        self.feed = None;
        let mut task = self.task.take().ok_or_else(transaction_over)?;
        let ended = (&mut task.0).await;
        let (rows, lease) = ended.map_err(|error| Error::internal("copy rows", error))??;
        self.finished = Some(PostgresTransaction::public(lease));
        Ok(rows)
    }
}

#[async_trait]
impl RowWriter for Writer {
    async fn write(&mut self, lines: Vec<u8>) -> Result<()> {
        let feed = self.feed.as_ref().ok_or_else(transaction_over)?;
        if feed.send(Feed::Lines(lines)).await.is_ok() {
            return Ok(());
        }
        // It has ended early, and says why.
        self.end().await?;
        Err(transaction_over())
    }

    async fn finish(&mut self) -> Result<u64> {
        let feed = self.feed.as_ref().ok_or_else(transaction_over)?;
        // Where that fails, the task says why.
        let _ = feed.send(Feed::End).await;
        self.end().await
    }

    async fn identify(&mut self) -> Result<String> {
        Ok(self.name.clone())
    }

    async fn commit(mut self: Box<Self>) -> Result<()> {
        let finished = self.finished.take().ok_or_else(transaction_over)?;
        Box::new(finished).commit().await
    }
}
