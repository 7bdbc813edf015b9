//! What every room of the host shares: ids, names, errors, identity, grants,
//! limits, manifests, and the traits behind which capabilities stand.
//!
//! Nothing here does I/O or knows a framework. `runtime` calls the traits of
//! [`capability`]; `data`, `storage` and `app` implement them; `server` puts
//! the pieces together.

pub mod assets;
pub mod capability;
pub mod clock;
pub mod component_file;
pub mod digest;
pub mod error;
pub mod grant;
pub mod id;
pub mod identity;
pub mod job;
pub mod limits;
pub mod locations;
pub mod manifest;
pub mod name;
pub mod openapi;
pub mod permission;
pub mod precondition;
pub mod schedule;
pub mod subscription;
pub mod token;
pub mod upload_pace;

pub use clock::{Clock, SystemClock};
pub use digest::Digest;
pub use error::{Error, ErrorKind, Result};
pub use grant::{Grant, GrantSet};
pub use id::{
    AdminId, AppPasswordId, EventId, IdentityId, InstallationId, InvitationId, ItemId, KeyId,
    ProjectId, RequestId, RevisionId, ScheduleId, SessionId, SigningKeyId, UserId, UserSessionId,
    WorkerId,
};
pub use identity::{AdminRole, Caller, KeyKind};
pub use limits::{Isolation, Limits};
pub use locations::Locations;
pub use manifest::Manifest;
pub use name::{BucketName, PluginName, ProviderName, Slug};
pub use permission::BuiltInRole;
pub use precondition::Precondition;
pub use upload_pace::UploadPace;
