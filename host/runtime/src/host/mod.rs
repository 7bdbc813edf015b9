//! The capabilities as guests import them: each checks the grant, translates
//! between WIT and the plain types of `atlashub_core::capability`, and calls
//! the trait behind it.

pub(crate) mod audit;
pub(crate) mod blob;
pub(crate) mod channel;
pub(crate) mod config;
pub(crate) mod database;
pub(crate) mod definitions;
pub(crate) mod direct;
pub(crate) mod events;
pub(crate) mod identity;
pub(crate) mod jobs;
pub(crate) mod kv;
pub(crate) mod logging;
pub(crate) mod mail;
pub(crate) mod multipart;
pub(crate) mod rows;
pub(crate) mod sealing;
pub(crate) mod secret;
pub(crate) mod sign_in;
pub(crate) mod sql;
pub(crate) mod transfer;
pub(crate) mod upload;
pub(crate) mod users;

use crate::{bindings, state::State};
use atlashub_core::{Error, ErrorKind};
use wasmtime::component::{HasSelf, Linker};

/// Links everything that a component may import.
pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)?;
    bindings::config::store::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    bindings::logging::logging::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    bindings::identity::caller::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    bindings::sql::client::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    bindings::database::client::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    bindings::database::definitions::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    bindings::kv::store::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    bindings::users::directory::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    bindings::users::accounts::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    bindings::sign_in::sessions::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    bindings::secret::stand_ins::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    bindings::secret::sealing::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    bindings::events::publisher::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    bindings::jobs::queue::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    bindings::jobs::schedules::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    bindings::channel::hub::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    bindings::mail::sender::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    bindings::audit::log::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    bindings::blob::objects::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    bindings::upload::parts::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    bindings::direct::uploads::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    bindings::multipart::form::add_to_linker::<_, HasSelf<State>>(linker, |state| state)
}

/// The error of a call that no grant covers.
pub(crate) fn not_granted(what: &str) -> Error {
    Error::new(
        ErrorKind::Forbidden,
        "not_granted",
        format!(
            "the plugin was not granted `{what}`; ask for it in the manifest, and an admin can give it"
        ),
    )
}
