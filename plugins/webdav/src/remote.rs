//! What `files` says and does, asked as the present caller.

use atlashub_files_client::{self as files, BASE, File, Page, Refusal, address};
use atlashub_sdk::{
    http::{Answer, encoded},
    prelude::*,
};
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Files and folders that are asked for at once.
const PAGE: u32 = 100;

/// A file or a folder.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum Node {
    File { file: Box<File> },
    Folder { folder: Option<Folder> },
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Folder {
    pub(crate) id: String,
    pub(crate) path: String,
    created_at: String,
    updated_at: String,
}

/// What came of a move or a copy.
#[derive(Debug, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) replaced: bool,
    /// Ids of what was copied, and of what has its place now.
    #[serde(default)]
    pub(crate) copies: Vec<(String, String)>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Quota {
    pub(crate) used_bytes: i64,
    pub(crate) available_bytes: Option<u64>,
}

/// Characters of an entity tag here.
const TAG: usize = 32;

/// A file's entity tag: 128 bits of the one that `files` gives, for there are
/// clients that keep little room for conditions.
pub(crate) fn etag(file: &File) -> String {
    let digest = file.etag.trim_matches('"');
    format!("\"{}\"", digest.get(..TAG).unwrap_or(digest))
}

impl Node {
    pub(crate) fn is_folder(&self) -> bool {
        matches!(self, Self::Folder { .. })
    }

    /// The id; the top has none.
    pub(crate) fn id(&self) -> Option<&str> {
        match self {
            Self::File { file } => Some(&file.id),
            Self::Folder { folder } => folder.as_ref().map(|folder| folder.id.as_str()),
        }
    }

    pub(crate) fn path(&self) -> &str {
        match self {
            Self::File { file } => &file.path,
            Self::Folder { folder } => folder.as_ref().map_or("", |folder| &folder.path),
        }
    }

    pub(crate) fn etag(&self) -> Option<String> {
        match self {
            Self::File { file } => Some(etag(file)),
            Self::Folder { .. } => None,
        }
    }

    /// When it was made and last changed.
    pub(crate) fn times(&self) -> Option<(OffsetDateTime, OffsetDateTime)> {
        let (created, updated) = match self {
            Self::File { file } => (&file.created_at, &file.updated_at),
            Self::Folder { folder } => {
                let folder = folder.as_ref()?;
                (&folder.created_at, &folder.updated_at)
            }
        };
        let read = |text: &str| OffsetDateTime::parse(text, &Rfc3339).ok();
        Some((read(created)?, read(updated)?))
    }
}

/// What lies at a path of the caller's.
pub(crate) fn at(path: &str) -> Result<Option<Node>> {
    let url = format!("{BASE}/files/at?path={}", encoded(path));
    let answer = files::send(http::get(url))?;
    if answer.status == StatusCode::NOT_FOUND {
        return Ok(None);
    }
    // No file has such a path.
    if answer.status == StatusCode::UNPROCESSABLE_ENTITY {
        return Ok(None);
    }
    read(answer).map(Some)
}

/// Hands what lies in a folder, the top's when it has no id, to `take`, page
/// by page.
pub(crate) fn each_in(
    folder: Option<&str>,
    mut take: impl FnMut(Vec<Node>) -> Result<()>,
) -> Result<()> {
    let folder = encoded(folder.unwrap_or("root"));
    let url = format!("{BASE}/folders?limit={PAGE}&parent_id={folder}");
    each_page(&url, |folders: Vec<Folder>| {
        let nodes = folders.into_iter().map(Some);
        take(nodes.map(|folder| Node::Folder { folder }).collect())
    })?;
    let url = format!("{BASE}/users/me/files?limit={PAGE}&sort=filename&folder_id={folder}");
    each_page(&url, |files: Vec<File>| {
        let nodes = files.into_iter().map(Box::new);
        take(nodes.map(|file| Node::File { file }).collect())
    })
}

fn each_page<T: serde::de::DeserializeOwned>(
    url: &str,
    mut take: impl FnMut(Vec<T>) -> Result<()>,
) -> Result<()> {
    let mut cursor: Option<String> = None;
    loop {
        let url = files::from_cursor(url, cursor.as_deref());
        let page: Page<T> = read(files::send(http::get(url))?)?;
        if !page.items.is_empty() {
            take(page.items)?;
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(());
        }
    }
}

/// The bytes of a file, as conditions and range want them.
pub(crate) fn download(file: &File, method: Method, wishes: &Headers) -> Result<Answer> {
    let mut call = http::call(method, format!("{}/download", address(&file.id)));
    for name in [
        "range",
        "if-range",
        "if-match",
        "if-none-match",
        "if-modified-since",
        "if-unmodified-since",
    ] {
        if let Some(value) = wishes.get(name) {
            call = call.header(name, value.replace(&etag(file), &file.etag));
        }
    }
    files::send(call)
}

/// Stores a body as new bytes of a file; with `unchanged` only if it still
/// has those that it had.
pub(crate) fn replace(file: &File, unchanged: bool, request: &mut Request) -> Result<File> {
    let mut call = http::put(format!("{}/content", address(&file.id)));
    if unchanged {
        call = call.header("if-match", file.etag.as_str());
    }
    read(send_body(call, request)?)
}

/// Stores a body as the file at a path; with `If-None-Match: *` only where none
/// has come meanwhile.
pub(crate) fn upload(path: &str, request: &mut Request) -> Result<File> {
    let call = http::post(format!("{BASE}/files/upload")).header("file-path", encoded(path));
    let call = match request.header("if-none-match").map(str::trim) {
        Some("*") => call.header("if-none-match", "*"),
        _ => call,
    };
    read(send_body(call, request)?)
}

/// Makes an empty file.
pub(crate) fn make_file(path: &str) -> Result<File> {
    let call = http::post(format!("{BASE}/files/upload")).header("file-path", encoded(path));
    read(files::send(call.header("content-length", "0"))?)
}

/// Bytes go through as they come.
fn send_body(call: http::Call, request: &mut Request) -> Result<Answer> {
    let names = ["content-type", "content-length"];
    let call = files::with_headers(call, request.headers(), &names);
    files::send(call.stream(request.take_body()))
}

pub(crate) fn make_folder(parent: Option<&str>, name: &str) -> Result<Folder> {
    let call = http::post(format!("{BASE}/folders"));
    let call = call.json(&json!({"name": name, "parent_id": parent}))?;
    read(files::send(call)?)
}

/// To the trash.
pub(crate) fn delete(node: &Node) -> Result<()> {
    let Some(id) = node.id() else {
        return Err(Error::forbidden("the drive itself stays"));
    };
    let kind = if node.is_folder() { "folders" } else { "files" };
    let call = http::delete(format!("{BASE}/{kind}/{}", encoded(id)));
    let answer = files::send(call)?;
    if answer.status == StatusCode::NO_CONTENT {
        return Ok(());
    }
    read::<Value>(answer).map(drop)
}

pub(crate) fn relocate(what: &str, wish: &Value) -> Result<Outcome> {
    let call = http::post(format!("{BASE}/files/{what}")).json(wish)?;
    read(files::send(call)?)
}

pub(crate) fn quota() -> Result<Quota> {
    read(files::send(http::get(format!("{BASE}/users/me/quota")))?)
}

/// The answer, or the refusal as `files` put it.
fn read<T: serde::de::DeserializeOwned>(answer: Answer) -> Result<T> {
    files::read(answer, refusal)
}

/// Codes that are looked at here, or that clients know of `files`.
const CODES: [&str; 12] = [
    "path_taken",
    "same_path",
    "folder_cycle",
    "folder_missing",
    "folder_too_deep",
    "invalid_path",
    "too_many_entries",
    "quota_exceeded",
    "precondition_failed",
    "permission_needed",
    "type_refused",
    "upload_interrupted",
];

fn refusal(refusal: Refusal) -> Error {
    if refusal.status.is_server_error() {
        return refusal.into_error();
    }
    let code = CODES.into_iter().find(|code| *code == refusal.code());
    // RFC 4918 §11.5.
    let status = match code {
        Some("quota_exceeded" | "too_many_entries") => StatusCode::INSUFFICIENT_STORAGE,
        _ => refusal.status,
    };
    let code = code.unwrap_or(match status {
        StatusCode::UNAUTHORIZED => "unauthenticated",
        StatusCode::FORBIDDEN => "forbidden",
        StatusCode::NOT_FOUND => "not_found",
        _ => "files_refused",
    });
    Error::new(status, code, refusal.detail())
}
