//! The keys with which somebody else signs: a JWK set (RFC 7517) fetched from
//! an address and kept for an hour. A key id that is not among them fetches
//! anew, as does age, but never more often than once in a few seconds, and one
//! fetch at a time, whatever strangers send.

use crate::outgoing::Outgoing;
use atlashub_core::{Error, ErrorKind, Result};
use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse},
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::Mutex;
use url::Url;

/// Keys are fetched anew when they are this old,
const RENEW_AFTER: Duration = Duration::from_secs(30 * 60);
/// and no longer used when they are this old.
const GOOD_FOR: Duration = Duration::from_secs(60 * 60);
/// Least time between two fetches.
const PAUSE: Duration = Duration::from_secs(5);
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
pub(crate) struct KeySet {
    outgoing: Arc<Outgoing>,
    address: Url,
    state: Mutex<State>,
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
}

impl KeySet {
    pub(crate) fn new(outgoing: Arc<Outgoing>, address: Url) -> Self {
        Self {
            outgoing,
            address,
            state: Mutex::default(),
        }
    }

    /// The key with this id, if it is among them.
    ///
    /// # Errors
    /// 503 `keys_unavailable` when the keys are too old and the server does
    /// not answer.
    pub(crate) async fn find(&self, id: Option<&str>) -> Result<Option<Arc<PublicKey>>> {
        if id.is_some_and(|id| id.len() > MAX_KEY_ID) {
            return Ok(None);
        }
        // Held across the fetch: whoever comes meanwhile wants its outcome.
        let mut state = self.state.lock().await;
        let is_young = |at: Option<Instant>, age| at.is_some_and(|at| at.elapsed() < age);
        let found = state.find(id);
        let wanted = found.is_none() || !is_young(state.fetched_at, RENEW_AFTER);
        if wanted && !is_young(state.tried_at, PAUSE) {
            state.tried_at = Some(Instant::now());
            match self.fetch().await {
                Ok(keys) => {
                    state.keys = keys;
                    state.fetched_at = Some(Instant::now());
                }
                Err(error) => {
                    let error = crate::changes::chain(&error);
                    tracing::warn!(address = %self.address, error, "keys were not fetched");
                }
            }
        }
        if !is_young(state.fetched_at, GOOD_FOR) {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "keys_unavailable",
                "fetch the keys that verify who signed in",
            )
            .with_retry_after(5));
        }
        Ok(state.find(id))
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
