//! What a WebDAV server answers to `PROPFIND` (RFC 4918 §13). Document types,
//! and so entities of one's own, are refused; nodes are bounded.

use crate::fault;
use atlashub_sdk::prelude::*;
use percent_encoding::percent_decode_str;
use roxmltree::{Document, Node, ParsingOptions};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Most nodes of an answer: a dozen or so for each entry.
const MAX_NODES: u32 = 400_000;
const DAV: &str = "DAV:";

/// What a server says of one resource.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Resource {
    /// The names of its path, decoded.
    pub(crate) names: Vec<String>,
    pub(crate) is_folder: bool,
    pub(crate) size: Option<u64>,
    pub(crate) modified: Option<String>,
    pub(crate) etag: Option<String>,
}

/// Reads an answer; what is no path of text is left out.
pub(crate) fn read(text: &str) -> Result<Vec<Resource>> {
    let options = ParsingOptions {
        nodes_limit: MAX_NODES,
        ..ParsingOptions::default()
    };
    let document = Document::parse_with_options(text, options).map_err(fault::unreadable)?;
    let root = document.root_element();
    if !root.has_tag_name((DAV, "multistatus")) {
        return Err(fault::unreadable("no multistatus"));
    }
    let responses = root
        .children()
        .filter(|node| node.has_tag_name((DAV, "response")));
    Ok(responses.filter_map(resource).collect())
}

fn resource(response: Node<'_, '_>) -> Option<Resource> {
    let names = names_of(text_of(response, "href")?)?;
    let properties = response
        .children()
        .filter(|node| node.has_tag_name((DAV, "propstat")))
        // A property that is not there stands under another status.
        .filter(|stat| text_of(*stat, "status").is_none_or(|status| status.contains(" 200")))
        .filter_map(|stat| child(stat, "prop"));
    let mut found = Resource {
        names,
        is_folder: false,
        size: None,
        modified: None,
        etag: None,
    };
    for prop in properties {
        if let Some(kind) = child(prop, "resourcetype") {
            found.is_folder = child(kind, "collection").is_some();
        }
        let length = text_of(prop, "getcontentlength");
        found.size = found.size.or_else(|| length?.trim().parse().ok());
        let modified = text_of(prop, "getlastmodified");
        found.modified = found.modified.or_else(|| time_of(modified?.trim()));
        let etag = text_of(prop, "getetag").filter(|etag| !etag.is_empty());
        found.etag = found.etag.or_else(|| etag.map(str::to_owned));
    }
    if found.is_folder {
        found.size = None;
    }
    Some(found)
}

fn child<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    node.children()
        .find(|child| child.has_tag_name((DAV, name)))
}

fn text_of<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    child(node, name)?.text()
}

/// The names in a reference: a path, or a whole address.
fn names_of(reference: &str) -> Option<Vec<String>> {
    let reference = reference.trim();
    let path = match reference.split_once("://") {
        Some((_, rest)) => rest
            .find('/')
            .map_or("", |at| rest.get(at..).unwrap_or_default()),
        None => reference,
    };
    path.split('/')
        .filter(|name| !name.is_empty())
        .map(|name| {
            let name = percent_decode_str(name).decode_utf8().ok()?;
            Some(name.into_owned())
        })
        .collect()
}

fn time_of(text: &str) -> Option<String> {
    let time = OffsetDateTime::from(httpdate::parse_http_date(text).ok()?);
    time.format(&Rfc3339).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    #[test]
    fn an_answer_is_read_whatever_its_prefixes_are() {
        let text = r#"<?xml version="1.0"?><x:multistatus xmlns:x="DAV:" xmlns:o="urn:o">
            <x:response><x:href>https://a.example/dav/</x:href><x:propstat><x:prop>
              <x:resourcetype><x:collection/></x:resourcetype><x:getcontentlength>7</x:getcontentlength>
              </x:prop><x:status>HTTP/1.1 200 OK</x:status></x:propstat></x:response>
            <x:response><x:href>/dav/f%C3%BCr%20&amp;%2F.txt</x:href><x:propstat><x:prop>
              <x:resourcetype/><x:getcontentlength>12</x:getcontentlength><o:size>9</o:size>
              <x:getlastmodified>Sun, 06 Nov 1994 08:49:37 GMT</x:getlastmodified>
              <x:getetag>"e"</x:getetag></x:prop><x:status>HTTP/1.1 200 OK</x:status></x:propstat>
              <x:propstat><x:prop><x:getcontentlength>1</x:getcontentlength></x:prop>
              <x:status>HTTP/1.1 404 Not Found</x:status></x:propstat></x:response>
            <x:response><x:href>/dav/%FF</x:href></x:response></x:multistatus>"#;
        let found = read(text).unwrap();
        assert_eq!(found.len(), 2);
        assert!(found[0].is_folder && found[0].size.is_none());
        assert_eq!(found[0].names, ["dav"]);
        assert_eq!(found[1].names, ["dav", "für &/.txt"]);
        assert_eq!(found[1].size, Some(12));
        assert_eq!(found[1].modified.as_deref(), Some("1994-11-06T08:49:37Z"));
        assert_eq!(found[1].etag.as_deref(), Some("\"e\""));
    }

    #[test]
    fn what_is_no_multistatus_is_refused() {
        for text in [
            "",
            "<html/>",
            "<multistatus/>",
            "<!DOCTYPE a [<!ENTITY b 'c'>]><multistatus xmlns='DAV:'>&b;</multistatus>",
        ] {
            assert_eq!(read(text).unwrap_err().code(), "backend_failed", "{text}");
        }
    }
}
