//! Uploads that come in parts. Each part is an object; a broken line leaves
//! what came, which the host keeps and the next request finds. In the end one
//! part is the file's object as it is, and several are put together in the
//! store. A direct upload is one whose only part comes by a signed link.
//!
//! Every try to send a part has a key of its own. Which parts count is
//! decided by one guarded update on how much had been received, so two
//! senders at once cannot both win. The file has the id of its upload.

use crate::{
    BUCKET,
    access::{self, Permission},
    account::{self, Change},
    contents, due,
    happened::{self, Change as Happened},
    name, notice,
    place::{self, Fields, Stored},
    record::{Record, Visibility},
    settings::Settings,
    thumbnail, tree, untold,
};
use atlashub_sdk::{blob::PartOptions, prelude::*};
use std::time::Duration;
use uuid::Uuid;

/// How long an upload lives after its last part, milliseconds.
const LIFE: i64 = 3 * DAY;
const DAY: i64 = 24 * 60 * 60 * 1000;
/// So many parts are put together before there is one more.
const MAX_PARTS: usize = 500;
/// Bytes by which a type is told.
const HEAD: usize = 512;

/// How an upload's bytes come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// In parts, by TUS.
    Tus,
    /// At once, by a signed link.
    Direct,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Tus => "tus",
            Self::Direct => "direct",
        }
    }

    /// How long it lives when nothing happens, milliseconds.
    const fn life(self) -> i64 {
        match self {
            Self::Tus => LIFE,
            Self::Direct => DAY,
        }
    }
}

/// An upload that begins.
#[derive(Debug)]
pub(crate) struct New {
    pub(crate) kind: Kind,
    pub(crate) owner: String,
    pub(crate) sender: String,
    pub(crate) length: u64,
    pub(crate) path: String,
    pub(crate) claimed_type: Option<String>,
    pub(crate) fields: Fields,
}

/// A row of `files.uploads`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Upload {
    pub(crate) id: String,
    pub(crate) kind: Kind,
    owner: String,
    pub(crate) sender: String,
    pub(crate) length: u64,
    pub(crate) received: u64,
    attempt: u64,
    parts: Vec<String>,
    sha256: Option<String>,
    path: String,
    claimed_type: Option<String>,
    folder_id: Option<String>,
    visibility: Option<String>,
    description: Option<String>,
    tags: Option<Vec<String>>,
    pub(crate) file_id: Option<String>,
    pub(crate) expires_at: i64,
}

const UPLOAD: &str = "id, kind, owner, sender, length, received, attempt, parts, sha256, path, claimed_type, \
     folder_id, visibility, description, tags, file_id, expires_at";

impl Upload {
    fn key(&self, attempt: u64) -> String {
        format!("tus/{}/{attempt}", self.id)
    }

    /// The objects that have its bytes, in order.
    pub(crate) fn parts(&self) -> &[String] {
        &self.parts
    }

    /// When it began or last got a part, milliseconds since 1970.
    pub(crate) fn last_touched(&self) -> i64 {
        self.expires_at.saturating_sub(self.kind.life())
    }

    /// Whether it cannot be finished without an object.
    pub(crate) fn needs(&self, key: &str) -> bool {
        self.parts.iter().any(|part| part == key)
    }

    /// Where the bytes of a direct upload come to.
    pub(crate) fn direct_key(&self) -> String {
        self.key(1)
    }
}

/// An upload that has not expired.
pub(crate) fn find(id: &str) -> Result<Option<Upload>> {
    let upload: Option<Upload> = sql::query_optional(
        &format!("SELECT {UPLOAD} FROM files.uploads WHERE id = $1"),
        params![id],
    )?;
    Ok(upload.filter(|upload| upload.expires_at > moment::now_ms()))
}

/// The upload of that id and kind, if the caller began it or sees all. What is
/// not there is so for everybody.
pub(crate) fn find_for(id: &str, kind: Kind, caller: &Caller) -> Result<Upload> {
    let unknown = || Error::not_found("upload");
    let upload = find(id)?
        .filter(|upload| upload.kind == kind)
        .ok_or_else(unknown)?;
    let sees = access::scope(caller, Permission::Write)?;
    if !sees.covers(&upload.sender) {
        return Err(unknown());
    }
    Ok(upload)
}

/// Begins an upload: its whole length counts from now on.
pub(crate) fn create(new: &New, settings: &Settings) -> Result<Upload> {
    due::within(Duration::from_millis(new.kind.life().unsigned_abs()));
    sql::transaction(|transaction| {
        let change = Change::file(new.length);
        account::charge(transaction, &new.owner, change, settings)?;
        place::folder_of(transaction, &new.owner, new.fields.folder_id.as_deref())?;
        let tags = new.fields.tags.as_ref().map(sql::Value::json).transpose()?;
        let upload: Option<Upload> = transaction.query_optional(
            &format!(
                "INSERT INTO files.uploads ({UPLOAD}) VALUES \
                 ($1, $2, $3, $4, $5, 0, $6, '[]', NULL, $7, $8, $9, $10, $11, $12, NULL, $13) RETURNING {UPLOAD}"
            ),
            params![
                Uuid::now_v7().to_string(),
                new.kind.as_str(),
                &new.owner,
                &new.sender,
                new.length,
                i64::from(new.kind == Kind::Direct),
                &new.path,
                new.claimed_type.as_deref(),
                new.fields.folder_id.as_deref(),
                new.fields.visibility.map(Visibility::as_str),
                new.fields.description.as_deref(),
                tags.unwrap_or(sql::Value::Null),
                moment::now_ms() + new.kind.life()
            ],
        )?;
        upload.ok_or_else(|| Error::internal("an upload was not written"))
    })
}

/// 409.
pub(crate) fn wrong_offset(upload: &Upload) -> Error {
    Error::conflict(
        "upload_offset",
        "`Upload-Offset` is not where the upload is",
    )
    .with_field("upload_offset", upload.received)
}

/// Takes in a part, and makes the file when it was the last.
pub(crate) fn receive(
    upload: &mut Upload,
    body: Body,
    options: &PartOptions,
    settings: &Settings,
) -> Result<()> {
    if upload.received < upload.length {
        if upload.parts.len() >= MAX_PARTS {
            gather(upload)?;
        }
        let attempt: Option<u64> = sql::query_optional(
            "UPDATE files.uploads SET attempt = attempt + 1, expires_at = $3 \
             WHERE id = $1 AND received = $2 AND file_id IS NULL RETURNING attempt",
            params![&upload.id, upload.received, moment::now_ms() + LIFE],
        )?;
        let Some(attempt) = attempt else {
            return Err(wrong_offset(upload));
        };
        let key = upload.key(attempt);
        let part = BUCKET.put_part(&key, body, options).map_err(mismatch)?;
        if upload.received == 0 && part.size > 0 {
            settings
                .check_type(&type_of(upload, &part.head))
                .inspect_err(|_| contents::delete_object(&key))?;
        }
        count(upload, &key, part.size, Some(part.sha256))?;
    }
    finish_if_whole(upload, settings)
}

/// A checksum that does not fit has a status of its own in the protocol.
fn mismatch(error: Error) -> Error {
    if error.code() != "checksum_mismatch" {
        return error;
    }
    let status = StatusCode::from_u16(460).unwrap_or(StatusCode::BAD_REQUEST);
    Error::new(status, "checksum_mismatch", error.detail().to_owned())
}

/// Counts a part, unless somebody else was faster, be it with another part or
/// by putting those before together.
fn count(upload: &mut Upload, key: &str, size: u64, sha256: Option<String>) -> Result<()> {
    if size == 0 {
        contents::delete_object(key);
        return Ok(());
    }
    let mut parts = upload.parts.clone();
    parts.push(key.to_owned());
    let sha256 = sha256.filter(|_| parts.len() == 1);
    let counted: Option<Upload> = sql::query_optional(
        &format!(
            "UPDATE files.uploads SET received = received + CAST($3 AS BIGINT), parts = $4, sha256 = $5 \
             WHERE id = $1 AND received = $2 AND parts = $6 AND file_id IS NULL RETURNING {UPLOAD}"
        ),
        params![
            &upload.id,
            upload.received,
            size,
            sql::Value::json(&parts)?,
            sha256,
            sql::Value::json(&upload.parts)?
        ],
    )?;
    if let Some(counted) = counted {
        *upload = counted;
        return Ok(());
    }
    let Some(now) = find(&upload.id)? else {
        contents::delete_object(key);
        return Err(Error::not_found("upload"));
    };
    // Another request found the part before this one came to count it.
    if now.parts.iter().any(|part| part == key) {
        *upload = now;
        return Ok(());
    }
    contents::delete_object(key);
    Err(wrong_offset(&now))
}

/// Counts what came by a link.
pub(crate) fn came(upload: &mut Upload, came: blob::Settled) -> Result<()> {
    if upload.received > 0 || upload.file_id.is_some() {
        return Ok(());
    }
    let key = upload.direct_key();
    count(upload, &key, came.size, came.sha256)
}

/// Counts what a broken request left, and finishes what only lacked that.
pub(crate) fn recover(upload: &mut Upload, settings: &Settings) -> Result<()> {
    if upload.file_id.is_some() {
        return Ok(());
    }
    let key = upload.key(upload.attempt);
    if upload.attempt > 0 && !upload.parts.contains(&key) {
        match BUCKET.stat(&key) {
            Ok(left) => count(upload, &key, left.size, None)?,
            Err(error) if error.code() == "object_not_found" => {}
            Err(error) => return Err(error),
        }
    }
    finish_if_whole(upload, settings)
}

fn type_of(upload: &Upload, head: &[u8]) -> String {
    let claimed = upload.claimed_type.as_deref();
    atlashub_file_types::detect(head, name::of_path(&upload.path), claimed)
}

fn finish_if_whole(upload: &mut Upload, settings: &Settings) -> Result<()> {
    if upload.received < upload.length || upload.file_id.is_some() {
        return Ok(());
    }
    let mime_type = type_of(upload, &head(upload)?);
    if let Err(refused) = settings.check_type(&mime_type) {
        end(upload)?;
        return Err(refused);
    }
    gather(upload)?;
    let (Some(object_key), Some(sha256)) = (upload.parts.first(), &upload.sha256) else {
        // Another request finished it, and the file has its bytes.
        return Ok(());
    };
    let stored = Stored {
        object_key: object_key.clone(),
        size: upload.length,
        sha256: sha256.clone(),
        filename: name::of_path(&upload.path).to_owned(),
        mime_type,
        shared: false,
    };
    if let Some(record) = make_file(upload, &stored, settings)? {
        happened::tell(Happened::Uploaded, &record.id, Some(&record.path));
        notice::added(&record, settings);
        thumbnail::later(&record);
        upload.file_id = Some(record.id);
    } else if let Some(now) = find(&upload.id)? {
        *upload = now;
    }
    contents::delete_doomed(200);
    Ok(())
}

/// The first bytes.
fn head(upload: &Upload) -> Result<Vec<u8>> {
    let mut head = Vec::new();
    for part in &upload.parts {
        let missing = HEAD.saturating_sub(head.len());
        if missing == 0 {
            break;
        }
        let size = BUCKET.stat(part)?.size;
        let range = 0..size.min(missing as u64);
        head.extend(BUCKET.read(part, Some(range))?.bytes(missing)?);
    }
    Ok(head)
}

/// Makes one part of all, whose digest is known. When another request was
/// faster, its is taken. The attempt is another one from then on: the object of
/// the last is among those that are put together, and may be there for a while.
fn gather(upload: &mut Upload) -> Result<()> {
    if upload.parts.len() == 1 && upload.sha256.is_some() {
        return Ok(());
    }
    let into = format!("tus/{}/whole-{}", upload.id, Uuid::now_v7());
    let whole = if upload.parts.is_empty() {
        let options = blob::PutOptions {
            key: Some(into.clone()),
            create_only: true,
            ..blob::PutOptions::default()
        };
        BUCKET.put_bytes(&[], &options)?
    } else {
        BUCKET.join(&upload.parts, &into)?
    };
    if whole.object.size != upload.received {
        contents::delete_object(&into);
        return Err(Error::conflict(
            "upload_changed",
            "the bytes were sent anew meanwhile, begin another upload",
        ));
    }
    let gathered = sql::transaction(|transaction| {
        let gathered: Option<Upload> = transaction.query_optional(
            &format!(
                "UPDATE files.uploads SET parts = $3, sha256 = $4, attempt = attempt + 1 \
                 WHERE id = $1 AND received = $2 AND sha256 IS NULL AND file_id IS NULL \
                 RETURNING {UPLOAD}"
            ),
            params![
                &upload.id,
                upload.received,
                sql::Value::json(&[&into])?,
                &whole.sha256
            ],
        )?;
        if gathered.is_some() {
            for part in &upload.parts {
                contents::doom(transaction, part)?;
            }
        }
        Ok(gathered)
    })?;
    *upload = match gathered {
        Some(gathered) => gathered,
        None => {
            contents::delete_object(&into);
            find(&upload.id)?.ok_or_else(|| Error::not_found("upload"))?
        }
    };
    Ok(())
}

/// The row of the file, in the transaction that ends the upload; none when it
/// has ended already.
fn make_file(upload: &Upload, stored: &Stored, settings: &Settings) -> Result<Option<Record>> {
    untold::transaction(|transaction| {
        let owner = &upload.owner;
        account::lock(transaction, owner)?;
        let still: Option<i64> = transaction.query_optional(
            "SELECT 1 FROM files.uploads WHERE id = $1 AND file_id IS NULL",
            params![&upload.id],
        )?;
        if still.is_none() {
            return Ok(None);
        }
        let reserved = Change {
            bytes: -account::signed(upload.length),
            entries: -1,
        };
        account::shrink(transaction, owner, reserved)?;
        let base = place::folder_of(transaction, owner, upload.folder_id.as_deref())?;
        let above = name::split(&upload.path).0;
        let folder = if above.is_empty() {
            base
        } else {
            let way = name::check_path(&tree::path_in(base.as_ref(), above))?;
            tree::make_way(transaction, owner, &way, settings)?
        };
        let fields = Fields {
            id: Some(upload.id.clone()),
            folder_id: folder.map(|folder| folder.id),
            visibility: upload
                .visibility
                .as_deref()
                .map(Visibility::parse)
                .transpose()?,
            description: upload.description.clone(),
            tags: upload.tags.clone(),
        };
        let record = place::add_within(transaction, owner, stored, &fields, settings)?;
        transaction.execute(
            "UPDATE files.uploads SET file_id = $2 WHERE id = $1",
            params![&upload.id, &record.id],
        )?;
        Ok(Some(record))
    })
}

/// A direct upload turned out smaller than it was announced: the difference
/// is given back.
pub(crate) fn shorten(upload: &mut Upload, length: u64) -> Result<()> {
    let shortened = sql::transaction(|transaction| {
        account::lock(transaction, &upload.owner)?;
        let shortened: Option<Upload> = transaction.query_optional(
            &format!(
                "UPDATE files.uploads SET length = $3 WHERE id = $1 AND length = $2 \
                 AND received = 0 AND file_id IS NULL RETURNING {UPLOAD}"
            ),
            params![&upload.id, upload.length, length],
        )?;
        if shortened.is_some() {
            let less = account::signed(length) - account::signed(upload.length);
            account::shrink(transaction, &upload.owner, Change::bytes(less))?;
        }
        Ok(shortened)
    })?;
    if let Some(now) = shortened.or(find(&upload.id)?) {
        *upload = now;
    }
    Ok(())
}

/// Ends an upload that has not become a file, and gives back what it counted.
pub(crate) fn end(upload: &Upload) -> Result<()> {
    let left = BUCKET
        .list(&format!("tus/{}/", upload.id), None, 1000)?
        .objects;
    sql::transaction(|transaction| {
        account::lock(transaction, &upload.owner)?;
        let gone: Option<Option<String>> = transaction
            .query::<Option<String>>(
                "DELETE FROM files.uploads WHERE id = $1 RETURNING file_id",
                params![&upload.id],
            )?
            .into_iter()
            .next();
        // What has become a file keeps its bytes.
        if gone != Some(None) {
            return Ok(());
        }
        for object in &left {
            contents::doom(transaction, &object.key)?;
        }
        for part in &upload.parts {
            contents::doom(transaction, part)?;
        }
        let change = Change {
            bytes: -account::signed(upload.length),
            entries: -1,
        };
        account::shrink(transaction, &upload.owner, change)
    })?;
    contents::delete_doomed(200);
    Ok(())
}

/// Ends uploads whose time is over.
pub(crate) fn end_expired(most: u32) -> Result<()> {
    let expired: Vec<Upload> = sql::query(
        &format!("SELECT {UPLOAD} FROM files.uploads WHERE expires_at <= $1 LIMIT {most}"),
        params![moment::now_ms()],
    )?;
    expired.iter().try_for_each(end)
}

/// The upload of that id that has not become a file, expired or not.
pub(crate) fn open(id: &str) -> Result<Option<Upload>> {
    sql::query_optional(
        &format!("SELECT {UPLOAD} FROM files.uploads WHERE id = $1 AND file_id IS NULL"),
        params![id],
    )
}

/// A page of the uploads that have not become files, after the one of that id.
pub(crate) fn all_open(after: &str) -> Result<Vec<Upload>> {
    sql::query(
        &format!(
            "SELECT {UPLOAD} FROM files.uploads WHERE id > $1 AND file_id IS NULL ORDER BY id LIMIT 50"
        ),
        params![after],
    )
}

/// The upload to which an object belongs, by its key.
pub(crate) fn of_key(object_key: &str) -> &str {
    object_key
        .strip_prefix("tus/")
        .and_then(|rest| rest.split('/').next())
        .unwrap_or_default()
}
