//! Share links, as those see them who were given one: `/share/{token}`.
//!
//! A password comes in the header `Share-Password`, or in a form or JSON that
//! is posted; never in an address. Wrong ones are counted, so that nobody
//! tries them all. A link with a limit counts each download, whole ones only,
//! in one guarded update.

use crate::{
    access, cursor, departed,
    download::{self, Content},
    happened::{self, Change},
    intake::{Intake, decoded, stated_length},
    name, notice,
    place::{self, Fields},
    record::{COLUMNS, Record},
    secret,
    settings::Settings,
    shares::{Allows, SHARE, Share},
    target::{Kind, Target},
    tree::Folder,
    zip,
};
use atlashub_sdk::{
    multipart::{self, Multipart},
    prelude::*,
};

/// Wrong passwords within [`TRIES_WITHIN`] after which a link rests.
const TRIES: i64 = 10;
/// Milliseconds.
const TRIES_WITHIN: i64 = 15 * 60 * 1000;

/// What a link shows.
#[derive(Debug, Serialize)]
struct Shown {
    kind: crate::target::Kind,
    filename: String,
    permission: Allows,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mime_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    expires_at: Option<String>,
    downloads_left: Option<i64>,
    url: String,
}

/// The link of a token and what it is for, once the password is right.
fn open(token: &str, password: Option<&str>) -> Result<(Share, Target)> {
    let share: Option<Share> = sql::query_optional(
        &format!("SELECT {SHARE} FROM files.shares WHERE token_hash = $1"),
        params![secret::hash_of_token(token)],
    )?;
    let share = share.ok_or_else(unknown)?;
    if share.expires_at.is_some_and(|at| at <= moment::now_ms()) {
        return Err(over());
    }
    if departed::ended_with_its_maker(&share)? {
        return Err(unknown());
    }
    if let Some(kept) = &share.password_hash {
        check_password(&share.id, kept, password)?;
    }
    let target = Target::live(share.kind, &share.subject)?.ok_or_else(unknown)?;
    Ok((share, target))
}

fn unknown() -> Error {
    Error::not_found("link")
}

/// 410.
fn over() -> Error {
    Error::new(StatusCode::GONE, "share_ended", "the link has ended")
}

/// Refuses a wrong password, and tries beyond so many.
fn check_password(id: &str, kept: &str, password: Option<&str>) -> Result<()> {
    let refuse = |code, detail: &str| Err(Error::new(StatusCode::UNAUTHORIZED, code, detail));
    let Some(password) = password else {
        return refuse("share_password_required", "the link needs a password");
    };
    let now = moment::now_ms();
    wrong_ones(id, now)?;
    // What it was is told by the row alone, after it was looked at: of many
    // at once, none learns anything once so many wrong ones stand there.
    if secret::is_password(password, kept)? {
        if wrong_ones(id, now)? > 0 {
            sql::execute(
                "UPDATE files.shares SET tries = 0 WHERE id = $1 AND tries < $2",
                params![id, TRIES],
            )?;
        }
        return Ok(());
    }
    let counted = sql::execute(
        "UPDATE files.shares SET \
         tries = CASE WHEN tries_since < CAST($2 AS BIGINT) THEN 1 ELSE tries + 1 END, \
         tries_since = CASE WHEN tries_since < CAST($2 AS BIGINT) THEN CAST($3 AS BIGINT) ELSE tries_since END \
         WHERE id = $1 AND (tries < CAST($4 AS BIGINT) OR tries_since < CAST($2 AS BIGINT))",
        params![id, now - TRIES_WITHIN, now, TRIES],
    )?;
    if counted == 0 {
        return Err(resting());
    }
    refuse("share_password_wrong", "the password is wrong")
}

/// Wrong passwords of late.
///
/// # Errors
/// 429 when they are so many that the link rests.
fn wrong_ones(id: &str, now: i64) -> Result<i64> {
    let tries: Option<i64> = sql::query_optional(
        "SELECT tries FROM files.shares WHERE id = $1 AND tries_since >= $2",
        params![id, now - TRIES_WITHIN],
    )?;
    match tries.unwrap_or_default() {
        TRIES.. => Err(resting()),
        tries => Ok(tries),
    }
}

/// 429.
fn resting() -> Error {
    Error::new(
        StatusCode::TOO_MANY_REQUESTS,
        "too_many_tries",
        "too many wrong passwords, wait a while",
    )
    .with_header("retry-after", (TRIES_WITHIN / 1000).to_string())
}

/// Counts one use, if there is one left.
fn use_up(share: &Share) -> Result<()> {
    let used = sql::execute(
        "UPDATE files.shares SET uses = uses + 1 WHERE id = $1 \
         AND (max_uses IS NULL OR uses < max_uses) AND (expires_at IS NULL OR expires_at > $2)",
        params![&share.id, moment::now_ms()],
    )?;
    if used == 0 { Err(over()) } else { Ok(()) }
}

fn password_of(request: &Request) -> Option<String> {
    let value = request.header("share-password")?;
    decoded(value).ok()
}

/// `GET /share/{token}`.
pub(crate) fn show(Path(token): Path<String>, request: Request) -> Result<Response> {
    let (share, target) = open(&token, password_of(&request).as_deref())?;
    let left = share.max_uses.map(|most| (most - share.uses).max(0));
    let url = format!("{}/share/{token}/download", identity::public_url());
    let mut shown = Shown {
        kind: share.kind,
        filename: String::new(),
        permission: share.permission,
        size: None,
        mime_type: None,
        sha256: None,
        expires_at: share.expires_at.map(moment::rfc3339),
        downloads_left: left,
        url,
    };
    match target {
        Target::File(record) => {
            shown.filename = record.filename;
            shown.size = Some(record.size);
            shown.mime_type = Some(record.mime_type);
            shown.sha256 = Some(record.sha256);
        }
        Target::Folder(folder) => shown.filename = folder.name,
    }
    Ok(([("cache-control", "no-store")], Json(shown)).into_response())
}

/// A file in a folder that a link shows.
#[derive(Debug, Serialize)]
struct Inside {
    id: String,
    filename: String,
    /// Within the folder.
    path: String,
    size: u64,
    mime_type: String,
    sha256: String,
    updated_at: String,
}

#[derive(Debug, Serialize)]
struct Page {
    items: Vec<Inside>,
    next_cursor: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Wishes {
    limit: Option<u32>,
    cursor: Option<String>,
    /// One file of a folder.
    file: Option<String>,
    disposition: Option<crate::disposition::Disposition>,
}

/// `GET /share/{token}/files`: all files of a folder, however deep.
pub(crate) fn files(
    Path(token): Path<String>,
    Query(wishes): Query<Wishes>,
    request: Request,
) -> Result<Response> {
    let (share, target) = open(&token, password_of(&request).as_deref())?;
    let Target::Folder(folder) = target else {
        return Err(unknown());
    };
    readable(&share)?;
    let limit = cursor::limit(wishes.limit);
    let (path, id) = match &wishes.cursor {
        Some(text) => cursor::read(text)?,
        None => Default::default(),
    };
    let records: Vec<Record> = sql::query(
        &format!(
            "SELECT {COLUMNS} FROM files.objects WHERE owner = $1 AND deleted_at IS NULL \
             AND substr(path, 1, CAST($3 AS INTEGER)) = $2 AND (path, id) > ($4, $5) \
             ORDER BY path, id LIMIT {}",
            limit + 1
        ),
        params![
            &folder.owner,
            format!("{}/", folder.path),
            crate::tree::characters(&folder.path) + 1,
            path,
            id
        ],
    )?;
    let (records, next_cursor) = cursor::cut(records, limit, |record| {
        (record.path.clone(), record.id.clone())
    });
    let items = records
        .into_iter()
        .map(|record| Inside {
            path: below(&folder, &record.path).to_owned(),
            id: record.id,
            filename: record.filename,
            size: record.size,
            mime_type: record.mime_type,
            sha256: record.sha256,
            updated_at: moment::rfc3339(record.updated_at),
        })
        .collect();
    Ok((
        [("cache-control", "no-store")],
        Json(Page { items, next_cursor }),
    )
        .into_response())
}

fn below<'a>(folder: &Folder, path: &'a str) -> &'a str {
    path.strip_prefix(&folder.path)
        .and_then(|rest| rest.strip_prefix('/'))
        .unwrap_or(path)
}

fn readable(share: &Share) -> Result<()> {
    if share.permission == Allows::Read {
        return Ok(());
    }
    Err(Error::forbidden("this link is for uploads alone"))
}

/// `GET /share/{token}/download`.
pub(crate) fn download(
    Path(token): Path<String>,
    Query(wishes): Query<Wishes>,
    request: Request,
) -> Result<Response> {
    let password = password_of(&request);
    serve(&token, password.as_deref(), &wishes, &request)
}

#[derive(Debug, Default, Deserialize)]
struct Key {
    password: Option<String>,
}

/// `POST /share/{token}/download` with the password in a form or in JSON, for
/// pages that cannot set a header.
pub(crate) fn download_with_password(
    Path(token): Path<String>,
    Query(wishes): Query<Wishes>,
    mut request: Request,
) -> Result<Response> {
    let is_json = request
        .header("content-type")
        .is_some_and(|content_type| content_type.starts_with("application/json"));
    let text = request.take_body().text(16 * 1024)?;
    let key = if is_json {
        serde_json::from_str::<Key>(&text)
            .map_err(|error| Error::bad_request("invalid_json", error.to_string()))?
    } else {
        Key {
            password: form_urlencoded::parse(text.as_bytes())
                .find(|(name, _)| name == "password")
                .map(|(_, value)| value.into_owned()),
        }
    };
    serve(&token, key.password.as_deref(), &wishes, &request)
}

fn serve(
    token: &str,
    password: Option<&str>,
    wishes: &Wishes,
    request: &Request,
) -> Result<Response> {
    let (share, target) = open(token, password)?;
    readable(&share)?;
    let record = match (target, &wishes.file) {
        (Target::File(record), None) => *record,
        (Target::Folder(folder), Some(id)) => Record::find(id)?
            .filter(|record| {
                record.deleted_at.is_none()
                    && record.owner == folder.owner
                    && below(&folder, &record.path) != record.path
            })
            .ok_or_else(access::unknown)?,
        (Target::Folder(folder), None) => return whole_folder(&share, &folder, request),
        (Target::File(_), Some(_)) => return Err(access::unknown()),
    };
    let content = Content::private(&record);
    let is_limited = share.max_uses.is_some();
    if request.method() != Method::HEAD {
        let unchanged = !is_limited && download::is_known(&content, request.headers());
        if !unchanged {
            use_up(&share)?;
            happened::tell(Change::Downloaded, &record.id, Some(&share.id));
            notice::link_used(Kind::File, &record.id, &record.filename, &record.owner);
        }
    }
    if is_limited {
        // In whole: a part now and another later would be two for one.
        return download::answer(&content, &Headers::new(), wishes.disposition)
            .map(|response| response.with_header("accept-ranges", "none"));
    }
    download::answer(&content, request.headers(), wishes.disposition)
}

/// All files of a folder as an archive.
fn whole_folder(share: &Share, folder: &Folder, request: &Request) -> Result<Response> {
    let mut contents = zip::Contents::default();
    contents.add_folder(folder)?;
    if request.method() != Method::HEAD {
        use_up(share)?;
        happened::tell(Change::Downloaded, &folder.id, Some(&share.id));
        notice::link_used(Kind::Folder, &folder.id, &folder.name, &folder.owner);
    }
    Ok(contents.into_response(&folder.name))
}

/// What somebody learns of a file that was put into a folder by a link.
#[derive(Debug, Serialize)]
struct Taken {
    filename: String,
    size: u64,
    sha256: String,
}

/// `POST /share/{token}/upload`: a form, or a raw body with `File-Path`. A
/// name that is taken gets a number; nothing is replaced.
pub(crate) fn upload(
    Path(token): Path<String>,
    mut request: Request,
    Config(settings): Config<Settings>,
) -> Result<Response> {
    let (share, target) = open(&token, password_of(&request).as_deref())?;
    let Target::Folder(folder) = target else {
        return Err(unknown());
    };
    if share.permission != Allows::Upload {
        return Err(Error::forbidden("this link is for reading alone"));
    }
    use_up(&share)?;
    let taken = receive(&mut request, &folder, settings);
    if taken.is_err() {
        sql::execute(
            "UPDATE files.shares SET uses = uses - 1 WHERE id = $1",
            params![&share.id],
        )?;
    }
    Ok((StatusCode::CREATED, Json(taken?)).into_response())
}

fn receive(request: &mut Request, folder: &Folder, settings: Settings) -> Result<Vec<Taken>> {
    let mut intake = Intake::new(folder.owner.clone(), settings)?;
    let is_form = request
        .header("content-type")
        .is_some_and(multipart::is_form);
    if is_form {
        let mut form = Multipart::from_request(request)?;
        while let Some(part) = form.next_part()? {
            if part.name == "file" && intake.stored.len() < 20 {
                let filename = name::from_client(part.filename.as_deref().unwrap_or_default())?;
                intake.store(part.body, None, filename, part.content_type.as_deref())?;
            }
        }
    } else {
        let path = decoded(request.header("file-path").unwrap_or_default())?;
        let filename = name::from_client(&path)?;
        let claimed = request.header("content-type").map(str::to_owned);
        let size = stated_length(request);
        intake.store(request.take_body(), size, filename, claimed.as_deref())?;
    }
    if intake.stored.is_empty() {
        return Err(Error::invalid(
            "file_missing",
            "the form needs a file in a field named `file`",
        ));
    }
    let fields = Fields {
        folder_id: Some(folder.id.clone()),
        ..Fields::default()
    };
    let mut taken = Vec::new();
    while let Some(stored) = intake.stored.last() {
        let Intake {
            owner, settings, ..
        } = &intake;
        let record = place::add(owner, stored, &fields, settings)?;
        intake.stored.pop();
        taken.push(Taken {
            filename: record.filename,
            size: record.size,
            sha256: record.sha256,
        });
    }
    taken.reverse();
    Ok(taken)
}
