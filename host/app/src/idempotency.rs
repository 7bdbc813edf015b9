//! `Idempotency-Key`: the first answer to a creating call is kept for 24
//! hours and given again. Answers may carry keys that are shown once, so they
//! are sealed.

use crate::App;
use atlashub_core::{Digest, Error, ProjectId, Result};
use atlashub_data::platform::{Begin, IdempotencyRequest, StoredAnswer, Ticket};
use secrecy::ExposeSecret as _;

/// What to do with a call that came with a key.
pub enum Idempotent {
    /// Run it, then [`App::keep_answer`] or [`App::drop_ticket`].
    Run(KeyTicket),
    /// Answer this.
    Again(StoredAnswer),
}

/// The right to answer for a key.
pub struct KeyTicket {
    ticket: Ticket,
    identity: String,
}

impl App {
    /// Decides about a call of `caller` with `key`; `request` is a digest of
    /// method, path and body.
    ///
    /// # Errors
    /// `invalid_idempotency_key`, 409 `request_running`, 422
    /// `idempotency_key_reused`.
    pub async fn begin_idempotent(
        &self,
        caller: &str,
        key: &str,
        request: Digest,
    ) -> Result<Idempotent> {
        self.begin_idempotent_in(None, caller, key, request).await
    }

    /// As [`begin_idempotent`](Self::begin_idempotent), of a call to a plugin
    /// of a project.
    ///
    /// # Errors
    /// As `begin_idempotent`; 429 `too_many_idempotency_keys` when the project
    /// has used as many as are kept.
    pub async fn begin_idempotent_in(
        &self,
        project: Option<ProjectId>,
        caller: &str,
        key: &str,
        request: Digest,
    ) -> Result<Idempotent> {
        let identity = match project {
            Some(project) => format!("idempotency/{project}/{caller}/{key}"),
            None => format!("idempotency/{caller}/{key}"),
        };
        let wanted = IdempotencyRequest {
            project,
            caller,
            key,
            request_hash: request,
        };
        match self.platform().idempotency().begin(wanted).await? {
            Begin::Run(ticket) => Ok(Idempotent::Run(KeyTicket { ticket, identity })),
            Begin::Answered(mut answer) => {
                let sealed = String::from_utf8(answer.body)
                    .map_err(|error| Error::internal("read a kept answer", error.utf8_error()))?;
                answer.body = self
                    .sealer()
                    .open(&identity, &sealed)?
                    .expose_secret()
                    .to_vec();
                Ok(Idempotent::Again(answer))
            }
            Begin::Running => Err(Error::conflict(
                "request_running",
                "the first call with this idempotency key is still running",
            )),
            Begin::OtherRequest => Err(Error::invalid(
                "idempotency_key_reused",
                "this idempotency key was used for another call, choose a new one",
            )),
        }
    }

    /// Keeps the answer that was given.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn keep_answer(&self, ticket: &KeyTicket, mut answer: StoredAnswer) -> Result<()> {
        answer.body = self
            .sealer()
            .seal(&ticket.identity, &answer.body)?
            .into_bytes();
        self.platform()
            .idempotency()
            .finish(&ticket.ticket, &answer)
            .await
            .map(drop)
    }

    /// Frees the key: the call changed nothing.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn drop_ticket(&self, ticket: &KeyTicket) -> Result<()> {
        self.platform().idempotency().abandon(&ticket.ticket).await
    }
}
