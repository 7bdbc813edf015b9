//! The one kind of path that reaches a store.
//!
//! A path is composed from parts that were parsed before (project id, bucket,
//! plugin, key, digest), and checked once more as a whole: an operator's root
//! alone is no wall, since stores differ in what they make of `..`, blanks
//! and odd characters. Names given by people never get here; they live in
//! the database.

use atlashub_core::{
    BucketName, Digest, Error, Locations, PluginName, ProjectId, Result,
    capability::blob::ObjectKey,
};
use std::{borrow::Cow, fmt, sync::Arc};

/// Longest segment, bytes: what common file systems take.
const MAX_SEGMENT_BYTES: usize = 255;
/// Longest path, bytes: S3 takes 1,024, a prefix may come before ours.
const MAX_PATH_BYTES: usize = 800;

/// Where an object lies within the store: `t/<project>/<bucket>/<plugin>/<key>`,
/// `incoming/<project>/<upload>` or `revisions/<digest>`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectPath(Arc<str>);

impl ObjectPath {
    /// The path of a plugin's object.
    ///
    /// # Errors
    /// `invalid_object_key` when a segment of the key has more than 255 bytes.
    pub fn object(
        project: ProjectId,
        bucket: &BucketName,
        plugin: &PluginName,
        key: &ObjectKey,
    ) -> Result<Self> {
        Self::checked(format!("t/{project}/{bucket}/{plugin}/{key}"))
    }

    /// The path of a component's bytes.
    ///
    /// # Errors
    /// None in practice: a digest is always a sound segment.
    pub fn revision(digest: &Digest) -> Result<Self> {
        Self::checked(format!("revisions/{}", digest.to_hex()))
    }

    /// The path of an object that nothing refers to and that was put aside:
    /// `t/<project>/lost+found/<bucket>/<plugin>/<key>`. `place` is what
    /// comes after `lost+found`.
    ///
    /// # Errors
    /// `invalid_object_key` when it is no sound path.
    pub fn lost(project: ProjectId, place: &str) -> Result<Self> {
        Self::checked(format!("t/{project}/lost+found/{place}"))
    }

    /// Where an announced upload comes to before it is an object, apart from
    /// all objects: `incoming/<project>/<upload>`.
    ///
    /// # Errors
    /// None in practice: ids are always sound segments.
    pub fn incoming(project: ProjectId, upload: &uuid::Uuid) -> Result<Self> {
        Self::checked(format!("incoming/{project}/{upload}"))
    }

    /// The path of an archive: `backups/<whose>/<backup>.ahb`, where `whose`
    /// is a project's id, or `platform`.
    ///
    /// # Errors
    /// None in practice: ids are always sound segments.
    pub fn backup(project: Option<ProjectId>, backup: &uuid::Uuid) -> Result<Self> {
        match project {
            Some(project) => Self::checked(format!("backups/{project}/{backup}.ahb")),
            None => Self::checked(format!("backups/platform/{backup}.ahb")),
        }
    }

    /// An object of a project by its place: what comes after `t/<project>/`.
    ///
    /// # Errors
    /// `invalid_object_key` when it is no sound path.
    pub fn of_project(project: ProjectId, place: &str) -> Result<Self> {
        Self::checked(format!("t/{project}/{place}"))
    }

    /// Where an object stays that was deleted while a backup is being made:
    /// `held/<project>/<place>`. `None` for what is no project's object.
    #[must_use]
    pub fn held(&self) -> Option<Self> {
        let rest = self.0.strip_prefix("t/")?;
        Some(Self(format!("held/{rest}").into()))
    }

    /// What was held, by its place, as [`held`](Self::held) made it.
    ///
    /// # Errors
    /// `invalid_object_key` when it is no sound path.
    pub fn held_at(project: ProjectId, place: &str) -> Result<Self> {
        Self::checked(format!("held/{project}/{place}"))
    }

    /// What a listing has found below a prefix.
    ///
    /// # Errors
    /// `invalid_object_key` when it is no sound path.
    pub fn below(prefix: &PathPrefix, key: &str) -> Result<Self> {
        Self::checked(format!("{}{key}", prefix.as_str()))
    }

    /// Where the object lies.
    pub(crate) fn within(&self, locations: &Locations) -> Cow<'_, Self> {
        match moved(&self.0, locations) {
            Some(path) => Cow::Owned(Self(path.into())),
            None => Cow::Borrowed(self),
        }
    }

    /// The path as text, without a leading slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The folder and the last segment.
    pub(crate) fn split(&self) -> (&str, &str) {
        self.0.rsplit_once('/').unwrap_or(("", &self.0))
    }

    fn checked(text: String) -> Result<Self> {
        if text.len() > MAX_PATH_BYTES {
            return Err(refused("is too long"));
        }
        for segment in text.split('/') {
            check_segment(segment)?;
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for ObjectPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Everything below a project, one of its buckets, or a plugin's part of one.
/// Ends with a slash, so that `a` never covers `ab`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PathPrefix(String);

impl PathPrefix {
    /// Everything of a project.
    #[must_use]
    pub fn project(project: ProjectId) -> Self {
        Self(format!("t/{project}/"))
    }

    /// Everything in one bucket of a project.
    #[must_use]
    pub fn bucket(project: ProjectId, bucket: &BucketName) -> Self {
        Self(format!("t/{project}/{bucket}/"))
    }

    /// A plugin's part of a bucket.
    #[must_use]
    pub fn plugin(project: ProjectId, bucket: &BucketName, plugin: &PluginName) -> Self {
        Self(format!("t/{project}/{bucket}/{plugin}/"))
    }

    /// Everything of all projects.
    #[must_use]
    pub fn projects() -> Self {
        Self("t/".to_owned())
    }

    /// What has come to any project and is no object yet.
    #[must_use]
    pub fn all_incoming() -> Self {
        Self("incoming/".to_owned())
    }

    /// What has come to a project and is no object yet.
    #[must_use]
    pub fn incoming(project: ProjectId) -> Self {
        Self(format!("incoming/{project}/"))
    }

    /// All archives.
    #[must_use]
    pub fn backups() -> Self {
        Self("backups/".to_owned())
    }

    /// What was deleted of a project while a backup was being made.
    #[must_use]
    pub fn held(project: ProjectId) -> Self {
        Self(format!("held/{project}/"))
    }

    /// What was deleted of any project while a backup was being made.
    #[must_use]
    pub fn all_held() -> Self {
        Self("held/".to_owned())
    }

    /// Where everything below lies.
    pub(crate) fn within(&self, locations: &Locations) -> Cow<'_, Self> {
        match moved(&self.0, locations) {
            Some(prefix) => Cow::Owned(Self(prefix)),
            None => Cow::Borrowed(self),
        }
    }

    /// All component bytes.
    #[must_use]
    pub fn revisions() -> Self {
        Self("revisions/".to_owned())
    }

    /// The prefix as text, with its trailing slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The prefix without its trailing slash.
    pub(crate) fn folder(&self) -> &str {
        self.0.trim_end_matches('/')
    }
}

/// A path below a project whose objects lie elsewhere.
fn moved(path: &str, locations: &Locations) -> Option<String> {
    let rest = path.strip_prefix("t/")?;
    let (project, rest) = rest.split_once('/')?;
    let project: ProjectId = project.parse().ok()?;
    let location = locations.of(project);
    (location != project).then(|| format!("t/{location}/{rest}"))
}

/// Checks the start of a key that a listing is narrowed to: sound segments,
/// of which the last may be unfinished.
///
/// # Errors
/// `invalid_object_key` when no key could start so.
pub(crate) fn check_key_prefix(prefix: &str) -> Result<()> {
    if prefix.is_empty() {
        return Ok(());
    }
    if prefix.len() > ObjectKey::MAX_BYTES {
        return Err(refused("is too long"));
    }
    let (folders, unfinished) = prefix.rsplit_once('/').unwrap_or(("", prefix));
    if !folders.is_empty() || prefix.starts_with('/') {
        for segment in folders.split('/') {
            check_segment(segment)?;
        }
    }
    if unfinished.starts_with(' ') || unfinished == "." || unfinished == ".." {
        return Err(refused("has a doubtful segment"));
    }
    check_characters(unfinished)
}

fn check_segment(segment: &str) -> Result<()> {
    if segment.is_empty() {
        return Err(refused("has an empty segment"));
    }
    if segment.len() > MAX_SEGMENT_BYTES {
        return Err(refused("has a segment of more than 255 bytes"));
    }
    // Also covers `.` and `..`, and names that Windows shortens.
    if segment.ends_with('.') {
        return Err(refused("has a segment that ends with a dot"));
    }
    if segment.trim() != segment {
        return Err(refused("has blanks around a segment"));
    }
    check_characters(segment)
}

fn check_characters(segment: &str) -> Result<()> {
    let sound = |byte: u8| {
        (byte.is_ascii_graphic() || byte == b' ')
            && !matches!(
                byte,
                b'/' | b'\\' | b'%' | b'?' | b'#' | b'*' | b'"' | b'<' | b'>' | b'|' | b':'
            )
    };
    if segment.bytes().all(sound) {
        Ok(())
    } else {
        Err(refused("has a character that is not allowed"))
    }
}

fn refused(why: &str) -> Error {
    Error::invalid("invalid_object_key", format!("the object key {why}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const NASTY: &[&str] = &[
        "",
        "/",
        "/etc/passwd",
        "..",
        ".",
        "../x",
        "x/..",
        "x/../y",
        "x/./y",
        "x//y",
        "x/",
        " x",
        "x ",
        "x/ y",
        "x /y",
        "x\\y",
        "..\\x",
        "x\ny",
        "x\ry",
        "x\ty",
        "x\0",
        "\u{7f}",
        "x\u{202e}y",
        "ä",
        "．．/x",
        "%2e%2e/x",
        "%2e",
        "x?y",
        "x#y",
        "C:",
        "C:/x",
        "x*",
        "x.",
        "x/y./z",
        "...",
        "a:b",
        "\u{a0}x",
    ];

    fn parts() -> (ProjectId, BucketName, PluginName) {
        (
            ProjectId::new(),
            "private".parse().unwrap(),
            "files".parse().unwrap(),
        )
    }

    #[test]
    fn nasty_keys_never_become_a_path() {
        let (project, bucket, plugin) = parts();
        let root = format!("t/{project}/{bucket}/{plugin}");
        for text in NASTY {
            assert!(
                ObjectPath::checked(format!("{root}/{text}")).is_err(),
                "{text:?} was accepted as text"
            );
            let key = text.parse::<ObjectKey>();
            assert!(key.is_err(), "{text:?} was accepted as a key");
        }
        assert!(ObjectPath::checked(format!("{root}/{}", "x".repeat(256))).is_err());
        assert!(ObjectPath::checked(format!("{root}/{}", "x/".repeat(400) + "x")).is_err());
        let long = "x".repeat(256).parse::<ObjectKey>().unwrap();
        let error = ObjectPath::object(project, &bucket, &plugin, &long).unwrap_err();
        assert_eq!(error.code(), "invalid_object_key");
    }

    #[test]
    fn nasty_prefixes_are_refused() {
        for text in NASTY {
            // What is merely unfinished is a sound start of a key.
            if ["", "x/", "x.", "x ", "..."].contains(text) {
                continue;
            }
            assert!(check_key_prefix(text).is_err(), "{text:?} was accepted");
        }
        for text in ["", "a", "a/", "a/b", "a.", "2024-"] {
            assert!(check_key_prefix(text).is_ok(), "{text:?} was refused");
        }
    }

    #[test]
    fn sound_parts_compose() {
        let (project, bucket, plugin) = parts();
        let key = "2024/a b~c.txt".parse().unwrap();
        let path = ObjectPath::object(project, &bucket, &plugin, &key).unwrap();
        assert_eq!(
            path.as_str(),
            format!("t/{project}/private/files/2024/a b~c.txt")
        );
        assert_eq!(path.split().1, "a b~c.txt");
        let digest = Digest::of(b"x");
        let revision = ObjectPath::revision(&digest).unwrap();
        assert_eq!(revision.as_str(), format!("revisions/{digest}"));
    }

    #[test]
    fn a_prefix_covers_only_whole_names() {
        let (project, bucket, plugin) = parts();
        assert!(
            PathPrefix::plugin(project, &bucket, &plugin)
                .as_str()
                .ends_with("/files/")
        );
        assert!(PathPrefix::project(project).as_str().ends_with('/'));
    }
}
