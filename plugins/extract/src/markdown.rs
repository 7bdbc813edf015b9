//! Markdown: what is shown of it, without its marks. Its title is its first
//! heading.

use crate::{Found, charset, html, text::Text};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// A text in Markdown.
pub(crate) fn read(bytes: &[u8], text: &mut Text) -> Found {
    let (source, encoding) = charset::decode(bytes, None);
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS;
    let mut title: Option<String> = None;
    let mut is_title = false;
    for event in Parser::new_ext(&source, options) {
        if text.is_full() {
            break;
        }
        match event {
            Event::Start(Tag::Heading { .. }) => {
                text.paragraph();
                is_title = title.is_none();
            }
            Event::End(TagEnd::Heading(_)) => {
                text.paragraph();
                is_title = false;
            }
            Event::Text(words) | Event::Code(words) => {
                if is_title {
                    title.get_or_insert_default().push_str(&words);
                }
                text.push(&words);
            }
            Event::Html(piece) | Event::InlineHtml(piece) => {
                html::words(&piece, text);
            }
            Event::SoftBreak | Event::HardBreak => text.line(),
            Event::Start(Tag::Item | Tag::TableRow | Tag::TableHead) => text.line(),
            Event::Start(Tag::TableCell) => text.space(),
            Event::Start(Tag::Paragraph | Tag::CodeBlock(_) | Tag::List(_))
            | Event::End(TagEnd::Paragraph | TagEnd::CodeBlock | TagEnd::List(_) | TagEnd::Table) =>
            {
                text.paragraph();
            }
            _ => {}
        }
    }
    Found {
        title,
        encoding: Some(encoding),
        pages: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_left_out() {
        let mut text = Text::default();
        let source = "# The *title*\n\nA [link](http://x) and `code`.\n\n- one\n- two\n\n\
                      | a | b |\n|---|---|\n| c | d |\n\n<b>bold</b> <script>no</script>\n";
        let found = read(source.as_bytes(), &mut text);
        assert_eq!(found.title.as_deref(), Some("The title"));
        assert_eq!(
            text.into_string(),
            "The title\n\nA link and code.\n\none\ntwo\n\na b\nc d\n\nbold no"
        );
    }
}
