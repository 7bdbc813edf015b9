//! How often something was tried, counted for all nodes together by the
//! generic cell rate algorithm: a slot holds the one time at which all its
//! tries have come back, and a try moves it by one period.
//!
//! One guarded statement decides and counts, so of any number of tries on any
//! number of nodes no more pass than the allowance says. A refused try
//! changes nothing. What a slot stands for is the caller's affair.

use super::{
    entity::tries::{Column, Entity},
    failure::failed,
    instant,
    unit::{Db, returning, statement},
};
use atlashub_core::Result;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, Value};
use std::time::Duration;
use time::OffsetDateTime;

/// How many tries there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TryAllowance {
    /// Tries that may be made at once; at least one.
    pub burst: u32,
    /// The time after which one comes back.
    pub period: Duration,
}

/// Whether a try may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryVerdict {
    /// It may, and was counted.
    Allowed,
    /// It may not; the next one may be made at this time.
    Refused {
        /// When the next may be made.
        until: OffsetDateTime,
    },
}

/// The tries that were counted.
pub struct Tries<'a> {
    db: Db<'a>,
}

impl<'a> Tries<'a> {
    pub(super) fn new(db: Db<'a>) -> Self {
        Self { db }
    }

    /// Counts a try of what `slot` stands for, if it may be made.
    ///
    /// # Errors
    /// When the database cannot; then nothing may be tried.
    pub async fn count(&self, slot: i64, allowance: TryAllowance) -> Result<TryVerdict> {
        let now = self.db.now();
        let head_start = allowance
            .period
            .saturating_mul(allowance.burst.saturating_sub(1));
        let passed = returning(
            &self.db.write(),
            statement(
                self.db.engine(),
                "INSERT INTO tries (slot, free_at) VALUES ($1, $2) \
                 ON CONFLICT (slot) DO UPDATE SET free_at = CASE \
                 WHEN tries.free_at > $3 THEN tries.free_at + $4 ELSE excluded.free_at END \
                 WHERE tries.free_at <= $5 RETURNING free_at",
                [
                    Value::from(slot),
                    instant::later(now, allowance.period).into(),
                    now.into(),
                    instant::later(0, allowance.period).into(),
                    instant::later(now, head_start).into(),
                ],
            ),
        )
        .await
        .map_err(failed("count a try"))?;
        if passed.is_some() {
            return Ok(TryVerdict::Allowed);
        }
        let row = Entity::find_by_id(slot)
            .one(&self.db.write())
            .await
            .map_err(failed("read counted tries"))?;
        // Removed between the two statements: its time was over.
        let until = row.map_or(now, |row| instant::earlier(row.free_at, head_start));
        Ok(TryVerdict::Refused {
            until: instant::from_micros(until.max(now))?,
        })
    }

    /// Removes slots of which all tries have come back; how many there were.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn sweep_expired(&self) -> Result<u64> {
        let result = Entity::delete_many()
            .filter(Column::FreeAt.lte(self.db.now()))
            .exec(&self.db.write())
            .await
            .map_err(failed("remove counted tries"))?;
        Ok(result.rows_affected)
    }
}
