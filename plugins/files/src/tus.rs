//! `/files/tus`: uploads that survive a broken line, as the protocol TUS 1.0.0
//! has it, with creation, creation-with-upload, termination, expiration and
//! checksum. What the parts are and become is in [`crate::uploads`].

use crate::{
    access::{self, Permission, Role},
    folders,
    intake::stated_length,
    name,
    place::Fields,
    settings::Settings,
    sweep,
    uploads::{self, Kind, New, Upload},
};
use atlashub_sdk::{
    blob::{Checksum, PartOptions},
    prelude::*,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use std::time::{Duration, UNIX_EPOCH};

const VERSION: &str = "1.0.0";
const BYTES: &str = "application/offset+octet-stream";

/// An answer with what every answer of the protocol has.
fn respond(status: StatusCode) -> Response {
    Response::new(status)
        .with_header("tus-resumable", VERSION)
        .with_header("cache-control", "no-store")
}

/// `OPTIONS /files/tus`: what is offered.
pub(crate) fn offer(Config(settings): Config<Settings>) -> Response {
    let response = respond(StatusCode::NO_CONTENT)
        .with_header("tus-version", VERSION)
        .with_header(
            "tus-extension",
            "creation,creation-with-upload,termination,expiration,checksum",
        )
        .with_header("tus-checksum-algorithm", "sha1,sha256");
    match settings.max_file_bytes {
        Some(most) => response.with_header("tus-max-size", most.to_string()),
        None => response,
    }
}

fn check_version(request: &Request) -> Result<()> {
    if request.header("tus-resumable") == Some(VERSION) {
        return Ok(());
    }
    Err(Error::new(
        StatusCode::PRECONDITION_FAILED,
        "tus_version",
        "send `Tus-Resumable: 1.0.0`",
    )
    .with_header("tus-version", VERSION))
}

/// A header that is a number.
fn number(request: &Request, header: &str) -> Result<u64> {
    request
        .header(header)
        .and_then(|value| value.parse().ok())
        .ok_or_else(|| {
            Error::bad_request("invalid_header", format!("`{header}` is a number of bytes"))
        })
}

/// `POST /files/tus`.
pub(crate) fn create(
    mut request: Request,
    caller: Caller,
    Config(settings): Config<Settings>,
) -> Result<Response> {
    let own = access::owner(&caller, Permission::Write)?;
    check_version(&request)?;
    let length = number(&request, "upload-length")?;
    settings.check_size(length)?;
    let mut new = New {
        kind: Kind::Tus,
        owner: own.clone(),
        sender: own,
        length,
        path: "file".to_owned(),
        claimed_type: None,
        fields: Fields::default(),
    };
    take_metadata(
        &mut new,
        request.header("upload-metadata").unwrap_or_default(),
    )?;
    if let Some(id) = &new.fields.folder_id {
        new.owner = folders::live_for(id, &caller, Permission::Write, Role::Editor)?.owner;
    }
    let mut upload = uploads::create(&new, &settings)?;
    let location = format!("{}/files/tus/{}", identity::public_url(), upload.id);
    if is_bytes(&request) || length == 0 {
        receive(&mut upload, &mut request, &settings)?;
    }
    sweep::now_and_then(&settings);
    Ok(state(&upload, StatusCode::CREATED).with_header("location", location))
}

/// Reads `Upload-Metadata`: names, each with a value in Base64.
fn take_metadata(new: &mut New, text: &str) -> Result<()> {
    let refuse = || Error::bad_request("invalid_header", "`Upload-Metadata` cannot be read");
    for pair in text
        .split(',')
        .map(str::trim)
        .filter(|pair| !pair.is_empty())
    {
        let (key, value) = pair.split_once(' ').unwrap_or((pair, ""));
        let bytes = STANDARD.decode(value.trim()).map_err(|_| refuse())?;
        let value = String::from_utf8(bytes).map_err(|_| refuse())?;
        match key {
            "filename" | "name" => new.path = name::from_client(&value)?,
            "path" => new.path = name::check_path(&value)?,
            "filetype" | "type" | "content_type" => new.claimed_type = Some(value),
            "folder_id" | "visibility" | "description" | "tags" => new.fields.set(key, &value)?,
            // What clients say for themselves.
            _ => {}
        }
    }
    Ok(())
}

fn is_bytes(request: &Request) -> bool {
    request.header("content-type") == Some(BYTES)
}

/// What is known of an upload, in headers.
fn state(upload: &Upload, status: StatusCode) -> Response {
    let expires = u64::try_from(upload.expires_at / 1000).unwrap_or_default();
    let expires = UNIX_EPOCH
        .checked_add(Duration::from_secs(expires))
        .unwrap_or(UNIX_EPOCH);
    let response = respond(status)
        .with_header("upload-offset", upload.received.to_string())
        .with_header("upload-length", upload.length.to_string())
        .with_header("upload-expires", httpdate::fmt_http_date(expires));
    match &upload.file_id {
        Some(file) => response.with_header("file-id", file.as_str()),
        None => response,
    }
}

/// `HEAD /files/tus/{id}`: how far it is. `GET` answers the same.
pub(crate) fn status(
    Path(id): Path<String>,
    caller: Caller,
    Config(settings): Config<Settings>,
) -> Result<Response> {
    let mut upload = uploads::find_for(&id, Kind::Tus, &caller)?;
    uploads::recover(&mut upload, &settings)?;
    Ok(state(&upload, StatusCode::OK))
}

/// `PATCH /files/tus/{id}`: more bytes.
pub(crate) fn append(
    Path(id): Path<String>,
    mut request: Request,
    caller: Caller,
    Config(settings): Config<Settings>,
) -> Result<Response> {
    let mut upload = uploads::find_for(&id, Kind::Tus, &caller)?;
    check_version(&request)?;
    if !is_bytes(&request) {
        return Err(Error::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            format!("the body must be `{BYTES}`"),
        ));
    }
    let offset = number(&request, "upload-offset")?;
    uploads::recover(&mut upload, &settings)?;
    if offset != upload.received {
        return Err(uploads::wrong_offset(&upload));
    }
    receive(&mut upload, &mut request, &settings)?;
    Ok(state(&upload, StatusCode::NO_CONTENT))
}

fn receive(upload: &mut Upload, request: &mut Request, settings: &Settings) -> Result<()> {
    let checksum = request
        .header("upload-checksum")
        .map(checksum)
        .transpose()?;
    let options = PartOptions {
        expected_size: stated_length(request),
        max_size: Some(upload.length.saturating_sub(upload.received)),
        checksum,
    };
    uploads::receive(upload, request.take_body(), &options, settings)
}

fn checksum(text: &str) -> Result<Checksum> {
    let refuse = || Error::bad_request("invalid_checksum", "`Upload-Checksum` cannot be read");
    let (algorithm, value) = text.split_once(' ').ok_or_else(refuse)?;
    let bytes = STANDARD.decode(value.trim()).map_err(|_| refuse())?;
    match (algorithm, bytes.len()) {
        ("sha1", 20) => Ok(Checksum::Sha1(bytes)),
        ("sha256", 32) => Ok(Checksum::Sha256(bytes)),
        _ => Err(refuse()),
    }
}

/// `DELETE /files/tus/{id}`.
pub(crate) fn end(Path(id): Path<String>, caller: Caller) -> Result<Response> {
    let upload = uploads::find_for(&id, Kind::Tus, &caller)?;
    uploads::end(&upload)?;
    Ok(respond(StatusCode::NO_CONTENT))
}

/// `POST /files/tus/{id}` with `X-HTTP-Method-Override`, for clients that
/// cannot send the other methods.
pub(crate) fn overridden(
    Path(id): Path<String>,
    request: Request,
    caller: Caller,
    Config(settings): Config<Settings>,
) -> Result<Response> {
    let method = request.header("x-http-method-override").unwrap_or_default();
    match method.to_ascii_uppercase().as_str() {
        "PATCH" => append(Path(id), request, caller, Config(settings)),
        "HEAD" => status(Path(id), caller, Config(settings)),
        "DELETE" => end(Path(id), caller),
        _ => Err(Error::bad_request(
            "invalid_header",
            "`X-HTTP-Method-Override` is `PATCH`, `HEAD` or `DELETE` here",
        )),
    }
}
