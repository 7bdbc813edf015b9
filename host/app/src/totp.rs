//! Time-based one-time passwords (RFC 6238): SHA-1, six digits, steps of 30
//! seconds, which is what authenticator apps understand. A code of the step
//! before and of the one after fits, too; that each is used once is for whoever
//! stores the last accepted step.

use atlashub_core::{Error, Result, token};
use data_encoding::BASE32_NOPAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use sha1::Sha1;
use subtle::ConstantTimeEq as _;

/// Bytes of a secret (RFC 4226, section 4: as long as the hash).
const SECRET_BYTES: usize = 20;
/// Seconds of a step.
const STEP: i64 = 30;
/// Steps by which a clock may be off.
const WINDOW: i64 = 1;
/// Codes have this many digits.
const DIGITS: usize = 6;

/// The secret of a second factor.
pub(crate) struct TotpSecret(SecretSlice<u8>);

impl TotpSecret {
    /// A new one.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub(crate) fn generate() -> Result<Self> {
        let mut bytes = vec![0; SECRET_BYTES];
        token::fill(&mut bytes)?;
        Ok(Self(bytes.into()))
    }

    /// The one that was stored.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.to_vec().into())
    }

    /// What to store, sealed.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.expose_secret()
    }

    /// The secret as people type it: base32 (RFC 4648).
    pub(crate) fn text(&self) -> SecretString {
        BASE32_NOPAD.encode(self.bytes()).into()
    }

    /// What an authenticator app reads out of a QR code.
    pub(crate) fn url(&self, issuer: &str, account: &str) -> SecretString {
        let (issuer, account) = (escape(issuer), escape(account));
        format!(
            "otpauth://totp/{issuer}:{account}?secret={}&issuer={issuer}&algorithm=SHA1&digits={DIGITS}&period={STEP}",
            self.text().expose_secret()
        )
        .into()
    }

    /// The step that `code` belongs to at `now` (seconds since 1970), if it
    /// fits and the step lies after `last_step`.
    ///
    /// # Errors
    /// When the secret is of no use.
    pub(crate) fn step_of(&self, code: &str, now: i64, last_step: i64) -> Result<Option<i64>> {
        let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
        let present = now.div_euclid(STEP);
        let mut found = None;
        for step in present - WINDOW..=present + WINDOW {
            // All are compared, so that time says nothing of which one fits.
            let fits: bool = self.code(step)?.as_bytes().ct_eq(code.as_bytes()).into();
            if fits && step > last_step {
                found = Some(step);
            }
        }
        Ok(found)
    }

    /// The code of a step (RFC 4226, section 5.3).
    fn code(&self, step: i64) -> Result<String> {
        let mut mac = Hmac::<Sha1>::new_from_slice(self.bytes())
            .map_err(|error| Error::internal("read a second factor's secret", error.to_string()))?;
        mac.update(&step.to_be_bytes());
        let hash = mac.finalize().into_bytes();
        let offset = usize::from(hash.last().copied().unwrap_or_default() & 0x0f);
        let number = hash
            .iter()
            .skip(offset)
            .take(4)
            .fold(0u32, |number, byte| (number << 8) | u32::from(*byte));
        Ok(format!("{:0DIGITS$}", (number & 0x7fff_ffff) % 1_000_000))
    }
}

fn escape(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> TotpSecret {
        TotpSecret::from_bytes(b"12345678901234567890")
    }

    #[test]
    fn the_codes_are_those_of_the_standard() {
        // RFC 6238, appendix B, its last six digits.
        for (time, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            let step = secret().step_of(code, time, 0).unwrap();
            assert_eq!(step, Some(time / STEP), "{time}");
        }
    }

    #[test]
    fn a_clock_may_be_off_by_one_step_and_no_step_comes_twice() {
        let now = 1_234_567_890;
        let step = now / STEP;
        let code = secret().code(step).unwrap();
        for off in [-STEP, 0, STEP] {
            assert_eq!(secret().step_of(&code, now + off, 0).unwrap(), Some(step));
        }
        for off in [-2 * STEP, 2 * STEP] {
            assert_eq!(secret().step_of(&code, now + off, 0).unwrap(), None);
        }
        assert_eq!(secret().step_of(&code, now, step).unwrap(), None);
        assert_eq!(secret().step_of("", now, 0).unwrap(), None);
        assert_eq!(secret().step_of("005 924", now, 0).unwrap(), Some(step));
    }

    #[test]
    fn an_app_gets_what_it_needs() {
        let url = secret().url("A & B", "ada@example.com");
        assert_eq!(
            url.expose_secret(),
            "otpauth://totp/A%20%26%20B:ada%40example%2Ecom?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=A%20%26%20B&algorithm=SHA1&digits=6&period=30"
        );
    }
}
