//! Hints that the changes feed has grown, or that the queue has more than one
//! node can take, or that there are messages to held streams.
//!
//! On Postgres they come from every node, by a connection of their own that
//! is opened again when it is lost; on SQLite from this process. A hint may be
//! missed or come without cause: poll the feed as well.

use super::{
    Engine, Platform, changes::CHANNEL, channel_messages::CHANNEL as MESSAGES, failure::failed,
    unit::statement,
};
use atlashub_core::{Error, Result};
use futures::{Stream, StreamExt as _, stream};
use sea_orm::{
    ConnectionTrait as _,
    sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions},
};
use std::{pin::Pin, time::Duration};

/// Wait between attempts to reach the database again.
const RETRY: Duration = Duration::from_secs(1);

/// The channel on which Postgres tells nodes to look for work.
const WORK: &str = "atlashub_work";

/// A stream that yields whenever the changes feed may have grown. It never
/// ends, and is stopped by dropping it.
pub type ChangeHints = Pin<Box<dyn Stream<Item = ()> + Send>>;

impl Platform {
    /// Starts to listen for changes.
    ///
    /// # Errors
    /// On Postgres, when the connection that listens cannot be made.
    pub async fn listen(&self) -> Result<ChangeHints> {
        match &self.pools().listen {
            Some(options) => {
                let listener = open(options.clone(), CHANNEL)
                    .await
                    .map_err(|error| Error::internal("listen for changes", error))?;
                Ok(from_postgres(options.clone(), listener, CHANNEL))
            }
            None => Ok(self.own_hints()),
        }
    }

    /// Starts to listen for work that other nodes leave. A stream that yields
    /// nothing on SQLite, where there are no other nodes.
    ///
    /// # Errors
    /// On Postgres, when the connection that listens cannot be made.
    pub async fn listen_for_work(&self) -> Result<ChangeHints> {
        match &self.pools().listen {
            Some(options) => {
                let listener = open(options.clone(), WORK)
                    .await
                    .map_err(|error| Error::internal("listen for work", error))?;
                Ok(from_postgres(options.clone(), listener, WORK))
            }
            None => Ok(stream::pending().boxed()),
        }
    }

    /// Starts to listen for messages to held streams. A stream that yields
    /// nothing on SQLite, where only this process publishes.
    ///
    /// # Errors
    /// On Postgres, when the connection that listens cannot be made.
    pub async fn listen_for_messages(&self) -> Result<ChangeHints> {
        match &self.pools().listen {
            Some(options) => {
                let listener = open(options.clone(), MESSAGES)
                    .await
                    .map_err(|error| Error::internal("listen for messages", error))?;
                Ok(from_postgres(options.clone(), listener, MESSAGES))
            }
            None => Ok(stream::pending().boxed()),
        }
    }

    /// Tells other nodes that there is work which this one does not take.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn offer_work(&self) -> Result<()> {
        if self.engine() == Engine::Sqlite {
            return Ok(());
        }
        self.pools()
            .write
            .execute_raw(statement(self.engine(), "NOTIFY atlashub_work", []))
            .await
            .map_err(failed("offer work"))?;
        Ok(())
    }

    fn own_hints(&self) -> ChangeHints {
        let hints = self.hints();
        stream::unfold(hints, async |mut hints| {
            match hints.changed().await {
                Ok(()) => Some(((), hints)),
                // The platform is gone: nothing will change any more.
                Err(_) => std::future::pending().await,
            }
        })
        .boxed()
    }
}

async fn open(
    options: PgConnectOptions,
    channel: &str,
) -> Result<PgListener, sea_orm::sqlx::Error> {
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .max_lifetime(None)
        .idle_timeout(None)
        .acquire_timeout(Duration::from_secs(10))
        .connect_lazy_with(options);
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.listen(channel).await?;
    Ok(listener)
}

/// A connection that listens, and how to make another.
struct Listening {
    options: PgConnectOptions,
    channel: &'static str,
    listener: Option<PgListener>,
}

impl Listening {
    /// Waits until the feed may have grown.
    async fn hint(&mut self) {
        loop {
            match &mut self.listener {
                Some(listener) => match listener.try_recv().await {
                    Ok(Some(_)) => {
                        // One hint stands for all that have arrived by now.
                        while listener.next_buffered().is_some() {}
                        return;
                    }
                    // It was lost and made again; notifications may be missing.
                    Ok(None) => return,
                    Err(error) => {
                        tracing::warn!(%error, "the connection that listens for changes was lost");
                        self.listener = None;
                    }
                },
                None => match open(self.options.clone(), self.channel).await {
                    Ok(listener) => {
                        self.listener = Some(listener);
                        return;
                    }
                    Err(error) => {
                        tracing::warn!(%error, "cannot listen for changes, trying again");
                        tokio::time::sleep(RETRY).await;
                    }
                },
            }
        }
    }
}

fn from_postgres(
    options: PgConnectOptions,
    listener: PgListener,
    channel: &'static str,
) -> ChangeHints {
    let listening = Listening {
        options,
        channel,
        listener: Some(listener),
    };
    stream::unfold(listening, async |mut listening| {
        listening.hint().await;
        Some(((), listening))
    })
    .boxed()
}
