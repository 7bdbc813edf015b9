//! The capabilities over the WIT bindings: names and types are translated,
//! nothing else.

use super::{HostError, HostResult, streams::InputStream};
use crate::{
    Body,
    bindings::imports::{
        atlashub::{
            audit::log as wit_audit,
            blob::objects,
            channel::hub as wit_channel,
            database::{client as wit_database, definitions as wit_definitions},
            direct::uploads as wit_direct,
            events::publisher as wit_events,
            identity::caller as wit_caller,
            jobs::{queue as wit_jobs, schedules as wit_schedules},
            kv::store as wit_kv,
            mail::sender as wit_mail,
            multipart::form as wit_form,
            secret::{sealing as wit_sealing, stand_ins as wit_secret},
            sign_in::sessions as wit_sign_in,
            sql::client as wit_sql,
            upload::parts,
            users::{accounts as wit_accounts, directory as wit_users},
        },
        wasi::{
            config::store as wit_config,
            http::types::{IncomingBody, OutgoingResponse},
            logging::logging as wit_log,
        },
    },
    blob::{
        Announced, Checksum, Object, Page, Part as UploadPart, PartOptions, PutOptions, Served,
        Settled, Stored,
    },
    channel::Held,
    database::{Column, ForeignKey, Table},
    identity::{Caller, Project},
    jobs::{Enqueued, Options, Status},
    kv::Entry,
    mail::Mail,
    multipart::Part,
    schedules::{CatchUp, Definition, Explanation, Page as SchedulePage, Schedule},
    sign_in::{Credentials, Tokens},
    sql::{Rows, Value},
    users::{NewUser, Page as UserPage, User},
};
use std::ops::Range;

macro_rules! host_error {
    ($($module:ident)*) => {
        $(impl From<$module::Error> for HostError {
            fn from(error: $module::Error) -> Self {
                Self::new(&error.code, error.message)
            }
        })*
    };
}

host_error! { wit_audit wit_channel wit_events wit_jobs wit_mail wit_sql wit_kv wit_form wit_sealing wit_secret wit_users wit_accounts }

impl From<objects::Error> for HostError {
    fn from(error: objects::Error) -> Self {
        Self {
            details: error.details,
            ..Self::new(&error.code, error.message)
        }
    }
}

impl From<wit_database::Error> for HostError {
    fn from(error: wit_database::Error) -> Self {
        Self {
            sqlstate: error.sqlstate,
            ..Self::new(&error.code, error.message)
        }
    }
}

// Identity

pub(crate) fn caller() -> Caller {
    let wit_caller::Caller {
        kind,
        id,
        roles,
        via_plugin,
    } = wit_caller::get_caller();
    let Ok(kind) = kind.parse();
    Caller {
        kind,
        id,
        roles,
        via_plugin,
    }
}

pub(crate) fn project() -> Project {
    let wit_caller::Project { id, slug } = wit_caller::get_project();
    Project { id, slug }
}

pub(crate) fn request_id() -> String {
    wit_caller::get_request_id()
}

pub(crate) fn public_url() -> String {
    wit_caller::get_public_url()
}

// Users

fn user(user: wit_users::User) -> User {
    User {
        id: user.id,
        email: user.email,
        handle: user.handle,
        name: user.name,
        roles: user.roles,
        created_at: user.created_at,
    }
}

pub(crate) fn has_permission(permission: &str) -> bool {
    wit_users::has_permission(permission)
}

pub(crate) fn get_user(id: &str) -> HostResult<Option<User>> {
    Ok(wit_users::get_user(id)?.map(user))
}

pub(crate) fn find_user(name: &str) -> HostResult<Option<User>> {
    Ok(wit_users::find_user(name)?.map(user))
}

pub(crate) fn existing_users(ids: &[String]) -> HostResult<Vec<String>> {
    Ok(wit_users::existing_users(ids)?)
}

pub(crate) fn list_users(limit: u32, cursor: Option<&str>) -> HostResult<UserPage> {
    let page = wit_users::list_users(limit, cursor)?;
    Ok(UserPage {
        users: page.users.into_iter().map(user).collect(),
        next_cursor: page.next_cursor,
    })
}

pub(crate) fn free_ids(ids: &[String]) -> HostResult<Vec<String>> {
    Ok(wit_accounts::free_ids(ids)?)
}

pub(crate) fn add_user(user: NewUser) -> HostResult<()> {
    Ok(wit_accounts::add_user(&wit_accounts::NewUser {
        id: user.id,
        email: user.email,
        handle: user.handle,
        name: user.name,
        roles: user.roles,
    })?)
}

// Secrets

pub(crate) fn secret_plain(name: &str) -> HostResult<String> {
    Ok(wit_secret::plain(name)?)
}

pub(crate) fn secret_base64(before: &str, name: &str, behind: &str) -> HostResult<String> {
    Ok(wit_secret::base64(before, name, behind)?)
}

pub(crate) fn seal(context: &str, plain: &[u8]) -> HostResult<String> {
    Ok(wit_sealing::seal(context, plain)?)
}

pub(crate) fn open_sealed(context: &str, sealed: &str) -> HostResult<Vec<u8>> {
    Ok(wit_sealing::open(context, sealed)?)
}

pub(crate) fn renew_sealed(context: &str, sealed: &str) -> HostResult<Option<String>> {
    Ok(wit_sealing::renew(context, sealed)?)
}

// Sign-in

impl From<wit_sign_in::Error> for HostError {
    fn from(error: wit_sign_in::Error) -> Self {
        Self {
            retry_after: error.retry_after,
            ..Self::new(&error.code, error.message)
        }
    }
}

pub(crate) fn sign_in(credentials: Credentials) -> HostResult<Tokens> {
    let tokens = wit_sign_in::with_password(&wit_sign_in::Credentials {
        email: credentials.email,
        password: credentials.password,
        totp_code: credentials.totp_code,
        user_agent: credentials.user_agent,
    })?;
    Ok(Tokens {
        access_token: tokens.access_token,
        refresh_token: tokens.refresh_token,
        expires_in: tokens.expires_in,
    })
}

// Events

pub(crate) fn publish(name: &str, payload: &str, key: Option<&str>) -> HostResult<String> {
    Ok(wit_events::publish(name, payload, key)?)
}

pub(crate) fn publish_later(
    name: &str,
    payload: &str,
    key: Option<&str>,
    seconds: u32,
) -> HostResult<String> {
    Ok(wit_events::publish_later(name, payload, key, seconds)?)
}

// Jobs, schedules

fn enqueued(added: wit_jobs::Enqueued) -> Enqueued {
    Enqueued {
        id: added.id,
        existing: added.existing,
    }
}

pub(crate) fn enqueue(
    name: &str,
    payload: &str,
    platform: bool,
    options: &Options,
) -> HostResult<Enqueued> {
    let options = wit_jobs::Options {
        run_at_ms: options.run_at_ms,
        delay_ms: options.delay_ms,
        priority: options.priority,
        unique_key: options.unique_key.clone(),
        ordering_key: options.ordering_key.clone(),
        max_attempts: options.max_attempts,
        timeout_ms: options.timeout_ms,
    };
    let added = if platform {
        wit_jobs::enqueue_platform(name, payload, &options)?
    } else {
        wit_jobs::enqueue(name, payload, &options)?
    };
    Ok(enqueued(added))
}

pub(crate) fn get_job(id: &str) -> HostResult<Option<Status>> {
    Ok(wit_jobs::get(id)?.map(|job| Status {
        id: job.id,
        name: job.name,
        platform: job.platform,
        state: job.state,
        payload: job.payload,
        attempt: job.attempt,
        max_attempts: job.max_attempts,
        priority: job.priority,
        due_ms: job.due_ms,
        created_ms: job.created_ms,
        started_ms: job.started_ms,
        finished_ms: job.finished_ms,
        progress: job.progress,
        progress_message: job.progress_message,
        error_code: job.error_code,
        error_message: job.error_message,
        schedule: job.schedule,
        scheduled_ms: job.scheduled_ms,
    }))
}

pub(crate) fn cancel_job(id: &str) -> HostResult<bool> {
    Ok(wit_jobs::cancel(id)?)
}

pub(crate) fn job_progress(percent: u8, message: Option<&str>) -> HostResult<()> {
    Ok(wit_jobs::progress(percent, message)?)
}

fn schedule(schedule: wit_schedules::Schedule) -> Schedule {
    let definition = schedule.definition;
    Schedule {
        name: schedule.name,
        definition: Definition {
            job: definition.job,
            expression: definition.expression,
            zone: definition.zone,
            catch_up: match definition.catch_up.as_str() {
                "skip" => CatchUp::Skip,
                "all" => CatchUp::All,
                _ => CatchUp::Once,
            },
            overlap: definition.overlap,
            payload: definition.payload,
            enabled: definition.enabled,
        },
        fixed: schedule.fixed,
        paused: schedule.paused,
        next_ms: schedule.next_ms,
        last_due_ms: schedule.last_due_ms,
        last_job: schedule.last_job,
        missed: schedule.missed,
        last_missed_ms: schedule.last_missed_ms,
        created_ms: schedule.created_ms,
        updated_ms: schedule.updated_ms,
    }
}

pub(crate) fn put_schedule(name: &str, definition: &Definition) -> HostResult<Schedule> {
    let definition = wit_schedules::Definition {
        job: definition.job.clone(),
        expression: definition.expression.clone(),
        zone: definition.zone.clone(),
        catch_up: definition.catch_up.as_str().to_owned(),
        overlap: definition.overlap,
        payload: definition.payload.clone(),
        enabled: definition.enabled,
    };
    Ok(schedule(wit_schedules::put(name, &definition)?))
}

pub(crate) fn get_schedule(name: &str) -> HostResult<Option<Schedule>> {
    Ok(wit_schedules::get(name)?.map(schedule))
}

pub(crate) fn remove_schedule(name: &str) -> HostResult<bool> {
    Ok(wit_schedules::remove(name)?)
}

pub(crate) fn list_schedules(
    prefix: &str,
    limit: u32,
    cursor: Option<&str>,
) -> HostResult<SchedulePage> {
    let page = wit_schedules::list(prefix, limit, cursor)?;
    Ok(SchedulePage {
        schedules: page.schedules.into_iter().map(schedule).collect(),
        next_cursor: page.next_cursor,
    })
}

pub(crate) fn run_schedule(name: &str) -> HostResult<Enqueued> {
    Ok(enqueued(wit_schedules::run_now(name)?))
}

pub(crate) fn explain_schedule(
    expression: &str,
    zone: &str,
    after_ms: Option<u64>,
    count: u32,
) -> HostResult<Explanation> {
    let explained = wit_schedules::explain(expression, zone, after_ms, count)?;
    Ok(Explanation {
        expression: explained.expression,
        next_ms: explained.next_ms,
    })
}

// Channels, mails

/// Lets the client of an answer listen to a channel.
pub(crate) type AttachChannel = fn(&Held, &OutgoingResponse) -> HostResult<()>;

pub(crate) fn hold(held: &Held, response: &OutgoingResponse) -> HostResult<()> {
    Ok(wit_channel::hold(
        &held.channel,
        held.last_id.as_deref(),
        response,
    )?)
}

pub(crate) fn publish_message(channel: &str, event: &str, data: &str) -> HostResult<String> {
    Ok(wit_channel::publish(channel, event, data)?)
}

fn template(mail: &Mail) -> wit_mail::Template {
    wit_mail::Template {
        subject: mail.subject.clone(),
        text: mail.text.clone(),
        html: mail.html.clone(),
    }
}

pub(crate) fn mail_user(id: &str, mail: &Mail) -> HostResult<String> {
    let key = mail.key.as_deref();
    Ok(wit_mail::send_to_user(
        id,
        &template(mail),
        &mail.values,
        key,
    )?)
}

pub(crate) fn mail_address(address: &str, mail: &Mail) -> HostResult<String> {
    let key = mail.key.as_deref();
    Ok(wit_mail::send_to_address(
        address,
        &template(mail),
        &mail.values,
        key,
    )?)
}

// Configuration, log

fn config_error(error: wit_config::Error) -> HostError {
    match error {
        wit_config::Error::Upstream(message) | wit_config::Error::Io(message) => {
            HostError::new("internal", message)
        }
    }
}

pub(crate) fn config_get(key: &str) -> HostResult<Option<String>> {
    wit_config::get(key).map_err(config_error)
}

pub(crate) fn config_all() -> HostResult<Vec<(String, String)>> {
    wit_config::get_all().map_err(config_error)
}

pub(crate) fn log(level: log::Level, target: &str, message: &str) {
    let level = match level {
        log::Level::Trace => wit_log::Level::Trace,
        log::Level::Debug => wit_log::Level::Debug,
        log::Level::Info => wit_log::Level::Info,
        log::Level::Warn => wit_log::Level::Warn,
        log::Level::Error => wit_log::Level::Error,
    };
    wit_log::log(level, target, message);
}

// SQL

fn to_wit(values: Vec<Value>) -> Vec<wit_sql::Value> {
    let convert = |value| match value {
        Value::Null => wit_sql::Value::Null,
        Value::Boolean(value) => wit_sql::Value::Boolean(value),
        Value::Integer(value) => wit_sql::Value::Integer(value),
        Value::Real(value) => wit_sql::Value::Real(value),
        Value::Text(value) => wit_sql::Value::Text(value),
        Value::Blob(value) => wit_sql::Value::Blob(value),
    };
    values.into_iter().map(convert).collect()
}

fn from_wit(rows: wit_sql::Rows) -> Rows {
    let convert = |value| match value {
        wit_sql::Value::Null => Value::Null,
        wit_sql::Value::Boolean(value) => Value::Boolean(value),
        wit_sql::Value::Integer(value) => Value::Integer(value),
        wit_sql::Value::Real(value) => Value::Real(value),
        wit_sql::Value::Text(value) => Value::Text(value),
        wit_sql::Value::Blob(value) => Value::Blob(value),
    };
    Rows {
        columns: rows.columns,
        rows: rows
            .rows
            .into_iter()
            .map(|row| row.into_iter().map(convert).collect())
            .collect(),
    }
}

pub(crate) fn sql_dialect() -> String {
    wit_sql::get_dialect()
}

pub(crate) fn sql_query(sql: &str, parameters: Vec<Value>) -> HostResult<Rows> {
    Ok(from_wit(wit_sql::query(sql, &to_wit(parameters))?))
}

pub(crate) fn sql_execute(sql: &str, parameters: Vec<Value>) -> HostResult<u64> {
    Ok(wit_sql::execute(sql, &to_wit(parameters))?)
}

#[derive(Debug)]
pub(crate) struct SqlTransaction(wit_sql::Transaction);

impl SqlTransaction {
    pub(crate) fn begin() -> HostResult<Self> {
        Ok(Self(wit_sql::Transaction::begin()?))
    }

    pub(crate) fn query(&self, sql: &str, parameters: Vec<Value>) -> HostResult<Rows> {
        Ok(from_wit(self.0.query(sql, &to_wit(parameters))?))
    }

    pub(crate) fn execute(&self, sql: &str, parameters: Vec<Value>) -> HostResult<u64> {
        Ok(self.0.execute(sql, &to_wit(parameters))?)
    }

    pub(crate) fn commit(self) -> HostResult<()> {
        Ok(wit_sql::Transaction::commit(self.0)?)
    }

    pub(crate) fn rollback(self) -> HostResult<()> {
        Ok(wit_sql::Transaction::rollback(self.0)?)
    }
}

#[derive(Debug)]
pub(crate) struct SqlCursor(wit_sql::Cursor);

impl SqlCursor {
    pub(crate) fn open(sql: &str, parameters: Vec<Value>) -> HostResult<Self> {
        Ok(Self(wit_sql::Cursor::open(sql, &to_wit(parameters))?))
    }

    pub(crate) fn next(&mut self, max: u32) -> HostResult<Rows> {
        Ok(from_wit(self.0.next(max)?))
    }
}

// The project's tables

pub(crate) fn database_dialect() -> String {
    wit_database::get_dialect()
}

pub(crate) fn database_schema_version() -> HostResult<u64> {
    Ok(wit_database::get_schema_version()?)
}

pub(crate) fn database_describe() -> HostResult<Vec<Table>> {
    let column = |column: wit_database::Column| Column {
        name: column.name,
        data_type: column.data_type,
        kind: column.kind,
        nullable: column.nullable,
        default: column.default,
        generated: column.generated,
    };
    let foreign_key = |key: wit_database::ForeignKey| ForeignKey {
        name: key.name,
        columns: key.columns,
        table: key.table,
        references: key.references,
    };
    let table = |table: wit_database::Table| Table {
        name: table.name,
        kind: table.kind,
        columns: table.columns.into_iter().map(column).collect(),
        primary_key: table.primary_key,
        unique: table.unique,
        foreign_keys: table.foreign_keys.into_iter().map(foreign_key).collect(),
    };
    Ok(wit_database::describe()?.into_iter().map(table).collect())
}

pub(crate) fn database_told() -> HostResult<Vec<String>> {
    Ok(wit_database::list_told()?)
}

pub(crate) fn definitions_read() -> HostResult<String> {
    Ok(wit_definitions::read()?)
}

pub(crate) fn definitions_check(tables: &str) -> HostResult<String> {
    Ok(wit_definitions::check(tables)?)
}

pub(crate) fn definitions_create(tables: &str) -> HostResult<()> {
    Ok(wit_definitions::create(tables)?)
}

pub(crate) fn definitions_alter(table: &str, changes: &str) -> HostResult<()> {
    Ok(wit_definitions::alter(table, changes)?)
}

pub(crate) fn definitions_remove(table: &str) -> HostResult<()> {
    Ok(wit_definitions::remove(table)?)
}

pub(crate) fn definitions_set_policies(table: &str, policies: &str) -> HostResult<()> {
    Ok(wit_definitions::set_policies(table, policies)?)
}

pub(crate) fn database_query(sql: &str, parameters: Vec<Value>) -> HostResult<Rows> {
    Ok(from_wit(wit_database::query(sql, &to_wit(parameters))?))
}

pub(crate) fn database_execute(sql: &str, parameters: Vec<Value>) -> HostResult<u64> {
    Ok(wit_database::execute(sql, &to_wit(parameters))?)
}

#[derive(Debug)]
pub(crate) struct DatabaseTransaction(wit_database::Transaction);

pub(crate) fn database_was_committed(name: &str) -> HostResult<Option<bool>> {
    Ok(wit_database::was_committed(name)?)
}

impl DatabaseTransaction {
    pub(crate) fn begin() -> HostResult<Self> {
        Ok(Self(wit_database::Transaction::begin()?))
    }

    pub(crate) fn identify(&self) -> HostResult<String> {
        Ok(self.0.identify()?)
    }

    pub(crate) fn query(&self, sql: &str, parameters: Vec<Value>) -> HostResult<Rows> {
        Ok(from_wit(self.0.query(sql, &to_wit(parameters))?))
    }

    pub(crate) fn execute(&self, sql: &str, parameters: Vec<Value>) -> HostResult<u64> {
        Ok(self.0.execute(sql, &to_wit(parameters))?)
    }

    pub(crate) fn commit(self) -> HostResult<()> {
        Ok(wit_database::Transaction::commit(self.0)?)
    }

    pub(crate) fn rollback(self) -> HostResult<()> {
        Ok(wit_database::Transaction::rollback(self.0)?)
    }
}

#[derive(Debug)]
pub(crate) struct DatabaseReader(wit_database::Reader);

impl DatabaseReader {
    pub(crate) fn open(sql: &str) -> HostResult<Self> {
        Ok(Self(wit_database::Reader::open(sql)?))
    }

    pub(crate) fn read(&self) -> HostResult<Option<Vec<u8>>> {
        Ok(self.0.read()?)
    }
}

#[derive(Debug)]
pub(crate) struct DatabaseWriter(wit_database::Writer);

impl DatabaseWriter {
    pub(crate) fn begin(table: &str, columns: &[String]) -> HostResult<Self> {
        Ok(Self(wit_database::Writer::begin(table, columns)?))
    }

    pub(crate) fn write(&self, lines: &[u8]) -> HostResult<()> {
        Ok(self.0.write(lines)?)
    }

    pub(crate) fn finish(&self) -> HostResult<u64> {
        Ok(self.0.finish()?)
    }

    pub(crate) fn identify(&self) -> HostResult<String> {
        Ok(self.0.identify()?)
    }

    pub(crate) fn commit(self) -> HostResult<()> {
        Ok(wit_database::Writer::commit(self.0)?)
    }
}

// Key and value

pub(crate) fn audit_append(action: &str, target: Option<&str>, details: &str) -> HostResult<()> {
    Ok(wit_audit::append(action, target, details)?)
}

pub(crate) fn kv_get(key: &str) -> HostResult<Option<Entry<Vec<u8>>>> {
    Ok(wit_kv::get(key)?.map(|entry| Entry {
        value: entry.value,
        version: entry.version,
    }))
}

pub(crate) fn kv_set(key: &str, value: &[u8], ttl_ms: Option<u64>) -> HostResult<u64> {
    Ok(wit_kv::set(key, value, ttl_ms)?)
}

pub(crate) fn kv_compare_and_swap(
    key: &str,
    version: Option<u64>,
    value: &[u8],
    ttl_ms: Option<u64>,
) -> HostResult<Option<u64>> {
    Ok(wit_kv::compare_and_swap(key, version, value, ttl_ms)?)
}

pub(crate) fn kv_delete(key: &str) -> HostResult<bool> {
    Ok(wit_kv::delete(key)?)
}

pub(crate) fn kv_list(prefix: &str, after: Option<&str>, limit: u32) -> HostResult<Vec<String>> {
    Ok(wit_kv::list(prefix, after, limit)?)
}

// Objects

fn object(object: objects::Object) -> Object {
    Object {
        key: object.key,
        size: object.size,
        modified_ms: object.modified_ms,
    }
}

fn stored(stored: objects::Stored) -> Stored {
    Stored {
        object: object(stored.object),
        sha256: stored.sha256,
        head: stored.head,
    }
}

fn put_options(options: &PutOptions) -> objects::PutOptions {
    objects::PutOptions {
        key: options.key.clone(),
        create_only: options.create_only,
        expected_size: options.expected_size,
        max_size: options.max_size,
    }
}

fn range(range: Range<u64>) -> objects::Range {
    objects::Range {
        offset: range.start,
        length: range.end.saturating_sub(range.start),
    }
}

pub(crate) fn blob_put(
    bucket: &str,
    source: InputStream,
    options: &PutOptions,
) -> HostResult<Stored> {
    Ok(stored(objects::put(
        bucket,
        source.handle(),
        &put_options(options),
    )?))
}

pub(crate) fn blob_put_bytes(
    bucket: &str,
    bytes: &[u8],
    options: &PutOptions,
) -> HostResult<Stored> {
    Ok(stored(objects::put_bytes(
        bucket,
        bytes,
        &put_options(options),
    )?))
}

impl From<parts::Error> for HostError {
    fn from(error: parts::Error) -> Self {
        Self {
            details: error.details,
            ..Self::new(&error.code, error.message)
        }
    }
}

pub(crate) fn blob_put_part(
    bucket: &str,
    key: &str,
    source: InputStream,
    options: &PartOptions,
) -> HostResult<UploadPart> {
    let checksum = options.checksum.clone().map(|checksum| match checksum {
        Checksum::Sha1(bytes) => parts::Checksum::Sha1(bytes),
        Checksum::Sha256(bytes) => parts::Checksum::Sha256(bytes),
    });
    let options = parts::Options {
        expected_size: options.expected_size,
        max_size: options.max_size,
        checksum,
    };
    let part = parts::put(bucket, key, source.handle(), &options)?;
    Ok(UploadPart {
        size: part.size,
        sha256: part.sha256,
        head: part.head,
        complete: part.complete,
    })
}

pub(crate) fn blob_join(bucket: &str, keys: &[String], into: &str) -> HostResult<Stored> {
    let joined = parts::join(bucket, keys, into)?;
    Ok(Stored {
        object: Object {
            key: into.to_owned(),
            size: joined.size,
            modified_ms: None,
        },
        sha256: joined.sha256,
        head: joined.head,
    })
}

pub(crate) fn blob_stat(bucket: &str, key: &str) -> HostResult<Object> {
    Ok(object(objects::stat(bucket, key)?))
}

pub(crate) fn blob_read(
    bucket: &str,
    key: &str,
    part: Option<Range<u64>>,
) -> HostResult<InputStream> {
    Ok(InputStream::new(objects::read(
        bucket,
        key,
        part.map(range),
    )?))
}

/// Makes an object the body of an answer.
pub(crate) type AttachObject = fn(&Served, &OutgoingResponse) -> HostResult<Object>;

pub(crate) fn blob_serve(served: &Served, response: &OutgoingResponse) -> HostResult<Object> {
    let part = served.range.clone().map(range);
    Ok(object(objects::serve(
        &served.bucket,
        &served.key,
        part,
        response,
    )?))
}

pub(crate) fn blob_delete(bucket: &str, key: &str) -> HostResult<bool> {
    Ok(objects::delete(bucket, key)?)
}

pub(crate) fn blob_list(
    bucket: &str,
    prefix: &str,
    cursor: Option<&str>,
    limit: u32,
) -> HostResult<Page> {
    let page = objects::list(bucket, prefix, cursor, limit)?;
    Ok(Page {
        objects: page.objects.into_iter().map(object).collect(),
        next: page.next,
    })
}

pub(crate) fn blob_sign_read(
    bucket: &str,
    key: &str,
    content_type: Option<&str>,
    disposition: Option<&str>,
    valid_for_seconds: u32,
) -> HostResult<String> {
    Ok(objects::sign_read(
        bucket,
        key,
        content_type,
        disposition,
        valid_for_seconds,
    )?)
}

pub(crate) fn blob_sign_write(
    bucket: &str,
    key: &str,
    content_type: Option<&str>,
    max_size: u64,
    valid_for_seconds: u32,
) -> HostResult<String> {
    Ok(objects::sign_write(
        bucket,
        key,
        content_type,
        max_size,
        valid_for_seconds,
    )?)
}

impl From<wit_direct::Error> for HostError {
    fn from(error: wit_direct::Error) -> Self {
        Self {
            details: error.details,
            ..Self::new(&error.code, error.message)
        }
    }
}

pub(crate) fn blob_announce(
    bucket: &str,
    key: &str,
    announced: &Announced,
    valid_for_seconds: u32,
) -> HostResult<String> {
    let announced = wit_direct::Announced {
        content_type: announced.content_type.clone(),
        size: announced.size,
        max_size: announced.max_size,
        valid_for_seconds,
    };
    Ok(wit_direct::announce(bucket, key, &announced)?)
}

pub(crate) fn blob_settle(bucket: &str, key: &str, digest: bool) -> HostResult<Settled> {
    let settled = wit_direct::settle(bucket, key, digest)?;
    Ok(Settled {
        size: settled.size,
        sha256: settled.sha256,
    })
}

// Forms

#[derive(Debug)]
pub(crate) struct MultipartParser {
    // Declared before `_body`, since what reads the body has to go first.
    parser: wit_form::Parser,
    _body: Option<IncomingBody>,
}

impl MultipartParser {
    pub(crate) fn open(source: InputStream, content_type: &str) -> HostResult<Self> {
        let (stream, body) = source.into_parts();
        Ok(Self {
            parser: wit_form::Parser::open(stream, content_type)?,
            _body: body,
        })
    }

    pub(crate) fn next(&mut self) -> HostResult<Option<Part>> {
        let Some(part) = self.parser.next()? else {
            return Ok(None);
        };
        let wit_form::Part {
            name,
            filename,
            content_type,
            body,
        } = part;
        let body = Body::from_stream(InputStream::new(body));
        Ok(Some(Part {
            name,
            filename,
            content_type,
            body,
        }))
    }
}
