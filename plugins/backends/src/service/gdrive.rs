//! Google Drive (API v3). It knows files by ids, and a name may come twice:
//! what is listed has the path `/id:<id>`; names work as well, where the newest
//! of that name is meant.

use super::{
    Entry, EntryKind, Listing, PAGE, Service,
    bearer::{Bearer, json, plain_name, sent, there},
};
use crate::{
    fault,
    files::Contents,
    path::{RemotePath, encoded},
};
use atlashub_sdk::{http::Answer, prelude::*};
use serde_json::json as value;

const FOLDER: &str = "application/vnd.google-apps.folder";
/// What types of documents begin with that have no bytes.
const WITHOUT_BYTES: &str = "application/vnd.google-apps.";
const FIELDS: &str = "id,name,mimeType,size,modifiedTime,md5Checksum";

/// A connection.
pub(crate) struct Gdrive {
    bearer: Bearer,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    id: String,
    name: String,
    mime_type: String,
    size: Option<String>,
    modified_time: Option<String>,
    md5_checksum: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Files {
    #[serde(default)]
    files: Vec<File>,
    next_page_token: Option<String>,
}

impl File {
    fn is_folder(&self) -> bool {
        self.mime_type == FOLDER
    }

    fn entry(self) -> Entry {
        Entry {
            name: plain_name(&self.name),
            path: format!("/id:{}", self.id),
            kind: if self.is_folder() {
                EntryKind::Folder
            } else {
                EntryKind::File
            },
            size: self.size.and_then(|size| size.parse().ok()),
            modified: self.modified_time,
            etag: self.md5_checksum,
        }
    }
}

/// The id that a name in a path stands for itself.
fn id_in(name: &str) -> Option<&str> {
    let id = name.strip_prefix("id:")?;
    let is_id = !id.is_empty()
        && id.len() <= 200
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    is_id.then_some(id)
}

impl Gdrive {
    pub(crate) fn new(bearer: Bearer) -> Self {
        Self { bearer }
    }

    fn ask(&self, target: &str) -> Result<Answer> {
        let url = format!("{}/{target}", self.bearer.provider.api);
        sent(self.bearer.call(Method::GET, url))
    }

    fn files(&self, filter: &str, order: &str, most: usize, cursor: Option<&str>) -> Result<Files> {
        let mut target = format!(
            "files?q={}&orderBy={}&pageSize={most}&fields={}",
            encoded(filter),
            encoded(order),
            encoded(&format!("nextPageToken,files({FIELDS})"))
        );
        if let Some(cursor) = cursor {
            target.push_str(&format!("&pageToken={}", encoded(cursor)));
        }
        json(self.ask(&target)?)
    }

    fn by_id(&self, id: &str) -> Result<Option<File>> {
        let target = format!("files/{}?fields={}", encoded(id), encoded(FIELDS));
        there(self.ask(&target))?.map(json).transpose()
    }

    fn in_folder(&self, folder: &str, name: &str) -> Result<Option<File>> {
        let name = name.replace('\\', "\\\\").replace('\'', "\\'");
        let filter = format!("name = '{name}' and '{folder}' in parents and trashed = false");
        let found = self.files(&filter, "modifiedTime desc", 1, None)?;
        Ok(found.files.into_iter().next())
    }

    /// What lies at a path.
    fn resolve(&self, path: &RemotePath) -> Result<Option<File>> {
        let mut found: Option<File> = None;
        for name in path.names() {
            let next = match id_in(name) {
                Some(id) => self.by_id(id)?,
                None => {
                    let folder = found.as_ref().map_or("root", |file| file.id.as_str());
                    self.in_folder(folder, name)?
                }
            };
            let Some(next) = next else {
                return Ok(None);
            };
            found = Some(next);
        }
        Ok(found)
    }

    /// The id of the folder at a path, which is made if it is missing.
    fn folder(&self, path: &RemotePath) -> Result<String> {
        let Some((parent, name)) = path.parent().zip(path.name()) else {
            return Ok("root".to_owned());
        };
        if let Some(id) = id_in(name) {
            return Ok(id.to_owned());
        }
        let parent = self.folder(&parent)?;
        if let Some(there) = self.in_folder(&parent, name)? {
            return Ok(there.id);
        }
        let url = format!(
            "{}/files?fields={}",
            self.bearer.provider.api,
            encoded(FIELDS)
        );
        let call = self.bearer.call(Method::POST, url);
        let call = call.json(&value!({"name": name, "mimeType": FOLDER, "parents": [parent]}))?;
        let made: File = json(sent(call)?)?;
        Ok(made.id)
    }
}

impl Service for Gdrive {
    fn list(&self, folder: &RemotePath, cursor: Option<&str>) -> Result<Listing> {
        let id = if folder.is_top() {
            "root".to_owned()
        } else {
            let found = self.resolve(folder)?.filter(File::is_folder);
            found.ok_or_else(fault::missing)?.id
        };
        let filter = format!("'{id}' in parents and trashed = false");
        let found = self.files(&filter, "folder,name", PAGE, cursor)?;
        Ok(Listing {
            items: found.files.into_iter().map(File::entry).collect(),
            next_cursor: found.next_page_token,
        })
    }

    fn stat(&self, path: &RemotePath) -> Result<Option<Entry>> {
        if path.is_top() {
            return Ok(Some(Entry::top()));
        }
        Ok(self.resolve(path)?.map(File::entry))
    }

    fn fetch(&self, path: &RemotePath, range: Option<&str>) -> Result<Answer> {
        let file = self.resolve(path)?.ok_or_else(fault::missing)?;
        if file.mime_type.starts_with(WITHOUT_BYTES) {
            return Err(Error::invalid(
                "not_downloadable",
                "this is a document of Google's own, which has no bytes: export it there first",
            ));
        }
        let url = format!(
            "{}/files/{}?alt=media",
            self.bearer.provider.api,
            encoded(&file.id)
        );
        let mut call = self.bearer.call(Method::GET, url);
        if let Some(range) = range {
            call = call.header("range", range);
        }
        sent(call)
    }

    fn put(&self, path: &RemotePath, contents: &Contents) -> Result<()> {
        let content = &self.bearer.provider.content;
        let (call, about) = match self.resolve(path)? {
            Some(there) => {
                let url = format!(
                    "{content}/files/{}?uploadType=resumable",
                    encoded(&there.id)
                );
                (self.bearer.call(Method::PATCH, url), value!({}))
            }
            None => {
                let parent = path.parent().unwrap_or_default();
                let about = value!({"name": path.name(), "parents": [self.folder(&parent)?]});
                let url = format!("{content}/files?uploadType=resumable");
                (self.bearer.call(Method::POST, url), about)
            }
        };
        let call = call
            .json(&about)?
            .header("x-upload-content-type", contents.mime_type())
            .header("x-upload-content-length", contents.size().to_string());
        let begun = sent(call)?;
        let session = begun.headers.get("location").map(str::to_owned);
        let session = session.ok_or_else(|| fault::unreadable("no place to send bytes to"))?;
        let call = self.bearer.led(Method::PUT, &session)?;
        fault::success(contents.send_whole(call)?).map(drop)
    }
}
