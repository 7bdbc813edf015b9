//! Which form of a file a browser gets, by its `Accept-Encoding` (RFC 9110
//! §12.5.3). The forms were made when the dashboard was built.

use super::files::File;
use crate::accept_encoding::accepts;
use http::HeaderMap;

/// The name of the encoding, and the bytes.
pub(super) fn choose(file: &File, headers: &HeaderMap) -> (Option<&'static str>, &'static [u8]) {
    if let Some(bytes) = file.brotli.filter(|_| accepts(headers, "br")) {
        return (Some("br"), bytes);
    }
    if let Some(bytes) = file.gzip.filter(|_| accepts(headers, "gzip")) {
        return (Some("gzip"), bytes);
    }
    (None, file.plain)
}
