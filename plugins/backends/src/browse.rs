//! What lies in a service, and its bytes passed through.

use crate::{
    fault,
    path::RemotePath,
    record::{self, Row},
    service::Listing,
    settings::Settings,
};
use atlashub_sdk::prelude::*;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What RFC 8187 lets stand as it is, beside letters and digits.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');

#[derive(Debug, Deserialize)]
pub(crate) struct Place {
    path: Option<String>,
    cursor: Option<String>,
}

impl Place {
    fn path(&self) -> Result<RemotePath> {
        RemotePath::parse(self.path.as_deref().unwrap_or_default())
    }
}

pub(crate) fn browse(
    Path(id): Path<String>,
    Query(place): Query<Place>,
    caller: Caller,
    Config(settings): Config<Settings>,
) -> Result<Json<Listing>> {
    let me = record::me(&caller)?;
    let service = Row::of(&me, &id)?.service(&settings)?;
    let listing = service.list(&place.path()?, place.cursor.as_deref())?;
    Ok(Json(listing))
}

/// The bytes of a file there. Always saved, never shown: nobody has looked at
/// what they are.
pub(crate) fn download(
    Path(id): Path<String>,
    Query(place): Query<Place>,
    request: Request,
    caller: Caller,
    Config(settings): Config<Settings>,
) -> Result<Response> {
    let me = record::me(&caller)?;
    let service = Row::of(&me, &id)?.service(&settings)?;
    let path = place.path()?;
    let entry = service.stat(&path)?.ok_or_else(fault::missing)?;
    if entry.is_folder() {
        return Err(fault::not_a_file());
    }
    let answer = service.fetch(&path, request.header("range"))?;
    let mut headers = Headers::new();
    for name in [
        "content-encoding",
        "content-length",
        "content-range",
        "content-type",
        "etag",
        "last-modified",
    ] {
        if let Some(value) = answer.headers.get_bytes(name) {
            headers.set(name, value);
        }
    }
    headers.set("accept-ranges", "bytes");
    headers.set("cache-control", "private, no-store");
    headers.set("content-disposition", attachment(&entry.name));
    headers.set("content-security-policy", "sandbox; default-src 'none'");
    headers.set("x-content-type-options", "nosniff");
    Ok((answer.status, headers, answer.body).into_response())
}

/// `Content-Disposition` (RFC 6266) with a name in any script.
fn attachment(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '.' | '-' | '_');
    let fallback: String = name
        .chars()
        .map(|c| if plain(c) { c } else { '_' })
        .collect();
    let whole = utf8_percent_encode(name, ENCODED);
    format!("attachment; filename=\"{fallback}\"; filename*=UTF-8''{whole}")
}
