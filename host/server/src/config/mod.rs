//! The settings of a node: flags over environment (`ATLASHUB_…`) over a TOML
//! file, one section a file of this folder, each with its own `validate()`.
//! Which variables there are, and that their values may lie in files, is said in
//! [`variables`].
//!
//! Nothing here opens anything; the master key's file is handled in
//! [`crate::assemble`].

mod access;
mod backups;
mod database;
mod limits;
mod log;
mod network;
mod queue;
mod secrets;
mod storage;
mod telemetry;
mod tenancy;
mod told;
mod variables;

pub(crate) use access::AccessConfig;
pub(crate) use backups::BackupsConfig;
pub(crate) use database::DatabaseConfig;
pub(crate) use limits::LimitsConfig;
pub(crate) use log::{LogConfig, LogFormat};
pub(crate) use network::NetworkConfig;
pub(crate) use queue::QueueConfig;
pub(crate) use secrets::{Environment, SecretsConfig};
pub(crate) use storage::{Presign, StorageConfig};
pub(crate) use telemetry::TelemetryConfig;
pub(crate) use tenancy::TenancyConfig;
pub(crate) use variables::variable;

use clap::Args;
use figment::{
    Figment,
    providers::{Format as _, Serialized, Toml},
    value::Value,
};
use serde::{Deserialize, Serialize};
use std::{net::SocketAddr, path::PathBuf};

/// All settings of a node.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// Where the embedded default keeps everything.
    pub(crate) data_dir: DataDir,
    /// Addresses and proxies.
    pub(crate) network: NetworkConfig,
    /// How projects are found.
    pub(crate) tenancy: TenancyConfig,
    /// The platform database.
    pub(crate) database: DatabaseConfig,
    /// The object store.
    pub(crate) storage: StorageConfig,
    /// Backups.
    pub(crate) backups: BackupsConfig,
    /// Keys and the environment they belong to.
    pub(crate) secrets: SecretsConfig,
    /// Cloudflare Access.
    pub(crate) access: AccessConfig,
    /// Sizes and times.
    pub(crate) limits: LimitsConfig,
    /// The queue.
    pub(crate) queue: QueueConfig,
    /// The log.
    pub(crate) log: LogConfig,
    /// Metrics, traces, fault reports.
    pub(crate) telemetry: TelemetryConfig,
    /// Variables that look like settings and are none.
    #[serde(skip)]
    pub(crate) unknown: Vec<String>,
}

/// The data folder; `./data` unless set.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(transparent)]
pub(crate) struct DataDir(pub(crate) PathBuf);

impl Default for DataDir {
    fn default() -> Self {
        Self(PathBuf::from("./data"))
    }
}

/// The flags that set something; unset ones leave it to the environment, the
/// file and the default.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ConfigArgs {
    /// A TOML file with settings [env: ATLASHUB_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The address to listen on [env: ATLASHUB_LISTEN] [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,
    /// Where the embedded default keeps everything [env: ATLASHUB_DATA_DIR] [default: ./data]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data_dir: Option<PathBuf>,
    /// `sqlite:<file>` or `postgres://…` [env: ATLASHUB_DATABASE_URL]
    #[arg(long, value_name = "URL")]
    pub(crate) database_url: Option<String>,
    /// `fs:<folder>` or `s3://bucket?endpoint=…&region=…` [env: ATLASHUB_STORAGE_URL]
    #[arg(long, value_name = "URL")]
    pub(crate) storage_url: Option<String>,
    /// What links start with [env: ATLASHUB_PUBLIC_URL]
    #[arg(long, value_name = "URL")]
    pub(crate) public_url: Option<String>,
    /// Projects answer at `<slug>.<base domain>` [env: ATLASHUB_BASE_DOMAIN]
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) base_domain: Option<String>,
    /// The project of requests that name none [env: ATLASHUB_DEFAULT_PROJECT]
    #[arg(long, value_name = "SLUG")]
    pub(crate) default_project: Option<String>,
    /// A second listener for `/metrics` alone [env: ATLASHUB_METRICS_LISTEN]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) metrics_listen: Option<SocketAddr>,
    /// `error` … `trace`, or a filter as `info,atlashub_app=debug` [env: ATLASHUB_LOG_LEVEL]
    #[arg(long, value_name = "LEVEL")]
    pub(crate) log_level: Option<String>,
    /// `pretty` or `json` [env: ATLASHUB_LOG_FORMAT]
    #[arg(long, value_name = "FORMAT")]
    pub(crate) log_format: Option<String>,
}

impl Config {
    /// Reads the settings from `args`, the process's environment and the file
    /// that either names.
    ///
    /// # Errors
    /// Says which setting is wrong, where it came from and what to change.
    pub(crate) fn load(args: &ConfigArgs) -> anyhow::Result<Self> {
        let environment: Vec<(String, String)> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| name.starts_with("ATLASHUB_") || name.starts_with("OTEL_"))
            .collect();
        Self::from_sources(args, &environment)
    }

    fn from_sources(args: &ConfigArgs, environment: &[(String, String)]) -> anyhow::Result<Self> {
        let mut figment = Figment::from(Serialized::defaults(Self::default()));
        let named = environment
            .iter()
            .find(|(name, _)| name == "ATLASHUB_CONFIG")
            .map(|(_, path)| PathBuf::from(path));
        if let Some(path) = args.config.clone().or(named) {
            let text = std::fs::read_to_string(&path).map_err(|error| {
                anyhow::anyhow!("cannot read the settings file {}: {error}", path.display())
            })?;
            figment = figment.merge(Toml::string(&text));
        }
        let (mut figment, unknown) = variables::merge(figment, environment)?;
        for (path, value) in args.values() {
            figment = figment.merge(Serialized::default(path, value));
        }
        let mut config: Self = figment.extract().map_err(|error| explain(&error))?;
        config.unknown = unknown;
        config.validate()?;
        Ok(config)
    }

    /// Checks every section and what must hold between them.
    fn validate(&self) -> anyhow::Result<()> {
        self.network.validate()?;
        self.tenancy.validate()?;
        self.database.validate()?;
        self.storage.validate()?;
        self.backups.validate()?;
        self.secrets.validate(&self.network)?;
        self.access.validate(self.secrets.is_development())?;
        self.limits.validate()?;
        self.queue.validate()?;
        self.log.validate()?;
        self.telemetry.validate(&self.network)
    }

    /// Whether rows and objects are both kept in the data folder, so that a
    /// master key may be made there.
    pub(crate) fn is_embedded(&self) -> bool {
        self.database.is_sqlite()
    }

    /// The platform database's address, with the embedded default filled in.
    pub(crate) fn database_url(&self) -> String {
        self.database
            .url
            .clone()
            .unwrap_or_else(|| format!("sqlite:{}", self.data_dir.0.join("platform.db").display()))
    }

    /// The object store's address, with the embedded default filled in.
    pub(crate) fn storage_url(&self) -> String {
        self.storage
            .url
            .clone()
            .unwrap_or_else(|| format!("fs:{}", self.data_dir.0.join("objects").display()))
    }
}

impl ConfigArgs {
    fn values(&self) -> Vec<(&'static str, Value)> {
        let text = |value: &Option<String>| value.clone();
        let shown = |value: &Option<SocketAddr>| value.map(|address| address.to_string());
        [
            (
                "data_dir",
                self.data_dir
                    .as_ref()
                    .map(|path| path.display().to_string()),
            ),
            ("network.listen", shown(&self.listen)),
            ("network.public_url", text(&self.public_url)),
            ("tenancy.base_domain", text(&self.base_domain)),
            ("tenancy.default_project", text(&self.default_project)),
            ("database.url", text(&self.database_url)),
            ("storage.url", text(&self.storage_url)),
            ("telemetry.metrics_listen", shown(&self.metrics_listen)),
            ("log.level", text(&self.log_level)),
            ("log.format", text(&self.log_format)),
        ]
        .into_iter()
        .filter_map(|(path, value)| Some((path, Value::from(value?))))
        .collect()
    }
}

/// A figment error in words: the setting, its variable, what is wrong.
fn explain(error: &figment::Error) -> anyhow::Error {
    let path = error.path.join(".");
    let variable = variables::of_setting(&path)
        .map(|name| format!(" ({name})"))
        .unwrap_or_default();
    if path.is_empty() {
        anyhow::anyhow!("the settings cannot be read: {}", error.kind)
    } else {
        anyhow::anyhow!("the setting `{path}`{variable} is wrong: {}", error.kind)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn load(environment: &[(&str, &str)]) -> anyhow::Result<Config> {
        load_with(&ConfigArgs::default(), environment)
    }

    fn load_with(args: &ConfigArgs, environment: &[(&str, &str)]) -> anyhow::Result<Config> {
        let environment: Vec<_> = environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Config::from_sources(args, &environment)
    }

    #[test]
    fn nothing_set_runs_on_embedded_parts() {
        let config = load(&[]).unwrap();
        assert_eq!(config.network.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(config.database_url(), "sqlite:./data/platform.db");
        assert_eq!(config.storage_url(), "fs:./data/objects");
        assert!(config.is_embedded());
    }

    #[test]
    fn flags_win_over_the_environment_and_that_over_the_file() {
        let folder = std::env::temp_dir().join(format!("atlashub-config-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("atlashub.toml");
        std::fs::write(
            &file,
            "data_dir = \"/from/file\"\n[network]\nlisten = \"127.0.0.1:1\"\npublic_url = \"https://file.example\"\n",
        )
        .unwrap();
        let args = ConfigArgs {
            config: Some(file),
            listen: Some("127.0.0.1:3".parse().unwrap()),
            ..ConfigArgs::default()
        };
        let config = load_with(
            &args,
            &[
                ("ATLASHUB_LISTEN", "127.0.0.1:2"),
                ("ATLASHUB_PUBLIC_URL", "https://environment.example"),
            ],
        )
        .unwrap();
        std::fs::remove_dir_all(folder).unwrap();
        assert_eq!(config.network.listen.port(), 3);
        assert_eq!(
            config.network.public_url().as_str(),
            "https://environment.example"
        );
        assert_eq!(config.data_dir.0, PathBuf::from("/from/file"));
    }

    #[test]
    fn a_token_of_digits_stays_text() {
        let config = load(&[
            ("ATLASHUB_ENV", "development"),
            ("ATLASHUB_DEV_ADMIN_TOKEN", "0123456789012345"),
        ])
        .unwrap();
        assert_eq!(
            config.secrets.dev_admin_token.as_deref(),
            Some("0123456789012345")
        );
    }

    #[test]
    fn a_wrong_setting_is_named_with_its_variable() {
        for (name, value, expected) in [
            ("ATLASHUB_LISTEN", "here", "ATLASHUB_LISTEN"),
            ("ATLASHUB_MAX_BODY_BYTES", "many", "whole number"),
            ("ATLASHUB_DATABASE_URL", "mysql://x", "postgres://"),
            ("ATLASHUB_STORAGE_URL", "ftp://x", "s3://"),
            ("ATLASHUB_STORAGE_PRESIGN", "perhaps", "storage.presign"),
            ("ATLASHUB_PUBLIC_URL", "ftp://x", "http"),
            (
                "ATLASHUB_TRUSTED_PROXIES",
                "10.0.0.0/99",
                "ATLASHUB_TRUSTED_PROXIES",
            ),
            ("ATLASHUB_EGRESS_ALLOW", "localhost", "host:port"),
            (
                "ATLASHUB_DEFAULT_PROJECT",
                "Not A Slug",
                "ATLASHUB_DEFAULT_PROJECT",
            ),
            ("ATLASHUB_LOG_FORMAT", "xml", "ATLASHUB_LOG_FORMAT"),
            ("ATLASHUB_ENV", "staging", "ATLASHUB_ENV"),
            ("ATLASHUB_MASTER_KEY", "short", "32 bytes"),
            ("ATLASHUB_BACKUP_URL", "ftp://x", "s3://"),
            ("ATLASHUB_BACKUP_KEY", "short", "ATLASHUB_BACKUP_KEY"),
            ("ATLASHUB_BACKUP_ACCESS_KEY_ID", "x", "go together"),
        ] {
            let error = load(&[(name, value)]).unwrap_err().to_string();
            assert!(error.contains(expected), "{name}: {error}");
        }
    }

    #[test]
    fn the_development_token_is_refused_in_production_and_on_public_addresses() {
        let token = ("ATLASHUB_DEV_ADMIN_TOKEN", "a-token-for-development");
        assert!(load(&[token, ("ATLASHUB_ENV", "production")]).is_err());
        assert!(load(&[token, ("ATLASHUB_LISTEN", "0.0.0.0:8080")]).is_err());
        assert!(load(&[token]).is_ok());
        assert!(
            load(&[
                token,
                ("ATLASHUB_ENV", "development"),
                ("ATLASHUB_LISTEN", "0.0.0.0:8080")
            ])
            .is_ok()
        );
    }

    #[test]
    fn a_value_may_lie_in_a_file() {
        let folder =
            std::env::temp_dir().join(format!("atlashub-config-files-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
        let file = |name: &str, text: &str| {
            let path = folder.join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let there = file("key", &format!("{key}\n"));
        let config = load(&[("ATLASHUB_MASTER_KEY_FILE", &there)]).unwrap();
        assert_eq!(config.secrets.master_key.as_deref(), Some(key));
        assert!(config.unknown.is_empty());
        let empty = file("empty", "\n");
        for (environment, expected) in [
            (
                vec![
                    ("ATLASHUB_MASTER_KEY_FILE", there.as_str()),
                    ("ATLASHUB_MASTER_KEY", key),
                ],
                "both set",
            ),
            (vec![("ATLASHUB_MASTER_KEY_FILE", "/nowhere")], "/nowhere"),
            (vec![("ATLASHUB_MASTER_KEY_FILE", &empty)], "is empty"),
        ] {
            let error = load(&environment).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        std::fs::remove_dir_all(folder).unwrap();
        // A setting whose own name ends so is a file's name.
        let own = load(&[("ATLASHUB_SMTP_CA_FILE", "/nowhere")]).unwrap();
        assert_eq!(
            own.network.smtp_ca_file.as_deref(),
            Some(std::path::Path::new("/nowhere"))
        );
    }

    #[test]
    fn a_slip_in_a_variable_is_noticed() {
        let config = load(&[
            ("ATLASHUB_LISTENN", "x"),
            ("ATLASHUB_TEST_X", "x"),
            ("ATLASHUB_URL", "x"),
        ])
        .unwrap();
        assert_eq!(config.unknown, ["ATLASHUB_LISTENN"]);
    }

    #[test]
    fn an_unknown_key_in_the_file_is_refused() {
        let folder =
            std::env::temp_dir().join(format!("atlashub-config-key-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("atlashub.toml");
        std::fs::write(&file, "[network]\nlissten = \"127.0.0.1:1\"\n").unwrap();
        let args = ConfigArgs {
            config: Some(file),
            ..ConfigArgs::default()
        };
        let error = load_with(&args, &[]).unwrap_err().to_string();
        std::fs::remove_dir_all(folder).unwrap();
        assert!(error.contains("lissten"), "{error}");
    }
}
