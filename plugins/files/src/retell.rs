//! Telling of files again: `files.retold` names some, of which those who
//! follow look at each as it is now. All that lies in a folder is told of
//! again when the folder goes to the trash or comes back, and all of a project
//! when a follower begins anew.
//!
//! It goes on over the queue, in steps that end: a step tells of so many files
//! and hands the rest on in parts, so that few events follow from each other
//! however many files there are.

use crate::tree::{self, Folder};
use atlashub_sdk::prelude::*;
use uuid::Uuid;

/// Files that one event names.
const TOLD: usize = 20;
/// Files that one step tells of.
const STEP: usize = 500;
/// Parts in which a step hands on what it leaves.
const PARTS: i64 = 8;
/// Files that a plugin may name in one call.
const MOST: usize = 100;

/// The events that it takes, all of this plugin.
pub(crate) fn subscriptions() -> Subscriptions {
    Subscriptions::new()
        .on("files.folder_trashed", folder)
        .on("files.folder_restored", folder)
        .on("files.retelling", go_on)
}

/// What is told of, and which part of it.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Rest {
    /// What lies in this folder; all of the project without one.
    folder: Option<String>,
    /// Ids after this one.
    after: String,
    /// And up to this one; the last when there is none.
    until: Option<String>,
}

/// Which folder.
#[derive(Debug, Deserialize)]
pub(crate) struct Told {
    id: String,
}

fn folder(Payload(told): Payload<Told>) -> Result<()> {
    go_on(Payload(Rest {
        folder: Some(told.id),
        ..Rest::default()
    }))
}

/// One step.
fn go_on(Payload(rest): Payload<Rest>) -> Result<()> {
    let Some((condition, parameters)) = condition(&rest)? else {
        return Ok(());
    };
    let ids: Vec<String> = sql::query(
        &format!(
            "SELECT id FROM files.objects WHERE {condition} ORDER BY id LIMIT {}",
            STEP + 1
        ),
        parameters,
    )?;
    let now = ids.get(..STEP).unwrap_or(&ids);
    publish(now)?;
    match now.last() {
        Some(last) if ids.len() > now.len() => hand_on(Rest {
            after: last.clone(),
            ..rest
        }),
        _ => Ok(()),
    }
}

/// Tells again of some files.
pub(crate) fn some(ids: &[String]) -> Result<()> {
    publish(ids)
}

/// Tells again of all that lies in a folder.
pub(crate) fn within(folder: &str) -> Result<()> {
    let rest = Rest {
        folder: Some(folder.to_owned()),
        ..Rest::default()
    };
    events::publish("retelling", &rest, None).map(drop)
}

fn publish(ids: &[String]) -> Result<()> {
    for ids in ids.chunks(TOLD) {
        events::publish("retold", &serde_json::json!({ "ids": ids }), None)?;
    }
    Ok(())
}

/// Leaves the rest to further steps, each with about as many files.
fn hand_on(rest: Rest) -> Result<()> {
    let Some((condition, parameters)) = condition(&rest)? else {
        return Ok(());
    };
    let ends: Vec<String> = sql::query(
        &format!(
            "SELECT MAX(id) FROM (SELECT id, NTILE({PARTS}) OVER (ORDER BY id) AS part \
             FROM files.objects WHERE {condition}) AS parts GROUP BY part ORDER BY part"
        ),
        parameters,
    )?;
    let mut after = rest.after;
    for end in ends {
        let part = Rest {
            folder: rest.folder.clone(),
            after,
            until: Some(end.clone()),
        };
        events::publish("retelling", &part, None)?;
        after = end;
    }
    Ok(())
}

/// The condition on `objects`, with its values; none for a folder that is
/// gone, of whose files each was told.
fn condition(rest: &Rest) -> Result<Option<(String, Vec<sql::Value>)>> {
    let mut parameters = params![&rest.after, rest.until.as_deref().unwrap_or_default()];
    let range = "id > $1 AND ($2 = '' OR id <= $2)";
    let Some(id) = &rest.folder else {
        return Ok(Some((range.to_owned(), parameters)));
    };
    let within = match Folder::find(id)? {
        None => return Ok(None),
        Some(folder) if folder.deleted_at.is_some() => {
            parameters.extend(params![id]);
            "trashed_with = $3"
        }
        Some(folder) => {
            parameters.extend(params![
                &folder.owner,
                format!("{}/", folder.path),
                tree::characters(&folder.path) + 1
            ]);
            "owner = $3 AND deleted_at IS NULL AND substr(path, 1, CAST($5 AS INTEGER)) = $4"
        }
    };
    Ok(Some((format!("{range} AND {within}"), parameters)))
}

/// What is to be told of again.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wish {
    /// All of the project without them.
    ids: Option<Vec<String>>,
}

/// `POST /retell`, of plugins alone: tells those who take the events, and
/// nobody else, what the caller need not be able to see.
pub(crate) fn retell(caller: Caller, Json(wish): Json<Wish>) -> Result<StatusCode> {
    if caller.via_plugin.is_none() {
        return Err(Error::not_found("the route"));
    }
    match wish.ids {
        None => drop(events::publish("retelling", &Rest::default(), None)?),
        Some(ids) if ids.len() > MOST => {
            return Err(Error::invalid(
                "too_many_files",
                format!("{MOST} files at most are told of in one call"),
            ));
        }
        Some(ids) => {
            if ids.iter().any(|id| Uuid::try_parse(id).is_err()) {
                return Err(Error::invalid("invalid_body", "`ids` are those of files"));
            }
            publish(&ids)?;
        }
    }
    Ok(StatusCode::ACCEPTED)
}
