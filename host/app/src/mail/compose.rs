//! Mails as they are written: plain text, and HTML beside it where there is
//! some. What is filled into HTML is escaped; nothing that is filled in can
//! add a header.

use atlashub_core::{Error, Result};
use lettre::{
    Message,
    message::{Mailbox, MultiPart, header::ContentType},
};

/// A mail to one person.
#[derive(Clone, Debug)]
pub(crate) struct Mail {
    /// The address.
    pub(crate) to: String,
    /// The subject, on one line.
    pub(crate) subject: String,
    /// The mail as plain text.
    pub(crate) text: String,
    /// The mail as HTML.
    pub(crate) html: Option<String>,
}

impl Mail {
    pub(super) fn message(self, from: Mailbox) -> Result<Message> {
        let failed = |error: lettre::error::Error| Error::internal("write a mail", error);
        let to = self
            .to
            .parse()
            .map_err(|error| Error::internal("write a mail", error))
            .map(|address| Mailbox::new(None, address))?;
        let builder = Message::builder()
            .from(from)
            .to(to)
            .subject(one_line(&self.subject));
        match self.html {
            Some(html) => builder.multipart(MultiPart::alternative_plain_html(self.text, html)),
            None => builder.header(ContentType::TEXT_PLAIN).body(self.text),
        }
        .map_err(failed)
    }
}

/// Fills `{{name}}` of a template with values, once and in one pass: what a
/// value holds is not looked at again.
pub(crate) fn fill(template: &str, values: &[(&str, &str)], html: bool) -> String {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        filled.push_str(before);
        let known = after.split_once("}}").and_then(|(name, after)| {
            let (_, value) = values.iter().find(|(known, _)| *known == name.trim())?;
            Some((*value, after))
        });
        match known {
            Some((value, after)) if html => {
                filled.push_str(&escape(value));
                rest = after;
            }
            Some((value, after)) => {
                filled.push_str(value);
                rest = after;
            }
            None => {
                filled.push_str("{{");
                rest = after;
            }
        }
    }
    filled.push_str(rest);
    filled
}

/// Text as HTML shows it, inside an attribute's quotes, too.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_filled_in_once_and_escaped_in_html() {
        let values = [
            ("name", "<b>{{link}}</b>"),
            ("link", "https://a/?b=1&c=\"2\""),
        ];
        assert_eq!(
            fill("Hi {{ name }}, {{link}} {{other}} {{", &values, false),
            "Hi <b>{{link}}</b>, https://a/?b=1&c=\"2\" {{other}} {{"
        );
        assert_eq!(
            fill("<a href=\"{{link}}\">{{name}}</a>", &values, true),
            "<a href=\"https://a/?b=1&amp;c=&quot;2&quot;\">&lt;b&gt;{{link}}&lt;/b&gt;</a>"
        );
    }

    #[test]
    fn nothing_that_is_filled_in_adds_a_header() {
        let mail = Mail {
            to: "ada@example.com".to_owned(),
            subject: "Hello\r\nBcc: eve@example.com".to_owned(),
            text: "Hi.\r\n.\r\nMAIL FROM:<eve@example.com>".to_owned(),
            html: None,
        };
        let message = mail
            .message("Hub <hub@example.com>".parse().unwrap())
            .unwrap();
        let text = String::from_utf8(message.formatted()).unwrap();
        assert!(!text.contains("\nBcc:"), "{text}");
        assert_eq!(message.envelope().to().len(), 1);
        let bad = Mail {
            to: "ada@example.com\r\nBcc: eve@example.com".to_owned(),
            subject: "x".to_owned(),
            text: "x".to_owned(),
            html: None,
        };
        assert!(bad.message("hub@example.com".parse().unwrap()).is_err());
    }
}
