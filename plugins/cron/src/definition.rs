//! What a client sends of a job: checked, and put over what is there. A
//! refusal names fields, never what is sealed.

use crate::{
    record::{Kind, Notice, Notify, Row, Target},
    sealed::{self, MARK, Secrets},
    settings::Settings,
    target,
};
use atlashub_sdk::{prelude::*, schedules::CatchUp};
use serde_json::Value;
use std::{collections::BTreeMap, ops::RangeInclusive};

/// Longest name, characters.
const MAX_NAME: usize = 200;
/// Most headers, and the longest value of one, bytes.
const MAX_HEADERS: usize = 50;
const MAX_VALUE: usize = 4_096;
/// Largest body, bytes.
const MAX_BODY: usize = 48 * 1024;
/// Longest path of a plugin's route, bytes.
const MAX_PATH: usize = 2_000;
/// Most users who are told of a job.
const MAX_USERS: usize = 100;
const RETRIES: RangeInclusive<i64> = 0..=20;
const BACKOFFS_MS: RangeInclusive<i64> = 100..=3_600_000;
const DEFAULT_TIMEOUT_MS: i64 = 30_000;
const DEFAULT_PLATFORM_TIMEOUT_MS: i64 = 3_600_000;
const DEFAULT_BACKOFF_MS: i64 = 1_000;
/// What the platform does.
const ACTIONS: [&str; 3] = ["backup", "export", "cleanup"];
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
/// Headers that belong to the connection, and that the host sets.
const NOT_OWN: [&str; 10] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// A job, or changes of one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Typed {
    name: Option<String>,
    #[serde(rename = "type")]
    pub(crate) kind: Option<Kind>,
    schedule: Option<String>,
    timezone: Option<String>,
    http: Option<TypedHttp>,
    action: Option<String>,
    payload: Option<Value>,
    plugin: Option<TypedPlugin>,
    timeout_ms: Option<i64>,
    retries: Option<i64>,
    retry_backoff_ms: Option<i64>,
    catch_up: Option<CatchUp>,
    overlap: Option<bool>,
    enabled: Option<bool>,
    notify: Option<TypedNotify>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TypedHttp {
    url: String,
    method: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, TypedValue>,
    body: Option<Value>,
}

/// The value of a header: as it is, or to be sealed.
#[derive(Deserialize)]
#[serde(untagged)]
enum TypedValue {
    Plain(String),
    Sealed { secret: String },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TypedPlugin {
    name: String,
    method: Option<String>,
    path: String,
    body: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TypedNotify {
    on: Option<Vec<Notice>>,
    user_ids: Option<Vec<String>>,
    /// Empty for none.
    webhook_url: Option<String>,
}

/// A job that is to be kept.
pub(crate) struct Definition {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) schedule: String,
    pub(crate) timezone: String,
    pub(crate) target: Target,
    pub(crate) secrets: Secrets,
    pub(crate) timeout_ms: i64,
    pub(crate) retries: i64,
    pub(crate) retry_backoff_ms: i64,
    pub(crate) catch_up: CatchUp,
    pub(crate) overlap: bool,
    pub(crate) enabled: bool,
    pub(crate) notify: Notify,
}

impl Typed {
    /// A new job.
    pub(crate) fn create(self, settings: &Settings) -> Result<Definition> {
        let kind = self.kind.ok_or_else(|| needed("type"))?;
        let name = self.name.as_deref().ok_or_else(|| needed("name"))?;
        let name = clean_name(name)?;
        let schedule = self.schedule.clone().ok_or_else(|| needed("schedule"))?;
        let mut secrets = Secrets::default();
        let target = self.target(kind, None, &mut secrets, settings)?;
        let definition = Definition {
            name,
            kind,
            schedule,
            timezone: "UTC".to_owned(),
            target: target.ok_or_else(|| needed(field_of(kind)))?,
            secrets,
            timeout_ms: match kind {
                Kind::Platform => DEFAULT_PLATFORM_TIMEOUT_MS,
                Kind::Http | Kind::Plugin => DEFAULT_TIMEOUT_MS,
            },
            retries: 0,
            retry_backoff_ms: DEFAULT_BACKOFF_MS,
            catch_up: CatchUp::default(),
            overlap: false,
            enabled: true,
            notify: Notify::default(),
        };
        self.put_over(definition, settings)
    }

    /// A job that is there, with changes.
    pub(crate) fn change(self, row: &Row, settings: &Settings) -> Result<Definition> {
        if self.kind.is_some_and(|kind| kind != row.kind) {
            return Err(invalid("the type of a job does not change: make another"));
        }
        let mut secrets = row.secrets()?;
        let before = row.target()?;
        let target = self.target(row.kind, Some(&before), &mut secrets, settings)?;
        let name = self.name.as_deref().map(clean_name).transpose()?;
        let definition = Definition {
            name: name.unwrap_or_else(|| row.name.clone()),
            kind: row.kind,
            schedule: self
                .schedule
                .clone()
                .unwrap_or_else(|| row.schedule.clone()),
            timezone: row.timezone.clone(),
            target: target.unwrap_or(before),
            secrets,
            timeout_ms: row.timeout_ms,
            retries: row.retries,
            retry_backoff_ms: row.retry_backoff_ms,
            catch_up: row.catch_up,
            overlap: row.overlap(),
            enabled: row.enabled(),
            notify: row.notify()?,
        };
        self.put_over(definition, settings)
    }

    /// What is called, if that was sent.
    fn target(
        &self,
        kind: Kind,
        before: Option<&Target>,
        secrets: &mut Secrets,
        settings: &Settings,
    ) -> Result<Option<Target>> {
        let others = [
            (Kind::Http, self.http.is_some()),
            (
                Kind::Platform,
                self.action.is_some() || self.payload.is_some(),
            ),
            (Kind::Plugin, self.plugin.is_some()),
        ];
        if let Some((other, _)) = others.iter().find(|(own, sent)| *sent && *own != kind) {
            let (field, kind) = (field_of(*other), kind.as_str());
            return Err(invalid(format!(
                "a job of the type `{kind}` has no `{field}`"
            )));
        }
        match kind {
            Kind::Http => {
                let sent = self.http.as_ref();
                sent.map(|http| http.checked(before, secrets, settings))
                    .transpose()
            }
            Kind::Platform => self.action(before),
            Kind::Plugin => {
                let sent = self.plugin.as_ref();
                sent.map(|plugin| plugin.checked(settings)).transpose()
            }
        }
    }

    fn action(&self, before: Option<&Target>) -> Result<Option<Target>> {
        if self.action.is_none() && self.payload.is_none() {
            return Ok(None);
        }
        let (mut action, mut payload) = match before {
            Some(Target::Platform { action, payload }) => (Some(action.clone()), payload.clone()),
            _ => (None, Value::Null),
        };
        if let Some(sent) = &self.action {
            action = Some(sent.clone());
        }
        if let Some(sent) = &self.payload {
            check_body(sent)?;
            payload = sent.clone();
        }
        let action = action.ok_or_else(|| needed("action"))?;
        if !ACTIONS.contains(&action.as_str()) {
            return Err(Error::invalid(
                "unknown_action",
                "`action` is one of `backup`, `export` and `cleanup`",
            ));
        }
        Ok(Some(Target::Platform { action, payload }))
    }

    /// Puts the rest over a definition, and checks that.
    fn put_over(self, mut own: Definition, settings: &Settings) -> Result<Definition> {
        if let Some(zone) = self.timezone {
            own.timezone = zone;
        }
        own.timeout_ms = self.timeout_ms.unwrap_or(own.timeout_ms);
        own.retries = self.retries.unwrap_or(own.retries);
        own.retry_backoff_ms = self.retry_backoff_ms.unwrap_or(own.retry_backoff_ms);
        own.catch_up = self.catch_up.unwrap_or(own.catch_up);
        own.overlap = self.overlap.unwrap_or(own.overlap);
        own.enabled = self.enabled.unwrap_or(own.enabled);
        within("timeout_ms", own.timeout_ms, &timeouts_of(own.kind))?;
        within("retries", own.retries, &RETRIES)?;
        within("retry_backoff_ms", own.retry_backoff_ms, &BACKOFFS_MS)?;
        if let Some(typed) = self.notify {
            typed.put_over(&mut own, settings)?;
        }
        Ok(own)
    }
}

impl TypedHttp {
    fn checked(
        &self,
        before: Option<&Target>,
        secrets: &mut Secrets,
        settings: &Settings,
    ) -> Result<Target> {
        let url = target::checked(&self.url, settings)?;
        if let Some(body) = &self.body {
            check_body(body)?;
        }
        if self.headers.len() > MAX_HEADERS {
            return Err(invalid(format!("a job has at most {MAX_HEADERS} headers")));
        }
        let known = std::mem::take(secrets);
        secrets.set_webhook(known.webhook());
        let same_place = match before {
            Some(Target::Http { url: old, .. }) => {
                target::origin(old) == target::origin(url.as_str())
            }
            _ => false,
        };
        let mut headers = BTreeMap::new();
        for (name, value) in &self.headers {
            let name = header_name(name)?;
            let (text, sealed) = match value {
                TypedValue::Plain(text) => (text, sealed::is_sensitive(&name)),
                TypedValue::Sealed { secret } => (secret, true),
            };
            let kept = (text == MARK).then(|| known.header(&name)).flatten();
            if let Some(kept) = kept {
                // Whoever cannot read it must not have it sent elsewhere.
                if !same_place {
                    return Err(Error::invalid(
                        "secret_needed",
                        format!("the job calls another host now: give the header `{name}` anew"),
                    ));
                }
                secrets.set_header(&name, kept);
                headers.insert(name, None);
                continue;
            }
            check_value(&name, text)?;
            if sealed {
                secrets.set_header(&name, text);
            }
            if headers
                .insert(name.clone(), (!sealed).then(|| text.clone()))
                .is_some()
            {
                return Err(invalid(format!("the header `{name}` is there twice")));
            }
        }
        Ok(Target::Http {
            url: url.into(),
            method: method(self.method.as_deref())?,
            headers,
            body: self.body.clone(),
        })
    }
}

impl TypedPlugin {
    fn checked(&self, settings: &Settings) -> Result<Target> {
        target::check_plugin(&self.name, settings)?;
        let visible = |c: char| c.is_ascii_graphic();
        if !self.path.starts_with('/')
            || self.path.len() > MAX_PATH
            || !self.path.chars().all(visible)
            || self.path.contains('#')
        {
            return Err(invalid(
                "`plugin.path` begins with `/` and is encoded as in an address, 2000 bytes at most",
            ));
        }
        if let Some(body) = &self.body {
            check_body(body)?;
        }
        Ok(Target::Plugin {
            name: self.name.clone(),
            method: method(self.method.as_deref())?,
            path: self.path.clone(),
            body: self.body.clone(),
        })
    }
}

impl TypedNotify {
    fn put_over(self, own: &mut Definition, settings: &Settings) -> Result<()> {
        let Self {
            on,
            user_ids,
            webhook_url,
        } = self;
        if let Some(mut on) = on {
            on.sort_by_key(|notice| notice.as_str());
            on.dedup();
            own.notify.on = on;
        }
        if let Some(ids) = user_ids {
            if ids.len() > MAX_USERS || ids.iter().any(|id| id.is_empty() || id.len() > 64) {
                return Err(invalid("`notify.user_ids` has ids of 100 users at most"));
            }
            own.notify.user_ids = ids;
        }
        match webhook_url.as_deref() {
            None | Some(MARK) => {}
            Some("") => {
                own.secrets.set_webhook(None);
                own.notify.webhook = false;
            }
            Some(address) => {
                let address = target::checked(address, settings)?;
                own.secrets.set_webhook(Some(address.as_str()));
                own.notify.webhook = true;
            }
        }
        Ok(())
    }
}

/// How long an attempt may take.
fn timeouts_of(kind: Kind) -> RangeInclusive<i64> {
    match kind {
        // The host waits no longer for an answer.
        Kind::Http => 100..=30_000,
        Kind::Plugin => 100..=600_000,
        Kind::Platform => 1_000..=86_400_000,
    }
}

/// The field that says what a job of this type calls.
const fn field_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Http => "http",
        Kind::Platform => "action",
        Kind::Plugin => "plugin",
    }
}

fn within(field: &str, value: i64, range: &RangeInclusive<i64>) -> Result<()> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(invalid(format!(
        "`{field}` of this type is from {} to {}",
        range.start(),
        range.end()
    )))
}

fn clean_name(text: &str) -> Result<String> {
    let name = text.trim();
    if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(invalid(
            "`name` has 1 to 200 characters, and none that cannot be seen",
        ));
    }
    Ok(name.to_owned())
}

fn method(text: Option<&str>) -> Result<String> {
    let method = text.unwrap_or("GET").to_ascii_uppercase();
    if METHODS.contains(&method.as_str()) {
        return Ok(method);
    }
    Err(invalid(format!(
        "`method` is one of {}",
        METHODS.join(", ")
    )))
}

fn header_name(text: &str) -> Result<String> {
    let name = text.trim().to_ascii_lowercase();
    let allowed = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if name.is_empty() || name.len() > 100 || !name.chars().all(allowed) {
        return Err(invalid("the name of a header has letters, digits and `-`"));
    }
    if NOT_OWN.contains(&name.as_str()) {
        return Err(invalid(format!(
            "the header `{name}` is not a job's to set"
        )));
    }
    Ok(name)
}

fn check_value(name: &str, value: &str) -> Result<()> {
    let visible = |c: char| c == '\t' || (' '..='~').contains(&c);
    if value.len() <= MAX_VALUE && value.chars().all(visible) && value.trim() == value {
        return Ok(());
    }
    Err(invalid(format!(
        "the value of the header `{name}` is ASCII text of 4096 bytes at most, without blanks around it"
    )))
}

fn check_body(body: &Value) -> Result<()> {
    if body.to_string().len() <= MAX_BODY {
        return Ok(());
    }
    Err(Error::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "body_too_large",
        format!("the body of a job has at most {MAX_BODY} bytes"),
    ))
}

fn needed(field: &str) -> Error {
    invalid(format!("a job needs `{field}`"))
}

fn invalid(detail: impl Into<String>) -> Error {
    Error::invalid("invalid_job_definition", detail)
}
