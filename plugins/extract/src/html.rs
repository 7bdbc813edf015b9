//! HTML: the words between tags, without those of scripts and styles. It is
//! read as a stream of tokens; no tree is built that could be deep.

use crate::{Found, charset, text::Text};
use html5ever::{
    tendril::StrTendril,
    tokenizer::{
        BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
        states::RawKind,
    },
};
use std::cell::RefCell;

/// Bytes at the beginning in which a page may name its encoding.
const HEAD: usize = 1024;

/// A page.
pub(crate) fn read(bytes: &[u8], text: &mut Text) -> Found {
    let declared = declared_charset(bytes.get(..HEAD).unwrap_or(bytes));
    let (page, encoding) = charset::decode(bytes, declared.as_deref());
    Found {
        title: words(&page, text),
        encoding: Some(encoding),
        pages: None,
    }
}

/// Adds the words of a page, and answers its title.
pub(crate) fn words(page: &str, text: &mut Text) -> Option<String> {
    let sink = Sink(RefCell::new(Reading {
        text: std::mem::take(text),
        title: None,
        is_title: false,
        hidden: 0,
    }));
    let tokenizer = Tokenizer::new(sink, TokenizerOpts::default());
    let input = BufferQueue::default();
    input.push_back(StrTendril::from(page));
    // It stops after every script, with the rest of the input.
    while !input.is_empty() {
        let _ = tokenizer.feed(&input);
    }
    tokenizer.end();
    let reading = tokenizer.sink.0.into_inner();
    *text = reading.text;
    reading.title
}

/// What `<meta charset=…>` says, told without reading the page.
fn declared_charset(head: &[u8]) -> Option<String> {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let (_, after) = head.split_once("charset=")?;
    let label = after.trim_start_matches(['"', '\'', ' ']);
    let end = label.find(|letter: char| !letter.is_ascii_alphanumeric() && !"-_:".contains(letter));
    Some(label.get(..end.unwrap_or(label.len()))?.to_owned())
}

/// Takes the tokens.
struct Sink(RefCell<Reading>);

/// Where the reading is.
struct Reading {
    text: Text,
    title: Option<String>,
    is_title: bool,
    /// How many elements are open whose text is not shown.
    hidden: usize,
}

impl TokenSink for Sink {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        self.0.borrow_mut().take(token)
    }
}

impl Reading {
    fn take(&mut self, token: Token) -> TokenSinkResult<()> {
        match token {
            Token::CharacterTokens(words) => self.take_words(&words),
            Token::TagToken(tag) => return self.take_tag(&tag),
            _ => {}
        }
        TokenSinkResult::Continue
    }

    fn take_words(&mut self, words: &str) {
        if self.is_title {
            self.title.get_or_insert_default().push_str(words);
        } else if self.hidden == 0 {
            self.text.push(words);
        }
    }

    fn take_tag(&mut self, tag: &Tag) -> TokenSinkResult<()> {
        let opens = tag.kind == TagKind::StartTag;
        match &*tag.name {
            // An empty one is legal in the XHTML of books.
            "title" | "script" | "style" | "iframe" if tag.self_closing => {}
            "title" => {
                self.is_title = opens && self.title.is_none();
                if opens {
                    return TokenSinkResult::RawData(RawKind::Rcdata);
                }
            }
            "textarea" if opens => return TokenSinkResult::RawData(RawKind::Rcdata),
            "script" | "style" | "iframe" => {
                self.hidden = usize::from(opens);
                let kind = if &*tag.name == "script" {
                    RawKind::ScriptData
                } else {
                    RawKind::Rawtext
                };
                if opens {
                    return TokenSinkResult::RawData(kind);
                }
            }
            "br" | "tr" | "li" | "dt" | "dd" | "option" => self.text.line(),
            "td" | "th" | "img" | "input" | "button" => self.text.space(),
            "p" | "div" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "ul" | "ol" | "dl"
            | "table" | "section" | "article" | "header" | "footer" | "main" | "nav" | "aside"
            | "blockquote" | "pre" | "hr" | "form" | "fieldset" | "figure" | "figcaption"
            | "address" | "body" => self.text.paragraph(),
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(page: &str) -> (Option<String>, String) {
        let mut text = Text::default();
        let found = read(page.as_bytes(), &mut text);
        (found.title, text.into_string())
    }

    #[test]
    fn words_are_taken_and_scripts_are_not() {
        let (title, text) = of(
            "<!doctype html><title>A &amp; B</title><style>p{x}</style><script>if (a < b) '<p>no'</script>\
             <h1>Head</h1><p>one <b>t</b>wo<br>three &uuml;<ul><li>x<li>y</ul><script>no</script>end",
        );
        assert_eq!(title.as_deref(), Some("A & B"));
        assert_eq!(text, "Head\n\none two\nthree ü\n\nx\ny\n\nend");
    }

    #[test]
    fn a_page_may_be_cut_off_anywhere_and_nested_without_end() {
        let page = "<title>t</title><p>a</p><script>b</script><!-- c --><p>d &am";
        for end in 0..=page.len() {
            let _ = of(&page[..end]);
        }
        assert_eq!(of(&format!("{}deep", "<div>".repeat(200_000))).1, "deep");
    }

    #[test]
    fn a_page_says_its_encoding() {
        let mut text = Text::default();
        let found = read(b"<meta charset='iso-8859-2'><p>\xb1", &mut text);
        assert_eq!(found.encoding, Some("ISO-8859-2"));
        assert_eq!(text.into_string(), "ą");
    }
}
