//! The platform's tables, and each project's own database.
//!
//! [`platform`] holds what the host knows: projects, keys, admins, plugin
//! revisions, installations, quotas, logs, audit. [`project`] provisions and
//! opens the databases that plugins and people of a project see. Only this
//! crate builds queries; no type of a database library leaves it.

pub mod platform;
pub mod project;
