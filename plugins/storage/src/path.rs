//! Names of buckets and paths of objects, as people give them. They live in
//! the database only; the store never sees them.

use atlashub_sdk::prelude::*;

/// Longest path, bytes.
const MAX_PATH: usize = 1024;
/// Longest segment of a path, bytes.
const MAX_SEGMENT: usize = 255;
/// Longest name of a bucket, bytes.
const MAX_NAME: usize = 63;

/// Checks a path: segments separated by single slashes.
pub(crate) fn check(path: &str) -> Result<&str> {
    let refused = |why| Err(Error::invalid("invalid_path", why));
    if path.is_empty() || path.len() > MAX_PATH {
        return refused("a path has 1 to 1024 bytes");
    }
    for segment in path.split('/') {
        if matches!(segment, "" | "." | "..") {
            return refused("no part of a path between slashes is empty, `.` or `..`");
        }
        if segment.len() > MAX_SEGMENT {
            return refused("a part of a path between slashes has 255 bytes at most");
        }
        if segment.chars().any(|c| c.is_control() || c == '\\') {
            return refused("a path has no control characters and no backslash");
        }
    }
    Ok(path)
}

/// Checks the name of a new bucket: lower-case letters, digits and dashes.
pub(crate) fn check_bucket(name: &str) -> Result<&str> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if (1..=MAX_NAME).contains(&name.len())
        && name.bytes().all(allowed)
        && !name.starts_with('-')
        && !name.ends_with('-')
    {
        return Ok(name);
    }
    Err(Error::invalid(
        "invalid_bucket",
        "a bucket's name has 1 to 63 lower-case letters, digits and dashes, none at its ends",
    ))
}

/// The last part of a path.
pub(crate) fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_below_their_bucket() {
        for good in ["a", "a/b.txt", "ü/日本.png", "...", "a b", &"x".repeat(255)] {
            assert!(check(good).is_ok(), "{good}");
        }
        let long = "x/".repeat(600);
        for bad in [
            "", "/a", "a/", "a//b", ".", "a/../b", "a\\b", "a\nb", "a\0", &long,
        ] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn names_of_buckets_are_those_of_hosts() {
        for good in ["a", "my-photos", "2026"] {
            assert!(check_bucket(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a_b", "a/b", "ü", &"a".repeat(64)] {
            assert!(check_bucket(bad).is_err(), "{bad:?}");
        }
    }
}
