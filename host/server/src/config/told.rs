//! The settings as admins are told of them: what each is, whether that is the
//! default, and never what a secret is.

use super::{Config, variables::VARIABLES};
use serde_json::Value;
use url::Url;

/// Settings of which only is said whether they are set.
const SECRETS: &[&str] = &[
    "backups.access_key_id",
    "backups.key",
    "backups.secret_access_key",
    "secrets.dev_admin_token",
    "secrets.master_key",
    "telemetry.metrics_token",
    "telemetry.sentry_dsn",
];
/// Addresses that may have a name and a password in them.
const ADDRESSES: &[&str] = &[
    "backups.url",
    "database.url",
    "network.smtp_url",
    "storage.url",
    "telemetry.otlp_endpoint",
];
/// What of an address's query is told.
const PLAIN_PARAMETERS: &[&str] = &["endpoint", "region", "sslmode", "tls"];

/// A setting, as it is told.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ToldSetting {
    /// Its name in the file, as `network.listen`.
    pub(crate) name: &'static str,
    /// The variable that sets it.
    pub(crate) variable: &'static str,
    /// What it is; nothing for a secret, and for what is unset.
    pub(crate) value: Value,
    /// Whether it has been set.
    pub(crate) is_set: bool,
    /// Whether its value is kept to itself.
    pub(crate) is_secret: bool,
}

impl Config {
    /// Every setting, in the order of the documentation.
    pub(crate) fn told(&self) -> Vec<ToldSetting> {
        let own = serde_json::to_value(self).unwrap_or_default();
        let defaults = serde_json::to_value(Self::default()).unwrap_or_default();
        VARIABLES
            .iter()
            .map(|(variable, name, _)| {
                let (value, default) = (at(&own, name), at(&defaults, name));
                let is_set = value != default && !value.is_null();
                let is_secret = SECRETS.contains(name);
                let value = match *name {
                    _ if is_secret => Value::Null,
                    "database.url" => plain_address(&self.database_url()).into(),
                    "storage.url" => plain_address(&self.storage_url()).into(),
                    "network.public_url" => self.network.public_url().into(),
                    "network.mail_from" => self.network.mail_from().into(),
                    name if ADDRESSES.contains(&name) => value
                        .as_str()
                        .map_or(Value::Null, |text| plain_address(text).into()),
                    _ => value.clone(),
                };
                ToldSetting {
                    name,
                    variable,
                    value,
                    is_set,
                    is_secret,
                }
            })
            .collect()
    }
}

/// What stands at a path such as `network.listen`.
fn at<'a>(whole: &'a Value, path: &str) -> &'a Value {
    const NOTHING: &Value = &Value::Null;
    let mut parts = path.split('.');
    parts
        .try_fold(whole, |value, part| value.get(part))
        .unwrap_or(NOTHING)
}

/// An address without what in it may be a secret; of what cannot be read only
/// the scheme.
fn plain_address(text: &str) -> String {
    // Files and folders of this machine.
    if text.starts_with("fs:") || text.starts_with("sqlite:") {
        return text.to_owned();
    }
    let Ok(mut url) = Url::parse(text) else {
        let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
        return format!("{scheme}:…");
    };
    let parameters: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(name, _)| PLAIN_PARAMETERS.contains(&name.as_ref()))
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    // Those of addresses that have no host cannot be set, and are not there.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    let mut plain = url.to_string();
    for (place, (name, value)) in parameters.iter().enumerate() {
        let value = match name.as_str() {
            "endpoint" => plain_address(value),
            _ => value.clone(),
        };
        plain.push_str(if place == 0 { "?" } else { "&" });
        plain.push_str(&format!("{name}={value}"));
    }
    plain
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::config::ConfigArgs;

    fn told(environment: &[(&str, &str)]) -> Vec<ToldSetting> {
        let environment: Vec<_> = environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Config::from_sources(&ConfigArgs::default(), &environment)
            .unwrap()
            .told()
    }

    #[test]
    fn no_secret_is_told_whatever_it_stands_in() {
        let key = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0ISE=";
        let all = told(&[
            (
                "ATLASHUB_DATABASE_URL",
                "postgres://secret:secret@db.example:5432/atlashub?sslmode=require&options=secret",
            ),
            (
                "ATLASHUB_STORAGE_URL",
                "s3://files?endpoint=https%3A%2F%2Fsecret:secret@s3.example&region=eu&secret_access_key=secret",
            ),
            (
                "ATLASHUB_SMTP_URL",
                "smtps://secret:secret@mail.example:465",
            ),
            ("ATLASHUB_MASTER_KEY", key),
            ("ATLASHUB_DEV_ADMIN_TOKEN", "secretsecretsecret"),
            ("ATLASHUB_METRICS_TOKEN", "secretsecretsecret"),
            ("ATLASHUB_SENTRY_DSN", "https://secret@sentry.example/1"),
            ("ATLASHUB_BACKUP_KEY", key),
        ]);
        for setting in &all {
            let text = setting.value.to_string();
            assert!(
                !text.contains("secret") && !text.contains(key),
                "{setting:?}"
            );
        }
        let one = |name: &str| all.iter().find(|one| one.name == name).unwrap();
        assert_eq!(
            one("database.url").value,
            "postgres://db.example:5432/atlashub?sslmode=require"
        );
        assert_eq!(
            one("storage.url").value,
            "s3://files?endpoint=https://s3.example/&region=eu"
        );
        assert_eq!(one("network.smtp_url").value, "smtps://mail.example:465");
        for name in SECRETS {
            let setting = one(name);
            assert!(setting.is_secret && setting.value.is_null(), "{setting:?}");
        }
        assert!(one("secrets.master_key").is_set);
        assert!(!one("backups.secret_access_key").is_set);
    }

    #[test]
    fn what_is_set_is_told_apart_from_what_is_the_default() {
        let all = told(&[("ATLASHUB_CONCURRENCY", "7")]);
        let one = |name: &str| all.iter().find(|one| one.name == name).unwrap();
        assert_eq!(
            (
                &one("limits.concurrency").value,
                one("limits.concurrency").is_set
            ),
            (&7.into(), true)
        );
        assert_eq!(one("database.url").value, "sqlite:./data/platform.db");
        assert!(!one("database.url").is_set);
        assert_eq!(all.len(), VARIABLES.len());
    }

    #[test]
    fn whatever_is_named_like_a_secret_is_held_for_one() {
        for (_, name, _) in VARIABLES {
            let last = name.rsplit('.').next().unwrap();
            let sounds = ["key", "token", "secret", "password", "dsn"];
            if sounds
                .iter()
                .any(|word| last.split('_').any(|part| part == *word))
            {
                assert!(SECRETS.contains(name), "{name}");
            }
            if last.ends_with("url") && *name != "network.public_url" {
                assert!(ADDRESSES.contains(name), "{name}");
            }
        }
    }
}
