//! The files inside the binary, as the build script found them.

/// A file of the dashboard.
pub(super) struct File {
    /// Its path below `/dashboard/`.
    pub(super) path: &'static str,
    /// What it is.
    pub(super) content_type: &'static str,
    /// The beginning of its SHA-256, in hexadecimal.
    pub(super) tag: &'static str,
    /// The file itself.
    pub(super) plain: &'static [u8],
    /// The file, compressed with Brotli (RFC 7932).
    pub(super) brotli: Option<&'static [u8]>,
    /// The file, compressed with gzip (RFC 1952).
    pub(super) gzip: Option<&'static [u8]>,
}

/// All files, sorted by their paths.
const FILES: &[File] = include!(concat!(env!("OUT_DIR"), "/dashboard.rs"));

/// The file at `path`.
pub(super) fn find(path: &str) -> Option<&'static File> {
    let place = FILES.binary_search_by(|file| file.path.cmp(path)).ok()?;
    FILES.get(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_found_by_its_path() {
        assert!(FILES.iter().all(|file| find(file.path).is_some()));
        assert!(find("../Cargo.toml").is_none());
        assert!(find("").is_none());
    }
}
