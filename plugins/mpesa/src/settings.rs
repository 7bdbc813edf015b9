//! The plugin's configuration: the shortcodes of a project, by name.

use atlashub_sdk::prelude::*;
use std::{collections::BTreeMap, time::Duration};

/// The account that the configuration has at its top.
pub(crate) const DEFAULT: &str = "default";

/// As the admin set it. Secrets are not among it.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Settings {
    environment: Option<String>,
    base_url: Option<String>,
    callback_url: Option<String>,
    consumer_key: Option<String>,
    shortcode: Option<String>,
    till: Option<String>,
    transaction_type: Option<String>,
    initiator_name: Option<String>,
    #[serde(default)]
    accounts: BTreeMap<String, Named>,
    pub(crate) allowed_origins: Option<Vec<String>>,
    unlisted_origin: Option<String>,
    #[serde(default)]
    pub(crate) allow_callback_without_token: bool,
    query_after_seconds: Option<u32>,
    give_up_seconds: Option<u32>,
    lost_after_seconds: Option<u32>,
    max_amount: Option<i64>,
    pushes_per_minute: Option<i64>,
    pushes_per_minute_by_address: Option<i64>,
    #[serde(default)]
    pub(crate) c2b_references: Vec<String>,
    pub(crate) c2b_least: Option<i64>,
    c2b_version: Option<String>,
    pull_minutes: Option<i64>,
}

/// A further shortcode.
#[derive(Clone, Debug, Deserialize)]
struct Named {
    consumer_key: String,
    shortcode: String,
    environment: Option<String>,
    till: Option<String>,
    transaction_type: Option<String>,
    initiator_name: Option<String>,
}

/// A shortcode that can be used.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) name: String,
    /// `sandbox`, `production` or `custom`.
    pub(crate) environment: String,
    pub(crate) base: String,
    pub(crate) consumer_key: String,
    pub(crate) shortcode: String,
    till: Option<String>,
    pub(crate) transaction_type: String,
    pub(crate) initiator_name: Option<String>,
}

impl Account {
    /// The name of one of its secrets.
    pub(crate) fn secret(&self, which: &str) -> String {
        if self.name == DEFAULT {
            which.to_owned()
        } else {
            format!("accounts/{}/{which}", self.name)
        }
    }

    /// Who is paid.
    pub(crate) fn party(&self) -> &str {
        match &self.till {
            Some(till) if self.transaction_type == "CustomerBuyGoodsOnline" => till,
            _ => &self.shortcode,
        }
    }
}

impl Settings {
    /// The account of this name.
    ///
    /// # Errors
    /// 404 when there is none, 409 `not_set_up` when it lacks something.
    pub(crate) fn account(&self, name: Option<&str>) -> Result<Account> {
        let name = name.unwrap_or(DEFAULT);
        let named = if name == DEFAULT {
            let top = self.consumer_key.clone().zip(self.shortcode.clone());
            let (consumer_key, shortcode) = top.ok_or_else(|| not_set_up("the shortcode"))?;
            Named {
                consumer_key,
                shortcode,
                environment: None,
                till: self.till.clone(),
                transaction_type: None,
                initiator_name: None,
            }
        } else {
            let named = self.accounts.get(name).cloned();
            named.ok_or_else(|| Error::not_found("the account"))?
        };
        let kind = named.transaction_type.as_ref();
        let kind = kind.or(self.transaction_type.as_ref());
        let environment = named.environment.or_else(|| self.environment.clone());
        let environment = environment.unwrap_or_else(|| "sandbox".to_owned());
        Ok(Account {
            name: name.to_owned(),
            base: self.base(&environment)?,
            environment,
            consumer_key: named.consumer_key,
            shortcode: named.shortcode,
            till: named.till,
            transaction_type: kind.map_or("CustomerPayBillOnline", |kind| kind).to_owned(),
            initiator_name: named.initiator_name.or_else(|| self.initiator_name.clone()),
        })
    }

    fn base(&self, environment: &str) -> Result<String> {
        let base = match environment {
            "production" => "https://api.safaricom.co.ke",
            "custom" => {
                let own = self.base_url.as_deref();
                own.ok_or_else(|| not_set_up("`base_url`"))?
            }
            _ => "https://sandbox.safaricom.co.ke",
        };
        Ok(base.trim_end_matches('/').to_owned())
    }

    /// What addresses begin with that the other side calls.
    pub(crate) fn callback_base(&self) -> String {
        let own = self.callback_url.clone();
        own.unwrap_or_else(identity::public_url)
    }

    pub(crate) fn refuses_strangers(&self) -> bool {
        self.unlisted_origin.as_deref() == Some("refuse")
    }

    /// How long after the question number `asked` the next one is due.
    pub(crate) fn wait(&self, asked: i64) -> Duration {
        let first = u64::from(self.query_after_seconds.unwrap_or(15));
        let doubled = u32::try_from(asked.clamp(0, 20)).unwrap_or(0);
        Duration::from_secs(first.saturating_mul(1 << doubled).min(3_600))
    }

    /// After how many milliseconds without an outcome a person has to look.
    pub(crate) fn give_up_ms(&self) -> i64 {
        i64::from(self.give_up_seconds.unwrap_or(24 * 3_600)) * 1_000
    }

    /// The same where the other side cannot be asked.
    pub(crate) fn lost_ms(&self) -> i64 {
        i64::from(self.lost_after_seconds.unwrap_or(15 * 60)) * 1_000
    }

    /// The same, as the time after which that is looked at.
    pub(crate) fn unanswered(&self) -> Duration {
        let shorter = self.lost_ms().min(self.give_up_ms());
        Duration::from_millis(u64::try_from(shorter).unwrap_or_default())
    }

    pub(crate) fn max_amount(&self) -> i64 {
        self.max_amount.unwrap_or(250_000)
    }

    pub(crate) fn c2b_version(&self) -> &str {
        self.c2b_version.as_deref().unwrap_or("v2")
    }

    /// How often missed payments are asked for; none when they are not.
    pub(crate) fn pull_minutes(&self) -> Option<i64> {
        Some(self.pull_minutes.unwrap_or(15)).filter(|minutes| *minutes > 0)
    }

    pub(crate) fn pushes_per_minute(&self) -> i64 {
        self.pushes_per_minute.unwrap_or(5)
    }

    /// Many customers of a mobile network have one address.
    pub(crate) fn pushes_per_minute_by_address(&self) -> i64 {
        self.pushes_per_minute_by_address.unwrap_or(60)
    }
}

/// 409: the admin has to set something first.
pub(crate) fn not_set_up(what: &str) -> Error {
    Error::conflict(
        "not_set_up",
        format!("M-Pesa is not set up in this project: {what} is missing in the configuration"),
    )
}
