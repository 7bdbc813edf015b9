//! Second factors: time-based one-time passwords (RFC 6238: SHA-1, six
//! digits, 30 seconds, one step to either side, what every authenticator app
//! knows) and recovery codes. Nothing is kept here; that a code works once is
//! for whoever stores the last accepted step and the codes' hashes.

use atlashub_core::{Digest, Error, Result, token};
use qrcode::{EcLevel, QrCode, render::svg};
use secrecy::{SecretSlice, SecretString};
use time::OffsetDateTime;
use totp_rs::{Builder, Totp};

/// Bytes of a secret, as RFC 4226 recommends.
const SECRET_BYTES: usize = 20;
/// Recovery codes made at once.
const RECOVERY_CODES: usize = 10;
/// Characters of a recovery code: 80 bits.
const RECOVERY_CHARACTERS: usize = 16;
/// No letter that is taken for a digit, or the other way round (Crockford).
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A second factor that was begun: all of it is shown once.
pub struct Enrolment {
    /// The secret's bytes, to be sealed.
    pub secret: SecretSlice<u8>,
    /// The secret in base32, to be typed.
    pub base32: SecretString,
    /// The same as an address that authenticator apps read.
    pub otpauth_url: SecretString,
    /// The address as a picture to be scanned: an SVG document.
    pub qr_svg: SecretString,
    /// Codes for who loses the authenticator.
    pub recovery_codes: Vec<String>,
}

impl Enrolment {
    /// A new secret for `account`, as `issuer` will be shown beside it.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn new(issuer: &str, account: &str) -> Result<Self> {
        let mut secret = [0; SECRET_BYTES];
        token::fill(&mut secret)?;
        // A colon divides the two in the address.
        let plain = |text: &str| text.replace(':', " ");
        let totp = Builder::new()
            .with_secret(secret)
            .with_issuer(Some(plain(issuer)))
            .with_account_name(plain(account))
            .build()
            .map_err(failed)?;
        let otpauth_url = totp.to_url().map_err(failed)?;
        Ok(Self {
            secret: secret.to_vec().into(),
            base32: totp.secret().to_base32().into(),
            qr_svg: picture(&otpauth_url)?.into(),
            otpauth_url: otpauth_url.into(),
            recovery_codes: (0..RECOVERY_CODES)
                .map(|_| recovery_code())
                .collect::<Result<_>>()?,
        })
    }
}

/// The time step whose code `code` is, if it is one that counts at `now`.
/// It must be above the last step that was accepted, compared when it is
/// written.
///
/// # Errors
/// When the secret is of no use.
pub fn accepted_step(secret: &[u8], code: &str, now: OffsetDateTime) -> Result<Option<i64>> {
    let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    if code.len() != 6 || !code.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(None);
    }
    let totp = totp(secret)?;
    let now = u64::try_from(now.unix_timestamp()).unwrap_or(0);
    Ok(totp
        .check(&code, now)
        .and_then(|step| i64::try_from(step).ok()))
}

/// What is stored of a recovery code, however it was typed; `None` when it
/// cannot be one.
#[must_use]
pub fn recovery_hash(code: &str) -> Option<Digest> {
    let plain: String = code
        .chars()
        .filter(|c| !c.is_whitespace() && *c != '-')
        .map(|c| match c.to_ascii_lowercase() {
            'o' => '0',
            'i' | 'l' => '1',
            other => other,
        })
        .take(RECOVERY_CHARACTERS + 1)
        .collect();
    let fits =
        plain.len() == RECOVERY_CHARACTERS && plain.bytes().all(|byte| ALPHABET.contains(&byte));
    fits.then(|| token::hash(&plain))
}

fn recovery_code() -> Result<String> {
    typeable::<RECOVERY_CHARACTERS>()
}

/// A secret of so many characters, five bits each, in groups of four: made
/// to be typed, if need be.
pub(crate) fn typeable<const CHARACTERS: usize>() -> Result<String> {
    let mut bytes = [0; CHARACTERS];
    token::fill(&mut bytes)?;
    let mut code = String::with_capacity(CHARACTERS + CHARACTERS / 4);
    for (place, byte) in bytes.into_iter().enumerate() {
        if place > 0 && place % 4 == 0 {
            code.push('-');
        }
        // 256 is a multiple of 32: every character is as likely.
        let character = ALPHABET.get(usize::from(byte % 32)).copied();
        code.push(char::from(character.unwrap_or(b'0')));
    }
    Ok(code)
}

fn totp(secret: &[u8]) -> Result<Totp> {
    Builder::new()
        .with_secret(secret.to_vec())
        .build()
        .map_err(failed)
}

fn picture(text: &str) -> Result<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M)
        .map_err(|error| Error::internal("draw a QR code", error))?;
    Ok(code
        .render::<svg::Color<'_>>()
        .min_dimensions(240, 240)
        .quiet_zone(true)
        .build())
}

fn failed(error: totp_rs::TotpError) -> Error {
    Error::internal("set up one-time codes", error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret as _;

    /// RFC 6238, appendix B, SHA-1; its eight digits end with our six.
    const SECRET: &[u8] = b"12345678901234567890";
    const VECTORS: [(i64, &str); 5] = [
        (59, "287082"),
        (1_111_111_109, "081804"),
        (1_111_111_111, "050471"),
        (1_234_567_890, "005924"),
        (2_000_000_000, "279037"),
    ];

    fn step(code: &str, at: i64) -> Option<i64> {
        let at = OffsetDateTime::from_unix_timestamp(at).unwrap();
        accepted_step(SECRET, code, at).unwrap()
    }

    #[test]
    fn the_codes_are_those_of_the_standard() {
        for (at, code) in VECTORS {
            assert_eq!(step(code, at), Some(at / 30), "at {at}");
        }
    }

    #[test]
    fn a_code_counts_one_step_early_or_late() {
        let (at, code) = VECTORS[4];
        for (shift, counts) in [(-60, false), (-30, true), (30, true), (60, false)] {
            assert_eq!(step(code, at + shift).is_some(), counts, "{shift} seconds");
        }
        assert_eq!(step("279 037", at), Some(at / 30));
        for nonsense in ["", "27903", "2790377", "27903x", "٢٧٩٠٣٧", "+27903"] {
            assert_eq!(step(nonsense, at), None, "{nonsense:?}");
        }
    }

    #[test]
    fn an_enrolment_can_be_scanned_and_typed() {
        let begun = Enrolment::new("Atlas: Hub", "ada@example.com").unwrap();
        let url = begun.otpauth_url.expose_secret();
        assert!(url.starts_with("otpauth://totp/"), "{url}");
        assert!(url.contains(begun.base32.expose_secret()), "{url}");
        assert!(begun.qr_svg.expose_secret().contains("<svg"));
        let now = OffsetDateTime::now_utc();
        let code = totp(begun.secret.expose_secret())
            .unwrap()
            .generate(now.unix_timestamp().unsigned_abs())
            .to_string();
        let step = accepted_step(begun.secret.expose_secret(), &code, now).unwrap();
        assert_eq!(step, Some(now.unix_timestamp() / 30));
    }

    #[test]
    fn a_recovery_code_may_be_typed_carelessly() {
        let begun = Enrolment::new("AtlasHub", "ada@example.com").unwrap();
        assert_eq!(begun.recovery_codes.len(), RECOVERY_CODES);
        for code in &begun.recovery_codes {
            let hash = recovery_hash(code).unwrap();
            let careless = format!(" {} ", code.replace('-', " ").to_uppercase());
            assert_eq!(recovery_hash(&careless), Some(hash));
        }
        assert_eq!(
            recovery_hash("l0il-0000-0000-0000"),
            recovery_hash("1011000000000000")
        );
        for nonsense in ["", "123456", "uuuu-uuuu-uuuu-uuuu", &"0".repeat(17)] {
            assert_eq!(recovery_hash(nonsense), None, "{nonsense:?}");
        }
    }
}
