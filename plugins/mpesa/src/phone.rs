//! Phone numbers: Kenyan mobile ones, in every form that people write them, as
//! twelve digits.

/// Whether a number that the other side tells, in full or with stars in its
/// middle, can be this one; none where it says nothing of that.
pub(crate) fn fits(own: &str, told: Option<&str>) -> Option<bool> {
    let told = told?;
    if let Some(whole) = normalised(told) {
        return Some(whole == own);
    }
    let (start, rest) = told.split_once('*')?;
    let (_, end) = rest.rsplit_once('*').unwrap_or(("", rest));
    let digits = |text: &str| -> String { text.chars().filter(char::is_ascii_digit).collect() };
    let (start, end) = (digits(start), digits(end));
    let start = match start.strip_prefix('0') {
        Some(national) => format!("254{national}"),
        None => start,
    };
    (end.len() >= 3).then(|| own.starts_with(&start) && own.ends_with(&end))
}

/// `2547…` or `2541…`, of what means it; none for what does not, another
/// country's numbers and fixed lines among them.
#[must_use]
pub fn normalised(text: &str) -> Option<String> {
    let mut digits = String::with_capacity(12);
    let mut plus = false;
    for letter in text.chars() {
        match letter {
            '0'..='9' => digits.push(letter),
            '+' if digits.is_empty() && !plus => plus = true,
            ' ' | '-' | '.' | '(' | ')' | '\u{a0}' | '\u{202f}' | '\u{2011}' | '\u{2013}' => {}
            _ => return None,
        }
        if digits.len() > 15 {
            return None;
        }
    }
    let national = if plus {
        digits.strip_prefix("254")?
    } else if let Some(rest) = digits.strip_prefix("00") {
        rest.strip_prefix("254")?
    } else if digits.len() >= 12 {
        digits.strip_prefix("254")?
    } else {
        &digits
    };
    // `0712…` within the country, and what is written so after its code.
    let national = match national.strip_prefix('0') {
        Some(rest) => rest,
        None => national,
    };
    let is_mobile = national.len() == 9 && national.starts_with(['7', '1']);
    is_mobile.then(|| format!("254{national}"))
}
