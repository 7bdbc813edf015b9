//! Postgres' binary form of `numeric`, to decimal text and back: a header of
//! four 16-bit numbers (count of groups, weight of the first, sign, digits
//! after the point), then groups of four decimal digits.

const POSITIVE: u16 = 0x0000;
const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xc000;
const INFINITE: u16 = 0xd000;
const MINUS_INFINITE: u16 = 0xf000;
/// Digits in a group.
const GROUP: usize = 4;
/// Most digits on one side of the point.
const MAX_DIGITS: usize = 16_000;

/// The binary form of a decimal number; `None` when `text` is not one.
pub(super) fn encode(text: &str) -> Option<Vec<u8>> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("nan") {
        return Some(header(0, 0, NAN, 0));
    }
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (NEGATIVE, rest),
        None => (POSITIVE, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + fraction.len() == 0
        || whole.len().max(fraction.len()) > MAX_DIGITS
        || !plain(whole)
        || !plain(fraction)
    {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    let left = whole.len().div_ceil(GROUP) * GROUP;
    let right = fraction.len().div_ceil(GROUP) * GROUP;
    let padded = format!("{whole:0>left$}{fraction:0<right$}");
    let mut groups: Vec<i16> = padded
        .as_bytes()
        .chunks(GROUP)
        .map(|group| {
            group
                .iter()
                .fold(0, |sum, byte| sum * 10 + i16::from(byte - b'0'))
        })
        .collect();
    let mut weight = i16::try_from(left / GROUP).ok()? - 1;
    while groups.last() == Some(&0) {
        groups.pop();
    }
    let leading = groups.iter().take_while(|group| **group == 0).count();
    groups.drain(..leading);
    weight -= i16::try_from(leading).ok()?;
    if groups.is_empty() {
        weight = 0;
    }
    let count = u16::try_from(groups.len()).ok()?;
    let mut bytes = header(count, weight, sign, u16::try_from(fraction.len()).ok()?);
    for group in groups {
        bytes.extend(group.to_be_bytes());
    }
    Some(bytes)
}

fn header(count: u16, weight: i16, sign: u16, scale: u16) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(8 + usize::from(count) * 2);
    bytes.extend(count.to_be_bytes());
    bytes.extend(weight.to_be_bytes());
    bytes.extend(sign.to_be_bytes());
    bytes.extend(scale.to_be_bytes());
    bytes
}

/// The decimal text of the binary form; `None` when it is malformed.
pub(super) fn decode(bytes: &[u8]) -> Option<String> {
    let mut numbers = bytes.chunks(2).map(|pair| pair.try_into().ok());
    let mut next = || numbers.next().flatten().map(u16::from_be_bytes);
    let count = usize::from(next()?);
    let weight = i32::from(next()?.cast_signed());
    let sign = next()?;
    let scale = usize::from(next()?);
    match sign {
        NAN => return Some("NaN".to_owned()),
        INFINITE => return Some("Infinity".to_owned()),
        MINUS_INFINITE => return Some("-Infinity".to_owned()),
        _ => {}
    }
    let groups = (0..count).map(|_| next()).collect::<Option<Vec<u16>>>()?;
    // The group of weight `n` counts 10000 to the power of `n`.
    let group = |n: i32| {
        let index = usize::try_from(weight - n).ok()?;
        groups.get(index).copied()
    };
    let mut text = String::new();
    for n in (0..=weight.max(0)).rev() {
        text.push_str(&format!("{:04}", group(n).unwrap_or(0)));
    }
    let whole = text.trim_start_matches('0');
    let mut text = if whole.is_empty() { "0" } else { whole }.to_owned();
    if scale > 0 {
        text.push('.');
        let end = text.len() + scale;
        let mut n = -1;
        while text.len() < end {
            text.push_str(&format!("{:04}", group(n).unwrap_or(0)));
            n -= 1;
        }
        text.truncate(end);
    }
    if sign == NEGATIVE {
        text.insert(0, '-');
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    #[test]
    fn decimals_come_back_as_they_went() {
        for text in [
            "0",
            "1",
            "-1",
            "10000",
            "12345678",
            "0.1",
            "0.0001",
            "0.00001",
            "-99.990",
            "1000000.000001",
            "123456789012345678901234567890.123456789",
            "NaN",
            "100000000",
            "0.000000000001",
        ] {
            assert_eq!(decode(&encode(text).unwrap()).unwrap(), text);
        }
        assert_eq!(decode(&encode("+007.50").unwrap()).unwrap(), "7.50");
        assert_eq!(decode(&encode(".5").unwrap()).unwrap(), "0.5");
    }

    #[test]
    fn what_is_no_decimal_is_refused() {
        for text in ["", ".", "-", "1e5", "0x1", "1,5", "١"] {
            assert_eq!(encode(text), None, "{text}");
        }
    }
}
