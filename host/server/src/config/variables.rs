//! The environment's variables: which there are, which setting each stands for,
//! and that the value of any may lie in a file that `<variable>_FILE` names, as
//! container engines hand out secrets.

use figment::{Figment, providers::Serialized, value::Value};

/// How the text of a variable becomes a value.
#[derive(Clone, Copy)]
pub(super) enum Reading {
    Text,
    Number,
    List,
}

/// Every variable, and the setting it stands for.
pub(super) const VARIABLES: &[(&str, &str, Reading)] = &[
    ("ATLASHUB_DATA_DIR", "data_dir", Reading::Text),
    ("ATLASHUB_LISTEN", "network.listen", Reading::Text),
    ("ATLASHUB_PUBLIC_URL", "network.public_url", Reading::Text),
    (
        "ATLASHUB_TRUSTED_PROXIES",
        "network.trusted_proxies",
        Reading::List,
    ),
    (
        "ATLASHUB_EGRESS_ALLOW",
        "network.egress_allow",
        Reading::List,
    ),
    (
        "ATLASHUB_CORS_ORIGINS",
        "network.cors_origins",
        Reading::List,
    ),
    ("ATLASHUB_SMTP_URL", "network.smtp_url", Reading::Text),
    (
        "ATLASHUB_SMTP_CA_FILE",
        "network.smtp_ca_file",
        Reading::Text,
    ),
    ("ATLASHUB_MAIL_FROM", "network.mail_from", Reading::Text),
    ("ATLASHUB_BASE_DOMAIN", "tenancy.base_domain", Reading::Text),
    (
        "ATLASHUB_DEFAULT_PROJECT",
        "tenancy.default_project",
        Reading::Text,
    ),
    ("ATLASHUB_DATABASE_URL", "database.url", Reading::Text),
    (
        "ATLASHUB_DATABASE_CONNECTIONS",
        "database.max_connections",
        Reading::Number,
    ),
    ("ATLASHUB_STORAGE_URL", "storage.url", Reading::Text),
    ("ATLASHUB_STORAGE_PRESIGN", "storage.presign", Reading::Text),
    ("ATLASHUB_BACKUP_URL", "backups.url", Reading::Text),
    (
        "ATLASHUB_BACKUP_SCHEDULE",
        "backups.schedule",
        Reading::Text,
    ),
    (
        "ATLASHUB_BACKUP_TIMEZONE",
        "backups.timezone",
        Reading::Text,
    ),
    (
        "ATLASHUB_BACKUP_ACCESS_KEY_ID",
        "backups.access_key_id",
        Reading::Text,
    ),
    (
        "ATLASHUB_BACKUP_SECRET_ACCESS_KEY",
        "backups.secret_access_key",
        Reading::Text,
    ),
    ("ATLASHUB_BACKUP_KEY", "backups.key", Reading::Text),
    ("ATLASHUB_PG_BIN", "backups.pg_bin", Reading::Text),
    ("ATLASHUB_ENV", "secrets.environment", Reading::Text),
    ("ATLASHUB_MASTER_KEY", "secrets.master_key", Reading::Text),
    (
        "ATLASHUB_DEV_ADMIN_TOKEN",
        "secrets.dev_admin_token",
        Reading::Text,
    ),
    ("ATLASHUB_ACCESS_TEAM", "access.team", Reading::Text),
    ("ATLASHUB_ACCESS_AUDIENCE", "access.audience", Reading::Text),
    (
        "ATLASHUB_ACCESS_DEFAULT_ROLE",
        "access.default_role",
        Reading::Text,
    ),
    (
        "ATLASHUB_MAX_BODY_BYTES",
        "limits.max_body_bytes",
        Reading::Number,
    ),
    (
        "ATLASHUB_MAX_COMPONENT_BYTES",
        "limits.max_component_bytes",
        Reading::Number,
    ),
    (
        "ATLASHUB_REQUEST_TIMEOUT_SECONDS",
        "limits.request_timeout_seconds",
        Reading::Number,
    ),
    (
        "ATLASHUB_REQUESTS_PER_SECOND",
        "limits.requests_per_second",
        Reading::Number,
    ),
    (
        "ATLASHUB_CALLER_READS_PER_SECOND",
        "limits.caller_reads_per_second",
        Reading::Number,
    ),
    (
        "ATLASHUB_CALLER_WRITES_PER_SECOND",
        "limits.caller_writes_per_second",
        Reading::Number,
    ),
    (
        "ATLASHUB_AUTH_REQUESTS_PER_SECOND",
        "limits.auth_requests_per_second",
        Reading::Number,
    ),
    (
        "ATLASHUB_ADMIN_REQUESTS_PER_SECOND",
        "limits.admin_requests_per_second",
        Reading::Number,
    ),
    (
        "ATLASHUB_ADMIN_SESSION_MINUTES",
        "limits.admin_session_minutes",
        Reading::Number,
    ),
    (
        "ATLASHUB_CONCURRENCY",
        "limits.concurrency",
        Reading::Number,
    ),
    (
        "ATLASHUB_PROJECT_CONCURRENCY",
        "limits.project_concurrency",
        Reading::Number,
    ),
    (
        "ATLASHUB_UPLOAD_BYTES_PER_SECOND",
        "limits.upload_bytes_per_second",
        Reading::Number,
    ),
    (
        "ATLASHUB_UPLOAD_WINDOW_SECONDS",
        "limits.upload_window_seconds",
        Reading::Number,
    ),
    (
        "ATLASHUB_COMPILE_SECONDS",
        "limits.compile_seconds",
        Reading::Number,
    ),
    (
        "ATLASHUB_COMPILE_MEMORY_MIB",
        "limits.compile_memory_mib",
        Reading::Number,
    ),
    (
        "ATLASHUB_EGRESS_RESPONSE_BYTES",
        "limits.egress_response_bytes",
        Reading::Number,
    ),
    (
        "ATLASHUB_PLUGIN_BYTES_PER_SECOND",
        "limits.plugin_bytes_per_second",
        Reading::Number,
    ),
    (
        "ATLASHUB_SHUTDOWN_SECONDS",
        "limits.shutdown_seconds",
        Reading::Number,
    ),
    (
        "ATLASHUB_STREAMS_PER_PROJECT",
        "limits.streams_per_project",
        Reading::Number,
    ),
    (
        "ATLASHUB_STREAMS_PER_CALLER",
        "limits.streams_per_caller",
        Reading::Number,
    ),
    (
        "ATLASHUB_MAX_CONNECTIONS",
        "limits.max_connections",
        Reading::Number,
    ),
    ("ATLASHUB_QUEUE_WORKERS", "queue.workers", Reading::Number),
    (
        "ATLASHUB_QUEUE_LEASE_SECONDS",
        "queue.lease_seconds",
        Reading::Number,
    ),
    (
        "ATLASHUB_QUEUE_BACKLOG_ITEMS",
        "queue.backlog_items",
        Reading::Number,
    ),
    ("ATLASHUB_LOG_LEVEL", "log.level", Reading::Text),
    ("ATLASHUB_LOG_FORMAT", "log.format", Reading::Text),
    (
        "ATLASHUB_METRICS_LISTEN",
        "telemetry.metrics_listen",
        Reading::Text,
    ),
    (
        "ATLASHUB_METRICS_TOKEN",
        "telemetry.metrics_token",
        Reading::Text,
    ),
    (
        "ATLASHUB_SERIES_SECONDS",
        "telemetry.series_seconds",
        Reading::Number,
    ),
    ("ATLASHUB_SENTRY_DSN", "telemetry.sentry_dsn", Reading::Text),
    (
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "telemetry.otlp_endpoint",
        Reading::Text,
    ),
];

/// Variables that other commands, apps and tests read.
const OTHERS: &[&str] = &[
    "ATLASHUB_API_URL",
    "ATLASHUB_BIN",
    "ATLASHUB_CONFIG",
    "ATLASHUB_PROJECT",
    "ATLASHUB_PUBLISHABLE_KEY",
    "ATLASHUB_SECRET_KEY",
    "ATLASHUB_TOKEN",
    "ATLASHUB_TO_DATABASE_URL",
    "ATLASHUB_TO_DATABASE_URL_FILE",
    "ATLASHUB_TO_STORAGE_URL",
    "ATLASHUB_TO_STORAGE_URL_FILE",
    "ATLASHUB_URL",
];

/// What a variable's name has in addition when its value lies in a file, as
/// container engines hand out secrets.
const IN_A_FILE: &str = "_FILE";

/// What a file that holds a value says, without the line's end.
fn value_of(name: &str, file: &str) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| anyhow::anyhow!("{name}: cannot read {file}: {error}"))?;
    let value = text.trim_end_matches(['\r', '\n']);
    anyhow::ensure!(!value.is_empty(), "{name}: {file} is empty");
    Ok(value.to_owned())
}

/// The value of a variable that is not this server's own, or what is in the
/// file that `<name>_FILE` names.
///
/// # Errors
/// When there are both, or the file cannot be read.
pub(crate) fn variable(name: &str) -> anyhow::Result<Option<String>> {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let filed = format!("{name}{IN_A_FILE}");
    match (set(name), set(&filed)) {
        (Some(_), Some(_)) => Err(set_twice(name)),
        (Some(value), None) => Ok(Some(value)),
        (None, Some(file)) => value_of(&filed, &file).map(Some),
        (None, None) => Ok(None),
    }
}

fn set_twice(name: &str) -> anyhow::Error {
    anyhow::anyhow!("{name} and {name}{IN_A_FILE} are both set: remove one")
}

/// Whether a variable looks like a setting and is none: a slip, most likely.
fn is_unknown(name: &str) -> bool {
    name.starts_with("ATLASHUB_") && !name.starts_with("ATLASHUB_TEST_") && !OTHERS.contains(&name)
}

/// Puts what the environment says over `figment`; answers the variables, too,
/// that look like settings and are none.
///
/// # Errors
/// Says which variable is wrong, or is set twice.
pub(super) fn merge(
    mut figment: Figment,
    environment: &[(String, String)],
) -> anyhow::Result<(Figment, Vec<String>)> {
    let mut unknown = Vec::new();
    for (name, value) in environment {
        if value.is_empty() {
            continue;
        }
        let find = |name: &str| VARIABLES.iter().find(|(known, ..)| *known == name);
        let plain = || name.strip_suffix(IN_A_FILE);
        if let Some((_, path, reading)) = find(name) {
            let value = read(name, value, *reading)?;
            figment = figment.merge(Serialized::default(path, value));
        } else if let Some((plain, path, reading)) = plain().and_then(find) {
            let is_set = |(name, value): &(String, String)| name == plain && !value.is_empty();
            if environment.iter().any(is_set) {
                return Err(set_twice(plain));
            }
            let value = read(plain, &value_of(name, value)?, *reading)?;
            figment = figment.merge(Serialized::default(path, value));
        } else if is_unknown(name) {
            unknown.push(name.clone());
        }
    }
    Ok((figment, unknown))
}

/// The variable of a setting.
pub(super) fn of_setting(path: &str) -> Option<&'static str> {
    let mut variables = VARIABLES.iter();
    let found = variables.find(|(_, known, _)| *known == path);
    found.map(|(name, ..)| *name)
}

fn read(name: &str, text: &str, reading: Reading) -> anyhow::Result<Value> {
    Ok(match reading {
        Reading::Text => Value::from(text),
        Reading::Number => Value::from(
            text.trim()
                .parse::<u64>()
                .map_err(|_| anyhow::anyhow!("{name} must be a whole number, not `{text}`"))?,
        ),
        Reading::List => Value::from(
            text.split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .map(str::to_owned)
                .collect::<Vec<_>>(),
        ),
    })
}
