//! Ids: UUIDv7 (RFC 9562), so that they sort by the time they were made.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    str::FromStr,
    time::{SystemTime, UNIX_EPOCH},
};
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id of this moment.
            #[must_use]
            #[expect(clippy::new_without_default, reason = "a default id would be a new one each time")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// Wraps an id that was stored.
            #[must_use]
            pub const fn from_uuid(id: Uuid) -> Self {
                Self(id)
            }

            /// The UUID itself.
            #[must_use]
            pub const fn as_uuid(&self) -> &Uuid {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self> {
                Uuid::parse_str(text)
                    .map(Self)
                    .map_err(|_| Error::bad_request("invalid_id", "the id is not a UUID"))
            }
        }
    };
}

id! {
    /// A project: the unit of tenancy.
    ProjectId
}
id! {
    /// An API key of a project.
    KeyId
}
id! {
    /// A platform admin.
    AdminId
}
id! {
    /// A signed-in session of a platform admin.
    SessionId
}
id! {
    /// An end user of a project.
    UserId
}
id! {
    /// A signed-in session of an end user.
    UserSessionId
}
id! {
    /// A password that an end user made for one program.
    AppPasswordId
}
id! {
    /// Who an end user is elsewhere.
    IdentityId
}
id! {
    /// A key that signs the access tokens of a project's users.
    SigningKeyId
}
id! {
    /// An invitation of a platform admin.
    InvitationId
}
id! {
    /// One immutable upload of a plugin.
    RevisionId
}
id! {
    /// A plugin installed in a project.
    InstallationId
}
id! {
    /// An event that a plugin published; each subscriber gets it under this id.
    EventId
}
id! {
    /// One piece of work in the queue.
    ItemId
}
id! {
    /// Times at which a plugin's job comes by itself.
    ScheduleId
}
id! {
    /// A process that works on the queue, for as long as it runs.
    WorkerId
}
id! {
    /// One request, as `x-request-id` names it.
    RequestId
}

impl RequestId {
    /// As [`RequestId::new`], without asking the operating system for random
    /// bits at every request: unique, and not meant to be hard to guess.
    #[must_use]
    pub fn quick() -> Self {
        let mut random = [0; 10];
        fastrand::fill(&mut random);
        let millis = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(0));
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }
}
