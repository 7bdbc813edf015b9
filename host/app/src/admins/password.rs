//! Passwords: which are accepted, and how they are kept (argon2id, RFC 9106,
//! 19 MiB, two passes, one lane). The work runs on blocking threads, a few at
//! a time; when too many wait, the next is turned away.

use argon2::{
    Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version,
    password_hash::phc::PasswordHash,
};
use atlashub_core::{Error, ErrorKind, Result, token};
use secrecy::{ExposeSecret as _, SecretString};
use std::{
    collections::HashSet,
    sync::{Arc, LazyLock},
    time::Duration,
};
use tokio::sync::Semaphore;

/// Fewest characters of a password.
pub const MIN_CHARACTERS: usize = 8;
/// Most bytes of a password; far above what anybody types.
pub const MAX_BYTES: usize = 1_024;

/// Memory of one hash, KiB.
const MEMORY_KIB: u32 = 19 * 1_024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// Hashes computed at once.
const AT_ONCE: usize = 2;
/// How long one waits for its turn.
const PATIENCE: Duration = Duration::from_secs(5);

/// Often used passwords, one a line, lower case.
static COMMON: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    include_str!("common_passwords.txt")
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect()
});

/// Checks a new password. `email` is the account's address, whose parts make
/// poor passwords.
///
/// # Errors
/// `weak_password` with the reason.
pub fn check(password: &str, email: &str) -> Result<()> {
    let refuse = |why: &str| {
        Err(Error::invalid(
            "weak_password",
            format!("the password {why}"),
        ))
    };
    if password.chars().count() < MIN_CHARACTERS {
        return refuse("must have at least 8 characters");
    }
    if password.len() > MAX_BYTES {
        return refuse("must have at most 1024 bytes");
    }
    let lower = password.to_lowercase();
    let local_part = email.split('@').next().unwrap_or_default().to_lowercase();
    if lower == email.to_lowercase() || lower == local_part {
        return refuse("must not be the email address");
    }
    if is_monotonous(&lower)
        || COMMON.contains(lower.as_str())
        || COMMON.contains(without_digits_at_the_end(&lower))
    {
        return refuse("is among the most common ones, choose another");
    }
    Ok(())
}

fn without_digits_at_the_end(password: &str) -> &str {
    password.trim_end_matches(|c: char| c.is_ascii_digit() || c == '!' || c == '.')
}

/// Whether it is one character repeated, or a run such as `12345678`.
fn is_monotonous(password: &str) -> bool {
    let codes: Vec<u32> = password.chars().map(u32::from).collect();
    [0, 1, -1].into_iter().any(|step: i64| {
        codes.windows(2).all(|pair| match pair {
            [left, right] => i64::from(*right) - i64::from(*left) == step,
            _ => false,
        })
    })
}

/// Computes and checks hashes; cheap to clone.
#[derive(Clone)]
pub struct Passwords {
    turns: Arc<Semaphore>,
    argon2: Counted,
}

/// The function itself. What it does is counted, for it is what signing in
/// costs: a node that does nothing else shows it, and a way in that costs
/// nothing for an unknown account would, too.
#[derive(Clone)]
struct Counted(Argon2<'static>);

impl Counted {
    fn hash(&self, password: &[u8], salt: &[u8]) -> Computed<PasswordHash> {
        count();
        self.0.hash_password_with_salt(password, salt)
    }

    fn verify(&self, password: &[u8], hash: &str) -> Computed<()> {
        count();
        self.0.verify_password(password, hash)
    }
}

/// What the library answers.
type Computed<T> = std::result::Result<T, argon2::password_hash::Error>;

fn count() {
    metrics::counter!("atlashub_password_hashes_total").increment(1);
}

impl Passwords {
    /// With the platform's parameters.
    ///
    /// # Errors
    /// When the library refuses them.
    pub fn new() -> Result<Self> {
        let params = Params::new(MEMORY_KIB, PASSES, LANES, None)
            .map_err(|error| Error::internal("set up argon2", error.to_string()))?;
        Ok(Self {
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            argon2: Counted(Argon2::new(Algorithm::Argon2id, Version::V0x13, params)),
        })
    }

    /// The hash of a password, as a PHC string with a salt of its own.
    ///
    /// # Errors
    /// When too many are waiting, or the system gives no randomness.
    pub async fn hash(&self, password: SecretString) -> Result<String> {
        self.run(move |argon2| {
            let mut salt = [0; 16];
            token::fill(&mut salt)?;
            argon2
                .hash(password.expose_secret().as_bytes(), &salt)
                .map(|hash| hash.to_string())
                .map_err(|error| Error::internal("hash a password", error.to_string()))
        })
        .await
    }

    /// Whether `password` is the one behind `hash`. Without a hash, for an
    /// account that does not exist, it takes as long and answers no.
    ///
    /// # Errors
    /// When too many are waiting, or the stored hash cannot be read.
    pub async fn verify(&self, password: SecretString, hash: Option<String>) -> Result<bool> {
        self.run(move |argon2| {
            let bytes = password.expose_secret().as_bytes();
            let bytes = bytes.get(..MAX_BYTES).unwrap_or(bytes);
            match hash {
                None => {
                    let _ = argon2.hash(bytes, &[0; 16]);
                    Ok(false)
                }
                Some(hash) => match argon2.verify(bytes, &hash) {
                    Ok(()) => Ok(true),
                    Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
                    Err(error) => Err(Error::internal("read a password hash", error.to_string())),
                },
            }
        })
        .await
    }

    async fn run<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Counted) -> Result<T> + Send + 'static,
    {
        let busy = || {
            Error::new(ErrorKind::Unavailable, "busy", "too many sign-ins at once")
                .with_retry_after(2)
        };
        let turn = tokio::time::timeout(PATIENCE, Arc::clone(&self.turns).acquire_owned())
            .await
            .map_err(|_| busy())?
            .map_err(|_| busy())?;
        let argon2 = self.argon2.clone();
        tokio::task::spawn_blocking(move || {
            let outcome = work(&argon2);
            drop(turn);
            outcome
        })
        .await
        .map_err(|error| Error::internal("hash a password", error))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_passwords_are_refused() {
        for password in [
            "",
            "short77",
            "password",
            "Password123",
            "12345678",
            "87654321",
            "aaaaaaaa",
            "abcdefgh",
            "qwertyuiop",
            "letmein1!",
            "jane.doe@example.com",
            "jane.doe",
            "ÄÄÄÄÄÄÄÄ",
        ] {
            let error = check(password, "Jane.Doe@example.com").unwrap_err();
            assert_eq!(error.code(), "weak_password", "{password:?}");
        }
        assert!(check(&"long ".repeat(300), "a@b.c").is_err());
    }

    #[test]
    fn decent_passwords_are_accepted() {
        for password in [
            "correct horse battery staple",
            "Zf3-9qLm",
            "ünïcødé-pass",
            &"x9".repeat(40),
        ] {
            assert!(check(password, "jane@example.com").is_ok(), "{password:?}");
        }
    }

    #[test]
    fn the_list_holds_only_what_length_lets_through() {
        assert!(COMMON.len() > 150);
        assert!(COMMON.iter().all(|line| *line == line.to_lowercase()));
    }

    #[tokio::test]
    async fn a_hash_fits_its_password_only() {
        let passwords = Passwords::new().unwrap();
        let hash = passwords.hash("correct horse".into()).await.unwrap();
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        assert!(
            passwords
                .verify("correct horse".into(), Some(hash.clone()))
                .await
                .unwrap()
        );
        assert!(
            !passwords
                .verify("correct house".into(), Some(hash.clone()))
                .await
                .unwrap()
        );
        assert!(
            !passwords
                .verify("correct horse".into(), None)
                .await
                .unwrap()
        );
        assert_ne!(hash, passwords.hash("correct horse".into()).await.unwrap());
    }
}
