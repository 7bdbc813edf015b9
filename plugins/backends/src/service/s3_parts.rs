//! Objects that are stored in parts (S3's multipart uploads): what is too large
//! for one call, and what is better not sent anew from its beginning. Each part
//! is read from `files` by its range. An upload that fails is aborted; one
//! whose plugin is gone is for a rule of the bucket to end.

use super::s3::{S3, document, text_of};
use crate::{fault, files::Contents};
use atlashub_sdk::{http::Answer, prelude::*};
use std::fmt::Write as _;

/// The least that a part has, but for the last, bytes.
const LEAST: u64 = 5 * 1024 * 1024;
/// The most that a part has, bytes.
const MOST: u64 = 5 * 1024 * 1024 * 1024;
/// The most parts of an object.
const MAX_PARTS: u64 = 10_000;
/// The largest object, bytes.
const MAX_OBJECT: u64 = 5 * 1024 * 1024 * 1024 * 1024;
/// Largest answer, bytes.
const MAX_ANSWER: usize = 64 * 1024;

/// How large the parts of so many bytes are, when an admin wants them so.
pub(super) fn size(whole: u64, wanted: u64) -> u64 {
    wanted
        .clamp(LEAST, MOST)
        .max(whole.div_ceil(MAX_PARTS))
        .min(MOST)
}

/// Stores a file under a key, which is encoded.
pub(super) fn put(s3: &S3, key: &str, contents: &Contents, part: u64) -> Result<()> {
    if contents.size() > MAX_OBJECT {
        return Err(Error::invalid(
            "file_too_large",
            "files that are stored there have 5 TiB at most",
        ));
    }
    let begin = s3
        .call(&Method::POST, key, &[("uploads", "")])?
        .header("content-type", contents.mime_type())
        .header("content-length", "0");
    let begun = xml(begin.send().map_err(fault::unanswered)?)?;
    let begun = document(&begun, "InitiateMultipartUploadResult")?;
    let id = text_of(begun.root_element(), "UploadId")
        .ok_or_else(|| fault::unreadable("no id of an upload"))?;
    let stored = send(s3, key, contents, part, id).and_then(|list| complete(s3, key, id, list));
    if stored.is_err() {
        let abort = s3.call(&Method::DELETE, key, &[("uploadId", id)])?.send();
        if let Err(error) = abort {
            log::warn!("an upload in parts was not aborted: {error}");
        }
    }
    stored
}

/// Sends the parts; answers the list of them.
fn send(s3: &S3, key: &str, contents: &Contents, part: u64, id: &str) -> Result<String> {
    let mut list = String::from("<CompleteMultipartUpload>");
    let (mut start, mut number) = (0, 1_u32);
    while start < contents.size() {
        let end = contents.size().min(start.saturating_add(part));
        let own = number.to_string();
        let query = [("partNumber", own.as_str()), ("uploadId", id)];
        let call = s3.call(&Method::PUT, key, &query)?;
        let answer = fault::success(contents.send_part(call, &(start..end))?)?;
        let etag = answer.headers.get("etag").filter(|etag| is_plain(etag));
        let etag = etag.ok_or_else(|| fault::unreadable("no `ETag` of a part"))?;
        let etag = etag.replace('"', "&quot;");
        let _ = write!(
            list,
            "<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"
        );
        (start, number) = (end, number.saturating_add(1));
    }
    list.push_str("</CompleteMultipartUpload>");
    Ok(list)
}

/// Makes one object of the parts. A server may answer 200 first and say later
/// that it failed.
fn complete(s3: &S3, key: &str, id: &str, list: String) -> Result<()> {
    let call = s3
        .call(&Method::POST, key, &[("uploadId", id)])?
        .header("content-type", "application/xml")
        .header("content-length", list.len().to_string())
        .body(list);
    let answer = xml(call.send().map_err(fault::unanswered)?)?;
    document(&answer, "CompleteMultipartUploadResult").map(drop)
}

fn xml(answer: Answer) -> Result<String> {
    let answer = fault::success(answer)?;
    answer.body.text(MAX_ANSWER).map_err(fault::unreadable)
}

/// Whether it can stand in XML as it is, but for its quotes.
fn is_plain(etag: &str) -> bool {
    !etag.is_empty()
        && etag.len() <= 200
        && etag.bytes().all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'"' | b'-' | b'_' | b'/' | b'+' | b'=')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_object_has_few_enough_parts() {
        const MIB: u64 = 1024 * 1024;
        assert_eq!(size(10 * MIB, 512 * MIB), 512 * MIB);
        assert_eq!(size(10 * MIB, 1), 5 * MIB);
        for wanted in [1, 64 * MIB, u64::MAX] {
            let part = size(MAX_OBJECT, wanted);
            assert!(MAX_OBJECT.div_ceil(part) <= MAX_PARTS);
            assert!((LEAST..=MOST).contains(&part));
        }
    }
}
