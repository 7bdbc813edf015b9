//! `POST /lipa/result/{token}`: what came of it.

use super::{KINDS, told::Told};
use crate::{
    callback::{self, Letter},
    due, origin,
    record::Row,
    settings::Settings,
    settle::{self, Made},
    tell, word,
};
use atlashub_sdk::{prelude::*, sql::Transaction};

/// `POST /lipa/result/{token}`.
pub(crate) fn result(Path(token): Path<String>, mut request: Request) -> Result<Response> {
    let row = Row::by_word(&word::digest(&token)?, &KINDS)?;
    let settings: Settings = config::load()?;
    let (address, listed) = origin::of(&request, &settings);
    origin::admit(listed, &settings)?;
    let body = request.take_body().bytes(callback::MAX)?;
    let told = Told::read(&body);
    // What it is about may be one that nobody looks after any more.
    if listed && (row.due_at.is_none() || row.about.is_some()) {
        due::tell_later(&row.id);
    }
    let (made, is_new) = callback::patiently(|transaction| {
        let row = Row::locked(transaction, &row.id)?;
        let made = judge(transaction, &row, told.as_ref(), listed)?;
        let letter = Letter {
            subject: &row.id,
            scope: &row.id,
            body: &body,
            address: address.clone(),
            listed,
        };
        let is_new = letter.keep(transaction, made.first().map_or("settled", Made::word))?;
        Ok((made, is_new))
    })?;
    for one in made {
        if let Made::Ignored(why) = one {
            log::info!("a result for {} changed nothing: {why}", row.id);
            if is_new && matches!(why, "unreadable" | "unlisted" | "other_id") {
                due::at_once(&row.id);
            }
        }
        tell::change(one.change().as_ref());
    }
    Ok(callback::heard())
}

fn judge(
    transaction: &Transaction,
    row: &Row,
    told: Option<&Told>,
    listed: bool,
) -> Result<Vec<Made>> {
    let Some(told) = told else {
        return Ok(vec![Made::Ignored("unreadable")]);
    };
    if let (Some(known), Some(told)) = (&row.checkout_request_id, &told.conversation)
        && known != told
    {
        return Ok(vec![Made::Ignored("other_id")]);
    }
    if !listed {
        return Ok(vec![Made::Ignored("unlisted")]);
    }
    if let Some(conversation) = &told.conversation {
        callback::adopt(transaction, row, None, conversation)?;
    }
    let mut made = vec![settle::apply(transaction, row, &told.outcome(&row.kind))?];
    if row.kind == "status"
        && let (Some(about), Some(outcome)) = (&row.about, told.of_other())
    {
        let other = Row::locked(transaction, about)?;
        made.push(settle::apply(transaction, &other, &outcome)?);
    }
    Ok(made)
}
