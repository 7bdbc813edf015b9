//! The portable archive of a project's tables: a zip whose entries are stored
//! as they are, so that each can be read where it lies.
//!
//! `manifest.json` tells which tables there are, as the admin's own calls take
//! them, with their row policies and with what those words leave out, and the
//! SHA-256 of every piece; `tables/….ndjson` has a row a line, `users.ndjson`
//! a user where users were asked for.
//! Neither says which engine it came from in a way that the other would not
//! understand.

pub(crate) mod zip;

use atlashub_sdk::{
    definitions::{LeftOut, NewTable},
    prelude::*,
};

/// What a manifest's `format` says.
pub(crate) const FORMAT: &str = "atlashub-archive";
/// Which manifests are written here: those before have columns and keys alone.
pub(crate) const VERSION: u32 = 2;
/// The oldest that are understood.
pub(crate) const OLDEST: u32 = 1;
/// The name of the manifest.
pub(crate) const MANIFEST: &str = "manifest.json";

/// The name of the entry with the users, a line each: as the host tells of
/// them, without passwords.
pub(crate) const USERS: &str = "users.ndjson";
/// Most users of an archive.
pub(crate) const MOST_USERS: u64 = 200_000;

/// What an archive has in it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) format: String,
    pub(crate) version: u32,
    /// `sqlite` or `postgres`.
    pub(crate) engine: String,
    /// RFC 3339.
    pub(crate) made_at: String,
    pub(crate) tables: Vec<Contents>,
    /// What belongs to no table, such as views.
    #[serde(default)]
    pub(crate) left_out: Vec<LeftOut>,
    /// The project's users, if they were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) users: Option<Users>,
}

/// The users of the archive.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Users {
    /// The entry with them.
    pub(crate) file: String,
    pub(crate) rows: u64,
    pub(crate) size: u64,
    /// The pieces that the entry is made of, in order.
    pub(crate) pieces: Vec<Piece>,
}

/// A table of the archive.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Contents {
    pub(crate) name: String,
    /// The entry with its rows.
    pub(crate) file: String,
    /// The table as `POST /admin/v1/projects/{project}/tables` takes it.
    pub(crate) definition: NewTable,
    /// What its rows have values for; the definition's columns when nothing is
    /// said.
    #[serde(default)]
    pub(crate) columns: Vec<String>,
    /// Its row policies.
    #[serde(default)]
    pub(crate) policies: Vec<serde_json::Value>,
    /// What the definition leaves out.
    #[serde(default)]
    pub(crate) left_out: Vec<LeftOut>,
    pub(crate) rows: u64,
    pub(crate) size: u64,
    /// The pieces that the entry is made of, in order.
    pub(crate) pieces: Vec<Piece>,
}

/// A piece of an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Piece {
    pub(crate) size: u64,
    /// Hexadecimal.
    pub(crate) sha256: String,
}

/// Bytes in hexadecimal.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
