//! A host in memory, for a plugin's unit tests: SQLite under the plugin's
//! schema, objects and values in maps, a caller and a configuration that the
//! test sets, and a clock that it moves.
//!
//! ```
//! # use atlashub_sdk::{prelude::*, testing::TestHost, identity::CallerKind};
//! # fn routes() -> Router { Router::new().get("/me", |caller: Caller| caller.id) }
//! let host = TestHost::new("notes").with_caller(Caller::new(CallerKind::User, "u1"));
//! let response = host.call(&routes(), Request::get("/me"));
//! assert_eq!(response.into_text()?, "u1");
//! # Ok::<(), Error>(())
//! ```

mod database;
mod definitions;
mod describe;
mod described;
mod jobs;
mod objects;

pub use described::assert_described;

use crate::{
    Body, Caller, Error, Event, Request, Response, Result, Router, Subscriptions,
    blob::{Announced, Checksum, Object, PutOptions, Settled, Stored},
    database::Table,
    host::{self, HostError, HostResult},
    http::{Answer, Call, address},
    identity::{CallerKind, Project},
    jobs::{Enqueued, Job, Jobs, Options, Status},
    kv::Entry,
    logging,
    mail::Mail,
    schedules::{Definition, Explanation, Schedule},
    sql::{Rows, Value},
    users::{NewUser, User},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use database::Database;
use jobs::Queue;
use objects::Objects;
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fmt,
    ops::Range,
    path::Path,
    rc::Rc,
    time::Duration,
};

/// Longest payload of an event, bytes.
const MAX_PAYLOAD_BYTES: usize = 64 * 1024;
/// Most that is sealed at once, bytes.
const MAX_SEALED_BYTES: usize = 64 * 1024;

/// A host in memory. It stands in for the host on this thread as long as it
/// lives.
pub struct TestHost {
    inner: Rc<Inner>,
    before: Option<Rc<dyn host::Host>>,
}

/// What a client does with the link of an announced upload: sends its bytes,
/// once.
///
/// # Errors
/// The code with which the link is refused: `link_used`, `quota_exceeded`.
pub fn arrive(bucket: &str, key: &str, bytes: &[u8]) -> std::result::Result<(), String> {
    host::blob_arrive(bucket, key, bytes).map_err(|error| error.code)
}

type Service = Box<dyn Fn(Request) -> Response>;

struct Inner {
    plugin: String,
    database: Database,
    /// The project's own tables.
    public: Database,
    objects: RefCell<Objects>,
    values: RefCell<BTreeMap<String, Kept>>,
    state: RefCell<State>,
    queue: RefCell<Queue>,
    services: RefCell<BTreeMap<String, Service>>,
}

#[derive(Default)]
struct State {
    caller: Caller,
    permissions: BTreeSet<String>,
    untold: BTreeSet<String>,
    /// Row policies by table; nobody is held to them here.
    policies: BTreeMap<String, Vec<serde_json::Value>>,
    users: BTreeMap<String, User>,
    passwords: BTreeMap<String, String>,
    secrets: BTreeMap<String, String>,
    /// What stands for secrets, with what it stands for.
    stand_ins: Vec<(String, String)>,
    /// Sealed texts, with their contexts and what they are of.
    sealed: BTreeMap<String, (String, Vec<u8>)>,
    config: BTreeMap<String, String>,
    logs: Vec<String>,
    audit: Vec<String>,
    events: Vec<Event>,
    messages: Vec<Message>,
    mails: Vec<SentMail>,
    now_ms: u64,
}

impl State {
    /// Puts secrets where what stands for them is written.
    fn fill(&self, text: &[u8]) -> Vec<u8> {
        let Ok(text) = str::from_utf8(text) else {
            return text.to_vec();
        };
        let mut filled = text.to_owned();
        for (name, secret) in &self.stand_ins {
            filled = filled.replace(name, secret);
        }
        filled.into_bytes()
    }
}

/// A message that the plugin has published on a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The channel.
    pub channel: String,
    /// The event's type.
    pub event: String,
    /// JSON.
    pub data: String,
}

/// A mail that the plugin has sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentMail {
    /// A user's id, or an address.
    pub to: String,
    /// The mail, not filled in.
    pub mail: Mail,
}

/// A value with its version and the time until which it is there.
struct Kept {
    entry: Entry<Vec<u8>>,
    until_ms: Option<u64>,
}

impl fmt::Debug for TestHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestHost").finish_non_exhaustive()
    }
}

impl TestHost {
    /// A host for the plugin of that name, without a caller, with nothing
    /// configured and nothing stored.
    #[must_use]
    pub fn new(plugin: &str) -> Self {
        logging::install();
        let inner = Rc::new(Inner {
            plugin: plugin.to_owned(),
            database: Database::open(&plugin.replace('-', "_")),
            public: Database::open("public"),
            objects: RefCell::default(),
            values: RefCell::default(),
            state: RefCell::default(),
            queue: RefCell::default(),
            services: RefCell::default(),
        });
        let before = host::replace(Some(Rc::clone(&inner) as Rc<dyn host::Host>));
        Self { inner, before }
    }

    /// Runs the plugin's migrations for SQLite, as the host does at install:
    /// the `.sql` files of `folder` in the order of their names.
    ///
    /// # Errors
    /// When the folder cannot be read or a statement fails.
    pub fn with_migrations(self, folder: impl AsRef<Path>) -> Result<Self> {
        self.inner.database.migrate(folder.as_ref())?;
        Ok(self)
    }

    /// Makes tables of the project's own, in its schema `public`: `sql` is
    /// any number of SQLite statements. There are no row policies here; the
    /// plugin reaches every row, whoever calls.
    ///
    /// # Errors
    /// When a statement fails.
    pub fn with_tables(self, sql: &str) -> Result<Self> {
        self.inner.public.run(sql)?;
        Ok(self)
    }

    /// Lets tables have no row policies: only those who reach every row are
    /// told of them. Of the others everybody is, and here everybody reaches
    /// every row of all of them.
    #[must_use]
    pub fn without_policies<'a>(self, tables: impl IntoIterator<Item = &'a str>) -> Self {
        let names = tables.into_iter().map(str::to_owned);
        self.inner.state.borrow_mut().untold.extend(names);
        self
    }

    /// Sets the caller.
    #[must_use]
    pub fn with_caller(self, caller: Caller) -> Self {
        self.set_caller(caller);
        self
    }

    /// Sets the caller of the requests from now on.
    pub fn set_caller(&self, caller: Caller) {
        self.inner.state.borrow_mut().caller = caller;
    }

    /// Sets which permissions signed-in users and admins who only read hold,
    /// such as `notes:read`. Whoever holds all, holds all here, too: secret
    /// keys, other admins, the scheduler, users with the role `admin`.
    #[must_use]
    pub fn with_permissions<'a>(self, permissions: impl IntoIterator<Item = &'a str>) -> Self {
        self.set_permissions(permissions);
        self
    }

    /// As [`TestHost::with_permissions`], from now on.
    pub fn set_permissions<'a>(&self, permissions: impl IntoIterator<Item = &'a str>) {
        let permissions = permissions.into_iter().map(str::to_owned).collect();
        self.inner.state.borrow_mut().permissions = permissions;
    }

    /// Adds an end user of the project, in place of the one with the same id.
    #[must_use]
    pub fn with_user(self, user: User) -> Self {
        let mut state = self.inner.state.borrow_mut();
        state.users.insert(user.id.clone(), user);
        drop(state);
        self
    }

    /// Lets somebody with this address sign in with this password.
    #[must_use]
    pub fn with_password(self, email: &str, password: &str) -> Self {
        let (email, password) = (email.to_lowercase(), password.to_owned());
        let mut state = self.inner.state.borrow_mut();
        state.passwords.insert(email, password);
        drop(state);
        self
    }

    /// Sets a secret of the configuration, which the plugin does not read.
    #[must_use]
    pub fn with_secret(self, name: &str, value: &str) -> Self {
        let (name, value) = (name.to_owned(), value.to_owned());
        self.inner.state.borrow_mut().secrets.insert(name, value);
        self
    }

    /// Sets a value of the configuration; or, by a key that begins with
    /// `atlashub.`, what the platform tells beside it.
    #[must_use]
    pub fn with_config(self, key: &str, value: impl Into<serde_json::Value>) -> Self {
        let text = match value.into() {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        };
        self.inner
            .state
            .borrow_mut()
            .config
            .insert(key.to_owned(), text);
        self
    }

    /// Sets how many bytes all objects together may have.
    #[must_use]
    pub fn with_quota(self, bytes: u64) -> Self {
        self.inner.objects.borrow_mut().limit = Some(bytes);
        self
    }

    /// Answers outgoing calls to a host (`api.example.com`, or
    /// `other.internal` for a plugin). Calls to any other are denied.
    #[must_use]
    pub fn with_service(self, host: &str, answer: impl Fn(Request) -> Response + 'static) -> Self {
        self.inner
            .services
            .borrow_mut()
            .insert(host.to_owned(), Box::new(answer));
        self
    }

    /// Lets a plugin answer a request.
    #[must_use]
    pub fn call(&self, router: &Router, request: Request) -> Response {
        router.call(request)
    }

    /// Moves the host's clock, by which values expire.
    pub fn advance(&self, time: Duration) {
        let milliseconds = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let mut state = self.inner.state.borrow_mut();
        state.now_ms = state.now_ms.saturating_add(milliseconds);
    }

    /// Keys of the objects in a bucket.
    #[must_use]
    pub fn objects(&self, bucket: &str) -> Vec<String> {
        self.inner.objects.borrow().keys(bucket)
    }

    /// Events that the plugin has added to the audit, `action target details`.
    #[must_use]
    pub fn audit(&self) -> Vec<String> {
        self.inner.state.borrow().audit.clone()
    }

    /// Events that the plugin has published, under their full names.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.inner.state.borrow().events.clone()
    }

    /// Messages that the plugin has published on channels.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        self.inner.state.borrow().messages.clone()
    }

    /// Mails that the plugin has sent. A mail whose key one before it has is
    /// left out: here, all wait.
    #[must_use]
    pub fn mails(&self) -> Vec<SentMail> {
        self.inner.state.borrow().mails.clone()
    }

    /// Hands an event to the plugin.
    ///
    /// # Errors
    /// The plugin's; [`events::is_worth_retrying`](crate::events::is_worth_retrying)
    /// says whether the host would try again.
    pub fn deliver(&self, subscriptions: &Subscriptions, event: Event) -> Result<()> {
        subscriptions.call(&event)
    }

    /// Hands a job to the plugin, without the queue.
    ///
    /// # Errors
    /// The plugin's; [`events::is_worth_retrying`](crate::events::is_worth_retrying)
    /// says whether the host would try again.
    pub fn run_job(&self, jobs: &Jobs, job: &Job) -> Result<()> {
        jobs.call(job)
    }

    /// Does the plugin's jobs that are due, and those that they add, as the
    /// host would: in their order, and after a failure again when
    /// [`TestHost::advance`] has let enough time go by. Jobs of the platform
    /// are done at once, and nothing happens. How many attempts that were.
    pub fn run_jobs(&self, jobs: &Jobs) -> usize {
        let mut attempts = 0;
        loop {
            let now = self.inner.wall_ms();
            let Some((job, platform)) = self.inner.queue.borrow_mut().take(now) else {
                return attempts;
            };
            let outcome = if platform { Ok(()) } else { jobs.call(&job) };
            let now = self.inner.wall_ms();
            self.inner.queue.borrow_mut().finish(&job.id, outcome, now);
            attempts += 1;
        }
    }

    /// Lets the schedules be due that are by now, each once; how many jobs
    /// that made. [`TestHost::run_jobs`] does them.
    pub fn run_schedules(&self) -> usize {
        let now = self.inner.wall_ms();
        self.inner.queue.borrow_mut().tick(now)
    }

    /// The plugin's jobs, in the order in which they were added.
    #[must_use]
    pub fn jobs(&self) -> Vec<Status> {
        self.inner.queue.borrow().statuses()
    }

    /// The plugin's schedules, in the order of their names.
    #[must_use]
    pub fn schedules(&self) -> Vec<Schedule> {
        self.inner.queue.borrow().schedules()
    }

    /// Lines that the plugin has logged, `LEVEL message`.
    #[must_use]
    pub fn logs(&self) -> Vec<String> {
        self.inner.state.borrow().logs.clone()
    }
}

impl Drop for TestHost {
    fn drop(&mut self) {
        host::replace(self.before.take());
    }
}

impl Inner {
    fn now_ms(&self) -> u64 {
        self.state.borrow().now_ms
    }

    /// What [`moment::now_ms`](crate::moment::now_ms) says.
    fn wall_ms(&self) -> u64 {
        u64::try_from(crate::moment::now_ms()).unwrap_or(0)
    }
}

impl Inner {
    /// Definitions are for those who reach every row.
    fn require_trusted(&self) -> HostResult<()> {
        match self.state.borrow().caller.kind {
            CallerKind::SecretKey | CallerKind::Admin | CallerKind::Scheduler => Ok(()),
            _ => Err(HostError::new(
                "sql_denied",
                "definitions of tables are for secret keys, admins and the scheduler",
            )),
        }
    }
}

impl host::Host for Inner {
    fn ahead_ms(&self) -> i64 {
        // The host's own clock began with it.
        i64::try_from(self.now_ms()).unwrap_or(i64::MAX)
    }

    fn caller(&self) -> Caller {
        self.state.borrow().caller.clone()
    }

    fn project(&self) -> Project {
        Project {
            id: "0190a6a8-0000-7000-8000-000000000000".to_owned(),
            slug: "test".to_owned(),
        }
    }

    fn request_id(&self) -> String {
        "test-request".to_owned()
    }

    fn public_url(&self) -> String {
        "http://test.localhost".to_owned()
    }

    fn has_permission(&self, permission: &str) -> bool {
        let state = self.state.borrow();
        let caller = &state.caller;
        match caller.kind {
            CallerKind::Scheduler => true,
            CallerKind::User if caller.has_role("admin") => true,
            CallerKind::User => state.permissions.contains(permission),
            _ if caller.is_trusted() => true,
            CallerKind::Admin => state.permissions.contains(permission),
            _ => false,
        }
    }

    fn users(&self) -> Vec<User> {
        self.state.borrow().users.values().cloned().collect()
    }

    fn add_user(&self, new: NewUser) -> HostResult<()> {
        let mut state = self.state.borrow_mut();
        let refuse = |code: &str, why: &str| Err(HostError::new(code, why));
        let has = |what: &dyn Fn(&User) -> bool| state.users.values().any(what);
        if has(&|user| user.id == new.id) {
            return refuse("id_taken", "a user has this id already");
        }
        if !new.email.contains('@') {
            return refuse("invalid_email", "this is no e-mail address");
        }
        if has(&|user| user.email.as_deref() == Some(new.email.as_str())) {
            return refuse("email_taken", "a user has this address already");
        }
        if new.handle.is_some() && has(&|user| user.handle == new.handle) {
            return refuse("handle_taken", "a user has this handle already");
        }
        if new.roles.iter().any(|role| role == "admin") {
            return refuse("role_not_given", "the role `admin` is given by admins");
        }
        if let Some(unknown) = new
            .roles
            .iter()
            .find(|role| !matches!(role.as_str(), "editor" | "viewer"))
        {
            return refuse("unknown_role", &format!("there is no role `{unknown}`"));
        }
        let user = User {
            id: new.id,
            email: Some(new.email),
            handle: new.handle,
            name: new.name,
            roles: new.roles,
            created_at: "2030-01-01T00:00:00Z".to_owned(),
        };
        state.users.insert(user.id.clone(), user);
        Ok(())
    }

    fn stand_in(&self, name: &str, encoded: Option<(&str, &str)>) -> HostResult<String> {
        let mut state = self.state.borrow_mut();
        let secret = state.secrets.get(name).map(|secret| match encoded {
            Some((before, behind)) => STANDARD.encode(format!("{before}{secret}{behind}")),
            None => secret.clone(),
        });
        let secret = secret
            .ok_or_else(|| HostError::new("no_secret", "the configuration has no such secret"))?;
        let text = format!("secret-{}-{name}", state.stand_ins.len());
        state.stand_ins.push((text.clone(), secret));
        Ok(text)
    }

    fn seal(&self, context: &str, plain: &[u8]) -> HostResult<String> {
        if plain.len() > MAX_SEALED_BYTES {
            return Err(HostError::new("too_large", "64 KiB at most are sealed"));
        }
        let number = self.state.borrow().sealed.len();
        let text = format!("sealed-{number}");
        let sealed = (context.to_owned(), plain.to_vec());
        self.state.borrow_mut().sealed.insert(text.clone(), sealed);
        Ok(text)
    }

    fn open_sealed(&self, context: &str, sealed: &str) -> HostResult<Vec<u8>> {
        match self.state.borrow().sealed.get(sealed) {
            Some((own, plain)) if own == context => Ok(plain.clone()),
            _ => Err(HostError::new(
                "cannot_open",
                "it was sealed for something else, or was changed",
            )),
        }
    }

    fn password_of(&self, email: &str) -> Option<String> {
        self.state.borrow().passwords.get(email).cloned()
    }

    fn config(&self) -> Vec<(String, String)> {
        self.state.borrow().config.clone().into_iter().collect()
    }

    fn log(&self, level: log::Level, message: &str) {
        self.state
            .borrow_mut()
            .logs
            .push(format!("{level} {message}"));
    }

    fn send(&self, call: Call, body: Vec<u8>) -> HostResult<Answer> {
        let Some(address) = address(&call.url) else {
            return Err(HostError::new(
                "upstream_failed",
                "the address is not valid",
            ));
        };
        let services = self.services.borrow();
        let Some(service) = services.get(address.authority) else {
            return Err(HostError::new(
                "upstream_denied",
                "no such service was set up in the test",
            ));
        };
        let body = self.state.borrow().fill(&body);
        let mut request = Request::new(call.method, address.target).with_body(body);
        for (name, value) in call.headers.iter() {
            request = request.with_header(name, self.state.borrow().fill(value));
        }
        let mut response = service(request);
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        let failed = |error: Error| HostError::new("upstream_failed", error.to_string());
        let body = Body::from(response.into_bytes().map_err(failed)?);
        Ok(Answer {
            status,
            headers,
            body,
        })
    }

    fn sql_query(&self, sql: &str, parameters: Vec<Value>) -> HostResult<Rows> {
        self.database.query(sql, parameters)
    }

    fn sql_execute(&self, sql: &str, parameters: Vec<Value>) -> HostResult<u64> {
        self.database.execute(sql, parameters)
    }

    fn database_describe(&self) -> HostResult<Vec<Table>> {
        describe::tables(self.public.connection())
    }

    fn database_told(&self) -> HostResult<Vec<String>> {
        let state = self.state.borrow();
        let everything = matches!(
            state.caller.kind,
            CallerKind::SecretKey | CallerKind::Admin | CallerKind::Scheduler
        );
        let tables = describe::tables(self.public.connection())?;
        let names = tables.into_iter().map(|table| table.name);
        Ok(names
            .filter(|name| everything || !state.untold.contains(name))
            .collect())
    }

    fn database_schema_version(&self) -> u64 {
        describe::version(self.public.connection())
    }

    fn database_query(&self, sql: &str, parameters: Vec<Value>) -> HostResult<Rows> {
        self.public.query(sql, parameters)
    }

    fn database_execute(&self, sql: &str, parameters: Vec<Value>) -> HostResult<u64> {
        self.public.execute(sql, parameters)
    }

    fn definitions_read(&self) -> HostResult<String> {
        self.require_trusted()?;
        let state = self.state.borrow();
        definitions::read(self.public.connection(), &state.policies)
    }

    fn definitions_check(&self, tables: &str) -> HostResult<String> {
        self.require_trusted()?;
        definitions::check(self.public.connection(), tables)
    }

    fn definitions_create(&self, tables: &str) -> HostResult<()> {
        self.require_trusted()?;
        definitions::create(self.public.connection(), tables)
    }

    fn definitions_alter(&self, table: &str, changes: &str) -> HostResult<()> {
        self.require_trusted()?;
        definitions::alter(self.public.connection(), table, changes)
    }

    fn definitions_remove(&self, table: &str) -> HostResult<()> {
        self.require_trusted()?;
        self.state.borrow_mut().policies.remove(table);
        definitions::remove(self.public.connection(), table)
    }

    fn definitions_set_policies(&self, table: &str, policies: &str) -> HostResult<()> {
        self.require_trusted()?;
        let policies = definitions::policies(self.public.connection(), table, policies)?;
        let mut state = self.state.borrow_mut();
        state.policies.insert(table.to_owned(), policies);
        Ok(())
    }

    fn publish(&self, name: &str, payload: &str, key: Option<&str>) -> HostResult<String> {
        if payload.len() > MAX_PAYLOAD_BYTES {
            return Err(HostError::new(
                "event_too_large",
                "an event's payload has at most 65536 bytes",
            ));
        }
        let published_ms = self.now_ms();
        let mut state = self.state.borrow_mut();
        let id = format!("0190a6a8-0000-7000-8000-{:012x}", state.events.len() + 1);
        state.events.push(Event {
            id: id.clone(),
            name: format!("{}.{name}", self.plugin),
            payload: payload.to_owned(),
            key: key.map(str::to_owned),
            published_ms,
            attempt: 1,
            max_attempts: 12,
        });
        Ok(id)
    }

    fn publish_message(&self, channel: &str, event: &str, data: &str) -> HostResult<String> {
        let mut state = self.state.borrow_mut();
        state.messages.push(Message {
            channel: channel.to_owned(),
            event: event.to_owned(),
            data: data.to_owned(),
        });
        Ok(state.messages.len().to_string())
    }

    fn enqueue(
        &self,
        name: &str,
        payload: &str,
        platform: bool,
        options: &Options,
    ) -> HostResult<Enqueued> {
        let now = self.wall_ms();
        let mut queue = self.queue.borrow_mut();
        queue.enqueue(name, payload, platform, options, now)
    }

    fn get_job(&self, id: &str) -> Option<Status> {
        let statuses = self.queue.borrow().statuses();
        statuses.into_iter().find(|status| status.id == id)
    }

    fn cancel_job(&self, id: &str) -> bool {
        let now = self.wall_ms();
        self.queue.borrow_mut().cancel(id, now)
    }

    fn job_progress(&self, percent: u8, message: Option<&str>) -> HostResult<()> {
        self.queue.borrow_mut().progress(percent, message)
    }

    fn put_schedule(&self, name: &str, definition: &Definition) -> HostResult<Schedule> {
        let now = self.wall_ms();
        self.queue.borrow_mut().put(name, definition, now)
    }

    fn schedules(&self) -> Vec<Schedule> {
        self.queue.borrow().schedules()
    }

    fn remove_schedule(&self, name: &str) -> bool {
        self.queue.borrow_mut().remove(name)
    }

    fn run_schedule(&self, name: &str) -> HostResult<Enqueued> {
        let now = self.wall_ms();
        self.queue.borrow_mut().run_now(name, now)
    }

    fn explain_schedule(
        &self,
        expression: &str,
        zone: &str,
        after_ms: Option<u64>,
        count: u32,
    ) -> HostResult<Explanation> {
        let after = after_ms.unwrap_or_else(|| self.wall_ms());
        jobs::explain(expression, zone, after, count)
    }

    fn mail(&self, to: &str, mail: &Mail) -> HostResult<String> {
        let mut state = self.state.borrow_mut();
        let is_same = |sent: &SentMail| mail.key.is_some() && sent.mail.key == mail.key;
        if !state.mails.iter().any(is_same) {
            state.mails.push(SentMail {
                to: to.to_owned(),
                mail: mail.clone(),
            });
        }
        Ok(format!(
            "0190a6a8-0000-7000-9000-{:012x}",
            state.mails.len()
        ))
    }

    fn audit_append(&self, action: &str, target: Option<&str>, details: &str) {
        let event = format!("{action} {} {details}", target.unwrap_or("-"));
        self.state.borrow_mut().audit.push(event);
    }

    fn kv_get(&self, key: &str) -> Option<Entry<Vec<u8>>> {
        let now = self.now_ms();
        let values = self.values.borrow();
        let kept = values.get(key)?;
        kept.until_ms
            .is_none_or(|until| now < until)
            .then(|| kept.entry.clone())
    }

    fn kv_set(&self, key: &str, value: &[u8], ttl_ms: Option<u64>) -> u64 {
        let until_ms = ttl_ms.map(|ttl| self.now_ms().saturating_add(ttl));
        let mut values = self.values.borrow_mut();
        let version = values.get(key).map_or(1, |kept| kept.entry.version + 1);
        let entry = Entry {
            value: value.to_vec(),
            version,
        };
        values.insert(key.to_owned(), Kept { entry, until_ms });
        version
    }

    fn kv_delete(&self, key: &str) -> bool {
        let there = self.kv_get(key).is_some();
        self.values.borrow_mut().remove(key);
        there
    }

    fn kv_keys(&self) -> Vec<String> {
        let now = self.now_ms();
        let values = self.values.borrow();
        let live = values
            .iter()
            .filter(|(_, kept)| kept.until_ms.is_none_or(|until| now < until));
        live.map(|(key, _)| key.clone()).collect()
    }

    fn blob_put(&self, bucket: &str, bytes: Vec<u8>, options: &PutOptions) -> HostResult<Stored> {
        self.objects.borrow_mut().put(bucket, bytes, options)
    }

    fn blob_fits(&self, bytes: &[u8], checksum: &Checksum) -> bool {
        Objects::fits(bytes, checksum)
    }

    fn blob_stat(&self, bucket: &str, key: &str) -> HostResult<Object> {
        self.objects.borrow().stat(bucket, key)
    }

    fn blob_read(&self, bucket: &str, key: &str, range: Option<Range<u64>>) -> HostResult<Vec<u8>> {
        self.objects.borrow().read(bucket, key, range)
    }

    fn blob_delete(&self, bucket: &str, key: &str) -> HostResult<bool> {
        Ok(self.objects.borrow_mut().delete(bucket, key))
    }

    fn blob_keys(&self, bucket: &str) -> HostResult<Vec<String>> {
        Ok(self.objects.borrow().keys(bucket))
    }

    fn blob_announce(&self, bucket: &str, key: &str, announced: &Announced) -> HostResult<String> {
        self.objects.borrow().announce(bucket, key, announced)?;
        self.blob_sign(bucket, key, true)
    }

    fn blob_arrive(&self, bucket: &str, key: &str, bytes: &[u8]) -> HostResult<()> {
        let mut objects = self.objects.borrow_mut();
        objects.arrive(bucket, key, bytes.to_vec())
    }

    fn blob_settle(&self, bucket: &str, key: &str, digest: bool) -> HostResult<Settled> {
        self.objects.borrow_mut().settle(bucket, key, digest)
    }

    fn blob_sign(&self, bucket: &str, key: &str, write: bool) -> HostResult<String> {
        let method = if write { "PUT" } else { "GET" };
        Ok(format!(
            "{}/_/blob/{bucket}/{key}?method={method}",
            self.public_url()
        ))
    }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        reason = "a failed test may panic"
    )]

    use super::*;
    use crate::{blob, database, http, kv, multipart::Multipart, params, sql, users};

    #[test]
    fn without_a_host_capabilities_say_so() {
        assert_eq!(kv::get::<u8>("a").unwrap_err().code(), "no_host");
        let host = TestHost::new("a");
        assert_eq!(kv::get::<u8>("a").unwrap(), None);
        drop(host);
        assert_eq!(kv::get::<u8>("a").unwrap_err().code(), "no_host");
    }

    #[test]
    fn values_expire_and_swap() {
        let host = TestHost::new("a");
        let version = kv::set("n", &1, Some(Duration::from_secs(1))).unwrap();
        assert_eq!(kv::compare_and_swap("n", None, &9, None).unwrap(), None);
        assert_eq!(
            kv::compare_and_swap("n", Some(version), &2, Some(Duration::from_secs(1))).unwrap(),
            Some(2)
        );
        assert_eq!(kv::list("", None, 10).unwrap(), ["n"]);
        host.advance(Duration::from_secs(1));
        assert_eq!(kv::get::<u8>("n").unwrap(), None);
        assert!(!kv::delete("n").unwrap());
    }

    #[test]
    fn tables_are_reached_by_schema_or_by_name() {
        let _host = TestHost::new("my-notes");
        sql::execute(
            "CREATE TABLE entries (id TEXT PRIMARY KEY, stars BIGINT)",
            params![],
        )
        .unwrap();
        sql::execute(
            "INSERT INTO my_notes.entries VALUES ($1, $2)",
            params!["a", 3],
        )
        .unwrap();
        let again =
            sql::execute("INSERT INTO entries VALUES ($1, $2)", params!["a", 3]).unwrap_err();
        assert_eq!(
            (again.code(), again.status().as_u16()),
            ("sql_constraint_unique", 409)
        );
        let failed: Result<()> = sql::transaction(|transaction| {
            transaction.execute("UPDATE entries SET stars = 9", params![])?;
            Err(Error::not_found("x"))
        });
        assert!(failed.is_err());
        let stars: i64 =
            sql::query_one("SELECT stars FROM entries WHERE id = $1", params!["a"]).unwrap();
        assert_eq!(stars, 3);
        let syntax = sql::query::<i64>("SELEC 1", params![]).unwrap_err();
        assert_eq!(
            (syntax.code(), syntax.detail()),
            ("sql_syntax", "the plugin failed to answer")
        );
    }

    #[test]
    fn the_projects_tables_are_described_and_reached() {
        let _host = TestHost::new("a")
            .with_tables(
                "CREATE TABLE lists (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
                 CREATE TABLE todos (
                     id UUID PRIMARY KEY, list INTEGER REFERENCES lists, done BOOLEAN DEFAULT 0,
                     twice INTEGER GENERATED ALWAYS AS (list * 2)
                 );
                 CREATE VIEW names AS SELECT name FROM lists;",
            )
            .unwrap();
        let tables = database::describe().unwrap();
        let names: Vec<_> = tables.iter().map(|table| table.name.as_str()).collect();
        assert_eq!(names, ["lists", "names", "todos"]);
        assert_eq!(tables[0].unique, [["name"]]);
        assert_eq!(tables[1].kind, "view");
        let todos = &tables[2];
        assert_eq!(todos.primary_key, ["id"]);
        assert_eq!(todos.foreign_keys[0].table, "lists");
        assert_eq!(todos.foreign_keys[0].references, ["id"]);
        let kinds: Vec<_> = todos.columns.iter().map(|c| c.kind.as_str()).collect();
        assert_eq!(kinds, ["uuid", "integer", "boolean", "integer"]);
        assert!(todos.columns[3].generated);
        let before = database::schema_version().unwrap();
        database::execute("INSERT INTO public.lists VALUES (1, 'a')", params![]).unwrap();
        assert_eq!(database::schema_version().unwrap(), before);
        let found: Vec<(i64, String)> =
            database::query("SELECT _rowid_, name FROM lists", params![]).unwrap();
        assert_eq!(found, [(1, "a".to_owned())]);
    }

    #[test]
    fn tables_are_made_tried_and_told() {
        use crate::definitions::{self, Change, Column, Definition, Index, NewTable};
        let host = TestHost::new("a").with_caller(Caller::new(CallerKind::SecretKey, "k"));
        let mut notes = NewTable::new("notes");
        notes.columns.push(Column::new("id", "uuid").primary_key());
        notes.columns.push(Column::new("text", "text"));
        let wanted = [Definition {
            table: notes.clone(),
            ..Definition::default()
        }];
        assert!(definitions::check(&wanted).unwrap().is_empty());
        assert!(definitions::read().unwrap().tables.is_empty());
        definitions::create(std::slice::from_ref(&notes)).unwrap();
        let refused = definitions::check(&wanted).unwrap_err();
        assert_eq!(
            (refused.code(), refused.status().as_u16()),
            ("table_exists", 409)
        );
        let index = Index {
            name: Some("by_text".to_owned()),
            columns: vec!["text".to_owned()],
            ..Index::default()
        };
        definitions::alter(
            "notes",
            &[Change::AddIndex {
                index: index.clone(),
            }],
        )
        .unwrap();
        let policy = serde_json::json!({"name": "all", "roles": ["*"], "actions": ["select"], "using": true});
        definitions::set_policies("notes", std::slice::from_ref(&policy)).unwrap();
        let told = definitions::read().unwrap().tables;
        notes.indexes.push(index);
        assert_eq!(told[0].table, notes);
        assert_eq!(told[0].policies, [policy]);
        definitions::remove("notes").unwrap();
        assert!(definitions::read().unwrap().tables.is_empty());
        host.set_caller(Caller::new(CallerKind::User, "u"));
        assert_eq!(definitions::read().unwrap_err().status().as_u16(), 403);
    }

    #[test]
    fn objects_come_back_whole_and_in_part() {
        let host = TestHost::new("a").with_quota(10);
        let bucket = blob::bucket("private");
        let stored = bucket
            .put_bytes(b"0123456789", &blob::PutOptions::default())
            .unwrap();
        assert_eq!(
            host.objects("private"),
            std::slice::from_ref(&stored.object.key)
        );
        let router = Router::new().get("/o", {
            let key = stored.object.key.clone();
            move || blob::bucket("private").serve(key.clone(), Some(2..5))
        });
        assert_eq!(
            host.call(&router, Request::get("/o")).into_text().unwrap(),
            "234"
        );
        let over = bucket
            .put_bytes(b"x", &blob::PutOptions::default())
            .unwrap_err();
        assert_eq!(
            (over.code(), over.status().as_u16()),
            ("quota_exceeded", 413)
        );
        assert_eq!(over.fields()["limit_bytes"], 10);
        assert!(bucket.delete(&stored.object.key).unwrap());
        assert_eq!(
            bucket
                .stat(&stored.object.key)
                .unwrap_err()
                .status()
                .as_u16(),
            404
        );
    }

    #[test]
    fn users_hold_the_permissions_that_the_test_gave() {
        let host = TestHost::new("notes").with_permissions(["notes:read"]);
        let code = |permission| users::require(permission).map_err(|error| error.code().to_owned());
        assert_eq!(code("notes:read"), Err("unauthenticated".to_owned()));
        host.set_caller(Caller::new(CallerKind::PublishableKey, "k"));
        assert_eq!(code("notes:read"), Err("forbidden".to_owned()));
        assert!(users::require_of_users("notes:write").is_ok());
        let mut user = Caller::new(CallerKind::User, "u");
        host.set_caller(user.clone());
        assert_eq!(code("notes:read"), Ok(()));
        let refused = users::require_of_users("notes:write").unwrap_err();
        assert_eq!(
            (refused.code(), refused.status().as_u16()),
            ("permission_needed", 403)
        );
        assert_eq!(refused.fields()["permission"], "notes:write");
        user.roles.push("admin".to_owned());
        for all in [user, Caller::new(CallerKind::SecretKey, "k")] {
            host.set_caller(all);
            assert_eq!(code("notes:write"), Ok(()));
        }
        let mut admin = Caller::new(CallerKind::Admin, "a");
        admin.roles.push("viewer".to_owned());
        host.set_caller(admin);
        assert_eq!(
            (code("notes:read"), code("notes:write")),
            (Ok(()), Err("permission_needed".to_owned()))
        );
    }

    #[test]
    fn users_are_found_by_address_and_handle() {
        let user = |id: &str, email: &str| users::User {
            id: id.to_owned(),
            email: Some(email.to_owned()),
            handle: Some(format!("h{id}")),
            ..users::User::default()
        };
        let _host = TestHost::new("a")
            .with_user(user("2", "b@example.com"))
            .with_user(user("1", "a@example.com"));
        let found = |name: &str| users::find(name).unwrap().map(|user| user.id);
        assert_eq!(found("B@example.com").as_deref(), Some("2"));
        assert_eq!(found("@h1").as_deref(), Some("1"));
        assert_eq!(found("nobody"), None);
        assert_eq!(users::get("1").unwrap().unwrap().id, "1");
        assert_eq!(users::get("3").unwrap(), None);
        let there = users::existing(&["3".to_owned(), "2".to_owned()]).unwrap();
        assert_eq!(there.into_iter().collect::<Vec<_>>(), ["2"]);
        let first = users::list(1, None).unwrap();
        assert_eq!(first.users[0].id, "1");
        let rest = users::list(1, first.next_cursor.as_deref()).unwrap();
        assert_eq!((rest.users[0].id.as_str(), rest.next_cursor), ("2", None));
    }

    #[test]
    fn a_form_is_taken_apart() {
        let _host = TestHost::new("a");
        let router = Router::new().post("/f", |mut form: Multipart| -> Result<String> {
            let mut seen = String::new();
            while let Some(part) = form.next_part()? {
                let names = format!(
                    "{}:{}",
                    part.name,
                    part.filename.as_deref().unwrap_or_default()
                );
                seen += &format!("{names}:{};", part.text()?);
            }
            Ok(seen)
        });
        let body = "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n\
                    --B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x.txt\"\r\n\
                    Content-Type: text/plain\r\n\r\nhi\r\n\r\n--B--\r\n";
        let send = |body: &str, kind: &str| {
            router.call(Request::post("/f", body).with_header("content-type", kind))
        };
        assert_eq!(
            send(body, "multipart/form-data; boundary=B")
                .into_text()
                .unwrap(),
            "a::1;file:x.txt:hi\r\n;"
        );
        assert_eq!(send(body, "text/plain").status().as_u16(), 415);
        assert_eq!(
            send("--B\r\n", "multipart/form-data; boundary=B")
                .status()
                .as_u16(),
            400
        );
    }

    #[test]
    fn outgoing_calls_reach_only_what_was_set_up() {
        let host = TestHost::new("a")
            .with_caller(Caller::new(CallerKind::User, "u"))
            .with_service("other.internal", |request| {
                crate::IntoResponse::into_response(format!(
                    "{} {}",
                    request.method(),
                    request.target()
                ))
            });
        let answer = http::get("http://other.internal/x?y").send().unwrap();
        assert_eq!(answer.text().unwrap(), "GET /x?y");
        let denied = http::get("http://elsewhere.example/").send().unwrap_err();
        assert_eq!(
            (denied.code(), denied.status().as_u16()),
            ("upstream_denied", 502)
        );
        log::info!("done");
        assert!(host.logs().contains(&"INFO done".to_owned()));
    }
}
