//! `POST /api/v1/credentials`: short-lived links for direct transfer, each for
//! one object below the prefix that was asked for. They are signed links of
//! `files`: this plugin sees no key of the store (ADR 31).

use crate::{files::signed_link, record::address};
use atlashub_files_client::{BASE, File, Scope, ask, file};
use atlashub_sdk::prelude::*;
use serde_json::json;
use std::collections::BTreeMap;

/// Objects of one call.
const MOST: usize = 50;
/// How long a link for reading holds, seconds, as `files` signs them.
const READ_LIFE: u64 = 300;

/// What is wanted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Wanted {
    /// A folder of the caller's drive; all of it without one.
    #[serde(default)]
    prefix: String,
    objects: Vec<Object>,
}

/// One object, and what is to be done with it.
#[derive(Debug, Deserialize)]
#[serde(
    deny_unknown_fields,
    tag = "operation",
    rename_all = "lowercase",
    rename_all_fields = "camelCase"
)]
enum Object {
    /// A new file.
    Upload {
        path: String,
        /// The most bytes that come.
        size: u64,
        content_type: String,
    },
    /// A file that is there, by its path or its id.
    Download {
        path: Option<String>,
        id: Option<String>,
    },
}

/// What the caller got.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Credentials {
    /// How they are used: `signed-links`.
    #[serde(rename = "type")]
    of_type: &'static str,
    prefix: String,
    /// When the first of the links ends.
    expires_at: String,
    /// Seconds.
    expires_in: u64,
    /// In the order that they were asked for.
    objects: Vec<Issued>,
}

/// A link, or why there is none.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Issued {
    Link(Box<Link>),
    Refused { error: Problem },
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Link {
    operation: &'static str,
    id: String,
    path: String,
    method: &'static str,
    url: String,
    /// Header fields that have to be sent.
    headers: BTreeMap<&'static str, String>,
    expires_at: String,
    expires_in: u64,
    /// What the store calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    object_key: Option<String>,
    /// Where to `POST` once the bytes are there, which makes the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    confirm_url: Option<String>,
}

#[derive(Debug, Serialize)]
struct Problem {
    status: u16,
    code: String,
    detail: String,
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self {
            status: error.status().as_u16(),
            code: error.code().to_owned(),
            detail: error.detail().to_owned(),
        }
    }
}

/// `POST /api/v1/credentials`
pub(crate) fn issue(caller: Caller, Json(wanted): Json<Wanted>) -> Result<Json<Credentials>> {
    let uploads = wanted
        .objects
        .iter()
        .any(|object| matches!(object, Object::Upload { .. }));
    let scope = if uploads {
        Scope::to_write(&caller)?
    } else {
        Scope::to_read(&caller)?
    };
    if wanted.objects.is_empty() || wanted.objects.len() > MOST {
        return Err(Error::invalid(
            "invalid_body",
            format!("`objects` has 1 to {MOST} objects"),
        ));
    }
    let place = Place {
        prefix: wanted.prefix.trim_matches('/').to_owned(),
        scope,
        owner: caller.require_id()?.to_owned(),
        now: moment::now_ms(),
    };
    let mut soonest = None;
    let mut objects = Vec::new();
    for object in wanted.objects {
        objects.push(match place.link(object) {
            Ok(link) => {
                let first =
                    soonest.map_or(link.expires_in, |first: u64| first.min(link.expires_in));
                soonest = Some(first);
                Issued::Link(Box::new(link))
            }
            // Without `files` there is nothing for any of them.
            Err(error) if error.status().is_server_error() => return Err(error),
            Err(error) => Issued::Refused {
                error: error.into(),
            },
        });
    }
    let expires_in = soonest.unwrap_or_default();
    Ok(Json(Credentials {
        of_type: "signed-links",
        expires_at: place.after(expires_in),
        expires_in,
        prefix: place.prefix,
        objects,
    }))
}

/// What all links of a call are bound to.
struct Place {
    /// Without slashes at its ends.
    prefix: String,
    scope: Scope,
    owner: String,
    now: i64,
}

impl Place {
    fn after(&self, seconds: u64) -> String {
        let lasts = i64::try_from(seconds).unwrap_or(i64::MAX);
        moment::rfc3339(self.now.saturating_add(lasts.saturating_mul(1000)))
    }

    fn link(&self, object: Object) -> Result<Link> {
        match object {
            Object::Upload {
                path,
                size,
                content_type,
            } => self.upload(self.below(&path)?, size, content_type),
            Object::Download {
                path: Some(path),
                id: None,
            } => self.download(file_at(self.below(&path)?)?),
            Object::Download {
                path: None,
                id: Some(id),
            } => {
                let found: Option<File> = file(&id)?;
                let found = found.filter(|file| file.deleted_at.is_none() && self.has(file));
                self.download(found.ok_or_else(|| Error::not_found("file"))?)
            }
            Object::Download { .. } => Err(Error::invalid(
                "invalid_body",
                "name what is to be downloaded by either `path` or `id`",
            )),
        }
    }

    /// The path, if it lies below the prefix.
    fn below<'a>(&self, path: &'a str) -> Result<&'a str> {
        let path = path.trim_start_matches('/');
        let climbs = path
            .split('/')
            .any(|segment| matches!(segment, "" | "." | ".."));
        if climbs {
            return Err(Error::invalid(
                "invalid_path",
                "a path has names between its slashes, and none of them is `.` or `..`",
            ));
        }
        if self.covers(path) {
            return Ok(path);
        }
        Err(Error::new(
            StatusCode::FORBIDDEN,
            "outside_prefix",
            "the path does not lie below `prefix`",
        ))
    }

    fn covers(&self, path: &str) -> bool {
        let rest = path.strip_prefix(self.prefix.as_str());
        self.prefix.is_empty() || rest.is_some_and(|rest| rest.starts_with('/'))
    }

    /// Whether a file lies below the prefix, which is a folder of one drive:
    /// what others share lies in theirs.
    fn has(&self, file: &File) -> bool {
        let is_own = self.scope == Scope::All || file.owner_id.as_ref() == Some(&self.owner);
        self.prefix.is_empty() || is_own && self.covers(&file.path)
    }

    fn download(&self, file: File) -> Result<Link> {
        Ok(Link {
            operation: "download",
            url: signed_link(&file.id)?,
            id: file.id,
            path: file.path,
            method: "GET",
            headers: BTreeMap::new(),
            expires_at: self.after(READ_LIFE),
            expires_in: READ_LIFE,
            object_key: None,
            confirm_url: None,
        })
    }

    fn upload(&self, path: &str, size: u64, content_type: String) -> Result<Link> {
        #[derive(Deserialize)]
        struct Announced {
            upload_url: String,
            object_key: String,
            file_id: String,
            expires_in: u64,
        }
        let (folder, name) = match path.rsplit_once('/') {
            Some((folder, name)) => (Some(folder_at(folder)?), name),
            None => (None, path),
        };
        let call = http::post(format!("{BASE}/files/upload-url")).json(&json!({
            "filename": name, "size": size, "content_type": content_type, "folder_id": folder,
        }))?;
        let announced: Announced = ask(call)?;
        Ok(Link {
            operation: "upload",
            confirm_url: Some(format!("{}/Confirm", address(&announced.file_id))),
            object_key: Some(announced.object_key),
            id: announced.file_id,
            path: path.to_owned(),
            method: "PUT",
            url: announced.upload_url,
            headers: BTreeMap::from([("Content-Type", content_type)]),
            expires_at: self.after(announced.expires_in),
            expires_in: announced.expires_in,
        })
    }
}

/// The caller's own file at a path.
fn file_at(path: &str) -> Result<File> {
    #[derive(Deserialize)]
    struct At {
        file: Option<File>,
    }
    let at: At = ask(http::get(format!(
        "{BASE}/files/at?path={}",
        http::encoded(path)
    )))?;
    at.file.ok_or_else(|| Error::not_found("file"))
}

/// The id of the caller's folder at a path, which is made if need be.
fn folder_at(path: &str) -> Result<String> {
    #[derive(Deserialize)]
    struct Folder {
        id: String,
    }
    let call = http::post(format!("{BASE}/folders")).json(&json!({ "path": path }))?;
    ask::<Folder>(call).map(|folder| folder.id)
}
