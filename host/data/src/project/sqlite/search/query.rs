//! What is searched for, in the four forms that Postgres reads: `fts`
//! (`to_tsquery`), `plfts` (`plainto_tsquery`), `phfts` (`phraseto_tsquery`),
//! `wfts` (`websearch_to_tsquery`).

use super::index::{Index, words};

/// Most words of a query.
const MAX_WORDS: usize = 200;
/// Deepest parentheses.
const MAX_DEPTH: usize = 20;
/// Farthest two words of a phrase are apart.
const MAX_DISTANCE: u32 = 16_384;

/// A query; nothing is found by one without words.
#[derive(Debug, PartialEq)]
pub(super) struct Query(Option<Node>);

#[derive(Debug, PartialEq)]
enum Node {
    Word {
        text: String,
        is_prefix: bool,
    },
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    /// The second so many places after the first.
    Phrase(Box<Node>, u32, Box<Node>),
}

impl Query {
    /// Reads `text` in a form; what is wrong with it otherwise.
    pub(super) fn read(text: &str, form: &str) -> Result<Self, String> {
        if words(text).count() > MAX_WORDS {
            return Err(format!("at most {MAX_WORDS} words are looked for"));
        }
        Ok(Self(match form {
            "fts" => Parser::of(text).query()?,
            "plfts" => group(words(text).map(word).collect(), Node::All),
            "phfts" => phrase(words(text)),
            "wfts" => web(text),
            _ => return Err("the form is `fts`, `plfts`, `phfts` or `wfts`".to_owned()),
        }))
    }

    /// Whether the text is found.
    pub(super) fn holds(&self, index: &Index) -> bool {
        self.0.as_ref().is_some_and(|node| node.holds(index))
    }
}

impl Node {
    fn holds(&self, index: &Index) -> bool {
        match self {
            Self::All(nodes) => nodes.iter().all(|node| node.holds(index)),
            Self::Any(nodes) => nodes.iter().any(|node| node.holds(index)),
            Self::Not(node) => !node.holds(index),
            Self::Word { .. } | Self::Phrase(..) => !self.places(index).is_empty(),
        }
    }

    /// Where it ends, of words and phrases and a choice of them.
    fn places(&self, index: &Index) -> Vec<u32> {
        match self {
            Self::Word { text, is_prefix } => index.places(text, *is_prefix),
            Self::Any(nodes) => {
                let mut places: Vec<u32> =
                    nodes.iter().flat_map(|node| node.places(index)).collect();
                places.sort_unstable();
                places
            }
            Self::Phrase(left, distance, right) => {
                let left = left.places(index);
                let mut places = right.places(index);
                places.retain(|place| {
                    place
                        .checked_sub(*distance)
                        .is_some_and(|before| left.binary_search(&before).is_ok())
                });
                places
            }
            Self::All(_) | Self::Not(_) => Vec::new(),
        }
    }

    /// Whether it has places of its own.
    fn is_placed(&self, is_right: bool) -> bool {
        match self {
            Self::Word { .. } => true,
            Self::Any(nodes) => nodes.iter().all(|node| node.is_placed(true)),
            // Its beginning is not known any more.
            Self::Phrase(..) => !is_right,
            Self::All(_) | Self::Not(_) => false,
        }
    }
}

fn word(text: String) -> Node {
    Node::Word {
        text,
        is_prefix: false,
    }
}

/// The one, or several together.
fn group(mut nodes: Vec<Node>, together: fn(Vec<Node>) -> Node) -> Option<Node> {
    match nodes.len() {
        0 | 1 => nodes.pop(),
        _ => Some(together(nodes)),
    }
}

/// Words one after the other.
fn phrase(words: impl Iterator<Item = String>) -> Option<Node> {
    words
        .map(word)
        .reduce(|left, right| Node::Phrase(Box::new(left), 1, Box::new(right)))
}

/// As people write into a field: all words, `or` between some, `-` before what
/// must not be there, phrases in quotes. Whatever is written is read.
fn web(text: &str) -> Option<Node> {
    let mut choices: Vec<Vec<Node>> = vec![Vec::new()];
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_negated = first == '-';
        let from = rest.strip_prefix('-').unwrap_or(rest);
        let (piece, further, is_quoted) = match from.strip_prefix('"') {
            Some(quoted) => {
                let (piece, further) = quoted.split_once('"').unwrap_or((quoted, ""));
                (piece, further, true)
            }
            None => {
                let end = from
                    .find(|c: char| c.is_whitespace() || c == '"')
                    .unwrap_or(from.len());
                let (piece, further) = from.split_at(end);
                (piece, further, false)
            }
        };
        rest = further.trim_start();
        if !is_quoted && !is_negated && piece.eq_ignore_ascii_case("or") {
            if choices.last().is_some_and(|choice| !choice.is_empty()) {
                choices.push(Vec::new());
            }
            continue;
        }
        if let Some(node) = phrase(words(piece)) {
            let node = if is_negated {
                Node::Not(Box::new(node))
            } else {
                node
            };
            choices.last_mut()?.push(node);
        }
    }
    let choices = choices
        .into_iter()
        .filter_map(|nodes| group(nodes, Node::All))
        .collect();
    group(choices, Node::Any)
}

/// Reads `a & (b | !c) <-> 'd e' & f:*`.
struct Parser<'a> {
    rest: &'a str,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn of(text: &'a str) -> Self {
        Self {
            rest: text.trim_start(),
            depth: 0,
        }
    }

    fn query(mut self) -> Result<Option<Node>, String> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let node = self.any()?;
        if self.rest.is_empty() {
            Ok(node)
        } else {
            Err(self.unread())
        }
    }

    fn take(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }

    fn any(&mut self) -> Result<Option<Node>, String> {
        let mut nodes = Vec::new();
        loop {
            nodes.extend(self.all()?);
            if !self.take("|") {
                return Ok(group(nodes, Node::Any));
            }
        }
    }

    fn all(&mut self) -> Result<Option<Node>, String> {
        let mut nodes = Vec::new();
        loop {
            nodes.extend(self.phrase()?);
            if !self.take("&") {
                return Ok(group(nodes, Node::All));
            }
        }
    }

    fn phrase(&mut self) -> Result<Option<Node>, String> {
        let mut left = self.term()?;
        while let Some(distance) = self.distance()? {
            let right = self.term()?;
            left = match (left, right) {
                (Some(left), Some(right)) => {
                    if !left.is_placed(false) || !right.is_placed(true) {
                        return Err("only words follow each other in a phrase".to_owned());
                    }
                    Some(Node::Phrase(Box::new(left), distance, Box::new(right)))
                }
                (left, right) => left.or(right),
            };
        }
        Ok(left)
    }

    /// `<->` or `<2>`.
    fn distance(&mut self) -> Result<Option<u32>, String> {
        if self.take("<->") {
            return Ok(Some(1));
        }
        let Some(after) = self.rest.strip_prefix('<') else {
            return Ok(None);
        };
        let number = after.split_once('>').and_then(|(number, rest)| {
            let distance: u32 = number.parse().ok()?;
            (distance <= MAX_DISTANCE).then_some((distance, rest))
        });
        let (distance, rest) = number.ok_or_else(|| self.unread())?;
        self.rest = rest.trim_start();
        Ok(Some(distance))
    }

    /// Nothing for what has no letters in it, which is read over.
    fn term(&mut self) -> Result<Option<Node>, String> {
        if self.depth > MAX_DEPTH {
            return Err("it is nested too deeply".to_owned());
        }
        self.depth += 1;
        let node = self.nested();
        self.depth -= 1;
        node
    }

    fn nested(&mut self) -> Result<Option<Node>, String> {
        if self.take("!") {
            return Ok(self.term()?.map(|node| Node::Not(Box::new(node))));
        }
        if self.take("(") {
            let node = self.any()?;
            return if self.take(")") {
                Ok(node)
            } else {
                Err(self.unread())
            };
        }
        let text = self.operand()?;
        let is_prefix = self.prefix()?;
        let mut node = phrase(words(&text));
        if is_prefix {
            mark(node.as_mut());
        }
        Ok(node)
    }

    /// A word as it is, or anything in quotes.
    fn operand(&mut self) -> Result<String, String> {
        if let Some(quoted) = self.rest.strip_prefix('\'') {
            let mut text = String::new();
            let mut chars = quoted.char_indices().peekable();
            while let Some((at, c)) = chars.next() {
                match c {
                    '\'' if chars.next_if(|(_, next)| *next == '\'').is_some() => text.push('\''),
                    '\'' => {
                        self.rest = quoted.get(at + 1..).unwrap_or_default();
                        return Ok(text);
                    }
                    '\\' => text.extend(chars.next().map(|(_, next)| next)),
                    c => text.push(c),
                }
            }
            return Err(self.unread());
        }
        let end = self
            .rest
            .find(|c: char| c.is_whitespace() || "&|!()<>:'".contains(c))
            .unwrap_or(self.rest.len());
        if end == 0 {
            return Err(self.unread());
        }
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest;
        Ok(text.to_owned())
    }

    /// `:*` after a word. Weights, `:AB`, mean nothing to a plain text.
    fn prefix(&mut self) -> Result<bool, String> {
        let mut is_prefix = false;
        if let Some(after) = self.rest.strip_prefix(':') {
            let end = after
                .find(|c: char| !"*ABCDabcd".contains(c))
                .unwrap_or(after.len());
            let (marks, rest) = after.split_at(end);
            if marks.is_empty() {
                return Err(self.unread());
            }
            is_prefix = marks.contains('*');
            self.rest = rest;
        }
        self.rest = self.rest.trim_start();
        Ok(is_prefix)
    }

    fn unread(&self) -> String {
        let rest: String = self.rest.chars().take(40).collect();
        if rest.is_empty() {
            "a word is missing at its end".to_owned()
        } else {
            format!("at `{rest}`")
        }
    }
}

/// All words of a phrase are beginnings, as Postgres has it.
fn mark(node: Option<&mut Node>) {
    match node {
        Some(Node::Word { is_prefix, .. }) => *is_prefix = true,
        Some(Node::Phrase(left, _, right)) => {
            mark(Some(left));
            mark(Some(right));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    fn found(text: &str, words: &str, form: &str) -> bool {
        Query::read(words, form).unwrap().holds(&Index::of(text))
    }

    const TEXT: &str = "The quick brown fox jumps over the lazy dog; Ångström's 42 foxes don't.";

    #[test]
    fn operators_mean_what_they_mean_to_postgres() {
        for (words, expected) in [
            ("fox", true),
            ("FOX & dog", true),
            ("fox & cat", false),
            ("cat | dog", true),
            ("!cat", true),
            ("!(cat | dog)", false),
            ("fox & !cat | cat", true),
            ("quick <-> brown", true),
            ("quick <-> fox", false),
            ("quick <2> fox", true),
            ("(quick | slow) <-> brown <-> fox", true),
            ("'quick brown'", true),
            ("'brown quick'", false),
            ("jum:*", true),
            ("jum", false),
            ("qui:*A & lazy", true),
            ("ångström", true),
            ("42", true),
            ("", false),
            ("'don''t'", true),
        ] {
            assert_eq!(found(TEXT, words, "fts"), expected, "{words}");
        }
    }

    #[test]
    fn other_forms_take_what_people_write() {
        for (form, words, expected) in [
            ("plfts", "dog, fox!", true),
            ("plfts", "dog cat", false),
            ("phfts", "lazy dog", true),
            ("phfts", "dog lazy", false),
            ("wfts", "cat or dog", true),
            ("wfts", "fox -dog", false),
            ("wfts", "\"brown fox\" -cat", true),
            ("wfts", "\"fox brown", false),
            ("wfts", "or fox or", true),
            ("wfts", "& | ( !", false),
            ("wfts", "", false),
        ] {
            assert_eq!(found(TEXT, words, form), expected, "{form}: {words}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let deep = format!("{}a{}", "(".repeat(100), ")".repeat(100));
        let long = "a ".repeat(MAX_WORDS + 1);
        for words in [
            "a b",
            "a &",
            "& a",
            "(a",
            "a)",
            "a <x> b",
            "a <-> !b",
            "a <99999> b",
            "'a",
            "a:",
            &deep,
            &long,
        ] {
            assert!(Query::read(words, "fts").is_err(), "{words}");
        }
        assert!(Query::read("a", "other").is_err());
    }
}
