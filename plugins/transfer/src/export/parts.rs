//! A result on its way to the store: pieces of a few MiB, each noted with
//! how far the job is when it is there. In the end the store puts them
//! together.

use crate::{
    STORE,
    job::{Outcome, Turn},
};
use atlashub_sdk::prelude::*;

/// Bytes from which a part is written.
const FULL: usize = 6 * 1024 * 1024;
/// The most parts that a result has.
const MOST: u64 = 10_000;

/// The part that is being filled.
#[derive(Debug)]
pub(super) struct Parts {
    number: u64,
    bytes: Vec<u8>,
}

impl Parts {
    /// The part of this number, from 0 on.
    pub(super) fn new(number: u64) -> Self {
        Self {
            number,
            bytes: Vec::with_capacity(FULL + FULL / 4),
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// What the part has, to add to it.
    pub(super) fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() >= FULL
    }

    /// Writes the part, and notes it with how far the job is; false when the
    /// job is not this turn's any more.
    pub(super) fn write(&mut self, turn: &Turn, state: &impl Serialize) -> Result<bool> {
        self.write_with(turn, state, |_| Ok(()))
    }

    /// The same, with `more` that is noted along with it.
    pub(super) fn write_with(
        &mut self,
        turn: &Turn,
        state: &impl Serialize,
        more: impl FnOnce(&sql::Transaction) -> Result<()>,
    ) -> Result<bool> {
        if self.number >= MOST {
            return Err(Error::invalid(
                "result_too_large",
                "the result would have more than 58 GiB: export some columns at a time",
            ));
        }
        let key = turn.object_key(&format!("part-{}", self.number));
        let options = blob::PutOptions {
            key: Some(key.clone()),
            ..blob::PutOptions::default()
        };
        // The object comes before its row.
        STORE.put_bytes(&self.bytes, &options)?;
        let noted = turn.note(state, |transaction| {
            transaction.execute(
                "INSERT INTO transfer.parts (job_id, n, object_key, size) VALUES ($1, $2, $3, $4)",
                params![&turn.job.id, self.number, &key, self.bytes.len()],
            )?;
            more(transaction)
        })?;
        if !noted {
            STORE.delete(&key)?;
        }
        self.number += 1;
        self.bytes.clear();
        Ok(noted)
    }
}

/// Puts the job's parts together.
pub(super) fn join(turn: &Turn, name: String, content_type: &str) -> Result<Outcome> {
    let keys: Vec<String> = sql::query(
        "SELECT object_key FROM transfer.parts WHERE job_id = $1 ORDER BY n",
        params![&turn.job.id],
    )?;
    let into = turn.object_key("result");
    let stored = STORE.join(&keys, &into)?;
    Ok(Outcome {
        key: Some(into),
        name: Some(name),
        content_type: Some(content_type.to_owned()),
        size: Some(stored.object.size),
        sha256: Some(stored.sha256),
        report: None,
    })
}
