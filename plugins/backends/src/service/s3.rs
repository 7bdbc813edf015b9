//! S3 and what speaks like it: objects under a prefix of a bucket, slashes in
//! their keys as folders.

use super::{Entry, EntryKind, Listing, PAGE, Service, s3_parts as parts, signature};
use crate::{
    address,
    credentials::{Fields, invalid},
    fault,
    files::Contents,
    path::{RemotePath, is_name},
    settings::Settings,
};
use atlashub_sdk::{
    http::{Answer, Call},
    prelude::*,
};
use roxmltree::{Document, Node, ParsingOptions};
use serde_json::Value;
use signature::{Signed, Signer, UNSIGNED};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use url::Url;

/// Largest list, bytes.
const MAX_LIST: usize = 2 * 1024 * 1024;
const MAX_NODES: u32 = 50_000;

/// What is kept of a connection.
#[derive(Serialize, Deserialize)]
pub(crate) struct Credentials {
    endpoint: String,
    region: String,
    bucket: String,
    access_key_id: String,
    secret_access_key: String,
    /// What keys begin with, without slashes around it.
    prefix: String,
    /// Whether the bucket stands in the path, or before the host.
    path_style: bool,
}

impl Credentials {
    /// As a user types them.
    pub(crate) fn read(value: Value, settings: &Settings) -> Result<Self> {
        let mut fields = Fields::of(
            value,
            &[
                "endpoint",
                "region",
                "bucket",
                "access_key_id",
                "secret_access_key",
                "prefix",
                "path_style",
            ],
        )?;
        let bucket = fields.text("bucket", 63)?;
        let region = fields.optional("region", 64)?;
        let region = region.unwrap_or_else(|| "us-east-1".to_owned());
        let plain = |text: &str, more: &str| {
            text.chars()
                .all(|c| c.is_ascii_alphanumeric() || more.contains(c))
        };
        if !plain(&bucket, "-._") || bucket.len() < 3 || bucket.starts_with('.') {
            return Err(invalid("`credentials.bucket` is not the name of a bucket"));
        }
        if !plain(&region, "-") {
            return Err(invalid("`credentials.region` is not the name of a region"));
        }
        let endpoint = fields.optional("endpoint", 500)?;
        let path_style = fields.flag("path_style")?;
        // Names with dots fit no certificate of AWS.
        let path_style = path_style.unwrap_or(endpoint.is_some() || bucket.contains('.'));
        let endpoint = match endpoint {
            Some(endpoint) => address::of_server(&endpoint, settings)?,
            None => address::of_server(&format!("https://s3.{region}.amazonaws.com"), settings)?,
        };
        let prefix = fields.optional("prefix", 512)?.unwrap_or_default();
        Ok(Self {
            endpoint: endpoint.into(),
            region,
            access_key_id: fields.text("access_key_id", 256)?,
            secret_access_key: fields.text("secret_access_key", 256)?,
            prefix: RemotePath::parse(&prefix)?.plain(),
            bucket,
            path_style,
        })
    }
}

/// A connection.
pub(crate) struct S3 {
    credentials: Credentials,
    /// `https://host`, of the bucket's host.
    origin: String,
    /// As `host` is sent.
    host: String,
    /// What the path of an object begins with, with slashes around it.
    path: String,
    prefix: RemotePath,
    /// What is larger goes in parts of so many bytes.
    part_bytes: u64,
}

impl S3 {
    pub(crate) fn new(credentials: Credentials, settings: &Settings) -> Result<Self> {
        let mut url = address::of_server(&credentials.endpoint, settings)?;
        let bucket = &credentials.bucket;
        if !credentials.path_style {
            let host = format!("{bucket}.{}", url.host_str().unwrap_or_default());
            url.set_host(Some(&host))
                .map_err(|_| fault::address_refused("the bucket cannot stand before this host"))?;
            url = address::checked(url.as_str(), settings)?;
        }
        let host = authority(&url);
        let mut path = url.path().to_owned();
        if credentials.path_style {
            path.push_str(&format!("{bucket}/"));
        }
        Ok(Self {
            origin: format!("{}://{host}", url.scheme()),
            host,
            path,
            prefix: RemotePath::parse(&credentials.prefix)?,
            part_bytes: settings.s3_part_bytes,
            credentials,
        })
    }

    /// The path of an object below the prefix, as the key has it.
    fn key(&self, path: &RemotePath) -> Result<RemotePath> {
        path.names()
            .iter()
            .try_fold(self.prefix.clone(), |key, name| key.join(name))
    }

    pub(super) fn call(&self, method: &Method, key: &str, query: &[(&str, &str)]) -> Result<Call> {
        let path = format!("{}{key}", self.path);
        let signer = Signer {
            access_key: &self.credentials.access_key_id,
            secret_key: &self.credentials.secret_access_key,
            region: &self.credentials.region,
        };
        let signed = Signed {
            method: method.as_str(),
            host: &self.host,
            path: &path,
            query,
            payload: UNSIGNED,
        };
        let fields = signer.sign(&signed, OffsetDateTime::now_utc())?;
        let query = match query {
            [] => String::new(),
            some => format!("?{}", signature::query(some)),
        };
        let url = format!("{}{path}{query}", self.origin);
        let mut call = atlashub_sdk::http::call(method.clone(), url);
        for (name, value) in fields {
            call = call.header(name, value);
        }
        Ok(call)
    }

    /// A page of what begins with a prefix, and what it says of going on.
    fn page(&self, folder: &RemotePath, cursor: Option<&str>, most: usize) -> Result<Listing> {
        let mut prefix = self.key(folder)?.plain();
        if !prefix.is_empty() {
            prefix.push('/');
        }
        let most = most.to_string();
        let mut query = vec![
            ("list-type", "2"),
            ("delimiter", "/"),
            ("max-keys", most.as_str()),
            ("prefix", prefix.as_str()),
        ];
        if let Some(cursor) = cursor {
            query.push(("continuation-token", cursor));
        }
        let answer = self
            .call(&Method::GET, "", &query)?
            .send()
            .map_err(fault::unanswered)?;
        let bytes = fault::success(answer)?
            .body
            .bytes(MAX_LIST)
            .map_err(fault::unreadable)?;
        let text = str::from_utf8(&bytes).map_err(fault::unreadable)?;
        read(text, folder, &prefix)
    }

    /// Whether keys begin with this path and a slash: a folder is no more.
    fn is_folder(&self, path: &RemotePath) -> Result<bool> {
        let key = format!("{}/", self.key(path)?.plain());
        let query = [
            ("list-type", "2"),
            ("max-keys", "1"),
            ("prefix", key.as_str()),
        ];
        let answer = self.call(&Method::GET, "", &query)?.send();
        let answer = fault::success(answer.map_err(fault::unanswered)?)?;
        let bytes = answer.body.bytes(MAX_LIST).map_err(fault::unreadable)?;
        let text = str::from_utf8(&bytes).map_err(fault::unreadable)?;
        let document = parsed(text)?;
        let mut found = document.root_element().children();
        Ok(found.any(|node| is(node, "Contents")))
    }
}

impl Service for S3 {
    fn check(&self) -> Result<()> {
        self.page(&RemotePath::default(), None, 1).map(drop)
    }

    fn list(&self, folder: &RemotePath, cursor: Option<&str>) -> Result<Listing> {
        let listing = self.page(folder, cursor, PAGE)?;
        // Nothing begins so, not even the folder itself.
        if listing.items.is_empty()
            && listing.next_cursor.is_none()
            && cursor.is_none()
            && self.stat(folder)?.is_none_or(|entry| !entry.is_folder())
        {
            return Err(fault::missing());
        }
        Ok(listing)
    }

    fn stat(&self, path: &RemotePath) -> Result<Option<Entry>> {
        if path.is_top() {
            return Ok(Some(Entry::top()));
        }
        let answer = self
            .call(&Method::HEAD, &self.key(path)?.encoded(), &[])?
            .send()
            .map_err(fault::unanswered)?;
        let mut entry = Entry {
            name: path.name().unwrap_or_default().to_owned(),
            path: path.to_string(),
            kind: EntryKind::File,
            ..Entry::top()
        };
        if answer.status.is_success() {
            let text = |name| answer.headers.get(name).map(str::to_owned);
            let modified = text("last-modified");
            let modified = modified.and_then(|text| httpdate::parse_http_date(&text).ok());
            entry.size = text("content-length").and_then(|text| text.parse().ok());
            entry.modified =
                modified.and_then(|time| OffsetDateTime::from(time).format(&Rfc3339).ok());
            entry.etag = text("etag");
            // Some servers answer so for folders as well.
            if entry.size != Some(0) || !self.is_folder(path)? {
                return Ok(Some(entry));
            }
        } else if answer.status != StatusCode::NOT_FOUND {
            return fault::success(answer).map(|_| None);
        } else if !self.is_folder(path)? {
            return Ok(None);
        }
        Ok(Some(Entry {
            name: entry.name,
            path: entry.path,
            ..Entry::top()
        }))
    }

    fn fetch(&self, path: &RemotePath, range: Option<&str>) -> Result<Answer> {
        let mut call = self.call(&Method::GET, &self.key(path)?.encoded(), &[])?;
        if let Some(range) = range {
            call = call.header("range", range);
        }
        fault::success(call.send().map_err(fault::unanswered)?)
    }

    fn put(&self, path: &RemotePath, contents: &Contents) -> Result<()> {
        let part = parts::size(contents.size(), self.part_bytes);
        if contents.size() > part {
            return parts::put(self, &self.key(path)?.encoded(), contents, part);
        }
        let call = self.call(&Method::PUT, &self.key(path)?.encoded(), &[])?;
        fault::success(contents.send_whole(call)?).map(drop)
    }
}

/// The host, with its port where it is not the scheme's own.
fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

fn parsed(text: &str) -> Result<Document<'_>> {
    document(text, "ListBucketResult")
}

/// A document whose root is of that name.
pub(super) fn document<'a>(text: &'a str, root: &str) -> Result<Document<'a>> {
    let options = ParsingOptions {
        nodes_limit: MAX_NODES,
        ..ParsingOptions::default()
    };
    let document = Document::parse_with_options(text, options).map_err(fault::unreadable)?;
    if is(document.root_element(), root) {
        Ok(document)
    } else {
        Err(fault::unreadable(format_args!("no {root}")))
    }
}

/// Servers differ in the namespace, not in the names.
fn is(node: Node<'_, '_>, name: &str) -> bool {
    node.is_element() && node.tag_name().name() == name
}

pub(super) fn text_of<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    node.children().find(|child| is(*child, name))?.text()
}

fn read(text: &str, folder: &RemotePath, prefix: &str) -> Result<Listing> {
    let document = parsed(text)?;
    let root = document.root_element();
    let name_of = |key: &str| {
        let name = key.strip_prefix(prefix)?;
        let name = name.strip_suffix('/').unwrap_or(name);
        is_name(name).then(|| name.to_owned())
    };
    let entry = |node: Node<'_, '_>| {
        let (key, kind) = if is(node, "CommonPrefixes") {
            (text_of(node, "Prefix")?, EntryKind::Folder)
        } else if is(node, "Contents") {
            // What ends with a slash stands for a folder, as some clients
            // make them.
            let key = text_of(node, "Key").filter(|key| !key.ends_with('/'))?;
            (key, EntryKind::File)
        } else {
            return None;
        };
        let name = name_of(key)?;
        Some(Entry {
            path: folder.join(&name).ok()?.to_string(),
            name,
            kind,
            size: text_of(node, "Size").and_then(|size| size.parse().ok()),
            modified: text_of(node, "LastModified").map(str::to_owned),
            etag: text_of(node, "ETag").map(str::to_owned),
        })
    };
    let is_cut = text_of(root, "IsTruncated") == Some("true");
    let next = text_of(root, "NextContinuationToken").map(str::to_owned);
    Ok(Listing {
        items: root.children().filter_map(entry).collect(),
        next_cursor: next.filter(|_| is_cut),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;
    use serde_json::json;

    fn connection(more: Value) -> Result<S3> {
        let mut value = json!({
            "bucket": "photos", "access_key_id": "AK", "secret_access_key": "SK",
        });
        let fields = value.as_object_mut().unwrap();
        fields.extend(more.as_object().unwrap().clone());
        let settings = Settings::default();
        S3::new(Credentials::read(value, &settings)?, &settings)
    }

    #[test]
    fn a_bucket_stands_before_the_host_or_in_the_path() {
        let place = |more| {
            let s3 = connection(more).unwrap();
            format!("{}{}", s3.origin, s3.path)
        };
        assert_eq!(
            place(json!({"region": "eu-central-1"})),
            "https://photos.s3.eu-central-1.amazonaws.com/"
        );
        let endpoint = "https://s3.example:9000/store";
        assert_eq!(
            place(json!({"endpoint": endpoint})),
            "https://s3.example:9000/store/photos/"
        );
        assert_eq!(
            place(json!({"endpoint": endpoint, "path_style": false})),
            "https://photos.s3.example:9000/store/"
        );
        assert!(connection(json!({"endpoint": "https://internal", "path_style": false})).is_err());
        assert!(connection(json!({"bucket": "a/../b"})).is_err());
        assert!(connection(json!({"prefix": "a/../b"})).is_err());
    }

    #[test]
    fn a_list_is_read_with_what_lies_in_it() {
        let text = r#"<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
            <IsTruncated>true</IsTruncated><NextContinuationToken>next</NextContinuationToken>
            <Contents><Key>p/a/</Key><Size>0</Size></Contents>
            <Contents><Key>p/a/b &amp; c.txt</Key><Size>5</Size><ETag>&quot;e&quot;</ETag>
              <LastModified>2024-01-01T00:00:00.000Z</LastModified></Contents>
            <Contents><Key>p/a/..</Key><Size>1</Size></Contents>
            <CommonPrefixes><Prefix>p/a/d/</Prefix></CommonPrefixes></ListBucketResult>"#;
        let listing = read(text, &RemotePath::parse("a").unwrap(), "p/a/").unwrap();
        let found: Vec<_> = listing
            .items
            .iter()
            .map(|entry| entry.path.as_str())
            .collect();
        assert_eq!(found, ["/a/b & c.txt", "/a/d"]);
        assert_eq!(listing.items[0].size, Some(5));
        assert_eq!(listing.items[0].etag.as_deref(), Some("\"e\""));
        assert!(listing.items[1].is_folder());
        assert_eq!(listing.next_cursor.as_deref(), Some("next"));
        assert!(read("<Error/>", &RemotePath::default(), "").is_err());
    }
}
