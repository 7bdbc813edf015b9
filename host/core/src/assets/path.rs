//! Names of files: plain segments that lead nowhere else.

use super::invalid;
use crate::Result;

/// Longest name with its folders, bytes.
const MAX_PATH: usize = 500;

/// Checks a name: relative, whole segments, nothing that climbs or that some
/// system reads otherwise.
///
/// # Errors
/// `invalid_assets`, which shows the name.
pub(super) fn check(path: &str) -> Result<()> {
    let plain = |segment: &str| {
        !matches!(segment, "" | "." | "..")
            && segment.trim() == segment
            && !segment
                .chars()
                .any(|c| c.is_control() || matches!(c, '\\' | ':' | '?' | '#'))
    };
    if path.len() <= MAX_PATH && path.split('/').all(plain) {
        return Ok(());
    }
    let shown: String = path.chars().take(100).collect();
    Err(invalid(format!(
        "`{}` is no name of a file: it has plain segments, none of them `..`",
        shown.escape_debug()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_climb_are_refused() {
        for fine in ["index.html", "assets/app-BxYz12_4.js", "a b/ü.svg", ".x"] {
            check(fine).unwrap();
        }
        for bad in [
            "", "/a", "a/", "a//b", "../a", "a/../b", "./a", "a\\b", "c:x", "a\nb", " a", "a?b",
        ] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
        assert!(check(&"a".repeat(501)).is_err());
    }
}
