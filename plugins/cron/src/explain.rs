//! `POST /cron/explain`: what an expression means, for forms.

use crate::access;
use atlashub_sdk::prelude::*;

/// Times that are told when nothing is said.
const COUNT: u32 = 5;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Question {
    schedule: String,
    timezone: Option<String>,
    count: Option<u32>,
    /// RFC 3339; now when nothing is said.
    after: Option<String>,
}

/// The next times.
#[derive(Debug, Serialize)]
pub(crate) struct Explained {
    /// With six fields.
    schedule: String,
    timezone: String,
    next: Vec<String>,
}

pub(crate) fn explain(caller: Caller, Json(question): Json<Question>) -> Result<Json<Explained>> {
    access::require_overseer(&caller)?;
    let zone = question.timezone.unwrap_or_else(|| "UTC".to_owned());
    let after = question.after.as_deref().map(|text| {
        moment::parse(text)
            .and_then(|at| u64::try_from(at).ok())
            .ok_or_else(|| Error::invalid("invalid_time", "`after` is a time in RFC 3339"))
    });
    let count = question.count.unwrap_or(COUNT).clamp(1, 100);
    let found = schedules::explain(&question.schedule, &zone, after.transpose()?, count)?;
    let next = found.next_ms.into_iter();
    Ok(Json(Explained {
        schedule: found.expression,
        timezone: zone,
        next: next
            .filter_map(|at| i64::try_from(at).ok())
            .map(moment::rfc3339)
            // Behind the year 9999 there is nothing to write.
            .filter(|text| !text.is_empty())
            .collect(),
    }))
}
