//! What an admin can set.

use atlashub_sdk::prelude::*;

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

/// The plugin's configuration.
#[derive(Debug, Deserialize)]
pub(crate) struct Settings {
    /// Largest file, bytes.
    #[serde(default)]
    pub(crate) max_file_bytes: Option<u64>,
    /// MIME types that are not taken.
    #[serde(default)]
    refused_types: Option<Vec<String>>,
}

impl Settings {
    /// Refuses a type that is not taken here.
    pub(crate) fn check_type(&self, mime_type: &str) -> Result<()> {
        let refused = match &self.refused_types {
            Some(types) => types.iter().any(|pattern| matches(pattern, mime_type)),
            None => PROGRAMS.contains(&mime_type),
        };
        if refused {
            return Err(Error::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "type_refused",
                format!("files of type {mime_type} are not taken here"),
            ));
        }
        Ok(())
    }
}

fn matches(pattern: &str, mime_type: &str) -> bool {
    match pattern.strip_suffix("/*") {
        Some(kind) => mime_type
            .split_once('/')
            .is_some_and(|(own, _)| own == kind),
        None => pattern == mime_type,
    }
}
