//! The keys with which somebody else signs: a JWK set (RFC 7517) fetched from
//! an address and kept for an hour. A key id that is not among them fetches
//! anew, as does age, but never more often than once in a few seconds, and one
//! fetch at a time, whatever strangers send. Only who needs a key that is not
//! there waits for a fetch.

use crate::outgoing::Outgoing;
use atlashub_core::{Error, ErrorKind, Result};
use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse},
};
use parking_lot::Mutex;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::Mutex as Turn;
use url::Url;

/// Keys are fetched anew when they are this old,
const RENEW_AFTER: Duration = Duration::from_secs(30 * 60);
/// and no longer used when they are this old.
const GOOD_FOR: Duration = Duration::from_secs(60 * 60);
/// Least time between two fetches.
const PAUSE: Duration = Duration::from_secs(5);
/// Longest wait for a fetch that somebody else began.
const PATIENCE: Duration = Duration::from_secs(5);
/// Most keys that are kept of an answer.
const MAX_KEYS: usize = 32;
/// Longest key id.
const MAX_KEY_ID: usize = 256;
/// Shortest modulus, bytes: 2048 bits (RFC 7518, section 3.3).
const MIN_MODULUS: usize = 256;
/// Longest modulus, bytes: checking with a longer one takes its time.
const MAX_MODULUS: usize = 1_024;

/// A key that verifies.
pub(crate) struct PublicKey {
    id: Option<String>,
    /// The key itself, never a shared secret.
    pub(crate) key: DecodingKey,
    /// What it may be used with.
    algorithms: &'static [Algorithm],
    /// What its owner uses it with, where that is said.
    algorithm: Option<Algorithm>,
}

impl PublicKey {
    /// Whether a signature by `algorithm` may be this key's.
    pub(crate) fn takes(&self, algorithm: Algorithm) -> bool {
        self.algorithms.contains(&algorithm) && self.algorithm.is_none_or(|only| only == algorithm)
    }
}

/// The keys behind one address.
pub(crate) struct KeySet(Arc<Inner>);

struct Inner {
    outgoing: Arc<Outgoing>,
    address: Url,
    /// Never held over a fetch.
    state: Mutex<State>,
    /// Held by who fetches.
    turn: Arc<Turn<()>>,
}

#[derive(Default)]
struct State {
    keys: Vec<Arc<PublicKey>>,
    fetched_at: Option<Instant>,
    tried_at: Option<Instant>,
}

impl State {
    /// The key with this id; without one, the only key there is.
    fn find(&self, id: Option<&str>) -> Option<Arc<PublicKey>> {
        match (id, self.keys.as_slice()) {
            (None, [only]) => Some(Arc::clone(only)),
            (None, _) => None,
            (Some(id), keys) => {
                let found = keys.iter().find(|key| key.id.as_deref() == Some(id));
                found.cloned()
            }
        }
    }

    /// Whether the keys were fetched within that time.
    fn is_younger(&self, age: Duration) -> bool {
        self.fetched_at.is_some_and(|at| at.elapsed() < age)
    }

    /// Whether there was a try just now.
    fn was_tried(&self) -> bool {
        self.tried_at.is_some_and(|at| at.elapsed() < PAUSE)
    }
}

impl KeySet {
    pub(crate) fn new(outgoing: Arc<Outgoing>, address: Url) -> Self {
        Self(Arc::new(Inner {
            outgoing,
            address,
            state: Mutex::default(),
            turn: Arc::default(),
        }))
    }

    /// The key with this id, if it is among them. A known one is answered at
    /// once; while keys that grow old are fetched anew, the old ones hold.
    ///
    /// # Errors
    /// 503 `keys_unavailable` when the keys are too old, or this one is not
    /// known yet, and the server does not answer.
    pub(crate) async fn find(&self, id: Option<&str>) -> Result<Option<Arc<PublicKey>>> {
        if id.is_some_and(|id| id.len() > MAX_KEY_ID) {
            return Ok(None);
        }
        let inner = &self.0;
        if let Some(known) = inner.known(id) {
            self.renew();
            return Ok(Some(known));
        }
        let turn = tokio::time::timeout(PATIENCE, inner.turn.lock());
        let Ok(_turn) = turn.await else {
            return Err(unavailable());
        };
        // Whoever had the turn before may have brought it.
        if inner.known(id).is_none() {
            inner.refresh().await;
        }
        let state = inner.state.lock();
        if !state.is_younger(GOOD_FOR) {
            return Err(unavailable());
        }
        Ok(state.find(id))
    }

    /// Fetches keys that grow old, apart from whoever asked.
    fn renew(&self) {
        {
            let state = self.0.state.lock();
            if state.is_younger(RENEW_AFTER) || state.was_tried() {
                return;
            }
        }
        if let Ok(turn) = Arc::clone(&self.0.turn).try_lock_owned() {
            let inner = Arc::clone(&self.0);
            tokio::spawn(async move {
                let _turn = turn;
                inner.refresh().await;
            });
        }
    }
}

impl Inner {
    /// A key that may be used as it is.
    fn known(&self, id: Option<&str>) -> Option<Arc<PublicKey>> {
        let state = self.state.lock();
        let is_good = state.is_younger(GOOD_FOR);
        state.find(id).filter(|_| is_good)
    }

    /// Fetches the keys, unless that was tried just now; for who has the turn.
    async fn refresh(&self) {
        {
            let mut state = self.state.lock();
            if state.was_tried() {
                return;
            }
            state.tried_at = Some(Instant::now());
        }
        match self.fetch().await {
            Ok(keys) => {
                let mut state = self.state.lock();
                state.keys = keys;
                state.fetched_at = Some(Instant::now());
            }
            Err(error) => {
                let error = crate::changes::chain(&error);
                tracing::warn!(address = %self.address, error, "keys were not fetched");
            }
        }
    }

    async fn fetch(&self) -> Result<Vec<Arc<PublicKey>>> {
        let request = self.outgoing.get(&self.address)?;
        let set: JwkSet = self.outgoing.json(request).await?;
        let keys: Vec<_> = set.keys.iter().filter_map(usable).take(MAX_KEYS).collect();
        if keys.is_empty() {
            return Err(Error::internal("fetch keys", "none of them is usable"));
        }
        Ok(keys)
    }
}

fn unavailable() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "keys_unavailable",
        "fetch the keys that verify who signed in",
    )
    .with_retry_after(5)
}

/// A key that can verify: an RSA key of decent size, or one on a curve that
/// JWTs are signed with. Shared secrets are none.
fn usable(jwk: &Jwk) -> Option<Arc<PublicKey>> {
    use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    let algorithms: &[Algorithm] = match &jwk.algorithm {
        AlgorithmParameters::RSA(rsa) => {
            let modulus = rsa.n.len() / 4 * 3;
            if !(MIN_MODULUS - 2..=MAX_MODULUS).contains(&modulus) {
                return None;
            }
            &[RS256, RS384, RS512, PS256, PS384, PS512]
        }
        AlgorithmParameters::EllipticCurve(curve) => match curve.curve {
            EllipticCurve::P256 => &[ES256],
            EllipticCurve::P384 => &[ES384],
            _ => return None,
        },
        AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => &[EdDSA],
        _ => return None,
    };
    let common = &jwk.common;
    if matches!(common.public_key_use, Some(PublicKeyUse::Encryption)) {
        return None;
    }
    let algorithm = match common.key_algorithm {
        Some(named) => Some(Algorithm::try_from(named).ok()?),
        None => None,
    };
    Some(Arc::new(PublicKey {
        id: common.key_id.clone(),
        key: DecodingKey::from_jwk(jwk).ok()?,
        algorithms,
        algorithm,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn key(value: Value) -> Option<Arc<PublicKey>> {
        usable(&serde_json::from_value(value).unwrap())
    }

    fn curve_key(id: &str) -> Value {
        let x = format!("{}w", "v".repeat(42));
        json!({"kty": "EC", "kid": id, "crv": "P-256", "x": x, "y": x})
    }

    /// A set whose server takes connections and never answers.
    async fn of_a_silent_server() -> (KeySet, tokio::net::TcpListener) {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/", silent.local_addr().unwrap());
        let outgoing = Arc::new(Outgoing::new(crate::outgoing::Reach::Everywhere).unwrap());
        (KeySet::new(outgoing, Url::parse(&address).unwrap()), silent)
    }

    #[tokio::test]
    async fn a_known_key_waits_for_no_fetch() {
        let (set, silent) = of_a_silent_server().await;
        {
            let mut state = set.0.state.lock();
            state.keys = vec![key(curve_key("a")).unwrap()];
            state.fetched_at = Some(Instant::now());
        }
        let set = Arc::new(set);
        let stranger = tokio::spawn({
            let set = Arc::clone(&set);
            async move { set.find(Some("unknown")).await.map(|found| found.is_some()) }
        });
        // The stranger's fetch is under way once it has come to the server.
        let _connection = silent.accept().await.unwrap();
        assert!(!stranger.is_finished());
        assert!(set.find(Some("a")).await.unwrap().is_some());
        assert!(!stranger.is_finished(), "the known key waited");
        stranger.abort();
    }

    #[tokio::test]
    async fn keys_that_grow_old_hold_while_they_are_fetched_anew() {
        let (set, silent) = of_a_silent_server().await;
        {
            let mut state = set.0.state.lock();
            state.keys = vec![key(curve_key("a")).unwrap()];
            state.fetched_at = Instant::now().checked_sub(RENEW_AFTER);
        }
        assert!(set.find(Some("a")).await.unwrap().is_some());
        // The fetch began beside it, and there is one.
        let _connection = silent.accept().await.unwrap();
        assert!(set.find(Some("a")).await.unwrap().is_some());
        assert!(set.0.turn.try_lock().is_err());
    }

    #[test]
    fn shared_secrets_short_keys_and_keys_for_other_things_verify_nothing() {
        let modulus = |bytes: usize| "v".repeat(bytes / 3 * 4 + 4);
        let rsa =
            |bytes: usize| json!({"kty": "RSA", "kid": "a", "n": modulus(bytes), "e": "AQAB"});
        let with = |mut key: Value, name: &str, value: &str| {
            key[name] = json!(value);
            key
        };
        let good = key(rsa(256)).unwrap();
        assert!(good.takes(Algorithm::RS256) && good.takes(Algorithm::PS512));
        assert!(!good.takes(Algorithm::ES256) && !good.takes(Algorithm::HS256));
        let pinned = key(with(rsa(256), "alg", "RS256")).unwrap();
        assert!(pinned.takes(Algorithm::RS256) && !pinned.takes(Algorithm::PS256));
        // 32 bytes: the last character has bits to spare, which are zero.
        let x = format!("{}w", "v".repeat(42));
        for bad in [
            rsa(128),
            rsa(2_048),
            with(rsa(256), "use", "enc"),
            with(rsa(256), "alg", "RSA-OAEP"),
            json!({"kty": "oct", "kid": "a", "k": "c2VjcmV0"}),
            json!({"kty": "EC", "kid": "a", "crv": "secp256k1", "x": x, "y": x}),
            json!({"kty": "OKP", "kid": "a", "crv": "X25519", "x": x}),
        ] {
            assert!(key(bad.clone()).is_none(), "{bad} is used");
        }
        let curve = json!({"kty": "EC", "kid": "a", "crv": "P-256", "x": x, "y": x});
        assert!(key(curve).unwrap().takes(Algorithm::ES256));
    }
}
