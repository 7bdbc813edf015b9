//! `POST /lipa/timeout/{token}`: it waited too long.

use super::KINDS;
use crate::{
    callback::{self, Letter},
    due, origin,
    record::Row,
    settings::Settings,
    word,
};
use atlashub_sdk::prelude::*;

/// `POST /lipa/timeout/{token}`: it waited too long in the other side's queue.
/// That is no proof that it failed.
pub(crate) fn timeout(Path(token): Path<String>, mut request: Request) -> Result<Response> {
    let row = Row::by_word(&word::digest(&token)?, &KINDS)?;
    let settings: Settings = config::load()?;
    let (address, listed) = origin::of(&request, &settings);
    origin::admit(listed, &settings)?;
    let body = request.take_body().bytes(callback::MAX)?;
    callback::patiently(|transaction| {
        let row = Row::locked(transaction, &row.id)?;
        let letter = Letter {
            subject: &row.id,
            scope: &row.id,
            body: &body,
            address: address.clone(),
            listed,
        };
        letter.keep(transaction, "queue_timeout")
    })?;
    due::at_once(&row.id);
    Ok(callback::heard())
}
