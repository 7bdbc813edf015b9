//! Users that come along with an archive.
//!
//! Before a row goes in it is found out who each of them is here: whoever has
//! the same address, or else somebody new, with the id of the archive where
//! that is free. Rows then get the ids of here. Those who are new are added
//! when everything else is in, as nothing takes users back.

use super::rows::{Reader, Record, Row};
use crate::{
    archive::MOST_USERS,
    import::Format,
    job::{Ended, Turn},
    source::{Encoding, Source},
};
use atlashub_sdk::{
    events::is_worth_retrying,
    prelude::*,
    users::{self, NewUser, User},
};
use serde_json::{Value as Json, json};
use std::collections::HashMap;
use uuid::Uuid;

/// Users that are looked for, or added, between two notes.
const AT_ONCE: usize = 100;
/// What is told of users of whom not everything could be taken.
const TOLD: u32 = 1_000;
/// The roles that every project has, but for `admin`, which no plugin gives.
const BUILT_IN: [&str; 2] = ["editor", "viewer"];

/// What is to be done about them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Users {
    source: Source,
    /// Whether those who are not here are added in the end.
    add: bool,
}

/// How many were looked for.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Found {
    /// Where the next one begins.
    offset: u64,
    count: u64,
    complete: bool,
}

/// Some of them, and who they are here.
pub(super) struct Batch {
    people: Vec<Person>,
    pub(super) end: Found,
}

/// One of them.
#[derive(Debug, Deserialize)]
struct Person {
    n: u64,
    was: String,
    id: String,
    email: String,
    handle: Option<String>,
    name: Option<String>,
    roles: Vec<String>,
    status: String,
}

fn broken(why: impl std::fmt::Display) -> Error {
    Error::invalid(
        "invalid_archive",
        format!("the archive's users cannot be read: {why}"),
    )
}

impl Users {
    pub(super) fn new(source: Source, add: bool) -> Self {
        Self { source, add }
    }

    /// Finds out who they are here; `note` writes that down.
    pub(super) fn find(
        &self,
        turn: &Turn,
        found: &mut Found,
        mut note: impl FnMut(&Turn, &Batch) -> Result<bool>,
    ) -> Result<Ended> {
        let (format, encoding) = (Format::Ndjson, Encoding::Utf8);
        let mut reader = Reader::open(&self.source, format, encoding, None, found.offset)?;
        while !found.complete {
            let batch = batch(&mut reader, found)?;
            if !note(turn, &batch)? {
                return Ok(Ended::Lost);
            }
            *found = batch.end;
            if turn.is_over() {
                return Ok(Ended::GoesOn);
            }
        }
        Ok(Ended::Done)
    }

    /// Adds those who are not here. One who was added before a kill, and not
    /// noted, is known by the id.
    pub(super) fn add(&self, turn: &Turn, state: &impl Serialize) -> Result<Ended> {
        if !self.add {
            return Ok(Ended::Done);
        }
        loop {
            let people: Vec<Person> = sql::query(
                &format!(
                    "SELECT n, was, id, email, handle, name, roles, status FROM transfer.people \
                     WHERE job_id = $1 AND status = 'new' ORDER BY n LIMIT {AT_ONCE}"
                ),
                params![&turn.job.id],
            )?;
            if people.is_empty() {
                return Ok(Ended::Done);
            }
            let outcomes = people
                .into_iter()
                .map(|person| Ok((person.n, person.add()?)))
                .collect::<Result<Vec<_>>>()?;
            let noted = turn.note(state, |own| {
                outcomes.iter().try_for_each(|(n, (status, note))| {
                    let note = note.as_ref().map(ToString::to_string);
                    own.execute(
                        "UPDATE transfer.people SET status = $3, note = $4 WHERE job_id = $1 AND n = $2",
                        params![&turn.job.id, *n, *status, note],
                    )
                    .map(|_| ())
                })
            })?;
            if !noted {
                return Ok(Ended::Lost);
            }
            if turn.is_over() {
                return Ok(Ended::GoesOn);
            }
        }
    }
}

/// The next ones.
fn batch(reader: &mut Reader, from: &Found) -> Result<Batch> {
    let mut end = from.clone();
    let mut people = Vec::new();
    while people.len() < AT_ONCE {
        let Some(record) = reader.next()? else {
            end.complete = true;
            break;
        };
        end.offset = reader.offset();
        if end.count >= MOST_USERS {
            return Err(broken(format_args!("there are more than {MOST_USERS}")));
        }
        people.push(person(end.count, record)?);
        end.count += 1;
    }
    let new = people.iter().filter(|person| person.status == "new");
    let wanted: Vec<String> = new.map(|person| person.id.clone()).collect();
    let free = users::free_ids(&wanted)?;
    for person in people.iter_mut().filter(|person| person.status == "new") {
        if !free.contains(&person.id) {
            person.id = Uuid::now_v7().to_string();
        }
    }
    Ok(Batch { people, end })
}

/// Who that is, here.
fn person(n: u64, record: Record) -> Result<Person> {
    let Record::Members(members) = record else {
        return Err(broken("a line is no object"));
    };
    let user: User = serde_json::to_string(&members)
        .and_then(|text| serde_json::from_str(&text))
        .map_err(|error| broken(format_args!("the line {}: {error}", n + 1)))?;
    let was = Uuid::try_parse(&user.id)
        .map_err(|_| broken(format_args!("the line {}: its `id` is no UUID", n + 1)))?
        .to_string();
    let email = user
        .email
        .filter(|email| !email.trim().is_empty())
        .ok_or_else(|| broken(format_args!("the line {}: it has no `email`", n + 1)))?
        .trim()
        .to_lowercase();
    let there = users::find(&email)?.map(|user| user.id);
    Ok(Person {
        n,
        status: if there.is_some() { "there" } else { "new" }.to_owned(),
        id: there.unwrap_or_else(|| was.clone()),
        was,
        email,
        handle: user.handle,
        name: user.name,
        roles: user.roles,
    })
}

impl Batch {
    /// Writes down who they are.
    pub(super) fn keep(&self, own: &sql::Transaction, job: &str) -> Result<()> {
        for person in &self.people {
            own.execute(
                "INSERT INTO transfer.people (job_id, n, was, id, email, handle, name, roles, status) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                params![
                    job,
                    person.n,
                    &person.was,
                    &person.id,
                    &person.email,
                    person.handle.clone(),
                    person.name.clone(),
                    sql::Value::json(&person.roles)?,
                    &person.status
                ],
            )
            .map_err(|error| match error.code() {
                "sql_constraint_unique" => broken(format_args!(
                    "the line {} has the `id` or the `email` of another one",
                    person.n + 1
                )),
                _ => error,
            })?;
        }
        Ok(())
    }
}

impl Person {
    /// Adds the user: what became of it, and what could not be taken.
    fn add(self) -> Result<(&'static str, Option<Json>)> {
        let mut left_out = Vec::new();
        let mut user = NewUser {
            id: self.id,
            email: self.email,
            handle: self.handle,
            name: self.name,
            roles: self.roles,
        };
        loop {
            let Err(error) = users::add(user.clone()) else {
                return Ok(("added", note(&left_out)));
            };
            match error.code() {
                "id_taken" if is_there(&user)? => return Ok(("added", note(&left_out))),
                "handle_taken" | "invalid_handle" if user.handle.is_some() => {
                    user.handle = None;
                    left_out.push("handle");
                }
                "invalid_name" if user.name.is_some() => {
                    user.name = None;
                    left_out.push("name");
                }
                "role_not_given" | "unknown_role" | "too_many_roles"
                    if !left_out.contains(&"roles") =>
                {
                    user.roles.retain(|role| BUILT_IN.contains(&role.as_str()));
                    if user.roles.is_empty() {
                        user.roles.push("viewer".to_owned());
                    }
                    left_out.push("roles");
                }
                _ if error.status().is_client_error() && !is_worth_retrying(&error) => {
                    let note = json!({ "code": error.code(), "reason": error.detail() });
                    return Ok(("refused", Some(note)));
                }
                _ => return Err(error),
            }
        }
    }
}

/// Whether the user was added before.
fn is_there(user: &NewUser) -> Result<bool> {
    let there = users::get(&user.id)?;
    Ok(there.is_some_and(|there| there.email.as_deref() == Some(user.email.as_str())))
}

fn note(left_out: &[&str]) -> Option<Json> {
    (!left_out.is_empty()).then(|| json!({ "left_out": left_out }))
}

/// The ids of users that are others here.
#[derive(Debug, Default)]
pub(super) struct Ids(HashMap<Uuid, String>);

impl Ids {
    /// Those of a job.
    pub(super) fn of(job: &str) -> Result<Self> {
        #[derive(Deserialize)]
        struct Pair {
            n: u64,
            was: String,
            id: String,
        }
        let mut ids = HashMap::new();
        let mut after = -1_i64;
        loop {
            let some: Vec<Pair> = sql::query(
                "SELECT n, was, id FROM transfer.people WHERE job_id = $1 AND n > $2 AND was <> id \
                 ORDER BY n LIMIT 5000",
                params![job, after],
            )?;
            let Some(last) = some.last() else {
                return Ok(Self(ids));
            };
            after = i64::try_from(last.n).unwrap_or(i64::MAX);
            let pair = |pair: Pair| Some((Uuid::try_parse(&pair.was).ok()?, pair.id));
            ids.extend(some.into_iter().filter_map(pair));
        }
    }

    /// Puts the ids of here in the place of those that stand in cells by
    /// themselves.
    pub(super) fn put(&self, row: &mut Row) {
        if self.0.is_empty() {
            return;
        }
        for text in row.iter_mut().flatten() {
            if text.len() == 36
                && let Ok(was) = Uuid::try_parse(text)
                && let Some(id) = self.0.get(&was)
            {
                text.clone_from(id);
            }
        }
    }
}

/// What became of the users, for whoever asks.
#[derive(Debug, Serialize)]
pub(crate) struct Told {
    /// Those who were here: the same address.
    there: u64,
    added: u64,
    /// Those who are not added yet, or would be.
    waiting: u64,
    refused: u64,
    /// The first of those of whom not everything could be taken.
    notes: Vec<Json>,
}

impl Told {
    /// Of a job; none when no users came along.
    pub(crate) fn of(job: &str) -> Result<Option<Self>> {
        let counts: Vec<(String, u64)> = sql::query(
            "SELECT status, count(*) FROM transfer.people WHERE job_id = $1 GROUP BY status",
            params![job],
        )?;
        if counts.is_empty() {
            return Ok(None);
        }
        let count = |status: &str| {
            let found = counts.iter().find(|(own, _)| own == status);
            found.map_or(0, |(_, count)| *count)
        };
        let noted: Vec<(String, String, String)> = sql::query(
            &format!(
                "SELECT email, id, note FROM transfer.people WHERE job_id = $1 AND note IS NOT NULL \
                 ORDER BY n LIMIT {TOLD}"
            ),
            params![job],
        )?;
        let told = |(email, id, note): (String, String, String)| -> Result<Json> {
            let mut told: Json = serde_json::from_str(&note)?;
            if let Some(members) = told.as_object_mut() {
                members.insert("email".to_owned(), email.into());
                members.insert("id".to_owned(), id.into());
            }
            Ok(told)
        };
        Ok(Some(Self {
            there: count("there"),
            added: count("added"),
            waiting: count("new"),
            refused: count("refused"),
            notes: noted.into_iter().map(told).collect::<Result<_>>()?,
        }))
    }
}
