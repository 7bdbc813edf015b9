//! XML in and out: bodies of requests as small trees, and elements written
//! with the namespaces they need. No document types, so no entities but the
//! five of XML; bounded in bytes, depth and number.

use atlashub_sdk::prelude::*;
use quick_xml::{
    NsReader, XmlVersion,
    escape::{escape, resolve_xml_entity},
    events::{BytesStart, Event},
    name::ResolveResult,
};

/// The namespace of WebDAV.
pub(crate) const DAV: &str = "DAV:";
/// Largest body, bytes.
const MAX_BYTES: usize = 256 * 1024;
const MAX_DEPTH: usize = 32;
const MAX_NODES: usize = 10_000;

/// A name in its namespace; that of none is empty.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Name {
    pub(crate) namespace: String,
    pub(crate) local: String,
}

/// An element and what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) name: Name,
    attributes: Vec<(Name, String)>,
    children: Vec<Node>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    Text(String),
    Element(Element),
}

impl Name {
    pub(crate) fn dav(local: &str) -> Self {
        Self {
            namespace: DAV.to_owned(),
            local: local.to_owned(),
        }
    }

    pub(crate) fn is_dav(&self, local: &str) -> bool {
        self.namespace == DAV && self.local == local
    }

    /// Writes it as an element with nothing in it.
    pub(crate) fn write(&self, out: &mut String) {
        open(self, &[], out);
        out.push_str("/>");
    }
}

impl Element {
    /// The elements in it.
    pub(crate) fn elements(&self) -> impl Iterator<Item = &Self> {
        self.children.iter().filter_map(|child| match child {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    /// The first element of that name in the namespace of WebDAV.
    pub(crate) fn dav(&self, local: &str) -> Option<&Self> {
        self.elements().find(|element| element.name.is_dav(local))
    }

    /// The same element with a language that one around it has.
    pub(crate) fn with_language(mut self, around: Option<&str>) -> Self {
        if let Some(language) = around
            && self.language().is_none()
        {
            self.attributes.push((language_name(), language.to_owned()));
        }
        self
    }

    /// What `xml:lang` says.
    pub(crate) fn language(&self) -> Option<&str> {
        let name = language_name();
        self.attributes
            .iter()
            .find(|(own, _)| *own == name)
            .map(|(_, value)| value.as_str())
    }

    /// Writes it with all in it.
    pub(crate) fn write(&self, out: &mut String) {
        open(&self.name, &self.attributes, out);
        if self.children.is_empty() {
            out.push_str("/>");
            return;
        }
        out.push('>');
        for child in &self.children {
            match child {
                Node::Text(text) => out.push_str(&escape(text)),
                Node::Element(element) => element.write(out),
            }
        }
        close(&self.name, out);
    }
}

/// A refusal with the condition that was not met, and where (RFC 4918 §16), for
/// programs.
pub(crate) fn unmet(status: StatusCode, condition: &str, href: Option<&str>) -> Response {
    let inner = match href {
        Some(href) => format!(
            "<D:{condition}><D:href>{}</D:href></D:{condition}>",
            escape(href)
        ),
        None => format!("<D:{condition}/>"),
    };
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:error xmlns:D=\"DAV:\">{inner}</D:error>"
    );
    Response::new(status)
        .with_header("content-type", "application/xml; charset=utf-8")
        .with_body(body.into_bytes())
}

const XML: &str = "http://www.w3.org/XML/1998/namespace";

fn language_name() -> Name {
    Name {
        namespace: XML.to_owned(),
        local: "lang".to_owned(),
    }
}

/// Writes a start tag but for its end. Every element says which namespace it
/// is in, so that it means the same wherever it is put.
fn open(name: &Name, attributes: &[(Name, String)], out: &mut String) {
    out.push('<');
    if name.namespace.is_empty() {
        // Nothing around it has a default namespace.
        out.push_str(&name.local);
    } else if name.namespace == DAV {
        out.push_str("D:");
        out.push_str(&name.local);
    } else {
        out.push_str("x:");
        out.push_str(&name.local);
        out.push_str(" xmlns:x=\"");
        out.push_str(&escape(name.namespace.as_str()));
        out.push('"');
    }
    for (number, (name, value)) in attributes.iter().enumerate() {
        let prefix = match name.namespace.as_str() {
            "" => String::new(),
            XML => "xml:".to_owned(),
            namespace => {
                let prefix = format!("a{number}");
                out.push_str(&format!(" xmlns:{prefix}=\"{}\"", escape(namespace)));
                format!("{prefix}:")
            }
        };
        out.push_str(&format!(
            " {prefix}{}=\"{}\"",
            name.local,
            escape(value.as_str())
        ));
    }
}

fn close(name: &Name, out: &mut String) {
    let prefix = match name.namespace.as_str() {
        "" => "",
        DAV => "D:",
        _ => "x:",
    };
    out.push_str(&format!("</{prefix}{}>", name.local));
}

/// The root of a body; none when it is empty.
///
/// # Errors
/// 400 `invalid_xml`, 413.
pub(crate) fn body(request: &mut Request) -> Result<Option<Element>> {
    let bytes = request.take_body().bytes(MAX_BYTES)?;
    if bytes.is_empty() {
        return Ok(None);
    }
    let text = String::from_utf8(bytes).map_err(|_| refused("it is not UTF-8"))?;
    parse(&text).map(Some)
}

/// The root element of a document.
pub(crate) fn parse(text: &str) -> Result<Element> {
    let mut reader = NsReader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    let mut nodes = 0;
    loop {
        let event = reader
            .read_event()
            .map_err(|error| refused(error.to_string()))?;
        nodes += 1;
        if nodes > MAX_NODES || open.len() > MAX_DEPTH {
            return Err(refused("it has too much in it"));
        }
        match event {
            Event::Start(start) => {
                if root.is_some() {
                    return Err(refused("it has more than one root"));
                }
                open.push(element(&reader, &start)?);
            }
            Event::End(_) => {
                let Some(done) = open.pop() else { continue };
                match open.last_mut() {
                    Some(around) => around.children.push(Node::Element(done)),
                    None => root = Some(done),
                }
            }
            Event::Text(text) => add(&mut open, &text.xml_content(XmlVersion::Implicit1_0))?,
            Event::CData(text) => add(&mut open, &text.xml_content(XmlVersion::Implicit1_0))?,
            Event::GeneralRef(name) => {
                let character = name
                    .resolve_char_ref()
                    .map_err(|error| refused(error.to_string()))?;
                let text = match character {
                    Some(character) => character.to_string(),
                    None => resolve_xml_entity(&name.xml_content(XmlVersion::Implicit1_0))
                        .ok_or_else(|| refused("it has an entity that is not of XML itself"))?
                        .to_owned(),
                };
                add(&mut open, &text)?;
            }
            Event::DocType(_) => return Err(refused("it has a document type")),
            Event::Eof => break,
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) | Event::Empty(_) => {}
        }
    }
    root.filter(|_| open.is_empty())
        .ok_or_else(|| refused("it is cut off"))
}

fn add(open: &mut [Element], text: &str) -> Result<()> {
    if text.chars().any(|c| {
        (c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{7f}'..='\u{9f}'))
            || matches!(c, '\u{fffe}' | '\u{ffff}')
    }) {
        return Err(refused("it has a character that XML has not"));
    }
    let Some(around) = open.last_mut() else {
        if text.trim().is_empty() {
            return Ok(());
        }
        return Err(refused("it has text outside of its root"));
    };
    match around.children.last_mut() {
        Some(Node::Text(before)) => before.push_str(text),
        _ => around.children.push(Node::Text(text.to_owned())),
    }
    Ok(())
}

fn element(reader: &NsReader<&[u8]>, start: &BytesStart<'_>) -> Result<Element> {
    let resolver = reader.resolver();
    let (namespace, local) = resolver.resolve_element(start.name());
    let mut attributes = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| refused(error.to_string()))?;
        let value = attribute
            .normalized_value(XmlVersion::Implicit1_0)
            .map_err(|error| refused(error.to_string()))?;
        if let Some(binding) = attribute.key.as_namespace_binding() {
            // Namespaces in XML 1.0 §2.2: a prefix cannot be unbound.
            if value.is_empty() && attribute.key.into_inner() != "xmlns" {
                return Err(refused(format!(
                    "the prefix of {binding:?} is bound to nothing"
                )));
            }
            continue;
        }
        let (namespace, local) = resolver.resolve_attribute(attribute.key);
        attributes.push((name(&namespace, local.into_inner())?, value.into_owned()));
    }
    Ok(Element {
        name: name(&namespace, local.into_inner())?,
        attributes,
        children: Vec::new(),
    })
}

fn name(namespace: &ResolveResult<'_>, local: &str) -> Result<Name> {
    let namespace = match namespace {
        ResolveResult::Bound(namespace) => quick_xml::escape::unescape(namespace.into_inner())
            .map_err(|error| refused(error.to_string()))?
            .into_owned(),
        ResolveResult::Unbound => String::new(),
        ResolveResult::Unknown(_) => return Err(refused("it has a prefix that nothing binds")),
    };
    let plain =
        |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '\u{b7}') || c > '\u{7f}';
    let begins = |c: char| c.is_alphabetic() || c == '_' || c > '\u{7f}';
    if !local.starts_with(begins) || !local.chars().all(plain) {
        return Err(refused("it has a name that is none"));
    }
    Ok(Name {
        namespace,
        local: local.to_owned(),
    })
}

fn refused(why: impl std::fmt::Display) -> Error {
    Error::bad_request("invalid_xml", format!("the body cannot be read: {why}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    fn again(text: &str) -> String {
        let mut out = String::new();
        parse(text).unwrap().write(&mut out);
        out
    }

    #[test]
    fn an_element_means_the_same_when_it_is_written_again() {
        let text = "<a xmlns='urn:1' xmlns:q='urn:2' b='&lt;1' q:c='2' xml:lang='de'><q:d>x&amp;y&#x1F3AF;<![CDATA[<z>]]></q:d><D:e xmlns:D='DAV:'/></a>";
        let once = again(text);
        let within = format!("<D:x xmlns:D=\"DAV:\">{once}</D:x>");
        let inner = parse(&within).unwrap();
        assert_eq!(inner.elements().next(), Some(&parse(text).unwrap()));
    }

    #[test]
    fn doubtful_documents_are_refused() {
        let deep = format!("{}{}", "<a>".repeat(40), "</a>".repeat(40));
        let many = format!("<a>{}</a>", "<b/>".repeat(MAX_NODES));
        for text in [
            "<a>",
            "<a></b>",
            "text",
            "<a/><b/>",
            "<p:a/>",
            "<a xmlns:p=''/>",
            "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
            "<a>&b;</a>",
            "<a>&#1;</a>",
            "<a:1 xmlns:a='urn:1'/>",
            &deep,
            &many,
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!(error.code(), "invalid_xml", "{text}");
        }
    }
}
