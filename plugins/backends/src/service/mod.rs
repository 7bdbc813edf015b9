//! Services that keep files, behind one trait: a file for each.

pub(crate) mod bearer;
pub(crate) mod dropbox;
pub(crate) mod gdrive;
pub(crate) mod multistatus;
pub(crate) mod onedrive;
pub(crate) mod s3;
mod s3_parts;
pub(crate) mod signature;
pub(crate) mod webdav;

use crate::{files::Contents, path::RemotePath};
use atlashub_sdk::{http::Answer, prelude::*};

/// Most entries of a page.
pub(crate) const PAGE: usize = 200;

/// What a service is, as users name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Webdav,
    Nextcloud,
    S3,
    Gdrive,
    Onedrive,
    Dropbox,
}

impl Kind {
    /// As it is written.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Webdav => "webdav",
            Self::Nextcloud => "nextcloud",
            Self::S3 => "s3",
            Self::Gdrive => "gdrive",
            Self::Onedrive => "onedrive",
            Self::Dropbox => "dropbox",
        }
    }
}

/// What lies at a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Entry {
    pub(crate) name: String,
    /// What the other calls take.
    pub(crate) path: String,
    pub(crate) kind: EntryKind,
    /// Bytes; of folders, and where the service does not say, none.
    pub(crate) size: Option<u64>,
    /// RFC 3339, in UTC.
    pub(crate) modified: Option<String>,
    pub(crate) etag: Option<String>,
}

impl Entry {
    pub(crate) fn is_folder(&self) -> bool {
        self.kind == EntryKind::Folder
    }

    /// The top of a service.
    pub(crate) fn top() -> Self {
        Self {
            name: String::new(),
            path: "/".to_owned(),
            kind: EntryKind::Folder,
            size: None,
            modified: None,
            etag: None,
        }
    }
}

/// A file or a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum EntryKind {
    File,
    Folder,
}

/// A page of a folder.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Listing {
    pub(crate) items: Vec<Entry>,
    pub(crate) next_cursor: Option<String>,
}

/// A connection to a service, as its user has it.
pub(crate) trait Service {
    /// Whether it is there and takes the credentials.
    fn check(&self) -> Result<()> {
        self.list(&RemotePath::default(), None).map(drop)
    }

    /// A page of a folder. `remote_not_found` where there is none.
    fn list(&self, folder: &RemotePath, cursor: Option<&str>) -> Result<Listing>;

    /// What lies at a path, if something does.
    fn stat(&self, path: &RemotePath) -> Result<Option<Entry>>;

    /// The bytes of a file, or a range of them as HTTP writes it: an answer
    /// with status 200 or 206.
    fn fetch(&self, path: &RemotePath, range: Option<&str>) -> Result<Answer>;

    /// Stores a file at a path, in place of one that is there; folders that
    /// are missing on the way are made.
    fn put(&self, path: &RemotePath, contents: &Contents) -> Result<()>;
}

/// A page out of a list that a service gives whole: in the order of names,
/// from behind the cursor on.
pub(crate) fn paged(mut all: Vec<Entry>, cursor: Option<&str>) -> Listing {
    all.sort_by(|one, other| one.name.cmp(&other.name));
    if let Some(cursor) = cursor {
        all.retain(|entry| entry.name.as_str() > cursor);
    }
    let more = all.len() > PAGE;
    all.truncate(PAGE);
    Listing {
        next_cursor: all.last().filter(|_| more).map(|entry| entry.name.clone()),
        items: all,
    }
}
