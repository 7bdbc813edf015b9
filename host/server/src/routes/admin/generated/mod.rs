//! What is made for clients out of a project's tables.

pub(crate) mod openapi;
pub(crate) mod types;
