//! Grants: what a plugin may touch. A manifest requests them, an admin gives
//! them, the runtime checks them at every call.
//!
//! Written as text, `capability` or `capability:scope`:
//!
//! | text | lets the plugin |
//! | --- | --- |
//! | `sql` | use tables in a schema of its own |
//! | `kv` | keep small values |
//! | `audit` | add to the audit |
//! | `users` | look the project's users up, with their addresses |
//! | `users:add` | add users to the project, without a password and with any role but `admin` |
//! | `sign-in` | sign the project's users in with what they sent to it |
//! | `database` | read and write the project's tables, with the caller's rights |
//! | `database:read` | read the project's tables, with the caller's rights |
//! | `database:define` | make, change and remove the project's tables and their row policies, for callers who reach every row |
//! | `blob:<bucket>` | read and write objects of the bucket |
//! | `blob:<bucket>:read` | read objects of the bucket |
//! | `http:<host>` · `http:<host>:<port>` · `http:*.<domain>` | call that host |
//! | `http:*` | call any host at a public address, at any port |
//! | `http:$<key>` | call the host of the address, or the hosts of the list, that its configuration has under that key |
//! | `plugin:<name>` | call that plugin of the same project |
//! | `plugin:$<key>` | call the plugins of the list that its configuration has under that key |
//! | `channel` | hold connections of clients, and push to them |
//! | `mail` | send mails to the project's users |
//! | `mail:<address>` | send mails to that address |
//! | `jobs` | put work off, and have it come by the clock, with the scheduler's rights |
//! | `jobs:platform` | have the platform back the project up, export it or tidy it up |
//! | `events:<name>` | be told of the events of that plugin of the same project |

use crate::{BucketName, Error, PluginName, Result};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, fmt, str::FromStr};

/// One thing that a plugin may touch.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Grant {
    /// Tables in a schema of its own.
    Sql,
    /// Small values of its own.
    Kv,
    /// Adding to the audit.
    Audit,
    /// Looking the project's users up.
    Users,
    /// Adding users to the project.
    UsersAdd,
    /// Signing the project's users in.
    SignIn,
    /// The project's own tables, with the rights of the caller.
    Database {
        /// Whether writing is included.
        write: bool,
    },
    /// Making, changing and removing the project's own tables.
    DatabaseDefine,
    /// Objects of a bucket.
    Blob {
        /// The bucket.
        bucket: BucketName,
        /// Whether writing is included.
        write: bool,
    },
    /// Outgoing HTTP to a host.
    Http(HostPattern),
    /// Outgoing HTTP to any host, for plugins whose users name hosts.
    HttpAnywhere,
    /// Outgoing HTTP to the host of an address in the configuration, or to
    /// those of a list in it, by its key.
    HttpOfConfig(String),
    /// Calls to another plugin of the project.
    Plugin(PluginName),
    /// Calls to the plugins of a list in the configuration, by its key.
    PluginOfConfig(String),
    /// Events of another plugin of the project.
    Events(PluginName),
    /// Work put off, and done by the clock.
    Jobs,
    /// Work of the platform's for the project.
    PlatformJobs,
    /// Holding connections of clients, and pushing to them.
    Channel,
    /// Mails to the project's users.
    Mail,
    /// Mails to somebody else.
    MailTo(MailAddress),
}

/// An e-mail address that a plugin may send to, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MailAddress(String);

impl MailAddress {
    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for MailAddress {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let is_fine = |c: char| !c.is_control() && !c.is_whitespace() && !"<>,;:\"".contains(c);
        match text.rsplit_once('@') {
            Some((name, domain))
                if !name.is_empty()
                    && !domain.is_empty()
                    && text.len() <= 254
                    && text.chars().all(is_fine) =>
            {
                Ok(Self(text.to_lowercase()))
            }
            _ => Err(Error::invalid(
                "invalid_address",
                format!("`{text}` is not an e-mail address"),
            )),
        }
    }
}

/// A host that a plugin may call: an exact name or address, or `*.domain`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostPattern {
    host: String,
    port: Option<u16>,
}

impl HostPattern {
    /// The host and the port of an address of http or https, if it is one and
    /// carries no credentials.
    fn of_address(text: &str) -> Option<Self> {
        let url = url::Url::parse(text).ok()?;
        let host = url.host_str()?.trim_end_matches('.');
        let plain = matches!(url.scheme(), "http" | "https")
            && url.username().is_empty()
            && url.password().is_none()
            && !host.contains('*');
        plain.then_some(Self {
            host: host.to_ascii_lowercase(),
            port: url.port_or_known_default(),
        })
    }

    /// What a value of the configuration names: the host of an address, or
    /// those of a list of addresses and patterns. What is neither names none.
    fn of_config(text: &str) -> Vec<Self> {
        let Ok(list) = serde_json::from_str::<Vec<String>>(text) else {
            return Self::of_address(text).into_iter().collect();
        };
        let entry = |entry: &String| match entry.contains("://") {
            true => Self::of_address(entry),
            false => entry.parse().ok(),
        };
        list.iter().filter_map(entry).collect()
    }

    /// Whether a call to `host` at `port` is covered. Without a port in the
    /// pattern the standard ports 80 and 443 are.
    #[must_use]
    pub fn matches(&self, host: &str, port: u16) -> bool {
        let port_matches = self
            .port
            .map_or(port == 80 || port == 443, |own| own == port);
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let host_matches = match self.host.strip_prefix("*.") {
            Some(domain) => host
                .strip_suffix(domain)
                .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
            None => host == self.host,
        };
        port_matches && host_matches
    }
}

impl FromStr for HostPattern {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let invalid = || {
            Error::invalid(
                "invalid_host",
                format!("`{text}` is not a host: write `name`, `name:port` or `*.domain`"),
            )
        };
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                (host, Some(port.parse().map_err(|_| invalid())?))
            }
            _ => (text, None),
        };
        let name = host.strip_prefix("*.").unwrap_or(host);
        let allowed =
            |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
        if name.is_empty()
            || name.starts_with('.')
            || !name.chars().all(allowed)
            || name.contains("..")
        {
            return Err(invalid());
        }
        Ok(Self {
            host: host.trim_end_matches('.').to_ascii_lowercase(),
            port,
        })
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl Grant {
    /// What it lets the plugin do, for the admin who gives it.
    #[must_use]
    pub fn meaning(&self) -> String {
        match self {
            Self::Sql => "keep tables of its own".to_owned(),
            Self::Kv => "keep small values of its own".to_owned(),
            Self::Audit => "add to the audit, under its own name".to_owned(),
            Self::Users => "look the project's users up, with their e-mail addresses".to_owned(),
            Self::UsersAdd => {
                "add users to the project, without a password and with any role but admin"
                    .to_owned()
            }
            Self::SignIn => "be sent users' passwords, and sign users in with them".to_owned(),
            Self::Database { write: true } => {
                "read and write the project's tables, with the rights of who calls".to_owned()
            }
            Self::Database { write: false } => {
                "read the project's tables, with the rights of who calls".to_owned()
            }
            Self::DatabaseDefine => {
                "make, change and remove the project's tables, with their rows, and say whom \
                 their row policies let in: for secret keys, admins and its own jobs"
                    .to_owned()
            }
            Self::Blob {
                bucket,
                write: true,
            } => format!("read and write all objects of the bucket {bucket}"),
            Self::Blob {
                bucket,
                write: false,
            } => format!("read all objects of the bucket {bucket}"),
            Self::Http(host) => format!("send to {host}, and read what it answers"),
            Self::HttpAnywhere => {
                "send to any public address that it or its users name, and read what it answers"
                    .to_owned()
            }
            Self::HttpOfConfig(key) => format!(
                "send to the hosts that its configuration names as {key}, and read what they answer"
            ),
            Self::Plugin(name) => format!("call the plugin {name} for who calls"),
            Self::PluginOfConfig(key) => {
                format!("call the plugins that its configuration names as {key} for who calls")
            }
            Self::Events(name) => format!("be told what happens in the plugin {name}"),
            Self::Jobs => {
                "work later and by the clock, with the rights of the scheduler: all of them"
                    .to_owned()
            }
            Self::PlatformJobs => {
                "have the platform back the project up, export it or tidy it up".to_owned()
            }
            Self::Channel => "hold connections of clients, and push to them".to_owned(),
            Self::Mail => "send mails to the project's users".to_owned(),
            Self::MailTo(address) => format!("send mails to {}", address.as_str()),
        }
    }
}

impl FromStr for Grant {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (capability, scope) = match text.split_once(':') {
            Some((capability, scope)) => (capability, Some(scope)),
            None => (text, None),
        };
        match (capability, scope) {
            ("sql", None) => Ok(Self::Sql),
            ("kv", None) => Ok(Self::Kv),
            ("audit", None) => Ok(Self::Audit),
            ("users", None) => Ok(Self::Users),
            ("users", Some("add")) => Ok(Self::UsersAdd),
            ("sign-in", None) => Ok(Self::SignIn),
            ("database", None) => Ok(Self::Database { write: true }),
            ("database", Some("read")) => Ok(Self::Database { write: false }),
            ("database", Some("define")) => Ok(Self::DatabaseDefine),
            ("blob", Some(scope)) => match scope.split_once(':') {
                None => Ok(Self::Blob {
                    bucket: scope.parse()?,
                    write: true,
                }),
                Some((bucket, "read")) => Ok(Self::Blob {
                    bucket: bucket.parse()?,
                    write: false,
                }),
                Some(_) => Err(unknown(text)),
            },
            ("http", Some("*")) => Ok(Self::HttpAnywhere),
            ("http", Some(host)) if host.starts_with('$') => match host.get(1..) {
                Some(key) if is_key(key) => Ok(Self::HttpOfConfig(key.to_owned())),
                _ => Err(unknown(text)),
            },
            ("http", Some(host)) => Ok(Self::Http(host.parse()?)),
            ("plugin", Some(name)) => match name.strip_prefix('$') {
                Some(key) if is_key(key) => Ok(Self::PluginOfConfig(key.to_owned())),
                Some(_) => Err(unknown(text)),
                None => Ok(Self::Plugin(name.parse()?)),
            },
            ("events", Some(name)) => Ok(Self::Events(name.parse()?)),
            ("jobs", None) => Ok(Self::Jobs),
            ("jobs", Some("platform")) => Ok(Self::PlatformJobs),
            ("channel", None) => Ok(Self::Channel),
            ("mail", None) => Ok(Self::Mail),
            ("mail", Some(address)) => Ok(Self::MailTo(address.parse()?)),
            _ => Err(unknown(text)),
        }
    }
}

/// Whether a text can be the key of a configuration.
fn is_key(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn unknown(text: &str) -> Error {
    Error::invalid(
        "unknown_grant",
        format!(
            "`{text}` is not a grant: write `sql`, `kv`, `audit`, `users`, `users:add`, `sign-in`, `database`, `database:read`, `database:define`, \
             `blob:<bucket>`, `blob:<bucket>:read`, `http:<host>`, `http:$<key of the configuration>`, `http:*`, \
             `plugin:<name>`, `plugin:$<key of the configuration>`, `events:<plugin>`, `jobs`, `jobs:platform`, `channel`, `mail` or `mail:<address>`"
        ),
    )
}

impl TryFrom<String> for Grant {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Grant> for String {
    fn from(grant: Grant) -> Self {
        grant.to_string()
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sql => f.write_str("sql"),
            Self::Kv => f.write_str("kv"),
            Self::Audit => f.write_str("audit"),
            Self::Users => f.write_str("users"),
            Self::UsersAdd => f.write_str("users:add"),
            Self::SignIn => f.write_str("sign-in"),
            Self::Database { write: true } => f.write_str("database"),
            Self::Database { write: false } => f.write_str("database:read"),
            Self::DatabaseDefine => f.write_str("database:define"),
            Self::Blob {
                bucket,
                write: true,
            } => write!(f, "blob:{bucket}"),
            Self::Blob {
                bucket,
                write: false,
            } => write!(f, "blob:{bucket}:read"),
            Self::Http(host) => write!(f, "http:{host}"),
            Self::HttpAnywhere => f.write_str("http:*"),
            Self::HttpOfConfig(key) => write!(f, "http:${key}"),
            Self::Plugin(name) => write!(f, "plugin:{name}"),
            Self::PluginOfConfig(key) => write!(f, "plugin:${key}"),
            Self::Events(name) => write!(f, "events:{name}"),
            Self::Jobs => f.write_str("jobs"),
            Self::PlatformJobs => f.write_str("jobs:platform"),
            Self::Channel => f.write_str("channel"),
            Self::Mail => f.write_str("mail"),
            Self::MailTo(address) => write!(f, "mail:{}", address.as_str()),
        }
    }
}

/// The grants of one installation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GrantSet(BTreeSet<Grant>);

impl GrantSet {
    /// The grants in order.
    pub fn iter(&self) -> impl Iterator<Item = &Grant> {
        self.0.iter()
    }

    /// Whether exactly this grant is there.
    #[must_use]
    pub fn contains(&self, grant: &Grant) -> bool {
        self.0.contains(grant)
    }

    /// What is in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self(self.0.intersection(&other.0).cloned().collect())
    }

    /// What is here and not in `other`.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        Self(self.0.difference(&other.0).cloned().collect())
    }

    /// Whether nothing is granted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the project's own tables may be read, or written.
    #[must_use]
    pub fn allows_database(&self, write: bool) -> bool {
        self.0.iter().any(
            |grant| matches!(grant, Grant::Database { write: may_write } if *may_write || !write),
        )
    }

    /// Whether definitions of the project's own tables may be read: by who
    /// may read the tables, or define them.
    #[must_use]
    pub fn allows_definitions(&self) -> bool {
        self.allows_database(false) || self.contains(&Grant::DatabaseDefine)
    }

    /// Whether objects of `bucket` may be read, or written.
    #[must_use]
    pub fn allows_blob(&self, bucket: &BucketName, write: bool) -> bool {
        self.0.iter().any(|grant| {
            matches!(grant, Grant::Blob { bucket: own, write: may_write }
                if own == bucket && (*may_write || !write))
        })
    }

    /// The same with the hosts in place of [`Grant::HttpOfConfig`], and the
    /// plugins in place of [`Grant::PluginOfConfig`], that the configuration
    /// names. What names none is left out.
    #[must_use]
    pub fn with_config(&self, config: &[(String, String)]) -> Self {
        let value = |key: &str| {
            let found = config.iter().find(|(own, _)| own == key);
            found.map_or("", |(_, value)| value.as_str())
        };
        let plugins = |key: &str| -> Vec<PluginName> {
            let names: Vec<String> = serde_json::from_str(value(key)).unwrap_or_default();
            names.iter().filter_map(|name| name.parse().ok()).collect()
        };
        let resolved = |grant: &Grant| -> Vec<Grant> {
            match grant {
                Grant::HttpOfConfig(key) => HostPattern::of_config(value(key))
                    .into_iter()
                    .map(Grant::Http)
                    .collect(),
                Grant::PluginOfConfig(key) => plugins(key).into_iter().map(Grant::Plugin).collect(),
                other => vec![other.clone()],
            }
        };
        self.0.iter().flat_map(resolved).collect()
    }

    /// Whether an outgoing call to `host` at `port` is allowed, as far as the
    /// plugin goes: which addresses may be reached at all is the egress's.
    #[must_use]
    pub fn allows_http(&self, host: &str, port: u16) -> bool {
        self.0.iter().any(|grant| match grant {
            Grant::Http(pattern) => pattern.matches(host, port),
            Grant::HttpAnywhere => true,
            _ => false,
        })
    }

    /// Whether the plugin `name` may be called.
    #[must_use]
    pub fn allows_plugin(&self, name: &PluginName) -> bool {
        self.0
            .iter()
            .any(|grant| matches!(grant, Grant::Plugin(own) if own == name))
    }
}

impl FromIterator<Grant> for GrantSet {
    fn from_iter<I: IntoIterator<Item = Grant>>(grants: I) -> Self {
        Self(grants.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_are_read_and_written_alike() {
        for text in [
            "sql",
            "kv",
            "audit",
            "users",
            "users:add",
            "sign-in",
            "database",
            "database:read",
            "database:define",
            "blob:private",
            "blob:private:read",
            "http:api.example.com",
            "http:*.example.com",
            "http:127.0.0.1:9000",
            "http:[::1]:80",
            "http:$endpoint_2",
            "http:*",
            "plugin:files",
            "plugin:$plugins",
            "channel",
            "jobs",
            "jobs:platform",
            "mail",
            "mail:ops@example.com",
        ] {
            let grant: Grant = text.parse().unwrap();
            assert_eq!(grant.to_string(), text);
        }
        for text in [
            "",
            "sql:x",
            "users:read",
            "blob",
            "blob:a:write",
            "database:write",
            "http:",
            "http:*:443",
            "http:**",
            "http:$",
            "http:$a-b",
            "plugin:$",
            "http:a b",
            "http:x:99999",
            "exec:sh",
            "channel:x",
            "jobs:x",
            "mail:nobody",
            "mail:a@b,c@d",
        ] {
            assert!(text.parse::<Grant>().is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn a_configuration_names_one_host_at_one_port() {
        let grants: GrantSet = ["sql", "http:$url", "http:$none"]
            .into_iter()
            .map(|text| text.parse::<Grant>().unwrap())
            .collect();
        let with = |address: &str| {
            let config = [("url".to_owned(), address.to_owned())];
            grants.with_config(&config)
        };
        let https = with("https://API.example.com/v1/");
        assert!(https.allows_http("api.example.com", 443));
        assert!(!https.allows_http("api.example.com", 80));
        assert!(!https.allows_http("example.com", 443));
        assert!(https.contains(&Grant::Sql));
        assert!(with("http://127.0.0.1:11434").allows_http("127.0.0.1", 11434));
        assert!(with("http://[::1]:80/x?y").allows_http("[::1]", 80));
        for nothing in [
            "",
            "api.example.com",
            "ftp://example.com",
            "https://",
            "https://*.example.com",
            "https://user:word@example.com/",
        ] {
            let grants = with(nothing);
            assert_eq!(grants.iter().count(), 1, "{nothing}: {grants:?}");
        }
    }

    #[test]
    fn a_configuration_lists_hosts_and_plugins() {
        let grants: GrantSet = ["http:$targets", "plugin:$plugins"]
            .into_iter()
            .map(|text| text.parse::<Grant>().unwrap())
            .collect();
        let config = [
            (
                "targets".to_owned(),
                r#"["api.example.com", "*.lan:8080", "http://127.0.0.1:9000/x", "*", "a b"]"#
                    .to_owned(),
            ),
            ("plugins".to_owned(), r#"["files", "$x"]"#.to_owned()),
        ];
        let grants = grants.with_config(&config);
        assert_eq!(grants.iter().count(), 4, "{grants:?}");
        assert!(grants.allows_http("api.example.com", 443));
        assert!(grants.allows_http("nas.lan", 8080));
        assert!(grants.allows_http("127.0.0.1", 9000));
        assert!(!grants.allows_http("127.0.0.1", 80));
        assert!(!grants.allows_http("example.com", 443));
        assert!(grants.allows_plugin(&"files".parse().unwrap()));
        assert!(!grants.allows_plugin(&"db".parse().unwrap()));
    }

    #[test]
    fn anywhere_is_any_host_at_any_port() {
        let grants: GrantSet = ["http:*".parse::<Grant>().unwrap()].into_iter().collect();
        assert!(grants.allows_http("cloud.example.com", 443));
        assert!(grants.allows_http("192.0.2.1", 8443));
        assert!(grants.with_config(&[]).allows_http("a.example", 80));
    }

    #[test]
    fn a_wildcard_covers_names_below_the_domain_only() {
        let pattern: HostPattern = "*.example.com".parse().unwrap();
        assert!(pattern.matches("API.example.com", 443));
        assert!(pattern.matches("a.b.example.com.", 80));
        assert!(!pattern.matches("example.com", 443));
        assert!(!pattern.matches("badexample.com", 443));
        assert!(!pattern.matches("api.example.com", 8080));
    }
}
