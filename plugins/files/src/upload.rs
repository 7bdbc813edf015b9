//! `POST /files/upload`: a form with files, or a raw body with `File-Path`.
//!
//! Bytes are stored first and rows written after, so that no row ever speaks
//! of bytes that are not there. A file that is put into another's folder, by
//! those who may, belongs to the folder's owner and counts there. A server that
//! works with everybody's files may name whose a file is to be.

use crate::{
    access::{self, Permission, Role},
    conditions, folders,
    intake::{Intake, decoded, stated_length},
    name,
    place::{self, Fields},
    record::{Metadata, Record},
    settings::Settings,
    sweep,
};
use atlashub_sdk::{
    multipart::{self, Multipart, Part},
    prelude::*,
};

/// Most files in one form.
const MAX_FILES: usize = 100;

pub(crate) fn upload(
    mut request: Request,
    caller: Caller,
    Config(settings): Config<Settings>,
) -> Result<Response> {
    let named = request.header("file-owner").map(text_of);
    let own = access::owner_named(&caller, Permission::Write, named.as_deref())?;
    let call = idempotency::begin(&request, &own)?;
    let mut upload = Upload {
        intake: Intake::new(own, settings)?,
        caller,
        fields: Fields::default(),
        expected: Precondition::of(request.headers()),
        folder: None,
    };
    let is_form = request
        .header("content-type")
        .is_some_and(multipart::is_form);
    let path = if is_form {
        upload.receive_form(&mut request)?;
        None
    } else {
        Some(upload.receive_raw(&mut request)?)
    };
    let fingerprint = upload.fingerprint(path.as_deref());
    if let Some(answer) = call.answer(&fingerprint)? {
        return Ok(answer);
    }
    let records = match path {
        Some(path) => vec![upload.put(&path)?],
        None => upload.add_all()?,
    };
    sweep::now_and_then(&upload.intake.settings);
    call.keep(&fingerprint, answer(records))
}

/// A header field's text, which is percent-encoded.
fn text_of(value: &str) -> String {
    percent_encoding::percent_decode_str(value)
        .decode_utf8_lossy()
        .into_owned()
}

/// One file as an object, several as a list.
pub(crate) fn answer(mut records: Vec<Record>) -> Response {
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

/// The call and what came of it so far.
struct Upload {
    intake: Intake,
    caller: Caller,
    fields: Fields,
    expected: Precondition,
    /// The path of the folder that the call names.
    folder: Option<String>,
}

impl Upload {
    /// Stores the files of a form.
    fn receive_form(&mut self, request: &mut Request) -> Result<()> {
        let mut form = Multipart::from_request(request)?;
        while let Some(part) = form.next_part()? {
            if part.name == "file" {
                self.store_part(part)?;
            } else {
                let field = part.name.clone();
                self.fields.set(&field, &part.text()?)?;
                if field == "folder_id" {
                    self.settle_folder()?;
                }
            }
        }
        if self.intake.stored.is_empty() {
            return Err(Error::invalid(
                "file_missing",
                "the form needs a file in a field named `file`",
            ));
        }
        Ok(())
    }

    fn store_part(&mut self, part: Part) -> Result<()> {
        if self.intake.stored.len() == MAX_FILES {
            return Err(Error::invalid(
                "too_many_files",
                "a form has 100 files at most",
            ));
        }
        let filename = name::from_client(part.filename.as_deref().unwrap_or_default())?;
        self.intake
            .store(part.body, None, filename, part.content_type.as_deref())
    }

    /// Stores a raw body and says which path it is for, in whole.
    fn receive_raw(&mut self, request: &mut Request) -> Result<String> {
        let path = request.header("file-path").ok_or_else(|| {
            Error::bad_request(
                "file_path_missing",
                "send a form, or a raw body with the header `File-Path`",
            )
        })?;
        let path = name::check_path(&decoded(path)?)?;
        for (field, header) in [
            ("folder_id", "folder-id"),
            ("visibility", "visibility"),
            ("tags", "tags"),
            ("description", "description"),
        ] {
            if let Some(value) = request.header(header) {
                self.fields.set(field, &text_of(value))?;
            }
        }
        self.settle_folder()?;
        let path = match &self.folder {
            Some(folder) => name::check_path(&format!("{folder}/{path}"))?,
            None => path,
        };
        // A call that is made again is answered as it was, and not refused for
        // what it has done itself.
        if request.header("idempotency-key").is_none() {
            let there = place::sha256_at(&self.intake.owner, &path)?;
            conditions::check(&self.expected, there.as_deref())?;
        }
        self.intake.replaces_at(&path)?;
        let size = stated_length(request);
        let claimed = request.header("content-type").map(str::to_owned);
        let filename = name::of_path(&path).to_owned();
        self.intake
            .store(request.take_body(), size, filename, claimed.as_deref())?;
        Ok(path)
    }

    /// What the call is: the same text when it is sent again.
    fn fingerprint(&self, path: Option<&str>) -> String {
        let mut text = format!("{path:?} {:?}", self.fields);
        for stored in &self.intake.stored {
            text.push_str(&format!(" {:?} {}", stored.filename, stored.sha256));
        }
        text
    }

    /// Finds out whose files these will be: those of the folder's owner.
    fn settle_folder(&mut self) -> Result<()> {
        if let Some(id) = &self.fields.folder_id {
            let folder = folders::live_for(id, &self.caller, Permission::Write, Role::Editor)?;
            self.intake.charge_to(folder.owner)?;
            self.folder = Some(folder.path);
        }
        Ok(())
    }

    /// The rows of a form's files.
    fn add_all(&mut self) -> Result<Vec<Record>> {
        let mut records = Vec::with_capacity(self.intake.stored.len());
        self.intake.stored.reverse();
        while let Some(stored) = self.intake.stored.last() {
            let Intake {
                owner, settings, ..
            } = &self.intake;
            records.push(place::add(owner, stored, &self.fields, settings)?);
            self.intake.stored.pop();
        }
        Ok(records)
    }

    /// The row of a raw body.
    fn put(&mut self, path: &str) -> Result<Record> {
        let Some(stored) = self.intake.stored.last() else {
            return Err(Error::internal("nothing was stored"));
        };
        let Intake {
            owner, settings, ..
        } = &self.intake;
        let expected = &self.expected;
        let record = place::put(owner, path, expected, stored, &self.fields, settings)?;
        self.intake.stored.pop();
        Ok(record)
    }
}
