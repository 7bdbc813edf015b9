//! XML as a stream. Entities that a document defines itself are not known
//! here, so none is ever expanded.

use crate::broken;
use atlashub_sdk::prelude::*;
use quick_xml::{
    Reader, XmlVersion,
    escape::resolve_predefined_entity,
    events::{BytesRef, BytesStart, Event},
};

/// What stands in a document. Names are without their prefix.
pub(crate) enum Node<'a> {
    /// An element begins.
    Open(&'a str, &'a BytesStart<'a>),
    /// An element ends.
    Close(&'a str),
    /// Characters.
    Text(&'a str),
}

/// Shows all of a document to `see`, until that answers `false`.
///
/// # Errors
/// 422 `broken_document` when it is not XML.
pub(crate) fn walk(document: &str, mut see: impl FnMut(Node<'_>) -> bool) -> Result<()> {
    let mut reader = Reader::from_str(document);
    let mut goes_on = true;
    while goes_on {
        goes_on = match reader.read_event().map_err(broken)? {
            Event::Start(tag) => see(Node::Open(tag.local_name().as_ref(), &tag)),
            Event::Empty(tag) => {
                let name = tag.local_name();
                see(Node::Open(name.as_ref(), &tag)) && see(Node::Close(name.as_ref()))
            }
            Event::End(tag) => see(Node::Close(tag.local_name().as_ref())),
            Event::Text(text) => see(Node::Text(&text.xml10_content())),
            Event::CData(text) => see(Node::Text(&text.xml10_content())),
            Event::GeneralRef(reference) => {
                character(&reference).is_none_or(|text| see(Node::Text(&text)))
            }
            Event::Eof => false,
            _ => true,
        };
    }
    Ok(())
}

/// An attribute's value, by its name without prefix.
pub(crate) fn attribute(tag: &BytesStart<'_>, name: &str) -> Option<String> {
    let found = tag
        .attributes()
        .flatten()
        .find(|attribute| attribute.key.local_name().as_ref() == name)?;
    Some(
        found
            .normalized_value(XmlVersion::Implicit1_0)
            .ok()?
            .into_owned(),
    )
}

fn character(reference: &BytesRef<'_>) -> Option<String> {
    if let Ok(Some(letter)) = reference.resolve_char_ref() {
        return Some(letter.into());
    }
    resolve_predefined_entity(reference).map(str::to_owned)
}
