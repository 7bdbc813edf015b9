//! Services where users sign in: OAuth 2.0 with a code (RFC 6749 §4.1) and
//! PKCE (RFC 7636). Addresses, scopes and the tokens that are kept.

use crate::{
    address, credentials, fault,
    record::{self, Row},
    service::{
        Kind, Service, bearer::Bearer, dropbox::Dropbox, gdrive::Gdrive, onedrive::Onedrive,
    },
    settings::Settings,
};
use atlashub_sdk::prelude::*;
use form_urlencoded::Serializer;
use url::Url;

/// Longest token, bytes.
const MAX_TOKEN: usize = 16 * 1024;
/// How long before its end a token is not used any more, milliseconds.
const MARGIN: i64 = 60_000;
/// How long a token holds of which the service does not say it, seconds.
const DEFAULT_LIFE: i64 = 600;

/// Where a service signs users in, and where it is called.
#[derive(Clone, Debug)]
pub(crate) struct Provider {
    kind: Kind,
    client_id: String,
    authorize: String,
    token: String,
    /// Where its calls begin, without a slash at the end.
    pub(crate) api: String,
    /// Where bytes go to and come from.
    pub(crate) content: String,
    scope: &'static str,
    /// What makes it give a token that outlives the sign-in.
    offline: &'static [(&'static str, &'static str)],
}

/// What is kept of a connection.
#[derive(Serialize, Deserialize)]
pub(crate) struct Tokens {
    refresh_token: String,
    pub(crate) access_token: String,
    /// Milliseconds since 1970.
    expires_at: i64,
}

impl Provider {
    /// The service as the admin has set it up.
    pub(crate) fn of(kind: Kind, settings: &Settings) -> Result<Self> {
        let (client_id, base) = match kind {
            Kind::Gdrive => (&settings.gdrive_client_id, &settings.gdrive_base_url),
            Kind::Onedrive => (&settings.onedrive_client_id, &settings.onedrive_base_url),
            Kind::Dropbox => (&settings.dropbox_client_id, &settings.dropbox_base_url),
            Kind::Webdav | Kind::Nextcloud | Kind::S3 => {
                return Err(Error::invalid(
                    "credentials_needed",
                    "nobody signs in to services of this type: send credentials to `POST /storage-backends`",
                ));
            }
        };
        let client_id = client_id.clone().ok_or_else(|| {
            Error::conflict(
                "type_unavailable",
                "this type of service is not set up in this project: ask its admin",
            )
        })?;
        let addresses = match kind {
            Kind::Gdrive => [
                "https://accounts.google.com/o/oauth2/v2/auth",
                "https://oauth2.googleapis.com/token",
                "https://www.googleapis.com/drive/v3",
                "https://www.googleapis.com/upload/drive/v3",
            ],
            Kind::Onedrive => [
                "https://login.microsoftonline.com/common/oauth2/v2.0/authorize",
                "https://login.microsoftonline.com/common/oauth2/v2.0/token",
                "https://graph.microsoft.com/v1.0",
                "https://graph.microsoft.com/v1.0",
            ],
            _ => [
                "https://www.dropbox.com/oauth2/authorize",
                "https://api.dropboxapi.com/oauth2/token",
                "https://api.dropboxapi.com/2",
                "https://content.dropboxapi.com/2",
            ],
        };
        let [authorize, token, api, content] = match base {
            None => addresses.map(str::to_owned),
            Some(base) => {
                let base = address::of_server(base, settings)?;
                addresses.map(|address| moved(address, &base))
            }
        };
        let (scope, offline): (_, &[_]) = match kind {
            Kind::Gdrive => (
                "https://www.googleapis.com/auth/drive",
                &[("access_type", "offline"), ("prompt", "consent")],
            ),
            Kind::Onedrive => ("Files.ReadWrite offline_access", &[]),
            _ => (
                "files.metadata.read files.content.read files.content.write",
                &[("token_access_type", "offline")],
            ),
        };
        Ok(Self {
            kind,
            client_id,
            authorize,
            token,
            api,
            content,
            scope,
            offline,
        })
    }

    /// Where a user signs in, to come back to `callback` with `state`.
    pub(crate) fn authorization_url(&self, callback: &str, state: &str, challenge: &str) -> String {
        let mut query = Serializer::new(String::new());
        query
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.client_id)
            .append_pair("redirect_uri", callback)
            .append_pair("scope", self.scope)
            .append_pair("state", state)
            .append_pair("code_challenge", challenge)
            .append_pair("code_challenge_method", "S256")
            .extend_pairs(self.offline);
        format!("{}?{}", self.authorize, query.finish())
    }

    /// The tokens for a code.
    pub(crate) fn redeem(&self, code: &str, verifier: &str, callback: &str) -> Result<Tokens> {
        let answer = self.ask(&[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("code_verifier", verifier),
            ("redirect_uri", callback),
        ])?;
        answer.tokens(None)
    }

    fn refresh(&self, refresh_token: &str) -> Result<Tokens> {
        let answer = self.ask(&[
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token),
        ])?;
        answer.tokens(Some(refresh_token))
    }

    fn ask(&self, pairs: &[(&str, &str)]) -> Result<Granted> {
        let mut form = Serializer::new(String::new());
        form.extend_pairs(pairs)
            .append_pair("client_id", &self.client_id);
        match secret::plain(&format!("{}_client_secret", self.kind.as_str())) {
            // The host writes the secret where this stands; the schema lets it
            // have no character that a form would encode.
            Ok(stand_in) => {
                form.append_pair("client_secret", &stand_in);
            }
            Err(error) if error.code() == "no_secret" => {}
            Err(error) => return Err(error),
        }
        let answer = http::post(self.token.as_str())
            .header("content-type", "application/x-www-form-urlencoded")
            .header("accept", "application/json")
            .body(form.finish())
            .send()
            .map_err(fault::unanswered)?;
        if matches!(answer.status.as_u16(), 400 | 401) {
            return Err(reconnect(format_args!("it answered {}", answer.status)));
        }
        let answer = fault::success(answer)?;
        // Its own words could have tokens in them.
        answer.json().map_err(|_| fault::unreadable("no tokens"))
    }
}

/// An address of a service at another origin, below its path.
fn moved(address: &str, base: &Url) -> String {
    let path = Url::parse(address).map(|url| url.path().to_owned());
    let path = path.unwrap_or_default();
    format!("{}{}", base, path.trim_start_matches('/'))
}

/// What a service answers (RFC 6749 §5.1).
#[derive(Deserialize)]
struct Granted {
    access_token: String,
    refresh_token: Option<String>,
    expires_in: Option<i64>,
}

impl Granted {
    fn tokens(self, before: Option<&str>) -> Result<Tokens> {
        let refresh_token = self
            .refresh_token
            .or_else(|| before.map(str::to_owned))
            .ok_or_else(|| reconnect("it gave no refresh token"))?;
        let is_fine = |token: &str| {
            (1..=MAX_TOKEN).contains(&token.len())
                && token.bytes().all(|byte| byte.is_ascii_graphic())
        };
        if !is_fine(&self.access_token) || !is_fine(&refresh_token) {
            return Err(fault::unreadable("no tokens"));
        }
        let life = self.expires_in.unwrap_or(DEFAULT_LIFE).clamp(0, 86_400);
        Ok(Tokens {
            refresh_token,
            access_token: self.access_token,
            expires_at: record::now_ms() + life * 1000,
        })
    }
}

fn reconnect(cause: impl std::fmt::Display) -> Error {
    Error::invalid(
        "reconnect_needed",
        "the service does not let us in any more: connect it again",
    )
    .with_cause(cause)
}

/// The service of a connection, with a token that holds.
pub(crate) fn service(row: &Row, settings: &Settings) -> Result<Box<dyn Service>> {
    let provider = Provider::of(row.kind, settings)?;
    let mut tokens: Tokens = credentials::open(&row.id, &row.credentials)?;
    if tokens.expires_at - MARGIN < record::now_ms() {
        tokens = provider.refresh(&tokens.refresh_token)?;
        // Whoever was faster has kept tokens that hold as well.
        row.keep(&credentials::seal(&row.id, &tokens)?)?;
    }
    let bearer = Bearer::new(provider, &tokens, settings);
    Ok(match row.kind {
        Kind::Gdrive => Box::new(Gdrive::new(bearer)),
        Kind::Onedrive => Box::new(Onedrive::new(bearer)),
        _ => Box::new(Dropbox::new(bearer)),
    })
}
