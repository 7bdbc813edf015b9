//! Access tokens: one for an application, since a new one ends the one before.
//! It is kept in the plugin's values, for all instances on all nodes, and asked
//! for by one of them at a time.

use super::{PATIENCE, Trouble, text};
use crate::{settings::Account, word};
use atlashub_sdk::prelude::*;
use serde_json::Value;
use std::time::Duration;

/// How long before its end a token is not used any more, milliseconds.
const MARGIN: i64 = 60_000;
/// Longest that one instance asks for one.
const ASKING: Duration = Duration::from_secs(25);
/// How often the others look, and how long they wait in between.
const LOOKS: u32 = 100;
const PAUSE: Duration = Duration::from_millis(100);
/// Longest token, bytes, and largest answer.
const MAX: usize = 4 * 1024;

#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    token: String,
    /// Milliseconds since 1970.
    until: i64,
}

fn key(account: &Account) -> String {
    let digest = word::digest_of(&[account.base.as_bytes(), account.consumer_key.as_bytes()]);
    format!("token/{digest}")
}

fn known(key: &str) -> Result<Option<String>, Trouble> {
    let kept: Option<Kept> = kv::get(key).map_err(Trouble::NotSent)?;
    let holds = kept.filter(|kept| kept.until > moment::now_ms());
    Ok(holds.map(|kept| kept.token))
}

/// A token that holds.
pub(super) fn get(account: &Account) -> Result<String, Trouble> {
    obtain(account, known)
}

/// A new token, which ends the one before: whether the keys hold now.
pub(super) fn renew(account: &Account) -> Result<String, Trouble> {
    obtain(account, |_| Ok(None))
}

/// What `find` finds, or else a token that one instance at a time asks for.
fn obtain(
    account: &Account,
    find: impl Fn(&str) -> Result<Option<String>, Trouble>,
) -> Result<String, Trouble> {
    let key = key(account);
    let lock = format!("{key}/asking");
    for _ in 0..LOOKS {
        if let Some(token) = find(&key)? {
            return Ok(token);
        }
        let mine = kv::compare_and_swap(&lock, None, &true, Some(ASKING));
        if mine.map_err(Trouble::NotSent)?.is_some() {
            // Somebody may have got one in between.
            let token = match find(&key) {
                Ok(None) => fetch(account, &key),
                Ok(Some(token)) => Ok(token),
                Err(error) => Err(error),
            };
            kv::delete(&lock).map_err(Trouble::NotSent)?;
            return token;
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "an instance has nothing else to do, and the host sleeps for it"
        )]
        std::thread::sleep(PAUSE);
    }
    Err(Trouble::NotSent(
        Error::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "mpesa_busy",
            "somebody else is signing in to Safaricom: try again later",
        )
        .with_header("retry-after", "5"),
    ))
}

/// Forgets a token that does not hold, unless there is another by now.
pub(super) fn forget(account: &Account, token: &str) -> Result<()> {
    let key = key(account);
    match kv::get::<Kept>(&key)? {
        Some(kept) if kept.token == token => kv::delete(&key).map(drop),
        _ => Ok(()),
    }
}

fn fetch(account: &Account, key: &str) -> Result<String, Trouble> {
    let before = format!("{}:", account.consumer_key);
    let pair = secret::base64(&before, &account.secret("consumer_secret"), "");
    let pair = pair.map_err(Trouble::NotSent)?;
    let url = format!(
        "{}/oauth/v1/generate?grant_type=client_credentials",
        account.base
    );
    // Nothing moves money before there is a token: whatever goes wrong here,
    // nothing was asked for.
    let answer = http::get(url)
        .header("authorization", format!("Basic {pair}"))
        .timeout(PATIENCE)
        .send()
        .map_err(Trouble::NotSent)?;
    let status = answer.status.as_u16();
    let bytes = answer.body.bytes(MAX).map_err(Trouble::NotSent)?;
    let value: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    let Some(token) = text(&value, "access_token").filter(|_| status == 200) else {
        // Wrong keys are answered with 400 and nothing else.
        let code = text(&value, "errorCode");
        return Err(Trouble::Refused {
            status,
            code: code.unwrap_or_else(|| format!("token_{status}")),
            text: text(&value, "errorMessage").unwrap_or_default(),
        });
    };
    let seconds = text(&value, "expires_in").and_then(|text| text.parse::<i64>().ok());
    let life = seconds.unwrap_or(3_600).clamp(1, 86_400) * 1_000;
    let until = moment::now_ms() + life - MARGIN.min(life / 10);
    let kept = Kept { token, until };
    let ttl = u64::try_from(life).map(Duration::from_millis).ok();
    kv::set(key, &kept, ttl).map_err(Trouble::NotSent)?;
    Ok(kept.token)
}
