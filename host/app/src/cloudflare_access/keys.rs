//! The keys of the team, fetched from its certs address and kept for an hour.
//! A key id that is not among them fetches anew, as does age, but never more
//! often than once in a few seconds, and one fetch at a time, whatever
//! strangers send.

use atlashub_core::{Error, ErrorKind, Result};
use jsonwebtoken::{
    DecodingKey,
    jwk::{AlgorithmParameters, JwkSet},
};
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::Mutex;

/// Keys are fetched anew when they are this old,
const RENEW_AFTER: Duration = Duration::from_secs(30 * 60);
/// and no longer used when they are this old.
const GOOD_FOR: Duration = Duration::from_secs(60 * 60);
/// Least time between two fetches.
const PAUSE: Duration = Duration::from_secs(5);
/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Largest answer, bytes.
const MAX_BYTES: usize = 256 * 1_024;
/// Most keys that are kept of an answer.
const MAX_KEYS: usize = 32;
/// Shortest modulus, bytes: 2048 bits (RFC 7518, section 3.3).
const MIN_MODULUS: usize = 256;
/// Longest modulus, bytes: checking with a longer one takes its time.
const MAX_MODULUS: usize = 1_024;

/// The keys of one team.
pub(super) struct KeyServer {
    client: reqwest::Client,
    address: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    keys: HashMap<String, Arc<DecodingKey>>,
    fetched_at: Option<Instant>,
    tried_at: Option<Instant>,
}

impl KeyServer {
    pub(super) fn new(team: &str) -> Result<Self> {
        let client = reqwest::Client::builder()
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| Error::internal("set up the client for Access", error))?;
        Ok(Self {
            client,
            address: format!("{team}/cdn-cgi/access/certs"),
            state: Mutex::default(),
        })
    }

    /// The key with this id, if the team has one.
    ///
    /// # Errors
    /// 503 when the keys are too old and the server does not answer.
    pub(super) async fn find(&self, kid: &str) -> Result<Option<Arc<DecodingKey>>> {
        // Held across the fetch: whoever comes meanwhile wants its outcome.
        let mut state = self.state.lock().await;
        let is_young = |at: Option<Instant>, age| at.is_some_and(|at| at.elapsed() < age);
        let found = state.keys.get(kid).cloned();
        let wanted = found.is_none() || !is_young(state.fetched_at, RENEW_AFTER);
        if wanted && !is_young(state.tried_at, PAUSE) {
            state.tried_at = Some(Instant::now());
            match self.fetch().await {
                Ok(keys) => {
                    state.keys = keys;
                    state.fetched_at = Some(Instant::now());
                }
                Err(error) => tracing::warn!(%error, "the keys of Access were not fetched"),
            }
        }
        if !is_young(state.fetched_at, GOOD_FOR) {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "access_unavailable",
                "the keys of Cloudflare Access cannot be fetched",
            )
            .with_retry_after(5));
        }
        Ok(state.keys.get(kid).cloned())
    }

    async fn fetch(&self) -> anyhow::Result<HashMap<String, Arc<DecodingKey>>> {
        let request = self.client.get(&self.address).send().await?;
        let mut response = request.error_for_status()?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            body.extend_from_slice(&chunk);
            anyhow::ensure!(body.len() <= MAX_BYTES, "the answer is too large");
        }
        let keys = usable(&serde_json::from_slice(&body)?);
        anyhow::ensure!(!keys.is_empty(), "the answer has no usable key");
        Ok(keys)
    }
}

/// The RSA keys of a set that have an id and a decent size.
fn usable(set: &JwkSet) -> HashMap<String, Arc<DecodingKey>> {
    set.keys
        .iter()
        .filter_map(|jwk| {
            let kid = jwk.common.key_id.clone()?;
            let AlgorithmParameters::RSA(rsa) = &jwk.algorithm else {
                return None;
            };
            let modulus = rsa.n.len() / 4 * 3;
            if !(MIN_MODULUS - 2..=MAX_MODULUS).contains(&modulus) {
                return None;
            }
            let key = DecodingKey::from_jwk(jwk).ok()?;
            Some((kid, Arc::new(key)))
        })
        .take(MAX_KEYS)
        .collect()
}
