//! What type a file has: told by its first bytes; where they say nothing, by
//! its name; then by whether it is text. What the client claims counts only
//! where nothing else is known, and never makes a type active.
//!
//! The lists are short and closed: an admin's own take their place.

/// How many of a file's first bytes are enough to tell its type.
pub const HEAD: usize = 512;

/// For bytes of which nothing is known.
const UNKNOWN: &str = "application/octet-stream";

/// Types by the end of a name, for those that have no signature or hide in an
/// archive.
const BY_NAME: &[(&str, &str)] = &[
    ("css", "text/css"),
    ("csv", "text/csv"),
    (
        "docx",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ),
    ("epub", "application/epub+zip"),
    ("htm", "text/html"),
    ("html", "text/html"),
    ("ics", "text/calendar"),
    ("js", "text/javascript"),
    ("json", "application/json"),
    ("log", "text/plain"),
    ("md", "text/markdown"),
    ("mjs", "text/javascript"),
    ("odp", "application/vnd.oasis.opendocument.presentation"),
    ("ods", "application/vnd.oasis.opendocument.spreadsheet"),
    ("odt", "application/vnd.oasis.opendocument.text"),
    (
        "pptx",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ),
    ("svg", "image/svg+xml"),
    ("toml", "application/toml"),
    ("tsv", "text/tab-separated-values"),
    ("txt", "text/plain"),
    ("vcf", "text/vcard"),
    (
        "xlsx",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ),
    ("xml", "application/xml"),
    ("yaml", "application/yaml"),
    ("yml", "application/yaml"),
];

/// Types that a browser may show in place: they cannot run anything.
const HARMLESS: &[&str] = &[
    "audio/aac",
    "audio/flac",
    "audio/m4a",
    "audio/midi",
    "audio/mpeg",
    "audio/ogg",
    "audio/x-flac",
    "audio/x-wav",
    "image/avif",
    "image/bmp",
    "image/gif",
    "image/jpeg",
    "image/png",
    "image/webp",
    "text/plain",
    "video/mp4",
    "video/mpeg",
    "video/ogg",
    "video/quicktime",
    "video/webm",
    "video/x-matroska",
];

/// Types that are refused unless the configuration says otherwise: programs.
const PROGRAMS: &[&str] = &[
    "application/vnd.microsoft.portable-executable",
    "application/x-executable",
    "application/x-mach-binary",
    "application/java",
    "application/vnd.android.dex",
    "application/vnd.android.dey",
    "application/wasm",
    "application/x-ole-storage",
    "text/x-shellscript",
];

/// The type of a file that starts with `head`, as `name`, claimed to be
/// `claimed`.
#[must_use]
pub fn detect(head: &[u8], name: &str, claimed: Option<&str>) -> String {
    let end = name
        .rsplit_once('.')
        .map(|(_, end)| end.to_ascii_lowercase());
    let by_name = end
        .and_then(|end| BY_NAME.iter().find(|(own, _)| *own == end))
        .map(|(_, mime)| *mime);
    let is_text = looks_like_text(head);
    if let Some(compound) = compound(head, name) {
        return compound.to_owned();
    }
    match infer::get(head).map(|kind| kind.mime_type()) {
        // Office documents are archives, markup is text: the name tells more.
        Some("application/zip") => by_name
            .filter(|mime| hides_in_zip(mime))
            .unwrap_or("application/zip")
            .to_owned(),
        Some("text/xml") => by_name
            .filter(|mime| mime.contains("xml"))
            .unwrap_or("text/xml")
            .to_owned(),
        Some(sniffed) => sniffed.to_owned(),
        None if is_text => match by_name.filter(|mime| !hides_in_zip(mime)) {
            Some(mime) => mime.to_owned(),
            None => claimed
                .and_then(claimed_text)
                .unwrap_or_else(|| "text/plain".to_owned()),
        },
        None => claimed
            .and_then(claimed_data)
            .unwrap_or_else(|| UNKNOWN.to_owned()),
    }
}

/// The type of what is in the Compound File Binary Format [MS-CFB]: documents of
/// older office programs, told by their names, and installers, which are what
/// has any other name.
fn compound(head: &[u8], name: &str) -> Option<&'static str> {
    if !head.starts_with(&[0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1]) {
        return None;
    }
    let end = name
        .rsplit_once('.')
        .map(|(_, end)| end)
        .unwrap_or_default();
    Some(match end.to_ascii_lowercase().as_str() {
        "doc" | "dot" => "application/msword",
        "xls" | "xlt" => "application/vnd.ms-excel",
        "ppt" | "pps" | "pot" => "application/vnd.ms-powerpoint",
        "msg" => "application/vnd.ms-outlook",
        "vsd" => "application/vnd.visio",
        "pub" => "application/x-mspublisher",
        _ => "application/x-ole-storage",
    })
}

fn hides_in_zip(mime: &str) -> bool {
    mime.starts_with("application/vnd.o") || mime == "application/epub+zip"
}

/// UTF-8 without NUL; a character may be cut off at the end of what is known.
fn looks_like_text(head: &[u8]) -> bool {
    if head.contains(&0) {
        return false;
    }
    match std::str::from_utf8(head) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none() && head.len() - error.valid_up_to() < 4,
    }
}

/// A claimed `type/subtype` without parameters, if it is well-formed.
#[must_use]
pub fn essence(claimed: &str) -> Option<String> {
    let essence = claimed.split(';').next()?.trim().to_ascii_lowercase();
    let (kind, rest) = essence.split_once('/')?;
    let plain = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&byte))
    };
    (plain(kind) && plain(rest) && essence.len() <= 127).then_some(essence)
}

/// A claim about text: any text may be called so.
fn claimed_text(claimed: &str) -> Option<String> {
    essence(claimed).filter(|mime| mime.starts_with("text/") || mime == "application/json")
}

/// A claim about data: nothing that would have shown a signature or is
/// treated as harmless.
fn claimed_data(claimed: &str) -> Option<String> {
    essence(claimed)
        .filter(|mime| mime.starts_with("application/") && !HARMLESS.contains(&mime.as_str()))
}

/// The type that bytes have which came as `claimed`: that claim itself, unless
/// they have a signature of another one, or lack the one that it would have.
#[must_use]
pub fn told(head: &[u8], name: &str, claimed: &str) -> String {
    if let Some(compound) = compound(head, name) {
        return compound.to_owned();
    }
    let fits = match infer::get(head).map(|kind| kind.mime_type()) {
        // Many types are archives or markup below.
        Some("application/zip") => {
            claimed.ends_with("+zip")
                || claimed.starts_with("application/vnd.")
                || hides_in_zip(claimed)
        }
        Some("text/xml") => claimed.contains("xml"),
        Some(sniffed) => is_same(sniffed, claimed),
        None => !infer::is_mime_supported(claimed) || claimed.starts_with("text/"),
    };
    match fits {
        true => claimed.to_owned(),
        false => detect(head, name, Some(claimed)),
    }
}

/// Whether two names mean one type: `audio/x-wav` is `audio/wav`.
fn is_same(one: &str, other: &str) -> bool {
    let plain = |mime: &str| {
        mime.replacen("/x-", "/", 1)
            .replace("image/jpg", "image/jpeg")
    };
    plain(one) == plain(other)
}

/// Whether files of a type are refused: by an admin's patterns, or where none
/// were set, because it is a program.
#[must_use]
pub fn is_refused(mime_type: &str, patterns: Option<&[String]>) -> bool {
    match patterns {
        Some(patterns) => matches_any(patterns, mime_type),
        None => PROGRAMS.contains(&mime_type),
    }
}

/// Whether a type is one of those: `image/png`, or `image/*` for all of a
/// kind.
#[must_use]
pub fn matches_any(patterns: &[String], mime_type: &str) -> bool {
    patterns
        .iter()
        .any(|pattern| match pattern.strip_suffix("/*") {
            Some(kind) => mime_type
                .split_once('/')
                .is_some_and(|(own, _)| own == kind),
            None => is_same(pattern, mime_type),
        })
}

/// Whether a browser may show it in place.
#[must_use]
pub fn is_harmless(mime_type: &str) -> bool {
    HARMLESS.contains(&mime_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_count_more_than_names_and_claims() {
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
        assert_eq!(detect(png, "a.txt", Some("text/plain")), "image/png");
        assert_eq!(
            detect(b"MZ\x90\0\x03\0\0\0", "cat.png", Some("image/png")),
            "application/vnd.microsoft.portable-executable"
        );
        assert_eq!(detect(b"hello", "a.md", None), "text/markdown");
        // An installer is told from a document by its name alone, and refused.
        let compound = b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1\0\0\0\0";
        assert_eq!(detect(compound, "a.DOC", None), "application/msword");
        assert_eq!(detect(compound, "a.xls", None), "application/vnd.ms-excel");
        for name in ["setup.msi", "setup"] {
            let claimed = Some("application/msword");
            assert_eq!(detect(compound, name, claimed), "application/x-ole-storage");
            let told = told(compound, name, "application/msword");
            assert!(is_refused(&told, None), "{told}");
        }
        assert_eq!(
            detect(b"hello", "a", Some("text/x-thing; charset=x")),
            "text/x-thing"
        );
        assert_eq!(detect(b"hello", "a", Some("image/png")), "text/plain");
        assert_eq!(detect(b"\0\x01\x02", "a.txt", Some("image/png")), UNKNOWN);
        assert_eq!(
            detect(b"\0\x01\x02", "a", Some("application/x-thing")),
            "application/x-thing"
        );
        assert_eq!(detect(b"", "a.csv", None), "text/csv");
        assert_eq!(
            detect(
                "é".repeat(300).as_bytes().get(..511).unwrap_or_default(),
                "a",
                None
            ),
            "text/plain"
        );
        assert_eq!(
            detect(b"PK\x03\x04\x14\0\0\0", "a.xlsx", None),
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
        );
        assert_eq!(
            detect(b"PK\x03\x04\x14\0\0\0", "a.html", None),
            "application/zip"
        );
    }

    #[test]
    fn a_claim_holds_unless_the_bytes_say_otherwise() {
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
        let wave = b"RIFF\0\0\0\0WAVEfmt ";
        let zip = b"PK\x03\x04\x14\0\0\0";
        for (head, claimed, wanted) in [
            (&png[..], "image/png", "image/png"),
            (png, "text/plain", "image/png"),
            (png, "application/octet-stream", "image/png"),
            (b"words", "image/png", "text/plain"),
            (b"\0\x01", "image/png", UNKNOWN),
            (b"words", "application/x-own", "application/x-own"),
            (b"<?xml version='1.0'?>", "image/svg+xml", "image/svg+xml"),
            (wave, "audio/wav", "audio/wav"),
            (zip, "application/vnd.own", "application/vnd.own"),
            (zip, "image/png", "application/zip"),
            (b"#!/bin/sh\n", "text/plain", "text/x-shellscript"),
        ] {
            assert_eq!(told(head, "a", claimed), wanted, "{claimed}");
        }
    }

    #[test]
    fn programs_are_refused_unless_an_admin_has_another_list() {
        let own = ["image/*".to_owned(), "text/html".to_owned()];
        assert!(is_refused("application/wasm", None));
        assert!(!is_refused("image/png", None));
        assert!(is_refused("image/png", Some(&own)));
        assert!(is_refused("text/html", Some(&own)));
        assert!(!is_refused("application/wasm", Some(&own)));
        assert!(!is_refused("application/wasm", Some(&[])));
    }

    #[test]
    fn nothing_active_is_harmless() {
        for active in [
            "text/html",
            "image/svg+xml",
            "application/xhtml+xml",
            "text/xml",
            "application/pdf",
            "text/javascript",
        ] {
            assert!(!is_harmless(active), "{active} would be shown in place");
        }
    }
}
