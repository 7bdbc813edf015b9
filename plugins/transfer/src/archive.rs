//! The portable archive of a project's tables: a zip whose entries are stored
//! as they are, so that each can be read where it lies.
//!
//! `manifest.json` tells which tables there are, as the admin's own calls take
//! them, and the SHA-256 of every piece; `tables/….ndjson` has a row a line.
//! Neither says which engine it came from in a way that the other would not
//! understand.

pub(crate) mod define;
pub(crate) mod zip;

use atlashub_sdk::prelude::*;

/// What a manifest's `format` says.
pub(crate) const FORMAT: &str = "atlashub-archive";
/// Which manifests are understood here.
pub(crate) const VERSION: u32 = 1;
/// The name of the manifest.
pub(crate) const MANIFEST: &str = "manifest.json";

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
}

/// A table of the archive.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Contents {
    pub(crate) name: String,
    /// The entry with its rows.
    pub(crate) file: String,
    /// The table as `POST /admin/v1/projects/{project}/tables` takes it.
    pub(crate) definition: serde_json::Value,
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
