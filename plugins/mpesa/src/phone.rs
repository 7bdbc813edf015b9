//! Phone numbers: Kenyan mobile ones, in every form that people write them, as
//! twelve digits.

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
