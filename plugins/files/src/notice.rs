//! What people should know of their files, for the plugin that notifies them:
//! the event `notice`. It has happened when this is called: a failure here is
//! for the log.

use crate::{
    record::Record,
    settings::Settings,
    target::{Kind, Target},
};
use atlashub_sdk::prelude::*;
use std::time::Duration;

/// Most people who are told of a file in a folder that they share.
const MOST: usize = 500;
/// Of a user's storage, in percent, that is said to be near its end.
const NEAR_END: u64 = 90;
/// How long that is not said again.
const SILENCE: Duration = Duration::from_secs(7 * 24 * 3_600);

#[derive(Debug, Serialize)]
struct Notice<'a> {
    kind: &'a str,
    user_ids: &'a [String],
    title: String,
    subject: Option<Subject<'a>>,
    actor_id: Option<String>,
}

#[derive(Debug, Serialize)]
struct Subject<'a> {
    r#type: &'a str,
    id: &'a str,
}

fn publish(notice: &Notice<'_>, key: &str) {
    if notice.user_ids.is_empty() {
        return;
    }
    if let Err(error) = events::publish("notice", notice, Some(key)) {
        log::warn!("a notice of {key} was not published: {error}");
    }
}

/// The actor's name, as others see it.
fn name_of(actor: Option<&str>) -> String {
    let user = actor.and_then(|id| users::get(id).ok().flatten());
    user.and_then(|user| user.name.or(user.handle))
        .unwrap_or_else(|| "Somebody".to_owned())
}

/// A name in a title: not all of a long one.
fn short(name: &str) -> String {
    name.chars().take(100).collect()
}

/// Something was shared with a user.
pub(crate) fn shared(target: &Target, user: &str, caller: &Caller) {
    let (kind, id, name) = match target {
        Target::File(record) => (Kind::File, &record.id, &record.filename),
        Target::Folder(folder) => (Kind::Folder, &folder.id, &folder.name),
    };
    let actor = caller.id.as_deref();
    publish(
        &Notice {
            kind: "file_shared",
            user_ids: &[user.to_owned()],
            title: format!(
                "{} shared the {} {} with you",
                short(&name_of(actor)),
                kind.as_str(),
                short(name)
            ),
            subject: Some(Subject {
                r#type: kind.as_str(),
                id,
            }),
            actor_id: caller.id.clone(),
        },
        id,
    );
}

/// A new file: those with whom its folder is shared are told, and its owner
/// when somebody else put it there.
pub(crate) fn added(record: &Record, settings: &Settings) {
    grown(&record.owner, settings);
    let actor = identity::caller().id;
    let user_ids = match around(record, actor.as_deref()) {
        Ok(users) => users,
        Err(error) => {
            log::warn!("who is to be told of {} is unknown: {error}", record.id);
            return;
        }
    };
    if user_ids.is_empty() {
        return;
    }
    publish(
        &Notice {
            kind: "file_added",
            user_ids: &user_ids,
            title: format!(
                "{} added {} to a shared folder",
                short(&name_of(actor.as_deref())),
                short(&record.filename)
            ),
            subject: Some(Subject {
                r#type: "file",
                id: &record.id,
            }),
            actor_id: actor,
        },
        &record.id,
    );
}

/// With whom the folders around a file are shared, and its owner, without who
/// did it.
fn around(record: &Record, actor: Option<&str>) -> Result<Vec<String>> {
    let Some(folder) = &record.folder_id else {
        return Ok(Vec::new());
    };
    let mut users: Vec<String> = sql::query(
        &format!(
            "WITH RECURSIVE around (id, parent_id) AS ( \
             SELECT id, parent_id FROM files.folders WHERE id = $1 \
             UNION ALL SELECT f.id, f.parent_id FROM files.folders f JOIN around ON f.id = around.parent_id) \
             SELECT DISTINCT user_id FROM files.permissions WHERE subject IN (SELECT id FROM around) LIMIT {MOST}"
        ),
        params![folder],
    )?;
    users.push(record.owner.clone());
    users.retain(|user| Some(user.as_str()) != actor && !user.is_empty());
    Ok(users)
}

/// Somebody used a link.
pub(crate) fn link_used(kind: Kind, id: &str, name: &str, owner: &str) {
    publish(
        &Notice {
            kind: "link_used",
            user_ids: &[owner.to_owned()],
            title: format!("Somebody downloaded {} by its link", short(name)),
            subject: Some(Subject {
                r#type: kind.as_str(),
                id,
            }),
            actor_id: None,
        },
        id,
    );
}

/// An owner's files have grown: said when their storage is near its end.
pub(crate) fn grown(owner: &str, settings: &Settings) {
    if let Err(error) = near_end(owner, settings) {
        log::warn!("whether the storage of {owner} is near its end is unknown: {error}");
    }
}

fn near_end(owner: &str, settings: &Settings) -> Result<()> {
    let used: Option<i64> = sql::query_optional(
        "SELECT used_bytes FROM files.accounts WHERE owner = $1 AND limited = 1",
        params![owner],
    )?;
    let used = u64::try_from(used.unwrap_or_default()).unwrap_or_default();
    let limit = settings.user_quota()?;
    if limit == 0 || used < limit / 100 * NEAR_END {
        return Ok(());
    }
    let key = format!("near-end/{owner}");
    if kv::compare_and_swap(&key, None, &true, Some(SILENCE))?.is_none() {
        return Ok(());
    }
    let percent = used.saturating_mul(100) / limit;
    publish(
        &Notice {
            kind: "quota_near_end",
            user_ids: &[owner.to_owned()],
            title: format!("{percent} % of your storage is in use"),
            subject: None,
            actor_id: None,
        },
        owner,
    );
    Ok(())
}
