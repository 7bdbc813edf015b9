//! OneDrive, by way of Microsoft Graph (v1.0): items by their paths.

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
use url::Url;

/// Most bytes that one call stores.
const MAX_AT_ONCE: u64 = 200 * 1024 * 1024;
/// Bytes of a part: a multiple of 320 KiB, and less than 60 MiB.
const PART: u64 = 160 * 320 * 1024;
const FIELDS: &str = "name,size,folder,lastModifiedDateTime,eTag";

/// A connection.
pub(crate) struct Onedrive {
    bearer: Bearer,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    #[serde(default)]
    name: String,
    size: Option<u64>,
    folder: Option<serde::de::IgnoredAny>,
    last_modified_date_time: Option<String>,
    e_tag: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Items {
    value: Vec<Item>,
    #[serde(rename = "@odata.nextLink")]
    next: Option<String>,
}

impl Item {
    fn entry(self, path: &RemotePath) -> Entry {
        let is_folder = self.folder.is_some();
        Entry {
            name: path.name().unwrap_or_default().to_owned(),
            path: path.to_string(),
            kind: if is_folder {
                EntryKind::Folder
            } else {
                EntryKind::File
            },
            size: self.size.filter(|_| !is_folder),
            modified: self.last_modified_date_time,
            etag: self.e_tag,
        }
    }
}

impl Onedrive {
    pub(crate) fn new(bearer: Bearer) -> Self {
        Self { bearer }
    }

    /// The address of an item, and of what belongs to it.
    fn url(&self, path: &RemotePath, more: &str) -> String {
        let root = format!("{}/me/drive/root", self.bearer.provider.api);
        match (path.is_top(), more) {
            (true, "") => root,
            (true, more) => format!("{root}/{more}"),
            (false, "") => format!("{root}:/{}", path.encoded()),
            (false, more) => format!("{root}:/{}:/{more}", path.encoded()),
        }
    }

    /// Sends what is more than one call takes.
    fn put_in_parts(&self, path: &RemotePath, contents: &Contents) -> Result<()> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Session {
            upload_url: String,
        }
        let call = self
            .bearer
            .call(Method::POST, self.url(path, "createUploadSession"));
        let call =
            call.json(&value!({"item": {"@microsoft.graph.conflictBehavior": "replace"}}))?;
        let session: Session = json(sent(call)?)?;
        let size = contents.size();
        let mut start = 0;
        while start < size {
            let end = size.min(start + PART);
            let call = self.bearer.led(Method::PUT, &session.upload_url)?;
            let call = call.header("content-range", format!("bytes {start}-{}/{size}", end - 1));
            fault::success(contents.send_part(call, &(start..end))?)?;
            start = end;
        }
        Ok(())
    }
}

impl Service for Onedrive {
    fn list(&self, folder: &RemotePath, cursor: Option<&str>) -> Result<Listing> {
        let mut url = self.url(folder, "children");
        url.push_str(&format!("?$top={PAGE}&$select={FIELDS}"));
        // Only the token of the next page goes to the client and comes back,
        // for the address would get our bearer token.
        if let Some(cursor) = cursor {
            url.push_str(&format!("&$skiptoken={}", encoded(cursor)));
        }
        let found: Items = json(sent(self.bearer.call(Method::GET, url))?)?;
        let entry = |item: Item| {
            let path = folder.join(&plain_name(&item.name)).ok()?;
            Some(item.entry(&path))
        };
        Ok(Listing {
            items: found.value.into_iter().filter_map(entry).collect(),
            next_cursor: found.next.and_then(|next| {
                let next = Url::parse(&next).ok()?;
                let mut pairs = next.query_pairs();
                let (_, token) = pairs.find(|(name, _)| name.eq_ignore_ascii_case("$skiptoken"))?;
                Some(token.into_owned())
            }),
        })
    }

    fn stat(&self, path: &RemotePath) -> Result<Option<Entry>> {
        if path.is_top() {
            return Ok(Some(Entry::top()));
        }
        let url = format!("{}?$select={FIELDS}", self.url(path, ""));
        let answer = there(sent(self.bearer.call(Method::GET, url)))?;
        let item: Option<Item> = answer.map(json).transpose()?;
        Ok(item.map(|item| item.entry(path)))
    }

    fn fetch(&self, path: &RemotePath, range: Option<&str>) -> Result<Answer> {
        let with_range = |call: http::Call| match range {
            Some(range) => call.header("range", range),
            None => call,
        };
        let call = self.bearer.call(Method::GET, self.url(path, "content"));
        let answer = with_range(call).send().map_err(fault::unanswered)?;
        if !answer.status.is_redirection() {
            return fault::success(answer);
        }
        let place = answer.headers.get("location");
        let place = place.ok_or_else(|| fault::unreadable("no place to get bytes from"))?;
        sent(with_range(self.bearer.led(Method::GET, place)?))
    }

    fn put(&self, path: &RemotePath, contents: &Contents) -> Result<()> {
        if contents.size() > MAX_AT_ONCE {
            return self.put_in_parts(path, contents);
        }
        let call = self.bearer.call(Method::PUT, self.url(path, "content"));
        fault::success(contents.send_whole(call)?).map(drop)
    }
}
