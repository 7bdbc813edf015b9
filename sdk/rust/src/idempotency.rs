//! `Idempotency-Key`: a creating call that is sent again gets the first
//! answer again (the IETF's draft on the header field of that name). Answers
//! are kept in the plugin's small values for 24 hours, so it needs the grant
//! `kv`, and they have to be small: text of 40 KiB at most.
//!
//! ```
//! # use atlashub_sdk::prelude::*;
//! # fn create(title: &str) -> Result<String> { Ok(title.to_owned()) }
//! fn add_note(request: Request, caller: Caller) -> Result<Response> {
//!     let mut request = request;
//!     let key = idempotency::begin(&request, caller.require_id()?)?;
//!     let title = request.take_body().text(1024)?;
//!     // Whatever makes this request what it is.
//!     if let Some(answer) = key.answer(&title)? {
//!         return Ok(answer);
//!     }
//!     let response = (StatusCode::CREATED, create(&title)?).into_response();
//!     key.keep(&title, response)
//! }
//! ```

use crate::{Error, Request, Response, Result, StatusCode, kv, response::ResponseBody};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long an answer is kept.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a call may run before its key is free again.
const RUNNING: Duration = Duration::from_secs(60 * 60);
/// Longest key, bytes.
const MAX_KEY: usize = 255;
/// Largest body of an answer that is kept, bytes.
const MAX_ANSWER: usize = 40 * 1024;

/// What is kept under a key.
#[derive(Debug, Serialize, Deserialize)]
enum Kept {
    /// The first call has not ended.
    Running,
    Answered {
        fingerprint: String,
        status: u16,
        headers: Vec<(String, String)>,
        body: String,
    },
}

impl Kept {
    /// A small answer of text; nothing of another.
    fn of(fingerprint: &str, response: &Response) -> Option<Self> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
        let body = match &response.body {
            ResponseBody::Empty => String::new(),
            ResponseBody::Bytes(bytes) if bytes.len() <= MAX_ANSWER => text(bytes)?,
            _ => return None,
        };
        let headers = response.headers().0.iter();
        Some(Self::Answered {
            fingerprint: fingerprint.to_owned(),
            status: response.status().as_u16(),
            headers: headers
                .map(|(name, value)| Some((name.clone(), text(value)?)))
                .collect::<Option<_>>()?,
            body,
        })
    }
}

/// A call with a key, or without one. Dropped before [`Call::keep`], it frees
/// the key: what failed may be tried again.
#[derive(Debug)]
pub struct Call {
    /// The name of the value, while this call owns it.
    owned: Option<String>,
    before: Option<Kept>,
}

/// Takes the key of `request`, if it has one. `caller` keeps the keys of
/// different callers apart.
///
/// # Errors
/// 400 `invalid_idempotency_key`, 409 `request_running`.
pub fn begin(request: &Request, caller: &str) -> Result<Call> {
    let Some(key) = request.header("idempotency-key") else {
        return Ok(Call {
            owned: None,
            before: None,
        });
    };
    let plain = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
    if key.is_empty() || key.len() > MAX_KEY || !key.bytes().all(plain) {
        return Err(Error::bad_request(
            "invalid_idempotency_key",
            "`Idempotency-Key` has 1 to 255 printable ASCII characters",
        ));
    }
    let name = format!("idempotency/{caller}/{key}");
    loop {
        if kv::compare_and_swap(&name, None, &Kept::Running, Some(RUNNING))?.is_some() {
            return Ok(Call {
                owned: Some(name),
                before: None,
            });
        }
        match kv::get::<Kept>(&name)? {
            Some(Kept::Running) => {
                return Err(Error::conflict(
                    "request_running",
                    "the first call with this idempotency key is still running",
                ));
            }
            Some(answered) => {
                return Ok(Call {
                    owned: None,
                    before: Some(answered),
                });
            }
            // It was freed in between.
            None => {}
        }
    }
}

impl Call {
    /// The first answer, if this call was made before. `fingerprint` says
    /// what the call is: the same text for the same call.
    ///
    /// # Errors
    /// 422 `idempotency_key_reused` when the first call was another one.
    pub fn answer(&self, fingerprint: &str) -> Result<Option<Response>> {
        let Some(Kept::Answered {
            fingerprint: first,
            status,
            headers,
            body,
        }) = &self.before
        else {
            return Ok(None);
        };
        if first != fingerprint {
            return Err(Error::invalid(
                "idempotency_key_reused",
                "the idempotency key was used for another call: make a new key for each",
            ));
        }
        let status = StatusCode::from_u16(*status)
            .map_err(|error| Error::internal(format_args!("read a kept answer: {error}")))?;
        let mut response = Response::new(status);
        for (name, value) in headers {
            response.headers_mut().append(name, value.clone());
        }
        if !body.is_empty() {
            response = response.with_body(body.clone().into_bytes());
        }
        Ok(Some(response))
    }

    /// Keeps the answer for whoever makes the call again, and passes it on.
    /// An answer whose body is large, or not there yet, is only passed on.
    ///
    /// # Errors
    /// The host's, when it cannot keep it.
    pub fn keep(mut self, fingerprint: &str, response: Response) -> Result<Response> {
        if let Some((name, kept)) = self.owned.as_ref().zip(Kept::of(fingerprint, &response)) {
            kv::set(name, &kept, Some(KEPT))?;
            self.owned = None;
        }
        Ok(response)
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if let Some(name) = &self.owned
            && let Err(error) = kv::delete(name)
        {
            log::warn!("an idempotency key was not freed: {error}");
        }
    }
}
