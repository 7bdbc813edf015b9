//! The second factor of a user: set up, proven with a code, asked for at
//! sign-in from then on. Recovery codes stand in for a lost device, each once.

use super::{Client, SignedInUser};
use crate::{App, limits::Attempt, totp::TotpSecret};
use atlashub_core::{Error, ErrorKind, ProjectId, Result, UserId, token};
use atlashub_data::platform::{EndUser, SecondFactor};
use data_encoding::BASE32_NOPAD;
use secrecy::{ExposeSecret as _, SecretString};

/// Recovery codes of a user.
const RECOVERY_CODES: usize = 10;
/// Random bytes of a recovery code: 80 bits, 16 letters of base32.
const RECOVERY_BYTES: usize = 10;

/// What a user needs to set a second factor up, shown once.
pub struct Enrolment {
    /// The secret, as it is typed.
    pub secret: SecretString,
    /// The secret, as an authenticator app reads it out of a QR code.
    pub otpauth_url: SecretString,
    /// Stand in for a lost device, each once.
    pub recovery_codes: Vec<String>,
}

impl App {
    /// Begins setting up a second factor. It is not asked for until
    /// [`App::verify_totp`] has seen a code of it.
    ///
    /// # Errors
    /// `totp_enabled` when one is in use.
    pub async fn enrol_totp(&self, me: &SignedInUser, issuer: &str) -> Result<Enrolment> {
        let user = self.signed_in_user(me).await?;
        let secret = TotpSecret::generate()?;
        let sealed = self
            .sealer()
            .seal(&identity(me.project, me.id()), secret.bytes())?;
        let codes: Vec<String> = (0..RECOVERY_CODES)
            .map(|_| recovery_code())
            .collect::<Result<_>>()?;
        let hashes: Vec<_> = codes.iter().map(|code| token::hash(&plain(code))).collect();
        self.platform()
            .users()
            .begin_second_factor(me.project, me.id(), &sealed, &hashes)
            .await?;
        Ok(Enrolment {
            otpauth_url: secret.url(issuer, &user.email),
            secret: secret.text(),
            recovery_codes: codes,
        })
    }

    /// Takes a second factor into use, once a code shows that the device
    /// knows the secret.
    ///
    /// # Errors
    /// 401 `invalid_totp_code`; `totp_not_enrolled`, `rate_limited`.
    pub async fn verify_totp(&self, me: &SignedInUser, code: &str, client: &Client) -> Result<()> {
        let user = self.signed_in_user(me).await?;
        self.count_try(
            Attempt::SecondFactor,
            me.project,
            &me.id().to_string(),
            client,
        )
        .await?;
        let factor = user.second_factor.as_ref().ok_or_else(not_enrolled)?;
        if self.accept(&user, factor, code).await? {
            Ok(())
        } else {
            Err(wrong())
        }
    }

    /// Removes the second factor, for who has it: a code or a recovery code
    /// is asked for while it is in use.
    ///
    /// # Errors
    /// 401 `totp_required`, `invalid_totp_code`; `totp_not_enrolled`,
    /// `rate_limited`.
    pub async fn remove_totp(
        &self,
        me: &SignedInUser,
        code: Option<&str>,
        client: &Client,
    ) -> Result<()> {
        let user = self.signed_in_user(me).await?;
        if user.active_factor().is_some() {
            self.count_try(
                Attempt::SecondFactor,
                me.project,
                &me.id().to_string(),
                client,
            )
            .await?;
        }
        self.check_second_factor(&user, code).await?;
        let users = self.platform().users();
        if users.remove_second_factor(me.project, me.id()).await? {
            Ok(())
        } else {
            Err(not_enrolled())
        }
    }

    /// Asks for the second factor of a user who has one in use.
    pub(super) async fn check_second_factor(
        &self,
        user: &EndUser,
        code: Option<&str>,
    ) -> Result<()> {
        let Some(factor) = user.active_factor() else {
            return Ok(());
        };
        let Some(code) = code.filter(|code| !code.trim().is_empty()) else {
            return Err(Error::new(
                ErrorKind::Unauthenticated,
                "totp_required",
                "send a code of the second factor as `totp_code`",
            ));
        };
        let accepted = self.accept(user, factor, code).await?
            || self
                .platform()
                .users()
                .take_recovery_code(user.id, &token::hash(&plain(code)))
                .await?;
        if accepted { Ok(()) } else { Err(wrong()) }
    }

    async fn accept(&self, user: &EndUser, factor: &SecondFactor, code: &str) -> Result<bool> {
        let identity = identity(user.project, user.id);
        let bytes = self.sealer().open(&identity, &factor.sealed_secret)?;
        let secret = TotpSecret::from_bytes(bytes.expose_secret());
        let now = self.clock().now().unix_timestamp();
        match secret.step_of(code, now, factor.last_step)? {
            Some(step) => {
                self.platform()
                    .users()
                    .accept_step(user.id, &factor.sealed_secret, step)
                    .await
            }
            None => Ok(false),
        }
    }
}

/// A recovery code in groups of four.
fn recovery_code() -> Result<String> {
    let mut bytes = [0; RECOVERY_BYTES];
    token::fill(&mut bytes)?;
    let letters = BASE32_NOPAD.encode(&bytes).to_lowercase();
    let mut code = String::with_capacity(letters.len() + 3);
    for (place, letter) in letters.chars().enumerate() {
        if place > 0 && place.is_multiple_of(4) {
            code.push('-');
        }
        code.push(letter);
    }
    Ok(code)
}

/// A recovery code as it is hashed, however it was typed.
fn plain(code: &str) -> String {
    code.chars()
        .filter(char::is_ascii_alphanumeric)
        .take(64)
        .collect::<String>()
        .to_lowercase()
}

fn identity(project: ProjectId, user: UserId) -> String {
    format!("project/{project}/user/{user}/totp")
}

fn wrong() -> Error {
    Error::new(
        ErrorKind::Unauthenticated,
        "invalid_totp_code",
        "the code is wrong, has run out, or was used before",
    )
}

fn not_enrolled() -> Error {
    Error::conflict(
        "totp_not_enrolled",
        "there is no second factor, set one up first",
    )
}
