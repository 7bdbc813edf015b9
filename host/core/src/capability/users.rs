//! The project's end users, as plugins look them up, and what the built-in
//! roles may do.

use super::PluginScope;
use crate::{BuiltInRole, Caller, ProjectId, RequestId, Result};
use async_trait::async_trait;
use time::OffsetDateTime;
use uuid::Uuid;

/// Most users of a page.
pub const MAX_PAGE: u32 = 100;

/// An end user, as plugins see one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRecord {
    /// The user's id.
    pub id: Uuid,
    /// The address.
    pub email: Option<String>,
    /// The handle.
    pub handle: Option<String>,
    /// The name that others see.
    pub name: Option<String>,
    /// The roles that the user holds.
    pub roles: Vec<String>,
    /// When the user was added.
    pub created_at: OffsetDateTime,
}

/// A page of users, in order of their ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserPage {
    /// The users.
    pub users: Vec<UserRecord>,
    /// Where the next page begins, if there is one.
    pub next_cursor: Option<String>,
}

/// A user that a plugin adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserToAdd {
    /// The user's id: a UUID that nobody has.
    pub id: String,
    /// The address.
    pub email: String,
    /// The handle.
    pub handle: Option<String>,
    /// The name that others see.
    pub name: Option<String>,
    /// The roles that the user is to hold.
    pub roles: Vec<String>,
}

/// Who has a user added.
#[derive(Clone, Debug)]
pub struct UserAdder {
    /// Which plugin, in which project.
    pub scope: PluginScope,
    /// For whom it does, as the host knows.
    pub caller: Caller,
    /// During which request.
    pub request: RequestId,
}

/// Looks users up, and adds them. Those who are shut out are not there, but for
/// [`Users::existing`].
#[async_trait]
pub trait Users: Send + Sync {
    /// Whether a plugin of the project declares `<plugin>:<action>` for this
    /// role. Asks no database: it is on the way of warm requests.
    fn role_holds(&self, project: ProjectId, role: BuiltInRole, permission: &str) -> bool;

    /// The user with this id.
    async fn get(&self, project: ProjectId, id: &str) -> Result<Option<UserRecord>>;

    /// The user with this e-mail address, or this handle with or without `@`
    /// before it, in any case.
    async fn find(&self, project: ProjectId, name: &str) -> Result<Option<UserRecord>>;

    /// Those of `ids` that are a user's, in no order; also of users who are
    /// shut out.
    async fn existing(&self, project: ProjectId, ids: &[String]) -> Result<Vec<String>>;

    /// A page of at most [`MAX_PAGE`] users. Code: `invalid_cursor`.
    async fn list(&self, project: ProjectId, limit: u32, cursor: Option<&str>) -> Result<UserPage>;

    /// Those of `ids` that are no user's of any project, in no order; what is
    /// no UUID is not among them.
    async fn free_ids(&self, ids: &[String]) -> Result<Vec<String>>;

    /// Adds a user who has no password. Codes: `invalid_id`, `id_taken`,
    /// `role_not_given` for the role `admin`, and those of users that admins
    /// add.
    async fn add(&self, adder: UserAdder, user: UserToAdd) -> Result<()>;
}
