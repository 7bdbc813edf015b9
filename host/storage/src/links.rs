//! Signed links for stores that cannot presign, and for uploads whose size
//! must be enforced: `<public url>/_/blob/<token>`.
//!
//! A token is the claims as JSON, base64url, a dot, and their HMAC-SHA256
//! (RFC 2104) under a key of the host's. It binds purpose, method, object,
//! type, size, disposition and expiry; nothing about it can be changed, and a
//! token made for another purpose under the same key is refused by `typ`.
//! Tokens are not stored: a link cannot be revoked before it expires, so
//! their time is bounded here.

use atlashub_core::{
    BucketName, Clock, Error, ErrorKind, PluginName, ProjectId, Result,
    capability::{
        PluginScope,
        blob::{ObjectKey, SignedAccess},
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::time::Duration;

/// The longest time a link may be valid.
pub const MAX_VALID_FOR: Duration = Duration::from_secs(7 * 24 * 3600);
/// The path under the public URL that answers tokens.
pub const ROUTE: &str = "/_/blob/";
/// Longest token that is looked at, bytes.
const MAX_TOKEN_BYTES: usize = 4096;
const PURPOSE: &str = "atlashub-blob+1";

/// The key that signs links: 32 bytes, the same on every node.
#[derive(Clone)]
pub struct LinkKey(secrecy::SecretSlice<u8>);

impl LinkKey {
    /// Takes over a key.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(secrecy::SecretSlice::from(bytes.to_vec()))
    }

    fn mac(&self) -> Result<Hmac<Sha256>> {
        use secrecy::ExposeSecret as _;
        Hmac::new_from_slice(self.0.expose_secret())
            .map_err(|error| Error::internal("prepare the link key", error.to_string()))
    }
}

/// What a valid link stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Whose object it is.
    pub scope: PluginScope,
    /// The bucket.
    pub bucket: BucketName,
    /// The object's key.
    pub key: ObjectKey,
    /// What may be done with it.
    pub access: SignedAccess,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    typ: String,
    /// `GET` (also answers `HEAD`) or `PUT`.
    m: String,
    p: ProjectId,
    b: BucketName,
    g: PluginName,
    k: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ct: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cd: Option<String>,
    /// Seconds since 1970.
    exp: i64,
}

/// Makes the token of a link that is valid for `valid_for`.
///
/// # Errors
/// `invalid_link` when the time is zero or above [`MAX_VALID_FOR`], or when a
/// header value has characters that a header cannot carry.
pub fn sign(key: &LinkKey, link: &Link, valid_for: Duration, clock: &dyn Clock) -> Result<String> {
    if valid_for.is_zero() || valid_for > MAX_VALID_FOR {
        return Err(Error::invalid(
            "invalid_link",
            "a link must be valid for 1 second to 7 days",
        ));
    }
    let (method, content_type, max, disposition) = match &link.access {
        SignedAccess::Read {
            disposition,
            content_type,
        } => ("GET", content_type, None, disposition.clone()),
        SignedAccess::Write {
            content_type,
            max_size,
        } => ("PUT", content_type, Some(*max_size), None),
    };
    for value in [content_type.as_deref(), disposition.as_deref()]
        .into_iter()
        .flatten()
    {
        if value.len() > 1024 || http::HeaderValue::from_str(value).is_err() {
            return Err(Error::invalid(
                "invalid_link",
                "the content type and disposition must be valid header values of at most 1,024 bytes",
            ));
        }
    }
    let seconds = i64::try_from(valid_for.as_secs().max(1)).unwrap_or(i64::MAX);
    let claims = Claims {
        typ: PURPOSE.to_owned(),
        m: method.to_owned(),
        p: link.scope.project,
        b: link.bucket.clone(),
        g: link.scope.plugin.clone(),
        k: link.key.to_string(),
        ct: content_type.clone(),
        max,
        cd: disposition,
        exp: clock.now().unix_timestamp().saturating_add(seconds),
    };
    let json = serde_json::to_vec(&claims)
        .map_err(|error| Error::internal("write a link's claims", error))?;
    let mut token = URL_SAFE_NO_PAD.encode(json);
    let mut mac = key.mac()?;
    mac.update(token.as_bytes());
    let tag = mac.finalize().into_bytes();
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(tag, &mut token);
    Ok(token)
}

/// The address of a token under the server's public URL.
#[must_use]
pub fn url(public_url: &str, token: &str) -> String {
    format!("{}{ROUTE}{token}", public_url.trim_end_matches('/'))
}

/// Checks a token against the method it is used with, in constant time.
///
/// # Errors
/// 403 `invalid_link` when it was not made here, was changed, or is for
/// another method; 403 `expired_link` when its time is over.
pub fn verify(
    key: &LinkKey,
    token: &str,
    method: &http::Method,
    clock: &dyn Clock,
) -> Result<Link> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(invalid());
    }
    let (body, tag) = token.split_once('.').ok_or_else(invalid)?;
    let tag = URL_SAFE_NO_PAD.decode(tag).map_err(|_| invalid())?;
    let mut mac = key.mac()?;
    mac.update(body.as_bytes());
    mac.verify_slice(&tag).map_err(|_| invalid())?;

    // Nothing of the body is looked at before this line.
    let json = URL_SAFE_NO_PAD.decode(body).map_err(|_| invalid())?;
    let claims: Claims = serde_json::from_slice(&json).map_err(|_| invalid())?;
    if claims.typ != PURPOSE {
        return Err(invalid());
    }
    let access = match (claims.m.as_str(), method) {
        ("GET", &http::Method::GET | &http::Method::HEAD) => SignedAccess::Read {
            disposition: claims.cd,
            content_type: claims.ct,
        },
        ("PUT", &http::Method::PUT) => SignedAccess::Write {
            content_type: claims.ct,
            max_size: claims.max.ok_or_else(invalid)?,
        },
        _ => return Err(invalid()),
    };
    if clock.now().unix_timestamp() >= claims.exp {
        return Err(Error::new(
            ErrorKind::Forbidden,
            "expired_link",
            "the link has expired, ask for a new one",
        ));
    }
    Ok(Link {
        scope: PluginScope {
            project: claims.p,
            plugin: claims.g,
        },
        bucket: claims.b,
        key: claims.k.parse().map_err(|_| invalid())?,
        access,
    })
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SubjectClaims {
    typ: String,
    s: String,
    /// Seconds since 1970.
    exp: i64,
}

/// Makes a token that says nothing but what may be read until when, for the
/// purpose that `purpose` names.
///
/// # Errors
/// `invalid_link` when the time is zero or above [`MAX_VALID_FOR`].
pub fn sign_subject(
    key: &LinkKey,
    purpose: &str,
    subject: &str,
    valid_for: Duration,
    clock: &dyn Clock,
) -> Result<String> {
    if valid_for.is_zero() || valid_for > MAX_VALID_FOR {
        return Err(Error::invalid(
            "invalid_link",
            "a link must be valid for 1 second to 7 days",
        ));
    }
    let seconds = i64::try_from(valid_for.as_secs().max(1)).unwrap_or(i64::MAX);
    let claims = SubjectClaims {
        typ: format!("atlashub-{purpose}+1"),
        s: subject.to_owned(),
        exp: clock.now().unix_timestamp().saturating_add(seconds),
    };
    let json = serde_json::to_vec(&claims)
        .map_err(|error| Error::internal("write a link's claims", error))?;
    let mut token = URL_SAFE_NO_PAD.encode(json);
    let mut mac = key.mac()?;
    mac.update(token.as_bytes());
    let tag = mac.finalize().into_bytes();
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(tag, &mut token);
    Ok(token)
}

/// What may be read by a token of [`sign_subject`], checked in constant time.
///
/// # Errors
/// As [`verify`].
pub fn verify_subject(
    key: &LinkKey,
    purpose: &str,
    token: &str,
    clock: &dyn Clock,
) -> Result<String> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(invalid());
    }
    let (body, tag) = token.split_once('.').ok_or_else(invalid)?;
    let tag = URL_SAFE_NO_PAD.decode(tag).map_err(|_| invalid())?;
    let mut mac = key.mac()?;
    mac.update(body.as_bytes());
    mac.verify_slice(&tag).map_err(|_| invalid())?;
    let json = URL_SAFE_NO_PAD.decode(body).map_err(|_| invalid())?;
    let claims: SubjectClaims = serde_json::from_slice(&json).map_err(|_| invalid())?;
    if claims.typ != format!("atlashub-{purpose}+1") {
        return Err(invalid());
    }
    if clock.now().unix_timestamp() >= claims.exp {
        return Err(Error::new(
            ErrorKind::Forbidden,
            "expired_link",
            "the link has expired, ask for a new one",
        ));
    }
    Ok(claims.s)
}

fn invalid() -> Error {
    Error::new(
        ErrorKind::Forbidden,
        "invalid_link",
        "the link is not valid, ask for a new one",
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use http::Method;
    use parking_lot::Mutex;
    use time::OffsetDateTime;

    struct SetClock(Mutex<OffsetDateTime>);

    impl Clock for SetClock {
        fn now(&self) -> OffsetDateTime {
            *self.0.lock()
        }
    }

    fn clock() -> SetClock {
        SetClock(Mutex::new(
            OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap(),
        ))
    }

    fn link(access: SignedAccess) -> Link {
        Link {
            scope: PluginScope {
                project: ProjectId::new(),
                plugin: "files".parse().unwrap(),
            },
            bucket: "private".parse().unwrap(),
            key: "a/b".parse().unwrap(),
            access,
        }
    }

    fn write_link() -> Link {
        link(SignedAccess::Write {
            content_type: Some("image/png".into()),
            max_size: 10,
        })
    }

    fn read_link() -> Link {
        link(SignedAccess::Read {
            disposition: Some("attachment".into()),
            content_type: None,
        })
    }

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_link_says_what_was_signed() {
        let (key, clock) = (LinkKey::new([1; 32]), clock());
        for (link, method) in [
            (write_link(), Method::PUT),
            (read_link(), Method::GET),
            (read_link(), Method::HEAD),
        ] {
            let token = sign(&key, &link, HOUR, &clock).unwrap();
            assert_eq!(verify(&key, &token, &method, &clock).unwrap(), link);
            assert!(url("https://x.test/", &token).starts_with("https://x.test/_/blob/"));
        }
    }

    #[test]
    fn every_changed_character_is_noticed() {
        let (key, clock) = (LinkKey::new([1; 32]), clock());
        let token = sign(&key, &write_link(), HOUR, &clock).unwrap();
        for at in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            let byte = changed.get_mut(at).unwrap();
            *byte = if *byte == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            let error = verify(&key, &changed, &Method::PUT, &clock).unwrap_err();
            assert_eq!(
                (error.code(), error.kind()),
                ("invalid_link", ErrorKind::Forbidden),
                "at {at}"
            );
        }
        for cut in [
            "",
            ".",
            "a.b",
            token.split('.').next().unwrap(),
            &format!("{token}A"),
            &"A".repeat(10_000),
        ] {
            assert!(verify(&key, cut, &Method::PUT, &clock).is_err(), "{cut:?}");
        }
    }

    #[test]
    fn another_method_and_another_key_are_refused() {
        let (key, clock) = (LinkKey::new([1; 32]), clock());
        let write = sign(&key, &write_link(), HOUR, &clock).unwrap();
        let read = sign(&key, &read_link(), HOUR, &clock).unwrap();
        for method in [
            Method::GET,
            Method::HEAD,
            Method::POST,
            Method::DELETE,
            Method::PATCH,
        ] {
            assert!(verify(&key, &write, &method, &clock).is_err(), "{method}");
        }
        for method in [Method::PUT, Method::POST, Method::DELETE, Method::PATCH] {
            assert!(verify(&key, &read, &method, &clock).is_err(), "{method}");
        }
        assert!(verify(&LinkKey::new([2; 32]), &read, &Method::GET, &clock).is_err());
    }

    #[test]
    fn a_link_ends_on_time() {
        let (key, clock) = (LinkKey::new([1; 32]), clock());
        let token = sign(&key, &read_link(), HOUR, &clock).unwrap();
        *clock.0.lock() += Duration::from_secs(3599);
        assert!(verify(&key, &token, &Method::GET, &clock).is_ok());
        *clock.0.lock() += Duration::from_secs(1);
        let error = verify(&key, &token, &Method::GET, &clock).unwrap_err();
        assert_eq!(error.code(), "expired_link");
    }

    #[test]
    fn a_token_of_another_purpose_is_refused() {
        let (key, clock) = (LinkKey::new([1; 32]), clock());
        let body = URL_SAFE_NO_PAD.encode(
            serde_json::json!({"typ": "at+jwt", "m": "GET", "p": ProjectId::new(), "b": "private",
                "g": "files", "k": "a", "exp": 1_900_000_000})
            .to_string(),
        );
        let mut mac = key.mac().unwrap();
        mac.update(body.as_bytes());
        let token = format!(
            "{body}.{}",
            URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
        );
        assert!(verify(&key, &token, &Method::GET, &clock).is_err());
    }

    #[test]
    fn a_token_for_reading_is_good_for_its_purpose_until_its_end() {
        let (key, clock) = (LinkKey::new([1; 32]), clock());
        let token = sign_subject(&key, "backup", "a/b", HOUR, &clock).unwrap();
        let verified =
            |key: &LinkKey, purpose: &str, token: &str| verify_subject(key, purpose, token, &clock);
        assert_eq!(verified(&key, "backup", &token).unwrap(), "a/b");
        assert!(verified(&key, "blob", &token).is_err());
        assert!(verified(&LinkKey::new([2; 32]), "backup", &token).is_err());
        assert!(verified(&key, "backup", &format!("{token}A")).is_err());
        assert!(verify(&key, &token, &Method::GET, &clock).is_err());
        *clock.0.lock() += HOUR;
        let error = verified(&key, "backup", &token).unwrap_err();
        assert_eq!(error.code(), "expired_link");
    }

    #[test]
    fn endless_links_and_broken_headers_are_not_made() {
        let (key, clock) = (LinkKey::new([1; 32]), clock());
        for valid_for in [Duration::ZERO, MAX_VALID_FOR + HOUR] {
            assert!(sign(&key, &read_link(), valid_for, &clock).is_err());
        }
        let broken = link(SignedAccess::Read {
            disposition: Some("a\r\nx: y".into()),
            content_type: None,
        });
        assert!(sign(&key, &broken, HOUR, &clock).is_err());
    }
}
