//! `POST /files/upload`: a form with files, or a raw body with `File-Path`.
//!
//! Bytes are stored first and rows written after, so that no row ever speaks
//! of bytes that are not there. What was stored for a request that fails is
//! deleted again.

use crate::{
    BUCKET,
    access::{self, Permission},
    change::{forget, no_folders},
    content_type, name,
    record::{COLUMNS, Metadata, Record, Visibility, check_description, clean_tags, now_ms},
    settings::Settings,
};
use atlashub_sdk::{
    multipart::{self, Multipart, Part},
    prelude::*,
};
use uuid::Uuid;

/// Most files in one form.
const MAX_FILES: usize = 100;
/// How often a name is tried again, with another number or after a change by
/// somebody else.
const MAX_TRIES: u32 = 100;

pub(crate) fn upload(
    mut request: Request,
    caller: Caller,
    Config(settings): Config<Settings>,
) -> Result<Response> {
    let mut upload = Upload {
        owner: access::owner(&caller, Permission::Write)?,
        settings,
        stored: Vec::new(),
    };
    let call = idempotency::begin(&request, &upload.owner)?;
    let is_form = request
        .header("content-type")
        .is_some_and(multipart::is_form);
    let (path, fields) = if is_form {
        (None, upload.receive_form(&mut request)?)
    } else {
        let (path, fields) = upload.receive_raw(&mut request)?;
        (Some(path), fields)
    };
    let fingerprint = upload.fingerprint(path.as_deref(), &fields);
    if let Some(answer) = call.answer(&fingerprint)? {
        return Ok(answer);
    }
    let records = match path {
        Some(path) => vec![upload.put(&path, &fields)?],
        None => upload.add_all(&fields)?,
    };
    call.keep(&fingerprint, answer(records))
}

/// One file as an object, several as a list.
fn answer(mut records: Vec<Record>) -> Response {
    let base = identity::public_url();
    match records.pop() {
        Some(record) if records.is_empty() => {
            let location = format!("{base}/files/{}", record.id);
            (
                StatusCode::CREATED,
                [("location", location)],
                Json(record.metadata(&base)),
            )
                .into_response()
        }
        last => {
            records.extend(last);
            let all: Vec<Metadata> = records
                .into_iter()
                .map(|record| record.metadata(&base))
                .collect();
            (StatusCode::CREATED, Json(all)).into_response()
        }
    }
}

/// What a client says of its files beside their bytes.
#[derive(Debug, Default)]
struct Fields {
    visibility: Option<Visibility>,
    description: Option<String>,
    tags: Option<Vec<String>>,
}

impl Fields {
    fn set(&mut self, name: &str, value: &str) -> Result<()> {
        match name {
            "folder_id" if value.is_empty() => {}
            "folder_id" => return Err(no_folders()),
            "visibility" => {
                let visibility = Visibility::parse(value)?;
                if visibility == Visibility::Public {
                    Permission::Share.require()?;
                }
                self.visibility = Some(visibility);
            }
            "description" => {
                check_description(value)?;
                self.description = Some(value.to_owned());
            }
            "tags" => {
                let more = match serde_json::from_str::<Vec<String>>(value) {
                    Ok(list) => clean_tags(list)?,
                    Err(_) => clean_tags(value.split(','))?,
                };
                self.tags = Some(clean_tags(
                    self.tags.take().into_iter().flatten().chain(more),
                )?);
            }
            _ => {
                return Err(Error::invalid(
                    "unknown_field",
                    format!("the form's field `{name}` means nothing here"),
                ));
            }
        }
        Ok(())
    }
}

/// Bytes that are in the store, and no row speaks of yet.
#[derive(Debug)]
struct Stored {
    object: blob::Stored,
    filename: String,
    mime_type: String,
}

/// An upload on its way. What it stored and did not hand over to a row is
/// deleted when it ends.
struct Upload {
    owner: String,
    settings: Settings,
    stored: Vec<Stored>,
}

impl Drop for Upload {
    fn drop(&mut self) {
        for stored in &self.stored {
            forget(&stored.object.object.key);
        }
    }
}

impl Upload {
    /// Stores the files of a form.
    fn receive_form(&mut self, request: &mut Request) -> Result<Fields> {
        let mut fields = Fields::default();
        let mut form = Multipart::from_request(request)?;
        while let Some(part) = form.next_part()? {
            if part.name == "file" {
                self.store_part(part)?;
            } else {
                let field = part.name.clone();
                fields.set(&field, &part.text()?)?;
            }
        }
        if self.stored.is_empty() {
            return Err(Error::invalid(
                "file_missing",
                "the form needs a file in a field named `file`",
            ));
        }
        Ok(fields)
    }

    /// What the call is: the same text when it is sent again.
    fn fingerprint(&self, path: Option<&str>, fields: &Fields) -> String {
        let mut text = format!("{path:?} {fields:?}");
        for stored in &self.stored {
            text.push_str(&format!(" {:?} {}", stored.filename, stored.object.sha256));
        }
        text
    }

    /// The rows of a form's files.
    fn add_all(&mut self, fields: &Fields) -> Result<Vec<Record>> {
        let mut records = Vec::with_capacity(self.stored.len());
        self.stored.reverse();
        while let Some(stored) = self.stored.last() {
            records.push(self.add(stored, fields)?);
            self.stored.pop();
        }
        Ok(records)
    }

    fn store_part(&mut self, part: Part) -> Result<()> {
        if self.stored.len() == MAX_FILES {
            return Err(Error::invalid(
                "too_many_files",
                "a form has 100 files at most",
            ));
        }
        let filename = name::from_client(part.filename.as_deref().unwrap_or_default())?;
        self.store(part.body, None, filename, part.content_type.as_deref())
    }

    /// Stores bytes, and finds out their type.
    fn store(
        &mut self,
        body: Body,
        size: Option<u64>,
        filename: String,
        claimed: Option<&str>,
    ) -> Result<()> {
        let options = blob::PutOptions {
            expected_size: size,
            max_size: self.settings.max_file_bytes,
            ..blob::PutOptions::default()
        };
        let object = BUCKET.put(body, &options)?;
        let mime_type = content_type::detect(&object.head, &filename, claimed);
        let verdict = self.settings.check_type(&mime_type);
        self.stored.push(Stored {
            object,
            filename,
            mime_type,
        });
        verdict
    }

    /// A new file. A name that is taken gets a number.
    fn add(&self, stored: &Stored, fields: &Fields) -> Result<Record> {
        for number in 1..=MAX_TRIES {
            let path = name::numbered(&stored.filename, number);
            if let Some(record) = self.insert(stored, &path, fields)? {
                return Ok(record);
            }
        }
        Err(Error::conflict(
            "path_taken",
            "there are too many files of that name, choose another",
        ))
    }

    /// The row of a new file, unless the path is taken.
    fn insert(&self, stored: &Stored, path: &str, fields: &Fields) -> Result<Option<Record>> {
        let now = now_ms();
        let inserted = sql::query_optional(
            &format!(
                "INSERT INTO files.objects ({COLUMNS}) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1, $9, $10, $11, $12, $12, NULL) RETURNING {COLUMNS}"
            ),
            params![
                Uuid::now_v7().to_string(),
                &stored.object.object.key,
                &self.owner,
                path,
                name::of_path(path),
                stored.object.object.size,
                &stored.mime_type,
                &stored.object.sha256,
                fields.visibility.unwrap_or_default().as_str(),
                fields.description.as_deref(),
                sql::Value::json(&fields.tags.as_deref().unwrap_or_default())?,
                now
            ],
        );
        match inserted {
            Err(error) if error.code() == "sql_constraint_unique" => Ok(None),
            other => other,
        }
    }

    /// Stores a raw body.
    fn receive_raw(&mut self, request: &mut Request) -> Result<(String, Fields)> {
        let path = request.header("file-path").ok_or_else(|| {
            Error::bad_request(
                "file_path_missing",
                "send a form, or a raw body with the header `File-Path`",
            )
        })?;
        let path = percent_encoding::percent_decode_str(path)
            .decode_utf8()
            .map_err(|_| {
                Error::invalid("invalid_path", "`File-Path` is not UTF-8, percent-encoded")
            })?;
        let path = name::check_path(&path)?;
        let mut fields = Fields::default();
        for (field, header) in [
            ("visibility", "visibility"),
            ("tags", "tags"),
            ("description", "description"),
        ] {
            if let Some(value) = request.header(header) {
                let value = percent_encoding::percent_decode_str(value)
                    .decode_utf8_lossy()
                    .into_owned();
                fields.set(field, &value)?;
            }
        }
        let size = request
            .header("content-length")
            .and_then(|length| length.parse().ok());
        let claimed = request.header("content-type").map(str::to_owned);
        self.store(
            request.take_body(),
            size,
            name::of_path(&path).to_owned(),
            claimed.as_deref(),
        )?;
        Ok((path, fields))
    }

    /// A new file at its path, or new bytes for the one there.
    fn put(&mut self, path: &str, fields: &Fields) -> Result<Record> {
        let Some(stored) = self.stored.last() else {
            return Err(Error::internal("nothing was stored"));
        };
        let record = self.write(stored, path, fields)?;
        self.stored.pop();
        Ok(record)
    }

    fn write(&self, stored: &Stored, path: &str, fields: &Fields) -> Result<Record> {
        for _ in 0..MAX_TRIES {
            let there: Option<Record> = sql::query_optional(
                &format!(
                    "SELECT {COLUMNS} FROM files.objects WHERE owner = $1 AND path = $2 AND deleted_at IS NULL"
                ),
                params![&self.owner, path],
            )?;
            let written = match there {
                None => self.insert(stored, path, fields)?,
                Some(there) => Self::replace(stored, there, fields)?,
            };
            if let Some(record) = written {
                return Ok(record);
            }
        }
        Err(Error::conflict(
            "file_changed",
            "others keep changing the file, try again",
        ))
    }

    /// The row with new bytes, unless somebody else was faster.
    fn replace(stored: &Stored, there: Record, fields: &Fields) -> Result<Option<Record>> {
        let replaced: Option<Record> = sql::query_optional(
            &format!(
                "UPDATE files.objects SET object_key = $3, size = $4, mime_type = $5, sha256 = $6, \
                 version = version + 1, visibility = $7, description = $8, tags = $9, updated_at = $10 \
                 WHERE id = $1 AND object_key = $2 AND deleted_at IS NULL RETURNING {COLUMNS}"
            ),
            params![
                &there.id,
                &there.object_key,
                &stored.object.object.key,
                stored.object.object.size,
                &stored.mime_type,
                &stored.object.sha256,
                fields.visibility.unwrap_or(there.visibility).as_str(),
                fields.description.clone().or(there.description),
                sql::Value::json(fields.tags.as_ref().unwrap_or(&there.tags))?,
                now_ms()
            ],
        )?;
        if replaced.is_some() {
            forget(&there.object_key);
        }
        Ok(replaced)
    }
}
