//! Money: whole shillings on the way out, exact cents on the way in. Nothing
//! here is a floating-point number for longer than JSON makes it one.

use serde_json::Value;

/// Whole shillings that a client asks for: a number, or its digits.
#[must_use]
pub fn shillings(value: &Value) -> Option<i64> {
    let cents = cents(value)?;
    (cents > 0 && cents % 100 == 0).then_some(cents / 100)
}

/// An amount as the other side writes it, `5`, `5.0` or `"5.00"`, in cents.
/// Fractions of a cent are no amount.
#[must_use]
pub fn cents(value: &Value) -> Option<i64> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().to_owned(),
        _ => return None,
    };
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.as_str()),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 15 || !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > 2 || (digits.contains('.') && digits.ends_with('.')) {
        return None;
    }
    let whole: i64 = whole.parse().ok()?;
    let part: i64 = format!("{fraction:0<2}").parse().ok()?;
    let cents = whole.checked_mul(100)?.checked_add(part)?;
    Some(if negative { -cents } else { cents })
}

/// Cents as people write shillings, `1234.50`.
pub(crate) fn shown(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    let cents = cents.unsigned_abs();
    format!("{sign}{}.{:02}", cents / 100, cents % 100)
}
