//! What an upload sets aside of the project's storage while its bytes come.
//!
//! Bytes are set aside before they are taken in, and settled when the object
//! is there. A reservation that nobody ends runs out by itself, so a crash
//! cannot hold storage for ever.

use atlashub_core::{Error, ProjectId, Result, capability::blob::ByteSource};
use atlashub_data::platform::{Platform, ReservationId};
use bytes::Bytes;
use std::time::{Duration, Instant};

/// What is set aside at once for an upload whose size is not known.
const STEP: u64 = 8 * 1024 * 1024;
/// How long a reservation lasts that is not renewed.
const TTL: Duration = Duration::from_secs(30 * 60);

/// Bytes that are set aside. Dropping it gives them back.
pub(super) struct Reservation {
    platform: Platform,
    project: ProjectId,
    held: Option<Held>,
}

struct Held {
    id: ReservationId,
    bytes: u64,
    renewed: Instant,
}

impl Reservation {
    /// Nothing yet.
    pub(super) fn new(platform: Platform, project: ProjectId) -> Self {
        Self {
            platform,
            project,
            held: None,
        }
    }

    /// Sets aside until `total` bytes are, `spare` more if they fit.
    ///
    /// # Errors
    /// `quota_exceeded`.
    pub(super) async fn reach(&mut self, total: u64, spare: u64) -> Result<()> {
        let held = self.held.as_ref().map_or(0, |held| held.bytes);
        let missing = total.saturating_sub(held);
        if missing == 0 {
            return self.renew().await;
        }
        let wanted = missing.max(spare);
        match self.add(wanted).await {
            Err(error) if error.code() == "quota_exceeded" && wanted > missing => {
                self.add(missing).await
            }
            answer => answer,
        }
        .map_err(|error| match error.code() {
            "quota_exceeded" => error.with_field("requested_bytes", total),
            _ => error,
        })
    }

    /// Sets `total` bytes aside for what is there already, in other objects
    /// that go afterwards: up to twice the project's limit. Nothing was set
    /// aside before.
    ///
    /// # Errors
    /// `quota_exceeded`.
    pub(super) async fn double(&mut self, total: u64) -> Result<()> {
        let usage = self.platform.usage();
        self.held = Some(Held {
            id: usage.reserve_twice(self.project, total, TTL).await?,
            bytes: total,
            renewed: Instant::now(),
        });
        Ok(())
    }

    async fn add(&mut self, more: u64) -> Result<()> {
        let usage = self.platform.usage();
        match &mut self.held {
            Some(held) => {
                usage.extend(held.id, more, TTL).await?;
                held.bytes = held.bytes.saturating_add(more);
                held.renewed = Instant::now();
            }
            None => {
                self.held = Some(Held {
                    id: usage.reserve(self.project, more, TTL).await?,
                    bytes: more,
                    renewed: Instant::now(),
                });
            }
        }
        Ok(())
    }

    /// Puts off the end of a slow upload's reservation.
    pub(super) async fn renew(&mut self) -> Result<()> {
        if let Some(held) = &mut self.held
            && held.renewed.elapsed() > TTL / 3
        {
            self.platform.usage().extend(held.id, 0, TTL).await?;
            held.renewed = Instant::now();
        }
        Ok(())
    }

    /// The object is there: `size` bytes stay in use, `replaced` bytes of the
    /// object before it no longer are.
    pub(super) async fn settle(mut self, size: u64, replaced: u64) -> Result<()> {
        let unit = self.platform.begin().await?;
        let settled = match &self.held {
            Some(held) => unit.usage().settle(held.id, size).await,
            None if size == 0 => Ok(()),
            None => Err(Error::internal(
                "settle an upload",
                "nothing was set aside for it",
            )),
        };
        match settled {
            // It ran out just now: take the bytes anew.
            Err(error) if error.code() == "reservation_expired" => {
                let id = unit.usage().reserve(self.project, size, TTL).await?;
                unit.usage().settle(id, size).await?;
            }
            answer => answer?,
        }
        unit.usage().give_back(self.project, replaced).await?;
        unit.commit().await?;
        self.held = None;
        Ok(())
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let Some(held) = self.held.take() else { return };
        let platform = self.platform.clone();
        // One statement, bounded by the database's time-outs; should it not
        // run, the reservation runs out.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            drop(runtime.spawn(async move {
                if let Err(error) = platform.usage().release(held.id).await {
                    tracing::warn!(%error, "failed to give back storage set aside");
                }
            }));
        }
    }
}

/// Sets storage aside as bytes come.
pub(super) struct Metered<'a> {
    source: &'a mut dyn ByteSource,
    reservation: &'a mut Reservation,
    received: u64,
    limit: Option<u64>,
}

impl<'a> Metered<'a> {
    /// Lets `source` through. Chunks beyond `limit` are not paid for: the
    /// store refuses them.
    pub(super) fn new(
        source: &'a mut dyn ByteSource,
        reservation: &'a mut Reservation,
        limit: Option<u64>,
    ) -> Self {
        Self {
            source,
            reservation,
            received: 0,
            limit,
        }
    }
}

#[async_trait::async_trait]
impl ByteSource for Metered<'_> {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        let Some(chunk) = self.source.next().await? else {
            return Ok(None);
        };
        self.received = self.received.saturating_add(chunk.len() as u64);
        let payable = self
            .limit
            .map_or(self.received, |limit| limit.min(self.received));
        let spare = self.limit.map_or(STEP, |limit| STEP.min(limit));
        self.reservation.reach(payable, spare).await?;
        Ok(Some(chunk))
    }
}
