//! Static files of plugins: answered by the host itself, without an instance,
//! from what the component carries (docs/adr/0059). Forms were compressed when
//! the component was put together; here one is chosen, cut to a range, or not
//! sent at all when the client has it.

use crate::{
    accept_encoding::accepts,
    byte_range::{self, Asked},
    problem,
    request_id::RequestTag,
};
use atlashub_app::plugins::{AssetBytes, RevisionAssets};
use atlashub_core::{
    Error, ErrorKind, Result,
    assets::{AssetFile, Span, content_type},
};
use axum::{body::Body, response::Response};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use percent_encoding::percent_decode_str;
use std::ops::Range;

/// For good: the name changes with what is in the file.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";
/// Kept, and asked for again each time.
const REVALIDATED: &str = "no-cache";

/// What pages of plugins may load and do: scripts of their own host alone and
/// none in the page, no address but this host's and the object store's, no
/// frame around them.
pub(super) struct Policy {
    plain: HeaderValue,
    /// Of pages in the dashboard: only its own host may frame them, and they
    /// are of an origin of their own even when somebody opens them alone.
    framed: HeaderValue,
    /// Of plugins that somebody deployed, on a host that is not the project's:
    /// without an origin, since that one is the dashboard's too, and a script
    /// of it could do what an admin who looks at the page may.
    shared: HeaderValue,
}

impl Policy {
    /// The policy, where `store` are the origins of the object store, each
    /// after a blank.
    ///
    /// # Errors
    /// When they are no text for a header.
    pub(super) fn new(store: &str) -> Result<Self> {
        let text = |ends: &str| {
            let text = format!(
                "default-src 'self'; base-uri 'self'; object-src 'none'; form-action 'self'; \
             script-src 'self'; style-src 'self' 'unsafe-inline'; \
             font-src 'self' data:; connect-src 'self'{store}; img-src 'self' data: blob:{store}; \
             media-src 'self' blob:{store}; frame-src 'self' blob:{store}; {ends}"
            );
            HeaderValue::from_str(&text).map_err(|error| Error::internal("write a header", error))
        };
        Ok(Self {
            plain: text("frame-ancestors 'none'")?,
            framed: text("frame-ancestors 'self'; sandbox allow-scripts allow-forms")?,
            shared: text(
                "frame-ancestors 'none'; sandbox allow-scripts allow-forms allow-popups \
                 allow-modals allow-downloads",
            )?,
        })
    }
}

/// What is asked for.
pub(super) struct Asking<'a> {
    pub(super) method: &'a Method,
    /// As the client has it.
    pub(super) uri: &'a Uri,
    pub(super) headers: &'a HeaderMap,
    /// What its path has after the mount, undecoded.
    pub(super) rest: &'a str,
    /// Whether it came to a host of the project's own.
    pub(super) own_host: bool,
}

/// Answers a request for a file.
///
/// # Errors
/// 404 for what is no file's, and when the store cannot.
pub(super) async fn answer(
    assets: &RevisionAssets,
    asking: Asking<'_>,
    policy: &Policy,
    tag: &RequestTag,
) -> Result<Response<Body>> {
    if !matches!(*asking.method, Method::GET | Method::HEAD) {
        return Ok(refused(tag));
    }
    let Ok(rest) = percent_decode_str(asking.rest).decode_utf8() else {
        return Err(Error::not_found("file"));
    };
    let (name, file) = match find(assets, &rest) {
        Found::File(name, file) => (name, file),
        Found::Folder => return redirect(asking.uri),
        Found::Nothing => return Err(Error::not_found("file")),
    };
    let headers = asking.headers;
    let (encoding, form) = choose(file, headers);
    let tag = etag(file, encoding)?;
    let part = part(headers, form, &tag);
    let mut response = Response::new(Body::empty());
    let shown = response.headers_mut();
    shown.insert(header::ETAG, tag.clone());
    let policy = if assets.is_page(&name) {
        &policy.framed
    } else if asking.own_host || assets.is_carried() {
        &policy.plain
    } else {
        &policy.shared
    };
    shown.insert(header::CONTENT_SECURITY_POLICY, policy.clone());
    let kept = if is_hashed(&name) {
        IMMUTABLE
    } else {
        REVALIDATED
    };
    for (name, value) in [
        (header::CACHE_CONTROL, kept),
        (header::VARY, "accept-encoding"),
        (header::ACCEPT_RANGES, "bytes"),
        (header::CONTENT_TYPE, content_type(&name)),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        // Always, so that what a browser kept serves pages of any origin.
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_EXPOSE_HEADERS, "*"),
    ] {
        shown.insert(name, HeaderValue::from_static(value));
    }
    if is_known(headers, &tag) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(response);
    }
    if let Some(encoding) = encoding {
        shown.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    let part = match part {
        Part::Whole => 0..form.length,
        Part::Range(part) => {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            let last = part.end.saturating_sub(1);
            let range = format!("bytes {}-{last}/{}", part.start, form.length);
            write(&mut response, header::CONTENT_RANGE, &range)?;
            part
        }
        Part::Nothing => {
            *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
            let range = format!("bytes */{}", form.length);
            write(&mut response, header::CONTENT_RANGE, &range)?;
            return Ok(response);
        }
    };
    let length = HeaderValue::from(part.len());
    response
        .headers_mut()
        .insert(header::CONTENT_LENGTH, length);
    if asking.method == Method::GET {
        *response.body_mut() = match assets.read(form, part).await? {
            AssetBytes::Ready(bytes) => Body::from(bytes),
            AssetBytes::Stream(stream) => Body::from_stream(stream),
        };
    }
    Ok(response)
}

/// What a path leads to.
enum Found<'a> {
    File(String, &'a AssetFile),
    /// A folder with a page, whose own address ends in a slash.
    Folder,
    Nothing,
}

fn find<'a>(assets: &'a RevisionAssets, rest: &str) -> Found<'a> {
    let declared = assets.declared();
    let Some(path) = rest.strip_prefix('/') else {
        return Found::Folder;
    };
    let is_folder = path.is_empty() || path.ends_with('/');
    let name = if is_folder {
        format!("{path}{}", declared.index)
    } else {
        path.to_owned()
    };
    if let Some(file) = assets.find(&name) {
        return Found::File(name, file);
    }
    let page = format!("{path}/{}", declared.index);
    if !is_folder && assets.find(&page).is_some() {
        return Found::Folder;
    }
    let last = path.rsplit('/').next().unwrap_or_default();
    match &declared.fallback {
        Some(fallback) if !last.contains('.') => match assets.find(fallback) {
            Some(file) => Found::File(fallback.clone(), file),
            None => Found::Nothing,
        },
        _ => Found::Nothing,
    }
}

/// To the same address with a slash at the end: what a page names beside
/// itself is found from there.
fn redirect(uri: &Uri) -> Result<Response<Body>> {
    let query = uri.query().map(|query| format!("?{query}"));
    let address = format!("{}/{}", uri.path(), query.unwrap_or_default());
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    write(&mut response, header::LOCATION, &address)?;
    write(&mut response, header::CACHE_CONTROL, REVALIDATED)?;
    Ok(response)
}

fn refused(tag: &RequestTag) -> Response<Body> {
    let error = Error::new(
        ErrorKind::MethodNotAllowed,
        "method_not_allowed",
        "the address is a file's: it is read with GET",
    );
    let mut response = problem::render(&error, tag);
    let allowed = HeaderValue::from_static("GET, HEAD");
    response.headers_mut().insert(header::ALLOW, allowed);
    response
}

/// The form that a client gets. A part is cut from the file as it is: what a
/// player asks for are places in that.
fn choose(file: &AssetFile, headers: &HeaderMap) -> (Option<&'static str>, Span) {
    if headers.contains_key(header::RANGE) {
        return (None, file.plain);
    }
    let brotli = file.brotli.filter(|_| accepts(headers, "br"));
    if let Some(form) = brotli {
        return (Some("br"), form);
    }
    match file.gzip.filter(|_| accepts(headers, "gzip")) {
        Some(form) => (Some("gzip"), form),
        None => (None, file.plain),
    }
}

/// The entity tag of a form: strong, since each form has its own.
fn etag(file: &AssetFile, encoding: Option<&str>) -> Result<HeaderValue> {
    let digest = file.digest.to_hex();
    let digest = digest.get(..32).unwrap_or_default();
    let end = encoding.map(|name| format!("-{name}")).unwrap_or_default();
    HeaderValue::from_str(&format!("\"{digest}{end}\""))
        .map_err(|error| Error::internal("write a header", error))
}

/// What of a form is asked for.
enum Part {
    Whole,
    Range(Range<usize>),
    Nothing,
}

/// A range counts only while the client's part is of the same file (RFC 9110
/// §13.1.5).
fn part(headers: &HeaderMap, form: Span, tag: &HeaderValue) -> Part {
    if headers
        .get(header::IF_RANGE)
        .is_some_and(|known| known != tag)
    {
        return Part::Whole;
    }
    let asked = headers
        .get(header::RANGE)
        .and_then(|range| range.to_str().ok());
    match byte_range::parse(asked, form.length as u64) {
        Asked::Whole => Part::Whole,
        Asked::Nothing => Part::Nothing,
        Asked::Part(range) => {
            let within = |place: u64| usize::try_from(place).unwrap_or(form.length);
            Part::Range(within(range.start)..within(range.end))
        }
    }
}

/// Whether the client has this already, by `If-None-Match`: compared weakly
/// (RFC 9110 §13.1.2).
fn is_known(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.trim_start_matches("W/").as_bytes() == tag.as_bytes())
}

/// Whether a name carries a hash of what is in the file, as build tools write
/// them: `app-BxYz12_4.js`, `main.8d3b5a1c.css`. Where that is in doubt it
/// does not, and pages never do.
fn is_hashed(name: &str) -> bool {
    /// Characters of a hash at least.
    const LENGTH: usize = 8;
    let name = name.rsplit('/').next().unwrap_or_default();
    let Some((stem, end)) = name.rsplit_once('.') else {
        return false;
    };
    if matches!(end, "html" | "htm") {
        return false;
    }
    // A map lies beside what it maps.
    let stem = match end {
        "map" => stem.rsplit_once('.').map_or(stem, |(stem, _)| stem),
        _ => stem,
    };
    let hex = stem.rsplit(['-', '.']).next().unwrap_or_default();
    let is_hex = hex.len() >= LENGTH
        && hex.len() < stem.len()
        && hex
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        && hex.bytes().any(|byte| byte.is_ascii_digit())
        && hex.bytes().any(|byte| byte.is_ascii_lowercase());
    let base64 = stem
        .len()
        .checked_sub(LENGTH)
        .and_then(|at| stem.split_at_checked(at));
    let is_base64 = base64.is_some_and(|(before, hash)| {
        before.ends_with(['-', '.'])
            && hash
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            && hash.bytes().any(|byte| byte.is_ascii_uppercase())
            && hash.bytes().any(|byte| byte.is_ascii_lowercase())
    });
    is_hex || is_base64
}

fn write(response: &mut Response<Body>, name: HeaderName, value: &str) -> Result<()> {
    let value =
        HeaderValue::from_str(value).map_err(|error| Error::internal("write a header", error))?;
    response.headers_mut().insert(name, value);
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn names_with_a_hash_are_told_from_others() {
        for hashed in [
            "assets/index-BxYz12_4.js",
            "assets/index-B-Yzab_c.css",
            "main.8d3b5a1c.js",
            "main.8d3b5a1c.js.map",
            "font-D4kw0aFq.woff2",
        ] {
            assert!(is_hashed(hashed), "{hashed}");
        }
        for plain in [
            "index.html",
            "index-BxYz12_4.html",
            "my-document.js",
            "report-20240101.pdf",
            "BxYz12_4.js",
            "8d3b5a1c.js",
            "sw.js",
            "LICENSE",
        ] {
            assert!(!is_hashed(plain), "{plain}");
        }
    }

    #[test]
    fn a_part_of_another_file_is_not_cut() {
        let tag = HeaderValue::from_static("\"a\"");
        let form = Span { at: 0, length: 10 };
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, HeaderValue::from_static("bytes=2-3"));
        assert!(matches!(part(&headers, form, &tag), Part::Range(range) if range == (2..4)));
        headers.insert(header::IF_RANGE, HeaderValue::from_static("\"b\""));
        assert!(matches!(part(&headers, form, &tag), Part::Whole));
        headers.insert(header::IF_RANGE, tag.clone());
        headers.insert(header::RANGE, HeaderValue::from_static("bytes=10-"));
        assert!(matches!(part(&headers, form, &tag), Part::Nothing));
    }

    #[test]
    fn a_page_runs_no_script_of_others() {
        let policy = Policy::new(" https://store.example").unwrap();
        let framed = policy.framed.to_str().unwrap();
        assert!(
            framed.ends_with("sandbox allow-scripts allow-forms"),
            "{framed}"
        );
        let policy = policy.plain.to_str().unwrap();
        assert!(policy.contains("script-src 'self';"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(policy.contains("connect-src 'self' https://store.example;"));
    }
}
