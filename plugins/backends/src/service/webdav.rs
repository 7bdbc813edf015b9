//! WebDAV (RFC 4918) with HTTP's scheme Basic, and Nextcloud, which is one at
//! an address of its own for each user.

use super::{Entry, EntryKind, Kind, Listing, Service, multistatus, paged};
use crate::{
    address,
    credentials::{Fields, invalid},
    fault,
    files::Contents,
    path::{RemotePath, encoded, is_name},
    settings::Settings,
};
use atlashub_sdk::{
    http::{Answer, Call},
    prelude::*,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use percent_encoding::percent_decode_str;
use serde_json::Value;
use url::Url;

/// Largest list of a folder, bytes: some ten thousand entries.
const MAX_LIST: usize = 8 * 1024 * 1024;
const WANTED: &str = r#"<?xml version="1.0" encoding="utf-8"?><propfind xmlns="DAV:"><prop><resourcetype/><getcontentlength/><getlastmodified/><getetag/></prop></propfind>"#;
/// Where Nextcloud keeps files, below its address.
const NEXTCLOUD: &str = "remote.php/dav/files/";

/// What is kept of a connection.
#[derive(Serialize, Deserialize)]
pub(crate) struct Credentials {
    url: String,
    username: String,
    password: String,
}

impl Credentials {
    /// As a user types them.
    pub(crate) fn read(kind: Kind, value: Value, settings: &Settings) -> Result<Self> {
        let mut fields = Fields::of(value, &["url", "username", "password"])?;
        let username = fields.text("username", 256)?;
        let password = fields.text("password", 1024)?;
        // RFC 7617 §2.
        if username.contains(':') {
            return Err(invalid("`credentials.username` has no colon in it"));
        }
        let url = address::of_server(&fields.text("url", 1000)?, settings)?;
        let url = match kind {
            Kind::Nextcloud => nextcloud(&url, &username)?,
            _ => url,
        };
        Ok(Self {
            url: url.into(),
            username,
            password,
        })
    }
}

/// The address of a user's files, from the server's: in whichever form it was
/// copied from the browser.
fn nextcloud(server: &Url, username: &str) -> Result<Url> {
    let whole = server.as_str();
    if whole.contains(&format!("/{NEXTCLOUD}")) {
        return Ok(server.clone());
    }
    let end = ["/index.php/", "/remote.php/", "/apps/files/", "/login/"]
        .into_iter()
        .filter_map(|page| whole.find(page))
        .min()
        .map_or(whole.len(), |at| at + 1);
    let base = whole.get(..end).unwrap_or(whole);
    Url::parse(&format!("{base}{NEXTCLOUD}{}/", encoded(username)))
        .map_err(|_| fault::address_refused("this is no address of a Nextcloud"))
}

/// A connection.
pub(crate) struct Webdav {
    base: Url,
    authorization: String,
}

impl Webdav {
    pub(crate) fn new(credentials: &Credentials, settings: &Settings) -> Result<Self> {
        let Credentials {
            url,
            username,
            password,
        } = credentials;
        let login = STANDARD.encode(format!("{username}:{password}"));
        Ok(Self {
            base: address::of_server(url, settings)?,
            authorization: format!("Basic {login}"),
        })
    }

    fn call(&self, method: &str, path: &RemotePath, is_folder: bool) -> Result<Call> {
        let method = Method::from_bytes(method.as_bytes()).map_err(Error::internal)?;
        let end = if is_folder && !path.is_top() { "/" } else { "" };
        let url = format!("{}{}{end}", self.base, path.encoded());
        let call = atlashub_sdk::http::call(method, url);
        Ok(call.header("authorization", self.authorization.as_str()))
    }

    /// What the server says of a path, and with `depth` 1 of what is in it.
    fn find(&self, path: &RemotePath, depth: &str, as_folder: bool) -> Result<Vec<Entry>> {
        let call = self.call("PROPFIND", path, as_folder)?;
        let answer = call
            .header("depth", depth)
            .header("content-type", "application/xml; charset=utf-8")
            .body(WANTED)
            .send()
            .map_err(fault::unanswered)?;
        let answer = fault::success(answer)?;
        if answer.status != StatusCode::MULTI_STATUS {
            return Err(fault::unreadable("no 207"));
        }
        let bytes = answer.body.bytes(MAX_LIST).map_err(fault::unreadable)?;
        let text = str::from_utf8(&bytes).map_err(fault::unreadable)?;
        let resources = multistatus::read(text)?;
        let around = self.names(path);
        let entry = |resource: multistatus::Resource| {
            let inside = resource.names.strip_prefix(around.as_slice())?;
            let own = match inside {
                [] => path.clone(),
                [name] if is_name(name) => path.join(name).ok()?,
                _ => return None,
            };
            Some(Entry {
                name: own.name().unwrap_or_default().to_owned(),
                path: own.to_string(),
                kind: if resource.is_folder {
                    EntryKind::Folder
                } else {
                    EntryKind::File
                },
                size: resource.size,
                modified: resource.modified,
                etag: resource.etag,
            })
        };
        Ok(resources.into_iter().filter_map(entry).collect())
    }

    /// The names of a path as the server has it.
    fn names(&self, path: &RemotePath) -> Vec<String> {
        let base = self.base.path().split('/').filter(|name| !name.is_empty());
        let base = base.map(|name| percent_decode_str(name).decode_utf8_lossy().into_owned());
        base.chain(path.names().iter().cloned()).collect()
    }

    /// Makes a folder, and those around it that are missing.
    fn make_folder(&self, path: &RemotePath) -> Result<()> {
        let Some(parent) = path.parent() else {
            return Ok(());
        };
        let make = || {
            self.call("MKCOL", path, true)?
                .send()
                .map_err(fault::unanswered)
        };
        let answer = make()?;
        match answer.status {
            // RFC 4918 §9.3.1: there already.
            StatusCode::METHOD_NOT_ALLOWED => Ok(()),
            // One around it is missing.
            StatusCode::CONFLICT | StatusCode::NOT_FOUND if !parent.is_top() => {
                self.make_folder(&parent)?;
                fault::success(make()?).map(drop)
            }
            _ => fault::success(answer).map(drop),
        }
    }
}

impl Service for Webdav {
    fn check(&self) -> Result<()> {
        let found = self.find(&RemotePath::default(), "0", true)?;
        match found.first() {
            Some(top) if top.is_folder() => Ok(()),
            _ => Err(fault::unreadable("the top is no folder")),
        }
    }

    fn list(&self, folder: &RemotePath, cursor: Option<&str>) -> Result<Listing> {
        let mut found = self.find(folder, "1", true)?;
        let own = folder.to_string();
        if !found
            .iter()
            .any(|entry| entry.path == own && entry.is_folder())
        {
            return Err(fault::missing());
        }
        found.retain(|entry| entry.path != own);
        Ok(paged(found, cursor))
    }

    fn stat(&self, path: &RemotePath) -> Result<Option<Entry>> {
        let found = match self.find(path, "0", path.is_top()) {
            // Some want folders to be asked for as such.
            Err(error) if error.code() == "backend_redirects" => self.find(path, "0", true),
            other => other,
        };
        match found {
            Ok(found) => Ok(found.into_iter().next()),
            Err(error) if error.code() == "remote_not_found" => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn fetch(&self, path: &RemotePath, range: Option<&str>) -> Result<Answer> {
        let mut call = self.call("GET", path, false)?;
        if let Some(range) = range {
            call = call.header("range", range);
        }
        fault::success(call.send().map_err(fault::unanswered)?)
    }

    fn put(&self, path: &RemotePath, contents: &Contents) -> Result<()> {
        if let Some(parent) = path.parent() {
            self.make_folder(&parent)?;
        }
        let call = self.call("PUT", path, false)?;
        let answer = contents.send_whole(call)?;
        fault::success(answer).map(drop)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    #[test]
    fn the_address_of_a_nextcloud_is_made_from_any_of_its_pages() {
        let of = |text: &str| {
            let server = Url::parse(text).unwrap();
            nextcloud(&server, "ada@b ü").unwrap().to_string()
        };
        let files = "remote.php/dav/files/ada%40b%20%C3%BC/";
        let at_top = format!("https://cloud.example/{files}");
        for page in [
            "",
            "index.php/apps/files/",
            "apps/files/",
            "login/",
            "remote.php/dav/",
        ] {
            assert_eq!(of(&format!("https://cloud.example/{page}")), at_top);
        }
        assert_eq!(
            of("https://example.org/cloud/"),
            format!("https://example.org/cloud/{files}")
        );
        let whole = "https://cloud.example/remote.php/dav/files/other/";
        assert_eq!(of(whole), whole);
    }
}
