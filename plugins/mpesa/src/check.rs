//! `POST /mpesa/check`: whether a shortcode is set up so that it works. It asks
//! for a new token, and says in plain words what is wrong. No money is touched;
//! that a passkey is right only a push tells.

use crate::{
    daraja::{self, Trouble},
    settings::{Account, Settings},
};
use atlashub_sdk::prelude::*;

/// What a client asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Question {
    account: Option<String>,
}

/// What was found.
#[derive(Debug, Serialize)]
pub(crate) struct Finding {
    account: String,
    shortcode: String,
    /// `sandbox`, `production` or `custom`.
    environment: String,
    address: String,
    /// Whether the other side took the keys.
    ok: bool,
    /// `secret_missing`, `keys_refused`, `address_not_allowed`, `unreachable`,
    /// `timed_out`, `busy`, `unexpected_answer`.
    problem: Option<&'static str>,
    /// What that means, and what to do.
    advice: Option<String>,
    /// Whether there is a passkey, which pushes need.
    can_push: bool,
    /// Whether there are an initiator and a credential, which payouts need.
    can_pay_out: bool,
    took_ms: i64,
}

pub(crate) fn check(
    Config(settings): Config<Settings>,
    Json(question): Json<Question>,
) -> Result<Json<Finding>> {
    users::require("mpesa:manage")?;
    let account = settings.account(question.account.as_deref())?;
    let began = moment::now_ms();
    let trouble = daraja::sign_in(&account).err();
    let took_ms = moment::now_ms().saturating_sub(began);
    let named = trouble
        .as_ref()
        .map(|trouble| trouble_of(trouble, &account.environment));
    let (problem, advice) = named.unzip();
    Ok(Json(Finding {
        ok: trouble.is_none(),
        problem,
        advice,
        can_push: has_secret(&account, "passkey"),
        can_pay_out: account.initiator_name.is_some()
            && has_secret(&account, "security_credential"),
        took_ms,
        environment: account.environment,
        account: account.name,
        shortcode: account.shortcode,
        address: account.base,
    }))
}

fn has_secret(account: &Account, which: &str) -> bool {
    secret::base64("", &account.secret(which), "").is_ok()
}

fn trouble_of(trouble: &Trouble, environment: &str) -> (&'static str, String) {
    let (code, words) = trouble.words();
    let told = |problem, advice: &str| (problem, advice.to_owned());
    match trouble {
        Trouble::Refused { status: 429, .. } => busy(),
        Trouble::Refused { status, .. } if *status >= 500 => (
            "busy",
            format!(
                "the other side answered {status}: it is out of order or busy, try again later"
            ),
        ),
        Trouble::Refused { status: 200, .. } => told(
            "unexpected_answer",
            "something answered, but not with a token: is this the address of Daraja, or of a proxy before it?",
        ),
        Trouble::Refused { status: 404, .. } => told(
            "unexpected_answer",
            "there is something else at this address: it knows nothing of tokens",
        ),
        Trouble::Refused { .. } => (
            "keys_refused",
            format!(
                "the consumer key and the secret were refused: both have to be those of one application \
                 of the environment `{environment}`{}",
                if words.is_empty() {
                    String::new()
                } else {
                    format!(" (it said: {words})")
                }
            ),
        ),
        Trouble::NotSent(_) => match code.as_str() {
            "no_secret" => told("secret_missing", "the consumer secret is not set"),
            "upstream_denied" => told(
                "address_not_allowed",
                "this host does not let the plugin call that address: allow it among the plugin's grants, and \
                 name a private address in ATLASHUB_EGRESS_ALLOW",
            ),
            "upstream_absent" => told("unreachable", "there is no host of that name"),
            "upstream_timeout" => told(
                "timed_out",
                "the other side did not answer in 20 seconds: try again, or look whether a firewall is in between",
            ),
            "mpesa_busy" => busy(),
            _ => told(
                "unreachable",
                "the other side could not be reached, or broke off: does it run, and is the address right?",
            ),
        },
        Trouble::Lost(_) => told("unreachable", "the other side broke off"),
    }
}

fn busy() -> (&'static str, String) {
    let advice = "the other side has too many to sign in just now: try again in a minute";
    ("busy", advice.to_owned())
}
