//! The host outside a component: whatever a test has put in its place, on
//! this thread. Without one every capability fails with `no_host`.

use super::{HostError, HostResult};
use crate::{
    Headers,
    blob::{
        Announced, Checksum, Object, Page, Part as UploadPart, PartOptions, PutOptions, Settled,
        Stored,
    },
    body::Source,
    database::Table,
    http::{Answer, Call},
    identity::{Caller, Project},
    jobs::{Enqueued, Options, Status},
    kv::Entry,
    mail::Mail,
    multipart::Part,
    schedules::{Definition, Explanation, Page as SchedulePage, Schedule},
    sign_in::{Credentials, Tokens},
    sql::{Rows, Value},
    users::{NewUser, Page as UserPage, User},
};
use std::{cell::RefCell, ops::Range, rc::Rc};

/// Everything that a host offers.
pub(crate) trait Host {
    fn caller(&self) -> Caller;
    fn project(&self) -> Project;
    fn request_id(&self) -> String;
    fn public_url(&self) -> String;
    fn has_permission(&self, permission: &str) -> bool;
    fn users(&self) -> Vec<User>;
    fn add_user(&self, user: NewUser) -> HostResult<()>;
    fn stand_in(&self, name: &str, encoded: Option<(&str, &str)>) -> HostResult<String>;
    fn seal(&self, context: &str, plain: &[u8]) -> HostResult<String>;
    fn open_sealed(&self, context: &str, sealed: &str) -> HostResult<Vec<u8>>;
    fn password_of(&self, email: &str) -> Option<String>;
    fn config(&self) -> Vec<(String, String)>;
    fn log(&self, level: log::Level, message: &str);
    fn send(&self, call: Call, body: Vec<u8>) -> HostResult<Answer>;
    fn sql_query(&self, sql: &str, parameters: Vec<Value>) -> HostResult<Rows>;
    fn sql_execute(&self, sql: &str, parameters: Vec<Value>) -> HostResult<u64>;
    fn database_describe(&self) -> HostResult<Vec<Table>>;
    fn database_told(&self) -> HostResult<Vec<String>>;
    fn database_schema_version(&self) -> u64;
    fn database_query(&self, sql: &str, parameters: Vec<Value>) -> HostResult<Rows>;
    fn database_execute(&self, sql: &str, parameters: Vec<Value>) -> HostResult<u64>;
    fn definitions_read(&self) -> HostResult<String>;
    fn definitions_check(&self, tables: &str) -> HostResult<String>;
    fn definitions_create(&self, tables: &str) -> HostResult<()>;
    fn definitions_alter(&self, table: &str, changes: &str) -> HostResult<()>;
    fn definitions_remove(&self, table: &str) -> HostResult<()>;
    fn definitions_set_policies(&self, table: &str, policies: &str) -> HostResult<()>;
    fn publish(&self, name: &str, payload: &str, key: Option<&str>) -> HostResult<String>;
    fn publish_message(&self, channel: &str, event: &str, data: &str) -> HostResult<String>;
    fn enqueue(
        &self,
        name: &str,
        payload: &str,
        platform: bool,
        options: &Options,
    ) -> HostResult<Enqueued>;
    fn get_job(&self, id: &str) -> Option<Status>;
    fn cancel_job(&self, id: &str) -> bool;
    fn job_progress(&self, percent: u8, message: Option<&str>) -> HostResult<()>;
    fn put_schedule(&self, name: &str, definition: &Definition) -> HostResult<Schedule>;
    fn schedules(&self) -> Vec<Schedule>;
    fn remove_schedule(&self, name: &str) -> bool;
    fn run_schedule(&self, name: &str) -> HostResult<Enqueued>;
    fn explain_schedule(
        &self,
        expression: &str,
        zone: &str,
        after_ms: Option<u64>,
        count: u32,
    ) -> HostResult<Explanation>;
    fn mail(&self, to: &str, mail: &Mail) -> HostResult<String>;
    fn audit_append(&self, action: &str, target: Option<&str>, details: &str);
    fn ahead_ms(&self) -> i64;
    fn kv_get(&self, key: &str) -> Option<Entry<Vec<u8>>>;
    fn kv_set(&self, key: &str, value: &[u8], ttl_ms: Option<u64>) -> u64;
    fn kv_delete(&self, key: &str) -> bool;
    fn kv_keys(&self) -> Vec<String>;
    fn blob_put(&self, bucket: &str, bytes: Vec<u8>, options: &PutOptions) -> HostResult<Stored>;
    fn blob_stat(&self, bucket: &str, key: &str) -> HostResult<Object>;
    fn blob_read(&self, bucket: &str, key: &str, range: Option<Range<u64>>) -> HostResult<Vec<u8>>;
    fn blob_delete(&self, bucket: &str, key: &str) -> HostResult<bool>;
    fn blob_keys(&self, bucket: &str) -> HostResult<Vec<String>>;
    fn blob_fits(&self, bytes: &[u8], checksum: &Checksum) -> bool;
    fn blob_sign(&self, bucket: &str, key: &str, write: bool) -> HostResult<String>;
    fn blob_announce(&self, bucket: &str, key: &str, announced: &Announced) -> HostResult<String>;
    fn blob_arrive(&self, bucket: &str, key: &str, bytes: &[u8]) -> HostResult<()>;
    fn blob_settle(&self, bucket: &str, key: &str, digest: bool) -> HostResult<Settled>;
}

thread_local! {
    static HOST: RefCell<Option<Rc<dyn Host>>> = const { RefCell::new(None) };
}

/// Puts a host in place on this thread, and answers the one before.
#[cfg_attr(
    not(feature = "testing"),
    expect(dead_code, reason = "only the tests' host comes here")
)]
pub(crate) fn replace(host: Option<Rc<dyn Host>>) -> Option<Rc<dyn Host>> {
    HOST.with(|slot| slot.replace(host))
}

fn current() -> Option<Rc<dyn Host>> {
    HOST.with(|slot| slot.borrow().clone())
}

fn host() -> HostResult<Rc<dyn Host>> {
    current().ok_or_else(|| {
        HostError::new(
            "no_host",
            "there is no host here, make a `testing::TestHost` first",
        )
    })
}

/// Bytes that a test made.
#[derive(Debug)]
pub(crate) struct InputStream(Vec<u8>);

impl InputStream {
    pub(crate) fn from_bytes(bytes: Vec<u8>) -> HostResult<Self> {
        Ok(Self(bytes))
    }

    pub(crate) fn read(&mut self, max: usize) -> HostResult<Option<Vec<u8>>> {
        let rest = self.0.split_off(max.min(self.0.len()));
        let now = std::mem::replace(&mut self.0, rest);
        Ok((!now.is_empty()).then_some(now))
    }
}

/// Requests come whole here.
#[derive(Debug)]
pub(crate) enum Incoming {}

impl Incoming {
    pub(crate) fn headers(&self) -> Headers {
        match *self {}
    }

    pub(crate) fn body(&self) -> Option<InputStream> {
        match *self {}
    }
}

pub(crate) fn caller() -> Caller {
    current().map(|host| host.caller()).unwrap_or_default()
}

pub(crate) fn project() -> Project {
    current().map(|host| host.project()).unwrap_or_default()
}

pub(crate) fn request_id() -> String {
    current().map(|host| host.request_id()).unwrap_or_default()
}

pub(crate) fn public_url() -> String {
    current().map(|host| host.public_url()).unwrap_or_default()
}

pub(crate) fn has_permission(permission: &str) -> bool {
    current().is_some_and(|host| host.has_permission(permission))
}

pub(crate) fn get_user(id: &str) -> HostResult<Option<User>> {
    Ok(host()?.users().into_iter().find(|user| user.id == id))
}

pub(crate) fn secret_plain(name: &str) -> HostResult<String> {
    host()?.stand_in(name, None)
}

pub(crate) fn secret_base64(before: &str, name: &str, behind: &str) -> HostResult<String> {
    host()?.stand_in(name, Some((before, behind)))
}

pub(crate) fn seal(context: &str, plain: &[u8]) -> HostResult<String> {
    host()?.seal(context, plain)
}

pub(crate) fn open_sealed(context: &str, sealed: &str) -> HostResult<Vec<u8>> {
    host()?.open_sealed(context, sealed)
}

pub(crate) fn renew_sealed(context: &str, sealed: &str) -> HostResult<Option<String>> {
    host()?.open_sealed(context, sealed).map(|_| None)
}

pub(crate) fn sign_in(credentials: Credentials) -> HostResult<Tokens> {
    let email = credentials.email.trim().to_lowercase();
    if host()?.password_of(&email) == Some(credentials.password) {
        return Ok(Tokens {
            access_token: format!("access token of {email}"),
            refresh_token: format!("refresh token of {email}"),
            expires_in: 900,
        });
    }
    Err(HostError::new(
        "invalid_credentials",
        "the email address or the password is wrong",
    ))
}

pub(crate) fn find_user(name: &str) -> HostResult<Option<User>> {
    let name = name.trim().to_lowercase();
    let handle = name.strip_prefix('@').unwrap_or(&name);
    let is_named = |user: &User| {
        let own = if handle.contains('@') {
            (&user.email, name.as_str())
        } else {
            (&user.handle, handle)
        };
        own.0.as_deref() == Some(own.1)
    };
    Ok(host()?.users().into_iter().find(is_named))
}

pub(crate) fn existing_users(ids: &[String]) -> HostResult<Vec<String>> {
    let users = host()?.users();
    let is_there = |id: &&String| users.iter().any(|user| user.id == **id);
    Ok(ids.iter().filter(is_there).cloned().collect())
}

pub(crate) fn free_ids(ids: &[String]) -> HostResult<Vec<String>> {
    let taken = host()?.users();
    let is_free = |id: &&String| !taken.iter().any(|user| user.id == **id);
    Ok(ids.iter().filter(is_free).cloned().collect())
}

pub(crate) fn add_user(user: NewUser) -> HostResult<()> {
    host()?.add_user(user)
}

pub(crate) fn list_users(limit: u32, cursor: Option<&str>) -> HostResult<UserPage> {
    let mut users = host()?.users();
    users.retain(|user| cursor.is_none_or(|cursor| user.id.as_str() > cursor));
    let limit = usize::try_from(limit.clamp(1, 100)).unwrap_or(usize::MAX);
    let more = users.len() > limit;
    users.truncate(limit);
    let next_cursor = users.last().filter(|_| more).map(|user| user.id.clone());
    Ok(UserPage { users, next_cursor })
}

/// How far a test has let time go by, milliseconds.
pub(crate) fn ahead_ms() -> i64 {
    host().map_or(0, |host| host.ahead_ms())
}

pub(crate) fn publish_later(
    name: &str,
    payload: &str,
    key: Option<&str>,
    _seconds: u32,
) -> HostResult<String> {
    host()?.publish(name, payload, key)
}

pub(crate) fn enqueue(
    name: &str,
    payload: &str,
    platform: bool,
    options: &Options,
) -> HostResult<Enqueued> {
    host()?.enqueue(name, payload, platform, options)
}

pub(crate) fn get_job(id: &str) -> HostResult<Option<Status>> {
    Ok(host()?.get_job(id))
}

pub(crate) fn cancel_job(id: &str) -> HostResult<bool> {
    Ok(host()?.cancel_job(id))
}

pub(crate) fn job_progress(percent: u8, message: Option<&str>) -> HostResult<()> {
    host()?.job_progress(percent, message)
}

pub(crate) fn put_schedule(name: &str, definition: &Definition) -> HostResult<Schedule> {
    host()?.put_schedule(name, definition)
}

pub(crate) fn get_schedule(name: &str) -> HostResult<Option<Schedule>> {
    let mut schedules = host()?.schedules().into_iter();
    Ok(schedules.find(|schedule| schedule.name == name))
}

pub(crate) fn remove_schedule(name: &str) -> HostResult<bool> {
    Ok(host()?.remove_schedule(name))
}

pub(crate) fn list_schedules(
    prefix: &str,
    limit: u32,
    cursor: Option<&str>,
) -> HostResult<SchedulePage> {
    let mut schedules = host()?.schedules();
    schedules.retain(|schedule| {
        schedule.name.starts_with(prefix)
            && cursor.is_none_or(|cursor| schedule.name.as_str() > cursor)
    });
    let limit = usize::try_from(limit.clamp(1, 100)).unwrap_or(usize::MAX);
    let more = schedules.len() > limit;
    schedules.truncate(limit);
    let last = schedules.last().filter(|_| more);
    Ok(SchedulePage {
        next_cursor: last.map(|schedule| schedule.name.clone()),
        schedules,
    })
}

pub(crate) fn run_schedule(name: &str) -> HostResult<Enqueued> {
    host()?.run_schedule(name)
}

pub(crate) fn explain_schedule(
    expression: &str,
    zone: &str,
    after_ms: Option<u64>,
    count: u32,
) -> HostResult<Explanation> {
    host()?.explain_schedule(expression, zone, after_ms, count)
}

pub(crate) fn publish_message(channel: &str, event: &str, data: &str) -> HostResult<String> {
    host()?.publish_message(channel, event, data)
}

pub(crate) fn mail_user(id: &str, mail: &Mail) -> HostResult<String> {
    host()?.mail(id, mail)
}

pub(crate) fn mail_address(address: &str, mail: &Mail) -> HostResult<String> {
    host()?.mail(address, mail)
}

pub(crate) fn config_get(key: &str) -> HostResult<Option<String>> {
    let config = current().map(|host| host.config()).unwrap_or_default();
    Ok(config
        .into_iter()
        .find(|(own, _)| own == key)
        .map(|(_, value)| value))
}

pub(crate) fn config_all() -> HostResult<Vec<(String, String)>> {
    let mut config = current().map(|host| host.config()).unwrap_or_default();
    // What the platform tells is answered by name alone.
    config.retain(|(key, _)| !key.starts_with("atlashub."));
    Ok(config)
}

pub(crate) fn log(level: log::Level, _target: &str, message: &str) {
    if let Some(host) = current() {
        host.log(level, message);
    }
}

pub(crate) fn send(call: Call, source: Source) -> HostResult<Answer> {
    let body = match source {
        Source::Bytes(bytes) | Source::Stream(InputStream(bytes)) => bytes,
    };
    host()?.send(call, body)
}

pub(crate) fn sql_dialect() -> String {
    "sqlite".to_owned()
}

pub(crate) fn sql_query(sql: &str, parameters: Vec<Value>) -> HostResult<Rows> {
    host()?.sql_query(sql, parameters)
}

pub(crate) fn sql_execute(sql: &str, parameters: Vec<Value>) -> HostResult<u64> {
    host()?.sql_execute(sql, parameters)
}

/// A transaction of the only connection.
#[derive(Debug)]
pub(crate) struct SqlTransaction {
    open: bool,
}

impl SqlTransaction {
    pub(crate) fn begin() -> HostResult<Self> {
        sql_execute("BEGIN IMMEDIATE", Vec::new())?;
        Ok(Self { open: true })
    }

    pub(crate) fn query(&self, sql: &str, parameters: Vec<Value>) -> HostResult<Rows> {
        sql_query(sql, parameters)
    }

    pub(crate) fn execute(&self, sql: &str, parameters: Vec<Value>) -> HostResult<u64> {
        sql_execute(sql, parameters)
    }

    pub(crate) fn commit(mut self) -> HostResult<()> {
        self.open = false;
        sql_execute("COMMIT", Vec::new()).map(drop)
    }

    pub(crate) fn rollback(mut self) -> HostResult<()> {
        self.open = false;
        sql_execute("ROLLBACK", Vec::new()).map(drop)
    }
}

impl Drop for SqlTransaction {
    fn drop(&mut self) {
        if self.open
            && let Err(error) = sql_execute("ROLLBACK", Vec::new())
        {
            log::error!("roll back: {}", error.message);
        }
    }
}

/// A result, read whole.
#[derive(Debug)]
pub(crate) struct SqlCursor {
    columns: Vec<String>,
    rows: std::vec::IntoIter<Vec<Value>>,
}

impl SqlCursor {
    pub(crate) fn open(sql: &str, parameters: Vec<Value>) -> HostResult<Self> {
        let Rows { columns, rows } = sql_query(sql, parameters)?;
        Ok(Self {
            columns,
            rows: rows.into_iter(),
        })
    }

    pub(crate) fn next(&mut self, max: u32) -> HostResult<Rows> {
        let rows = self
            .rows
            .by_ref()
            .take(usize::try_from(max).unwrap_or(usize::MAX))
            .collect();
        Ok(Rows {
            columns: self.columns.clone(),
            rows,
        })
    }
}

pub(crate) fn database_dialect() -> String {
    "sqlite".to_owned()
}

pub(crate) fn database_schema_version() -> HostResult<u64> {
    Ok(host()?.database_schema_version())
}

pub(crate) fn database_describe() -> HostResult<Vec<Table>> {
    host()?.database_describe()
}

pub(crate) fn database_told() -> HostResult<Vec<String>> {
    host()?.database_told()
}

pub(crate) fn definitions_read() -> HostResult<String> {
    host()?.definitions_read()
}

pub(crate) fn definitions_check(tables: &str) -> HostResult<String> {
    host()?.definitions_check(tables)
}

pub(crate) fn definitions_create(tables: &str) -> HostResult<()> {
    host()?.definitions_create(tables)
}

pub(crate) fn definitions_alter(table: &str, changes: &str) -> HostResult<()> {
    host()?.definitions_alter(table, changes)
}

pub(crate) fn definitions_remove(table: &str) -> HostResult<()> {
    host()?.definitions_remove(table)
}

pub(crate) fn definitions_set_policies(table: &str, policies: &str) -> HostResult<()> {
    host()?.definitions_set_policies(table, policies)
}

pub(crate) fn database_query(sql: &str, parameters: Vec<Value>) -> HostResult<Rows> {
    host()?.database_query(sql, parameters)
}

pub(crate) fn database_execute(sql: &str, parameters: Vec<Value>) -> HostResult<u64> {
    host()?.database_execute(sql, parameters)
}

/// A transaction of the only connection to the project's tables.
#[derive(Debug)]
pub(crate) struct DatabaseTransaction {
    open: bool,
}

/// A table that keeps which transactions were committed.
const ENDED: &str = "CREATE TABLE IF NOT EXISTS public._atlashub_ended (name TEXT PRIMARY KEY)";

pub(crate) fn database_was_committed(name: &str) -> HostResult<Option<bool>> {
    database_execute(ENDED, Vec::new())?;
    let found = database_query(
        "SELECT 1 FROM public._atlashub_ended WHERE name = $1",
        vec![Value::from(name)],
    )?;
    Ok(Some(!found.rows.is_empty()))
}

impl DatabaseTransaction {
    pub(crate) fn begin() -> HostResult<Self> {
        database_execute("BEGIN IMMEDIATE", Vec::new())?;
        Ok(Self { open: true })
    }

    pub(crate) fn identify(&self) -> HostResult<String> {
        database_execute(ENDED, Vec::new())?;
        let made = database_query(
            "INSERT INTO public._atlashub_ended VALUES (lower(hex(randomblob(16)))) RETURNING name",
            Vec::new(),
        )?;
        match made.rows.into_iter().flatten().next() {
            Some(Value::Text(name)) => Ok(name),
            _ => Err(HostError::new("internal", "the transaction got no name")),
        }
    }

    pub(crate) fn query(&self, sql: &str, parameters: Vec<Value>) -> HostResult<Rows> {
        database_query(sql, parameters)
    }

    pub(crate) fn execute(&self, sql: &str, parameters: Vec<Value>) -> HostResult<u64> {
        database_execute(sql, parameters)
    }

    pub(crate) fn commit(mut self) -> HostResult<()> {
        self.open = false;
        database_execute("COMMIT", Vec::new()).map(drop)
    }

    pub(crate) fn rollback(mut self) -> HostResult<()> {
        self.open = false;
        database_execute("ROLLBACK", Vec::new()).map(drop)
    }
}

impl Drop for DatabaseTransaction {
    fn drop(&mut self) {
        if self.open
            && let Err(error) = database_execute("ROLLBACK", Vec::new())
        {
            log::error!("roll back: {}", error.message);
        }
    }
}

/// Rows that were read, as lines.
#[derive(Debug)]
pub(crate) struct DatabaseReader(std::cell::RefCell<Option<Vec<u8>>>);

impl DatabaseReader {
    pub(crate) fn open(sql: &str) -> HostResult<Self> {
        let rows = database_query(sql, Vec::new())?;
        let mut lines = String::new();
        for row in &rows.rows {
            let cells: Vec<String> = row.iter().map(cell_of_line).collect();
            lines.push_str(&cells.join("\t"));
            lines.push('\n');
        }
        let lines = (!lines.is_empty()).then(|| lines.into_bytes());
        Ok(Self(std::cell::RefCell::new(lines)))
    }

    pub(crate) fn read(&self) -> HostResult<Option<Vec<u8>>> {
        Ok(self.0.take())
    }
}

fn cell_of_line(value: &Value) -> String {
    match value {
        Value::Null => "\\N".to_owned(),
        Value::Boolean(value) => u8::from(*value).to_string(),
        Value::Integer(value) => value.to_string(),
        Value::Real(value) => format!("{value:?}"),
        Value::Text(text) => text
            .replace('\\', "\\\\")
            .replace('\t', "\\t")
            .replace('\n', "\\n")
            .replace('\r', "\\r"),
        Value::Blob(bytes) => {
            let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("\\\\x{}", digits.concat())
        }
    }
}

/// Rows on their way into a table, row by row.
#[derive(Debug)]
pub(crate) struct DatabaseWriter {
    transaction: DatabaseTransaction,
    sql: String,
    /// Which of the columns hold bytes.
    bytes: Vec<bool>,
    rows: std::cell::Cell<u64>,
}

impl DatabaseWriter {
    pub(crate) fn begin(table: &str, columns: &[String]) -> HostResult<Self> {
        let tables = database_describe()?;
        let found = tables.iter().find(|own| own.name == table);
        let found = found.ok_or_else(|| HostError::new("not_found", "there is no such table"))?;
        let bytes = columns
            .iter()
            .map(|name| {
                let mut own = found.columns.iter();
                let column = own.find(|column| column.name == *name && !column.generated);
                column.map(|column| column.kind == "bytes")
            })
            .collect::<Option<Vec<bool>>>()
            .ok_or_else(|| HostError::new("not_found", "there is no such column"))?;
        let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
        let names: Vec<String> = columns.iter().map(|name| quoted(name)).collect();
        let places: Vec<String> = (1..=columns.len()).map(|at| format!("${at}")).collect();
        Ok(Self {
            transaction: DatabaseTransaction::begin()?,
            sql: format!(
                "INSERT INTO public.{} ({}) VALUES ({})",
                quoted(table),
                names.join(", "),
                places.join(", ")
            ),
            bytes,
            rows: std::cell::Cell::new(0),
        })
    }

    pub(crate) fn write(&self, lines: &[u8]) -> HostResult<()> {
        for line in String::from_utf8_lossy(lines).split_terminator('\n') {
            let values = line
                .split('\t')
                .zip(&self.bytes)
                .map(|(cell, is_bytes)| value_of_cell(cell, *is_bytes))
                .collect();
            self.transaction.execute(&self.sql, values)?;
            self.rows.set(self.rows.get() + 1);
        }
        Ok(())
    }

    pub(crate) fn finish(&self) -> HostResult<u64> {
        Ok(self.rows.get())
    }

    pub(crate) fn identify(&self) -> HostResult<String> {
        self.transaction.identify()
    }

    pub(crate) fn commit(self) -> HostResult<()> {
        self.transaction.commit()
    }
}

fn value_of_cell(cell: &str, is_bytes: bool) -> Value {
    if cell == "\\N" {
        return Value::Null;
    }
    let mut text = String::new();
    let mut chars = cell.chars();
    while let Some(c) = chars.next() {
        text.push(match c {
            '\\' => match chars.next() {
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some(other) => other,
                None => break,
            },
            other => other,
        });
    }
    let digits = text.strip_prefix("\\x").filter(|_| is_bytes);
    let bytes = digits.and_then(|digits| {
        let mut pairs = (0..digits.len()).step_by(2);
        pairs.try_fold(Vec::new(), |mut bytes, at| {
            bytes.push(u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()?);
            Some(bytes)
        })
    });
    bytes.map_or(Value::Text(text), Value::Blob)
}

pub(crate) fn publish(name: &str, payload: &str, key: Option<&str>) -> HostResult<String> {
    host()?.publish(name, payload, key)
}

pub(crate) fn audit_append(action: &str, target: Option<&str>, details: &str) -> HostResult<()> {
    host()?.audit_append(action, target, details);
    Ok(())
}

pub(crate) fn kv_get(key: &str) -> HostResult<Option<Entry<Vec<u8>>>> {
    Ok(host()?.kv_get(key))
}

pub(crate) fn kv_set(key: &str, value: &[u8], ttl_ms: Option<u64>) -> HostResult<u64> {
    Ok(host()?.kv_set(key, value, ttl_ms))
}

pub(crate) fn kv_compare_and_swap(
    key: &str,
    version: Option<u64>,
    value: &[u8],
    ttl_ms: Option<u64>,
) -> HostResult<Option<u64>> {
    let host = host()?;
    if host.kv_get(key).map(|entry| entry.version) != version {
        return Ok(None);
    }
    Ok(Some(host.kv_set(key, value, ttl_ms)))
}

pub(crate) fn kv_delete(key: &str) -> HostResult<bool> {
    Ok(host()?.kv_delete(key))
}

pub(crate) fn kv_list(prefix: &str, after: Option<&str>, limit: u32) -> HostResult<Vec<String>> {
    let mut keys = host()?.kv_keys();
    keys.retain(|key| key.starts_with(prefix) && after.is_none_or(|after| key.as_str() > after));
    keys.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(keys)
}

pub(crate) fn blob_put(
    bucket: &str,
    source: InputStream,
    options: &PutOptions,
) -> HostResult<Stored> {
    host()?.blob_put(bucket, source.0, options)
}

pub(crate) fn blob_put_bytes(
    bucket: &str,
    bytes: &[u8],
    options: &PutOptions,
) -> HostResult<Stored> {
    host()?.blob_put(bucket, bytes.to_vec(), options)
}

pub(crate) fn blob_put_part(
    bucket: &str,
    key: &str,
    source: InputStream,
    options: &PartOptions,
) -> HostResult<UploadPart> {
    let put = PutOptions {
        key: Some(key.to_owned()),
        create_only: true,
        expected_size: options.expected_size,
        max_size: options.max_size,
    };
    let host = host()?;
    let is_right = match &options.checksum {
        None => true,
        Some(checksum) => host.blob_fits(&source.0, checksum),
    };
    if !is_right {
        return Err(HostError::new(
            "checksum_mismatch",
            "the bytes are not those of the checksum",
        ));
    }
    let stored = host.blob_put(bucket, source.0, &put)?;
    Ok(UploadPart {
        size: stored.object.size,
        sha256: stored.sha256,
        head: stored.head,
        complete: true,
    })
}

pub(crate) fn blob_join(bucket: &str, keys: &[String], into: &str) -> HostResult<Stored> {
    let host = host()?;
    let mut bytes = Vec::new();
    for key in keys {
        bytes.extend(host.blob_read(bucket, key, None)?);
    }
    let options = PutOptions {
        key: Some(into.to_owned()),
        create_only: true,
        ..PutOptions::default()
    };
    host.blob_put(bucket, bytes, &options)
}

pub(crate) fn blob_stat(bucket: &str, key: &str) -> HostResult<Object> {
    host()?.blob_stat(bucket, key)
}

pub(crate) fn blob_read(
    bucket: &str,
    key: &str,
    range: Option<Range<u64>>,
) -> HostResult<InputStream> {
    host()?.blob_read(bucket, key, range).map(InputStream)
}

pub(crate) fn blob_delete(bucket: &str, key: &str) -> HostResult<bool> {
    host()?.blob_delete(bucket, key)
}

pub(crate) fn blob_list(
    bucket: &str,
    prefix: &str,
    cursor: Option<&str>,
    limit: u32,
) -> HostResult<Page> {
    let host = host()?;
    let mut keys = host.blob_keys(bucket)?;
    keys.retain(|key| key.starts_with(prefix) && cursor.is_none_or(|cursor| key.as_str() > cursor));
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = keys.len() > limit;
    keys.truncate(limit);
    let next = if more { keys.last().cloned() } else { None };
    let objects = keys
        .iter()
        .map(|key| host.blob_stat(bucket, key))
        .collect::<HostResult<_>>()?;
    Ok(Page { objects, next })
}

pub(crate) fn blob_sign_read(
    bucket: &str,
    key: &str,
    _content_type: Option<&str>,
    _disposition: Option<&str>,
    _valid_for_seconds: u32,
) -> HostResult<String> {
    let host = host()?;
    host.blob_stat(bucket, key)?;
    host.blob_sign(bucket, key, false)
}

pub(crate) fn blob_sign_write(
    bucket: &str,
    key: &str,
    _content_type: Option<&str>,
    _max_size: u64,
    _valid_for_seconds: u32,
) -> HostResult<String> {
    host()?.blob_sign(bucket, key, true)
}

pub(crate) fn blob_announce(
    bucket: &str,
    key: &str,
    announced: &Announced,
    _valid_for_seconds: u32,
) -> HostResult<String> {
    host()?.blob_announce(bucket, key, announced)
}

/// What the link of an announced upload does.
pub(crate) fn blob_arrive(bucket: &str, key: &str, bytes: &[u8]) -> HostResult<()> {
    host()?.blob_arrive(bucket, key, bytes)
}

pub(crate) fn blob_settle(bucket: &str, key: &str, digest: bool) -> HostResult<Settled> {
    host()?.blob_settle(bucket, key, digest)
}

/// A form in memory.
#[derive(Debug)]
pub(crate) struct MultipartParser(std::vec::IntoIter<Part>);

impl MultipartParser {
    pub(crate) fn open(source: InputStream, content_type: &str) -> HostResult<Self> {
        Ok(Self(form::parts(&source.0, content_type)?.into_iter()))
    }

    pub(crate) fn next(&mut self) -> HostResult<Option<Part>> {
        Ok(self.0.next())
    }
}

mod form {
    //! Forms as tests write them: whole, in memory.

    use crate::{
        Body,
        host::{HostError, HostResult},
        multipart::Part,
    };

    pub(super) fn parts(body: &[u8], content_type: &str) -> HostResult<Vec<Part>> {
        let invalid = |why: &str| HostError::new("multipart_invalid", why);
        let boundary = parameter(content_type, "boundary")
            .ok_or_else(|| invalid("the boundary is missing"))?;
        let delimiter = format!("--{boundary}");
        let mut parts = Vec::new();
        let mut rest = find(body, delimiter.as_bytes())
            .ok_or_else(|| invalid("there is no part"))?
            .1;
        while let Some(after) = rest.strip_prefix(b"\r\n") {
            let (head, after) =
                find(after, b"\r\n\r\n").ok_or_else(|| invalid("a part has no head"))?;
            let (bytes, after) = find(after, format!("\r\n{delimiter}").as_bytes())
                .ok_or_else(|| invalid("a part has no end"))?;
            let head = String::from_utf8_lossy(head);
            let field = |name: &str| {
                head.lines().find_map(|line| {
                    let (own, value) = line.split_once(':')?;
                    own.eq_ignore_ascii_case(name)
                        .then(|| value.trim().to_owned())
                })
            };
            let disposition = field("content-disposition").unwrap_or_default();
            parts.push(Part {
                name: parameter(&disposition, "name")
                    .ok_or_else(|| invalid("a part has no name"))?,
                filename: parameter(&disposition, "filename"),
                content_type: field("content-type"),
                body: Body::from(bytes.to_vec()),
            });
            rest = after;
        }
        if rest.starts_with(b"--") {
            Ok(parts)
        } else {
            Err(invalid("the form has no end"))
        }
    }

    fn find<'a>(bytes: &'a [u8], what: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
        let at = bytes
            .windows(what.len())
            .position(|window| window == what)?;
        let (before, rest) = bytes.split_at_checked(at)?;
        Some((before, rest.get(what.len()..)?))
    }

    fn parameter(text: &str, name: &str) -> Option<String> {
        text.split(';').skip(1).find_map(|parameter| {
            let (own, value) = parameter.trim().split_once('=')?;
            own.eq_ignore_ascii_case(name)
                .then(|| unescaped(value.trim_matches('"')))
        })
    }

    /// As the host does.
    fn unescaped(name: &str) -> String {
        name.replace("%22", "\"")
            .replace("%0D", "\r")
            .replace("%0A", "\n")
    }
}
