//! What a component carries, and where in it each form of each file lies.

use super::{MAX_FILE_BYTES, MAX_FILES, MAX_TOTAL_BYTES, SECTION, invalid, path};
use crate::{Digest, Error, Result, component_file};
use flate2::read::GzDecoder;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, io::Read, ops::Range};

/// Largest index, bytes.
const MAX_INDEX_BYTES: usize = 1024 * 1024;
/// Bytes in front of the index: how long it is, the lowest first.
const HEAD: usize = 4;

/// Some bytes of the component.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// Where they begin. In a section, counted from the end of its index; in
    /// an [`AssetIndex`] that was read, from the beginning of the component.
    pub at: usize,
    /// How many they are.
    pub length: usize,
}

impl Span {
    /// Where they lie.
    #[must_use]
    pub fn range(self) -> Range<usize> {
        self.at..self.at.saturating_add(self.length)
    }
}

/// One file.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct AssetFile {
    /// The SHA-256 of the file as it is.
    pub digest: Digest,
    /// The file as it is.
    pub plain: Span,
    /// The file, compressed with Brotli.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brotli: Option<Span>,
    /// The file, compressed with gzip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gzip: Option<Span>,
}

/// The files that a component carries, by their names.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct AssetIndex {
    files: BTreeMap<String, AssetFile>,
}

impl AssetIndex {
    /// What `component` carries, if it carries any files. Where they lie is
    /// counted from its beginning.
    ///
    /// # Errors
    /// `not_a_component`, `invalid_component`; `invalid_assets` for a section
    /// that does not add up, and for more files, or larger ones, than are
    /// taken.
    pub fn read(component: &[u8]) -> Result<Option<Self>> {
        let Some((start, section)) = component_file::only_at(component, SECTION, "invalid_assets")?
        else {
            return Ok(None);
        };
        let json = json(section).ok_or_else(|| invalid("their section cannot be read"))?;
        let mut index: Self = serde_json::from_slice(json)
            .map_err(|error| invalid(format!("their index cannot be read: {error}")))?;
        let contents = HEAD + json.len();
        let most = section.len() - contents;
        if index.files.len() > MAX_FILES {
            return Err(invalid(format!("a plugin has at most {MAX_FILES} of them")));
        }
        let mut total = 0_usize;
        for (name, file) in &mut index.files {
            path::check(name)?;
            total = total.saturating_add(file.plain.length);
            if file.plain.length > MAX_FILE_BYTES {
                return Err(invalid(format!(
                    "`{name}` is larger than {MAX_FILE_BYTES} bytes"
                )));
            }
            for span in file.forms_mut() {
                if span.range().end > most {
                    return Err(invalid(format!("`{name}` lies outside of their section")));
                }
                span.at += start + contents;
            }
        }
        if total > MAX_TOTAL_BYTES {
            return Err(invalid(format!(
                "they have {total} bytes, at most {MAX_TOTAL_BYTES} are taken"
            )));
        }
        Ok(Some(index))
    }

    /// That each file has its digest, and each compressed form is the file:
    /// `component` is what this index was read from.
    ///
    /// # Errors
    /// `invalid_assets`, which names the file.
    pub fn verify(&self, component: &[u8]) -> Result<()> {
        for (name, file) in &self.files {
            let bytes = |span: Span| component.get(span.range()).unwrap_or_default();
            let plain = bytes(file.plain);
            let gzip = |bytes| is_same(GzDecoder::new(bytes), plain);
            let brotli = |bytes| is_same(brotli::Decompressor::new(bytes, 4096), plain);
            let sound = Digest::of(plain) == file.digest
                && file.gzip.is_none_or(|span| gzip(bytes(span)))
                && file.brotli.is_none_or(|span| brotli(bytes(span)));
            if !sound {
                return Err(invalid(format!(
                    "`{name}` is not what the index says: build the component anew"
                )));
            }
        }
        Ok(())
    }

    /// The file of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&AssetFile> {
        self.files.get(name)
    }

    /// All files, by name.
    pub fn files(&self) -> impl ExactSizeIterator<Item = (&str, &AssetFile)> {
        self.files.iter().map(|(name, file)| (name.as_str(), file))
    }

    /// The bytes of all files as they are.
    #[must_use]
    pub fn total_bytes(&self) -> usize {
        self.files.values().map(|file| file.plain.length).sum()
    }

    /// The content of a section with these files: `contents` lie where the
    /// index says.
    pub(super) fn section(files: BTreeMap<String, AssetFile>, contents: &[u8]) -> Result<Vec<u8>> {
        let json = serde_json::to_vec(&Self { files })
            .map_err(|error| Error::internal("write the index of assets", error))?;
        if json.len() > MAX_INDEX_BYTES {
            return Err(invalid("their names are too long, all in all"));
        }
        let length = u32::try_from(json.len()).unwrap_or(u32::MAX);
        Ok([&length.to_le_bytes()[..], &json, contents].concat())
    }
}

impl AssetFile {
    fn forms_mut(&mut self) -> impl Iterator<Item = &mut Span> {
        let compressed = [self.brotli.as_mut(), self.gzip.as_mut()];
        std::iter::once(&mut self.plain).chain(compressed.into_iter().flatten())
    }
}

/// The index in front of a section.
fn json(section: &[u8]) -> Option<&[u8]> {
    let (head, rest) = section.split_at_checked(HEAD)?;
    let length = usize::try_from(u32::from_le_bytes(head.try_into().ok()?)).ok()?;
    rest.get(..length)
        .filter(|json| json.len() <= MAX_INDEX_BYTES)
}

/// Whether `reader` gives these bytes, and then ends.
fn is_same(reader: impl Read, plain: &[u8]) -> bool {
    let mut unpacked = Vec::with_capacity(plain.len() + 1);
    let most = plain.len() as u64 + 1;
    reader.take(most).read_to_end(&mut unpacked).is_ok() && unpacked == plain
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;
    use std::borrow::Cow;
    use wasm_encoder::ComponentSection as _;

    fn component(section: &[u8]) -> Vec<u8> {
        let mut bytes = wasm_encoder::Component::new().finish();
        wasm_encoder::CustomSection {
            name: SECTION.into(),
            data: Cow::Borrowed(section),
        }
        .append_to_component(&mut bytes);
        bytes
    }

    fn file(contents: &[u8], span: Span) -> AssetFile {
        AssetFile {
            digest: Digest::of(contents.get(span.range()).unwrap_or_default()),
            plain: span,
            brotli: None,
            gzip: None,
        }
    }

    #[test]
    fn files_are_found_where_they_lie() {
        let contents = b"onetwo";
        let one = file(contents, Span { at: 0, length: 3 });
        let two = file(contents, Span { at: 3, length: 3 });
        let files = [("1".to_owned(), one), ("2".to_owned(), two)];
        let section = AssetIndex::section(files.into(), contents).unwrap();
        let component = component(&section);
        let index = AssetIndex::read(&component).unwrap().unwrap();
        index.verify(&component).unwrap();
        let two = index.find("2").unwrap();
        assert_eq!(component.get(two.plain.range()).unwrap(), b"two");
        assert_eq!(index.total_bytes(), 6);
        let bare = wasm_encoder::Component::new().finish();
        assert_eq!(AssetIndex::read(&bare).unwrap(), None);
    }

    #[test]
    fn sections_that_do_not_add_up_are_refused() {
        let refused = |name: &str, span: Span| {
            let files = [(name.to_owned(), file(b"abc", span))];
            let section = AssetIndex::section(files.into(), b"abc").unwrap();
            AssetIndex::read(&component(&section)).unwrap_err()
        };
        let whole = Span { at: 0, length: 3 };
        assert_eq!(refused("../a", whole).code(), "invalid_assets");
        for outside in [
            Span { at: 1, length: 3 },
            Span {
                at: usize::MAX,
                length: 3,
            },
            Span {
                at: 0,
                length: usize::MAX,
            },
        ] {
            assert_eq!(refused("a", outside).code(), "invalid_assets");
        }
        for section in [&b""[..], b"\x01", b"\xff\xff\xff\xff{}", b"\x02\0\0\0[]"] {
            let error = AssetIndex::read(&component(section)).unwrap_err();
            assert_eq!(error.code(), "invalid_assets");
        }
    }

    #[test]
    fn a_form_that_is_another_file_is_refused() {
        let mut other = file(b"abcxyz", Span { at: 0, length: 3 });
        other.gzip = Some(Span { at: 3, length: 3 });
        let section = AssetIndex::section([("a".to_owned(), other)].into(), b"abcxyz").unwrap();
        let component = component(&section);
        let index = AssetIndex::read(&component).unwrap().unwrap();
        let error = index.verify(&component).unwrap_err();
        assert!(error.message().contains("`a`"), "{error}");
    }
}
