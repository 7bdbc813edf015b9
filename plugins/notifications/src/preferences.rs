//! What a user wants to be told of, and how, by kind.

use crate::record;
use atlashub_sdk::prelude::*;
use std::collections::BTreeMap;

/// Kinds that `files`, `documents` and `cron` tell of, which are shown without
/// being chosen.
const KNOWN: [&str; 8] = [
    "file_added",
    "file_shared",
    "job_failed",
    "job_missed",
    "job_recovered",
    "link_used",
    "payment",
    "quota_near_end",
];
/// Most kinds of which a user has wishes.
const MOST: usize = 100;
/// Longest kind, bytes.
const MAX_KIND: usize = 64;

/// What is mailed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Email {
    /// Nothing.
    #[default]
    Off,
    /// Each by itself.
    Immediately,
    /// A digest a day.
    Daily,
}

impl Email {
    /// As the database has it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Immediately => "immediately",
            Self::Daily => "daily",
        }
    }
}

/// A user's wish for a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wish {
    pub(crate) in_app: bool,
    pub(crate) email: Email,
}

/// The plugin's configuration.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Settings {
    #[serde(default)]
    default_email: Email,
}

impl Settings {
    /// The wish of those who have not chosen.
    pub(crate) const fn wish(&self) -> Wish {
        Wish {
            in_app: true,
            email: self.default_email,
        }
    }
}

/// Wishes by kind.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Preferences {
    kinds: BTreeMap<String, Wish>,
}

#[derive(Debug, Deserialize)]
struct Row {
    kind: String,
    in_app: bool,
    email: Email,
}

fn stored(user: &str) -> Result<BTreeMap<String, Wish>> {
    let rows: Vec<Row> = sql::query(
        "SELECT kind, in_app = 1 AS in_app, email FROM notifications.preferences WHERE user_id = $1",
        params![user],
    )?;
    let wishes = rows.into_iter().map(|row| {
        let Row {
            kind,
            in_app,
            email,
        } = row;
        (kind, Wish { in_app, email })
    });
    Ok(wishes.collect())
}

/// What users have chosen for a kind, of those who have.
pub(crate) fn of_all(users: &[String], kind: &str) -> Result<BTreeMap<String, Wish>> {
    let chosen: Vec<(String, bool, Email)> = sql::query(
        &format!(
            "SELECT user_id, in_app = 1 AS in_app, email FROM notifications.preferences \
             WHERE kind = $1 AND user_id IN ({})",
            sql::texts_in(2)
        ),
        params![kind, sql::Value::json(&users)?],
    )?;
    let wishes = chosen
        .into_iter()
        .map(|(user, in_app, email)| (user, Wish { in_app, email }));
    Ok(wishes.collect())
}

/// `GET /notifications/preferences`
pub(crate) fn get(caller: Caller, Config(settings): Config<Settings>) -> Result<Json<Preferences>> {
    let me = record::me(&caller)?;
    let mut kinds = stored(&me)?;
    for kind in KNOWN {
        kinds
            .entry(kind.to_owned())
            .or_insert_with(|| settings.wish());
    }
    Ok(Json(Preferences { kinds }))
}

/// `PUT /notifications/preferences`: kinds that are not named stay as they
/// are.
pub(crate) fn put(
    caller: Caller,
    Config(settings): Config<Settings>,
    Json(wanted): Json<Preferences>,
) -> Result<Json<Preferences>> {
    let me = record::me(&caller)?;
    if let Some(kind) = wanted.kinds.keys().find(|kind| !is_kind(kind)) {
        return Err(Error::invalid(
            "invalid_kind",
            format!("`{kind}` is no kind: lower-case letters, digits and `_`, at most {MAX_KIND}"),
        ));
    }
    let mut kinds = stored(&me)?;
    kinds.extend(
        wanted
            .kinds
            .iter()
            .map(|(kind, wish)| (kind.clone(), *wish)),
    );
    if kinds.len() > MOST {
        return Err(Error::invalid(
            "too_many_kinds",
            format!("at most {MOST} kinds are remembered"),
        ));
    }
    sql::transaction(|transaction| {
        for (kind, wish) in &wanted.kinds {
            transaction.execute(
                "INSERT INTO notifications.preferences (user_id, kind, in_app, email) \
                 VALUES ($1, $2, $3, $4) ON CONFLICT (user_id, kind) \
                 DO UPDATE SET in_app = excluded.in_app, email = excluded.email",
                params![&me, kind, i64::from(wish.in_app), wish.email.as_str()],
            )?;
        }
        Ok(())
    })?;
    for kind in KNOWN {
        kinds
            .entry(kind.to_owned())
            .or_insert_with(|| settings.wish());
    }
    Ok(Json(Preferences { kinds }))
}

/// Whether a text may be a kind.
pub(crate) fn is_kind(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    (1..=MAX_KIND).contains(&text.len()) && text.chars().all(allowed)
}
