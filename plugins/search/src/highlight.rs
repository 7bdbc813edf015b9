//! Where a query's words stand in a text: HTML in which nothing but `<mark>`
//! is markup.

use crate::words;

/// Letters around the first word that was found, bytes.
const BEFORE: usize = 60;
const LENGTH: usize = 240;
/// How much of a text is looked through, bytes.
pub(crate) const LOOKED_AT: usize = 64 * 1024;

/// All of a short text, with what was found marked; none when nothing was.
pub(crate) fn whole(text: &str, wanted: &[String]) -> Option<String> {
    let found = find(text, wanted);
    (!found.is_empty()).then(|| mark(text, &found, 0, text.len()))
}

/// A piece of a long text around what was found; none when nothing was in
/// the part that is looked through.
pub(crate) fn piece(text: &str, wanted: &[String]) -> Option<String> {
    let text = text.get(..text.floor_char_boundary(LOOKED_AT))?;
    let found = find(text, wanted);
    let (first, _) = *found.first()?;
    let start = text.floor_char_boundary(first.saturating_sub(BEFORE));
    // Not in the midst of a word.
    let start = text
        .get(start..first)
        .and_then(|gap| gap.find(char::is_whitespace))
        .filter(|_| start > 0)
        .map_or(start, |blank| start + blank + 1);
    let end = text.floor_char_boundary((start + LENGTH).min(text.len()));
    let end = found
        .iter()
        .find(|(from, to)| *from < end && end < *to)
        .map_or(end, |(_, to)| *to);
    let mut piece = mark(text, &found, start, end);
    if start > 0 {
        piece.insert(0, '…');
    }
    if end < text.len() {
        piece.push('…');
    }
    Some(piece)
}

fn find(text: &str, wanted: &[String]) -> Vec<(usize, usize)> {
    words::cut(text)
        .filter(|(_, word)| {
            let word = words::fold(word);
            wanted
                .iter()
                .any(|wanted| word.starts_with(wanted.as_str()))
        })
        .map(|(start, word)| (start, start + word.len()))
        .collect()
}

fn mark(text: &str, found: &[(usize, usize)], start: usize, end: usize) -> String {
    let mut marked = String::new();
    let mut at = start;
    for (from, to) in found
        .iter()
        .filter(|(from, to)| *from >= start && *to <= end)
    {
        escape(text.get(at..*from).unwrap_or_default(), &mut marked);
        marked.push_str("<mark>");
        escape(text.get(*from..*to).unwrap_or_default(), &mut marked);
        marked.push_str("</mark>");
        at = *to;
    }
    escape(text.get(at..end).unwrap_or_default(), &mut marked);
    marked
}

fn escape(text: &str, into: &mut String) {
    for letter in text.chars() {
        match letter {
            '&' => into.push_str("&amp;"),
            '<' => into.push_str("&lt;"),
            '>' => into.push_str("&gt;"),
            '"' => into.push_str("&quot;"),
            '\'' => into.push_str("&#39;"),
            _ => into.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn what_was_found_is_marked_and_the_rest_is_no_markup() {
        assert_eq!(
            whole("<b>Résumé_2.pdf", &wanted(&["resu"])).as_deref(),
            Some("&lt;b&gt;<mark>Résumé</mark>_2.pdf")
        );
        assert_eq!(whole("a", &wanted(&["b"])), None);
    }

    #[test]
    fn a_long_text_is_shown_in_part() {
        let text = format!("{}needle{}", "ä hay ".repeat(99), " & hay".repeat(99));
        let piece = piece(&text, &wanted(&["needle"])).unwrap_or_default();
        assert!(piece.starts_with('…') && piece.ends_with('…'), "{piece}");
        assert!(piece.contains("<mark>needle</mark> &amp; hay"), "{piece}");
        assert!(piece.len() < 600, "{piece}");
    }
}
