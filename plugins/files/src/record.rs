//! A file's row, and its metadata as clients see it.

use crate::access::{self, Permission, Role, Subject};
use atlashub_sdk::{prelude::*, sql::Transaction};

/// Columns of [`Record`], in a `SELECT` or `RETURNING`.
pub(crate) const COLUMNS: &str = "id, object_key, owner, path, filename, size, mime_type, sha256, version, \
     visibility, description, tags, created_at, updated_at, deleted_at, folder_id, created_by";

/// Who may read a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Visibility {
    /// Its owner, secret keys and admins.
    #[default]
    Private,
    /// Everybody.
    Public,
}

impl Visibility {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        match text {
            "private" => Ok(Self::Private),
            "public" => Ok(Self::Public),
            _ => Err(Error::invalid(
                "invalid_visibility",
                "the visibility is `private` or `public`",
            )),
        }
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Public => "public",
        }
    }
}

/// A row of `files.objects`. Times are milliseconds since 1970.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Record {
    pub(crate) id: String,
    pub(crate) object_key: String,
    pub(crate) owner: String,
    pub(crate) path: String,
    pub(crate) filename: String,
    pub(crate) size: u64,
    pub(crate) mime_type: String,
    pub(crate) sha256: String,
    pub(crate) version: u64,
    pub(crate) visibility: Visibility,
    pub(crate) description: Option<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
    pub(crate) deleted_at: Option<i64>,
    pub(crate) folder_id: Option<String>,
    /// Who sent the present version.
    pub(crate) created_by: Option<String>,
}

/// A file's metadata.
#[derive(Debug, Serialize)]
pub(crate) struct Metadata {
    id: String,
    filename: String,
    path: String,
    folder_id: Option<String>,
    size: u64,
    mime_type: String,
    sha256: String,
    etag: String,
    version: u64,
    visibility: Visibility,
    owner_id: Option<String>,
    description: Option<String>,
    tags: Vec<String>,
    created_at: String,
    updated_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_at: Option<String>,
    url: String,
}

impl Record {
    /// The file of that id, in the trash or not.
    pub(crate) fn find(id: &str) -> Result<Option<Self>> {
        sql::query_optional(
            &format!("SELECT {COLUMNS} FROM files.objects WHERE id = $1"),
            params![id],
        )
    }

    /// The file of that id, in the trash or not, if this caller may do so
    /// much with it.
    pub(crate) fn find_for(
        id: &str,
        caller: &Caller,
        permission: Permission,
        least: Role,
    ) -> Result<Self> {
        let record = Self::find(id)?.filter(|record| record.deleted_at != Some(0));
        let Some(record) = record else {
            access::scope(caller, permission)?;
            return Err(access::unknown());
        };
        access::require(caller, permission, record.subject(), least)?;
        Ok(record)
    }

    /// As [`Record::find_for`], for what is not in the trash.
    pub(crate) fn live_for(
        id: &str,
        caller: &Caller,
        permission: Permission,
        least: Role,
    ) -> Result<Self> {
        let record = Self::find_for(id, caller, permission, least)?;
        if record.deleted_at.is_some() {
            return Err(access::unknown());
        }
        Ok(record)
    }

    /// The file as the transaction sees it.
    pub(crate) fn within(transaction: &Transaction, id: &str) -> Result<Option<Self>> {
        transaction.query_optional(
            &format!("SELECT {COLUMNS} FROM files.objects WHERE id = $1"),
            params![id],
        )
    }

    /// What matters for who may use it.
    pub(crate) fn subject(&self) -> Subject<'_> {
        Subject {
            owner: &self.owner,
            id: &self.id,
            folder: self.folder_id.as_deref(),
        }
    }

    /// The metadata; `base` is what the project's addresses start with.
    pub(crate) fn metadata(self, base: &str) -> Metadata {
        Metadata {
            url: format!("{base}/files/{}/download", self.id),
            etag: etag(&self.sha256),
            created_at: moment::rfc3339(self.created_at),
            updated_at: moment::rfc3339(self.updated_at),
            deleted_at: self.deleted_at.map(moment::rfc3339),
            owner_id: Some(self.owner).filter(|owner| !owner.is_empty()),
            id: self.id,
            filename: self.filename,
            path: self.path,
            folder_id: self.folder_id,
            size: self.size,
            mime_type: self.mime_type,
            sha256: self.sha256,
            version: self.version,
            visibility: self.visibility,
            description: self.description,
            tags: self.tags,
        }
    }
}

/// The entity tag of bytes with that digest (RFC 9110 §8.8.3): strong, since
/// it says what the bytes are.
pub(crate) fn etag(sha256: &str) -> String {
    format!("\"{sha256}\"")
}

/// Tags, lower-cased, without blanks around them, each once.
pub(crate) fn clean_tags<T: AsRef<str>>(tags: impl IntoIterator<Item = T>) -> Result<Vec<String>> {
    const MAX_TAGS: usize = 50;
    const MAX_BYTES: usize = 64;
    let mut clean: Vec<String> = Vec::new();
    for tag in tags {
        let tag = tag.as_ref().trim().to_lowercase();
        if tag.len() > MAX_BYTES || tag.chars().any(char::is_control) {
            return Err(Error::invalid(
                "invalid_tag",
                "a tag has 64 bytes at most and no control characters",
            ));
        }
        if !tag.is_empty() && !clean.contains(&tag) {
            clean.push(tag);
        }
    }
    if clean.len() > MAX_TAGS {
        return Err(Error::invalid("invalid_tag", "a file has 50 tags at most"));
    }
    Ok(clean)
}

/// Refuses descriptions beyond 4 KiB.
pub(crate) fn check_description(text: &str) -> Result<()> {
    if text.len() > 4096 {
        return Err(Error::invalid(
            "invalid_description",
            "a description has 4096 bytes at most",
        ));
    }
    Ok(())
}
