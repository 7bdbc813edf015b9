//! What a plugin says of the objects that its tables refer to, for
//! `atlashub fsck`: the host compares it with the store.

use super::blob::ObjectKey;

/// Most keys that one question names.
pub const MAX_KEYS: usize = 1_000;

/// That a row of a plugin refers to an object in its part of a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The object.
    pub key: ObjectKey,
    /// Bytes that it must have, when the rows say so.
    pub size: Option<u64>,
    /// Whether it must be there.
    pub required: bool,
    /// What refers to it, for people.
    pub subject: String,
}

/// Some of a plugin's references.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReferencePage {
    /// In any order.
    pub references: Vec<Reference>,
    /// Where the next page starts, when there is one.
    pub next: Option<String>,
}

/// An object that is referred to and that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostObject {
    /// The object.
    pub key: ObjectKey,
    /// Bytes that are there instead.
    pub found: Option<u64>,
}

/// Something that a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Stable.
    pub code: String,
    /// What it is about.
    pub subject: String,
    /// For people.
    pub message: String,
    /// Whether it is mended now.
    pub mended: bool,
}

/// Some of what a plugin found by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FindingPage {
    /// What was found.
    pub findings: Vec<Finding>,
    /// Where the next page starts, when there is one.
    pub next: Option<String>,
}
