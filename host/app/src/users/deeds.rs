//! What users of a project do to their own accounts, as the audit has it: by
//! the names that it has for admins, with the project beside.

use super::{Client, SignedInUser};
use crate::Actor;
use atlashub_core::{Caller, identity::User};
use atlashub_data::platform::{EndUser, NewAuditEvent};
use serde_json::json;
use std::{collections::BTreeSet, sync::Arc};

/// How somebody proved who it is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Proof {
    /// The password, which may be one that was just set.
    #[default]
    Password,
    /// A link in a mail.
    Mail,
    /// The code that a provider, or a link in a mail, led to.
    Code,
    /// A code of the second factor, in a session that awaited it.
    SecondFactor,
}

impl Proof {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Mail => "mail",
            Self::Code => "code",
            Self::SecondFactor => "totp",
        }
    }
}

/// A user as the one who did something to the own account.
pub(super) fn myself(user: &EndUser, client: &Client) -> Actor {
    Actor {
        caller: Caller::User(Arc::new(User {
            id: *user.id.as_uuid(),
            roles: user.roles.clone(),
            permissions: BTreeSet::new(),
        })),
        request: client.request,
    }
}

/// As [`myself`], of who is signed in.
pub(super) fn who(me: &SignedInUser, client: &Client) -> Actor {
    Actor {
        caller: Caller::User(Arc::clone(&me.user)),
        request: client.request,
    }
}

/// Somebody became a user.
pub(super) fn signed_up(user: &EndUser, by: &str, client: &Client) -> NewAuditEvent {
    myself(user, client).did(
        "user.sign_up",
        Some(user.project),
        user.id.to_string(),
        json!({ "by": by, "address": client.address }),
    )
}
