//! Names and paths that people gave. They live in the database only; the
//! store never sees them.

use atlashub_sdk::prelude::*;

/// Longest path, bytes.
pub(crate) const MAX_PATH: usize = 1024;
/// Longest name, bytes.
const MAX_NAME: usize = 255;

/// Checks a path: segments separated by `/`, a slash in front is dropped.
pub(crate) fn check_path(path: &str) -> Result<String> {
    let path = path.trim_start_matches('/');
    if path.is_empty() || path.len() > MAX_PATH {
        return Err(refused("a path has 1 to 1024 bytes"));
    }
    for segment in path.split('/') {
        check_segment(segment)?;
    }
    Ok(path.to_owned())
}

/// Checks a name: one segment of a path.
pub(crate) fn check_name(name: &str) -> Result<String> {
    if name.contains('/') {
        return Err(refused("a name has no slash"));
    }
    check_segment(name)?;
    Ok(name.to_owned())
}

fn check_segment(segment: &str) -> Result<()> {
    if segment.is_empty() || segment == "." || segment == ".." {
        return Err(refused("a name is not empty, `.` or `..`"));
    }
    if segment.len() > MAX_NAME {
        return Err(refused("a name has 255 bytes at most"));
    }
    if segment.contains(['\0', '\\']) {
        return Err(refused("a name has no NUL and no backslash"));
    }
    Ok(())
}

fn refused(why: &str) -> Error {
    Error::invalid("invalid_path", why)
}

/// The name in what a client sent along with an upload: some send a whole
/// path of their own system.
pub(crate) fn from_client(text: &str) -> Result<String> {
    let name = text.rsplit(['/', '\\']).next().unwrap_or_default();
    check_name(if name.trim().is_empty() { "file" } else { name })
}

/// The last segment of a path.
pub(crate) fn of_path(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The name for the `number`th file of the same name: `a.txt`, `a (2).txt`.
pub(crate) fn numbered(name: &str, number: u32) -> String {
    if number < 2 {
        return name.to_owned();
    }
    let (stem, end) = match name.rsplit_once('.').filter(|(stem, _)| !stem.is_empty()) {
        Some((stem, end)) => (stem, format!(" ({number}).{end}")),
        None => (name, format!(" ({number})")),
    };
    let room = MAX_NAME.saturating_sub(end.len());
    let stem: &str = stem
        .char_indices()
        .map(|(at, character)| at + character.len_utf8())
        .take_while(|length| *length <= room)
        .last()
        .and_then(|length| stem.get(..length))
        .unwrap_or_default();
    format!("{stem}{end}")
}

/// The folder's part of a path and the name; the former is empty at the top.
pub(crate) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    #[test]
    fn doubtful_paths_are_refused() {
        for path in ["", "/", "a//b", "a/", "..", "a/../b", "./a", "a\\b", "a\0b"] {
            assert!(check_path(path).is_err(), "{path:?} was accepted");
        }
        assert!(check_path(&"a".repeat(300)).is_err());
        assert_eq!(
            check_path("/docs/Übersicht 1.txt").unwrap(),
            "docs/Übersicht 1.txt"
        );
    }

    #[test]
    fn names_are_taken_out_of_what_clients_send() {
        assert_eq!(from_client("C:\\docs\\a.txt").unwrap(), "a.txt");
        assert_eq!(from_client("../../etc/passwd").unwrap(), "passwd");
        assert_eq!(from_client("").unwrap(), "file");
        assert!(from_client("..").is_err());
    }

    #[test]
    fn names_are_numbered_before_their_end() {
        assert_eq!(numbered("a.tar.gz", 2), "a.tar (2).gz");
        assert_eq!(numbered(".env", 3), ".env (3)");
        assert_eq!(numbered("a", 1), "a");
        let long = format!("{}.txt", "ä".repeat(125));
        assert_eq!(numbered(&long, 12), format!("{} (12).txt", "ä".repeat(123)));
    }
}
