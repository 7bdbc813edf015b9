//! How often customers are asked to pay: by a caller, by an address, and at a
//! phone. What is counted is a sliding minute, exactly: whoever asks takes the
//! rows of what is counted, in one order, looks, and writes the payment down in
//! the same transaction.
//!
//! Kept are digests, no longer than the next sweep; bounded by the most that a
//! minute may have.

use crate::{origin, push::caller_key, settings::Settings, word};
use atlashub_sdk::{prelude::*, sql::Transaction};

/// What is counted, milliseconds.
const WINDOW: i64 = 60_000;

/// Something that is counted, and the most of it in a minute.
struct Counted {
    subject: String,
    /// None where only others are held to it.
    most: Option<i64>,
    keep: i64,
}

/// All that one request is counted by.
pub(crate) struct Rates(Vec<Counted>);

impl Rates {
    /// Servers with a secret key are held to nothing, but what they ask of a phone
    /// counts for others.
    pub(crate) fn of(request: &Request, caller: &Caller, phone: &str, settings: &Settings) -> Self {
        let most = settings.pushes_per_minute();
        let trusted = caller.is_trusted();
        let mut all = vec![counted("phone", phone, most, trusted)];
        if !trusted {
            all.push(counted("caller", &caller_key(caller), most, false));
            let (address, _) = origin::of(request, settings);
            if let Some(address) = address {
                let most = settings.pushes_per_minute_by_address();
                all.push(counted("address", &address, most, false));
            }
        }
        // In one order, so that two do not wait for each other.
        all.sort_by(|one, other| one.subject.cmp(&other.subject));
        Self(all)
    }

    /// Looks without counting, so that who asks too often costs little.
    ///
    /// # Errors
    /// 429 `rate_limited`.
    pub(crate) fn look(&self) -> Result<()> {
        let now = moment::now_ms();
        for counted in &self.0 {
            let times: Vec<String> = sql::query(
                "SELECT times FROM mpesa.push_rates WHERE subject = $1",
                params![&counted.subject],
            )?;
            counted.admit(&recent(times.first(), now))?;
        }
        Ok(())
    }

    /// Counts one, and holds what is counted until the transaction ends.
    ///
    /// # Errors
    /// 429 `rate_limited`; what was changed in the transaction has to be undone.
    pub(crate) fn take(&self, transaction: &Transaction) -> Result<()> {
        for counted in &self.0 {
            transaction.execute(
                "INSERT INTO mpesa.push_rates (subject, times, updated_at) VALUES ($1, '[]', $2) \
                 ON CONFLICT (subject) DO UPDATE SET updated_at = excluded.updated_at",
                params![&counted.subject, moment::now_ms()],
            )?;
            let times: Vec<String> = transaction.query(
                "SELECT times FROM mpesa.push_rates WHERE subject = $1",
                params![&counted.subject],
            )?;
            // The row may have been waited for.
            let now = moment::now_ms();
            let mut recent = recent(times.first(), now);
            counted.admit(&recent)?;
            recent.push(now);
            let keep = usize::try_from(counted.keep).unwrap_or(usize::MAX);
            let surplus = recent.len().saturating_sub(keep);
            recent.drain(..surplus);
            let text = serde_json::to_string(&recent)
                .map_err(|error| Error::internal(format!("write times down: {error}")))?;
            transaction.execute(
                "UPDATE mpesa.push_rates SET times = $2 WHERE subject = $1",
                params![&counted.subject, text],
            )?;
        }
        Ok(())
    }
}

impl Counted {
    fn admit(&self, recent: &[i64]) -> Result<()> {
        let Some(most) = self.most else { return Ok(()) };
        if usize::try_from(most).is_ok_and(|most| recent.len() < most) {
            return Ok(());
        }
        Err(Error::new(
            StatusCode::TOO_MANY_REQUESTS,
            "rate_limited",
            format!("{most} requests to pay in a minute are the most: wait a little"),
        )
        .with_header("retry-after", "60"))
    }
}

fn counted(kind: &str, whose: &str, most: i64, trusted: bool) -> Counted {
    Counted {
        subject: word::digest_of(&[kind.as_bytes(), whose.as_bytes()]),
        most: (!trusted).then_some(most),
        keep: most,
    }
}

/// The times of the last minute. What a clock that was set back has left behind
/// counts for nothing.
fn recent(times: Option<&String>, now: i64) -> Vec<i64> {
    let all: Vec<i64> = times
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    let window = (now - WINDOW + 1)..=(now + WINDOW);
    all.into_iter().filter(|at| window.contains(at)).collect()
}

/// Forgets what counts for nothing any more.
pub(crate) fn forget() -> Result<()> {
    sql::execute(
        "DELETE FROM mpesa.push_rates WHERE updated_at < $1",
        params![moment::now_ms() - 2 * WINDOW],
    )
    .map(drop)
}
