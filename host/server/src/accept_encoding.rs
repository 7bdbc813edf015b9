//! Which encodings a client takes, by its `Accept-Encoding` (RFC 9110
//! §12.5.3).

use http::{HeaderMap, header};

/// Whether an encoding is named, and not with the weight 0.
pub(crate) fn accepts(headers: &HeaderMap, encoding: &str) -> bool {
    headers
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|item| {
            let (name, weight) = item.split_once(';').unwrap_or((item, "q=1"));
            let weight = weight.trim().trim_start_matches("q=").parse::<f32>();
            name.trim().eq_ignore_ascii_case(encoding) && weight.is_ok_and(|weight| weight > 0.0)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn an_encoding_is_used_when_it_is_asked_for() {
        let asks = |text: &'static str, encoding| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(text));
            accepts(&headers, encoding)
        };
        assert!(asks("gzip, deflate, br", "br"));
        assert!(asks("GZIP;q=0.5", "gzip"));
        assert!(!asks("br;q=0, gzip", "br"));
        assert!(!asks("brotli", "br"));
        assert!(!accepts(&HeaderMap::new(), "gzip"));
    }
}
