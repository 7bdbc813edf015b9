//! Letting `atlashub fsck` compare a plugin's tables with its objects.
//!
//! ```
//! use atlashub_sdk::{check, prelude::*};
//!
//! struct Records;
//!
//! impl check::Records for Records {
//!     fn known(_: &str, keys: &[String]) -> Result<Vec<check::Reference>> {
//!         let mut known = Vec::new();
//!         for key in keys {
//!             let row: Option<(String, u64)> = sql::query_optional(
//!                 "SELECT title, size FROM notes.attachments WHERE object_key = $1",
//!                 params![key],
//!             )?;
//!             known.extend(row.map(|(title, size)| {
//!                 check::Reference::to(key, format!("the attachment {title}")).of_size(size)
//!             }));
//!         }
//!         Ok(known)
//!     }
//!
//!     fn references(_: &str, _cursor: Option<&str>) -> Result<check::ReferencePage> {
//!         // …the same for all rows, a page at a time.
//!         Ok(check::ReferencePage::default())
//!     }
//! }
//!
//! # fn routes() -> Router { Router::new() }
//! atlashub_sdk::plugin!(routes, check = Records);
//! ```
//!
//! Delete rows first and objects after them, and write objects first and rows
//! after them: then a row whose object is missing is broken, however much goes
//! on meanwhile, and an object without a row is left over once it is old.

use crate::Result;
use std::time::Duration;

/// That a row refers to an object in the plugin's part of a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The object's key.
    pub key: String,
    /// Bytes that it must have, when the rows say so.
    pub size: Option<u64>,
    /// Whether it must be there.
    pub required: bool,
    /// What refers to it, for people.
    pub subject: String,
}

impl Reference {
    /// A row refers to an object, which must be there.
    #[must_use]
    pub fn to(key: impl Into<String>, subject: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            size: None,
            required: true,
            subject: subject.into(),
        }
    }

    /// The object must have that many bytes.
    #[must_use]
    pub fn of_size(self, size: u64) -> Self {
        Self {
            size: Some(size),
            ..self
        }
    }

    /// The object need not be there: it is still to come, or to be deleted.
    #[must_use]
    pub fn optional(self) -> Self {
        Self {
            required: false,
            ..self
        }
    }
}

/// Some of the references.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReferencePage {
    /// In any order.
    pub references: Vec<Reference>,
    /// Where the next page starts, when there is one.
    pub next: Option<String>,
}

/// An object that is referred to and that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The object's key.
    pub key: String,
    /// Bytes that are there instead; none when nothing is.
    pub found: Option<u64>,
}

/// Something that is not right.
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

impl Finding {
    /// Something that is not right, and not mended.
    #[must_use]
    pub fn new(
        code: impl Into<String>,
        subject: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            code: code.into(),
            subject: subject.into(),
            message: message.into(),
            mended: false,
        }
    }

    /// Whether it is mended now.
    #[must_use]
    pub fn mended(self, mended: bool) -> Self {
        Self { mended, ..self }
    }
}

/// How rows are to be compared with each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// Where to go on; none at first.
    pub cursor: Option<String>,
    /// What is younger may be under way and is left alone.
    pub grace: Duration,
    /// Whether to mend what is found.
    pub repair: bool,
}

/// What was found, a page at a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FindingPage {
    /// In any order.
    pub findings: Vec<Finding>,
    /// Where the next page starts, when there is one.
    pub next: Option<String>,
}

/// What a plugin says of its objects.
pub trait Records {
    /// Those of the objects to which a row refers; 1,000 keys at most.
    ///
    /// # Errors
    /// When the tables cannot be read; the check ends there.
    fn known(bucket: &str, keys: &[String]) -> Result<Vec<Reference>>;

    /// All objects to which rows refer, a page at a time.
    ///
    /// # Errors
    /// As [`known`](Self::known).
    fn references(bucket: &str, cursor: Option<&str>) -> Result<ReferencePage>;

    /// Mends what can be without these objects, which are then no longer
    /// [`known`](Self::known). Rows that stand for something of a user's are
    /// never deleted for this.
    ///
    /// # Errors
    /// As [`known`](Self::known).
    fn mend(bucket: &str, lost: &[Lost]) -> Result<()> {
        let _ = (bucket, lost);
        Ok(())
    }

    /// Compares rows with each other, a page at a time.
    ///
    /// # Errors
    /// As [`known`](Self::known).
    fn inspect(inspection: &Inspection) -> Result<FindingPage> {
        let _ = inspection;
        Ok(FindingPage::default())
    }
}
