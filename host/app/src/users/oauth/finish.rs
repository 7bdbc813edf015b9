//! Coming back from a provider: the browser and the state have to be those of
//! one sign-in; who it is then is a user already, is linked to one, or becomes
//! one. The application gets a code, or is told what went wrong.

use super::{
    ProjectAddress,
    begin::secrets_identity,
    provider::{OutsideUser, Return, Secrets},
    redeem,
};
use crate::{
    App, admins,
    changes::chain,
    users::{
        Client, MailKind, Onward, SignUpPolicy,
        access::ProjectAuth,
        deeds,
        mails::{MailRequest, Recipient},
        profile, roles,
    },
};
use atlashub_core::{Error, ErrorKind, ProjectId, ProviderName, Result, UserId, token};
use atlashub_data::platform::{
    AuthProvider, EndUser, NewIdentity, NewOAuthCode, NewUser, OAuthSignIn,
};
use secrecy::ExposeSecret as _;
use serde_json::json;
use std::time::Duration;
use url::Url;

/// How long a code works: as long as it takes to type a second factor.
const LIFETIME: Duration = Duration::from_secs(5 * 60);
/// Longest address that is kept, bytes (RFC 5321, section 4.5.3.1).
const MAX_ADDRESS: usize = 254;
/// Longest code of a provider, bytes.
const MAX_CODE: usize = 4_096;

/// What a provider leads back with.
#[derive(Clone, Debug, Default)]
pub struct OAuthReturn {
    /// The state that it was sent.
    pub state: String,
    /// Its code, when it knows who it is.
    pub code: Option<String>,
    /// Who it says it is (RFC 9207).
    pub issuer: Option<String>,
    /// Why it does not (RFC 6749, section 4.1.2.1).
    pub error: Option<String>,
    /// The token that the browser has from the beginning.
    pub browser: Option<String>,
}

impl App {
    /// Ends a sign-in with somebody else: where to lead the browser, with a
    /// code for the application, or with an error. Nothing is done twice: the
    /// state is used up whatever comes of it.
    ///
    /// # Errors
    /// 400 `sign_in_unknown` when no such sign-in is under way in this
    /// browser, so that there is nowhere to lead to.
    pub async fn finish_oauth(
        &self,
        project: &ProjectAddress,
        provider: &ProviderName,
        back: OAuthReturn,
        client: &Client,
    ) -> Result<Url> {
        let state = token::hash(&back.state);
        let browser = token::hash(back.browser.as_deref().ok_or_else(unknown)?);
        let sign_in = self
            .platform()
            .oauth_sign_ins()
            .take(project.id, provider, &state, &browser)
            .await?
            .ok_or_else(unknown)?;
        let mut to = Url::parse(&sign_in.redirect_to)
            .map_err(|error| Error::internal("read where a sign-in leads", error))?;
        match self
            .complete(project, provider, &sign_in, &back, client)
            .await
        {
            Ok(code) => {
                to.query_pairs_mut().append_pair("code", &code);
            }
            Err(error) => {
                tracing::warn!(project = %project.id, %provider, error = %chain(&error), "a sign-in with a provider failed");
                tell(&mut to, &error);
            }
        }
        Ok(to)
    }

    /// Where to tell the application that a sign-in cannot begin; nothing when
    /// the project does not allow the address.
    pub async fn where_to_tell(
        &self,
        project: ProjectId,
        wanted: &str,
        error: &Error,
    ) -> Option<Url> {
        let auth = self.enabled_auth(project).await.ok()?;
        let mut to = auth.settings.redirect(Some(wanted)).ok()??;
        tell(&mut to, error);
        Some(to)
    }

    /// A code of ours for one of the provider's.
    async fn complete(
        &self,
        project: &ProjectAddress,
        name: &ProviderName,
        sign_in: &OAuthSignIn,
        back: &OAuthReturn,
        client: &Client,
    ) -> Result<String> {
        let code = match (&back.error, &back.code) {
            (None, Some(code)) if code.len() <= MAX_CODE => code,
            (Some(_), _) => return Err(denied()),
            _ => return Err(super::unproven("the provider sent no code")),
        };
        let auth = self.enabled_auth(project.id).await?;
        let provider = self.usable_provider(project.id, name).await?;
        let secrets = self.secrets_of(project, sign_in, &back.state)?;
        let secret = self.client_secret(&provider)?;
        let callback = self.oauth_callback(&project.slug, name);
        let answer = Return {
            code,
            issuer: back.issuer.as_deref(),
            callback: &callback,
            secrets: &secrets,
            now: self.clock().now(),
        };
        let outside = self
            .providers()
            .identify(&provider, secret.as_ref(), answer)
            .await?;
        let (user, links) = match secrets.links {
            Some(user) => {
                let user = UserId::from_uuid(user);
                self.to_be_linked(&provider, user, outside).await?
            }
            None => {
                let user = self.user_of(&auth, &provider, outside, client).await?;
                (user, None)
            }
        };
        if user.disabled_at.is_some() {
            return Err(shut_out());
        }
        let code = token::generate(redeem::PREFIX)?;
        let new = NewOAuthCode {
            code_hash: token::hash(&code),
            user: user.id,
            code_challenge: sign_in.code_challenge.clone(),
            recovers: false,
            links,
            lifetime: LIFETIME,
        };
        self.platform()
            .oauth_codes()
            .create(project.id, new)
            .await?;
        Ok(code)
    }

    fn secrets_of(
        &self,
        project: &ProjectAddress,
        sign_in: &OAuthSignIn,
        state: &str,
    ) -> Result<Secrets> {
        let identity = secrets_identity(project.id, &token::hash(state));
        let text = self.sealer().open(&identity, &sign_in.sealed_secrets)?;
        serde_json::from_slice(text.expose_secret())
            .map_err(|error| Error::internal("read what a sign-in keeps to itself", error))
    }

    /// The signed-in user who began this, and what is to be linked once the
    /// application has shown that it was itself.
    async fn to_be_linked(
        &self,
        provider: &AuthProvider,
        user: UserId,
        mut outside: OutsideUser,
    ) -> Result<(EndUser, Option<NewIdentity>)> {
        outside.email = outside.email.filter(|text| text.len() <= MAX_ADDRESS);
        let project = provider.project;
        let found = self.platform().users().find(project, user).await?;
        let user = found.ok_or_else(shut_out)?;
        let known = self
            .platform()
            .identities()
            .find(project, &outside.issuer, &outside.subject)
            .await?;
        match known {
            Some(known) if known.user == user.id => Ok((user, None)),
            Some(_) => Err(Error::conflict(
                "identity_taken",
                "another account signs in with this one",
            )),
            None => {
                let new = identity_of(&user, provider, outside);
                Ok((user, Some(new)))
            }
        }
    }

    /// The user that somebody is, is linked to, or becomes.
    async fn user_of(
        &self,
        auth: &ProjectAuth,
        provider: &AuthProvider,
        mut outside: OutsideUser,
        client: &Client,
    ) -> Result<EndUser> {
        outside.email = outside.email.filter(|text| text.len() <= MAX_ADDRESS);
        let project = provider.project;
        let (users, identities) = (self.platform().users(), self.platform().identities());
        let known = identities
            .find(project, &outside.issuer, &outside.subject)
            .await?;
        if let Some(known) = known {
            let email = outside.email.as_deref();
            identities.note_use(known.id, email).await?;
            return users.get(project, known.user).await;
        }
        let address = outside.email.as_deref().ok_or_else(no_address)?;
        let email = admins::email(address).map_err(|_| no_address())?;
        let Some(user) = users.find_by_email(project, &email).await? else {
            return self
                .become_user(auth, provider, (&outside, email), client)
                .await;
        };
        // Both sides have to be sure of the address: else whoever got one of
        // the accounts with somebody else's address would get the other.
        if !outside.email_verified || user.email_verified_at.is_none() {
            return Err(not_linked());
        }
        if user.disabled_at.is_none() {
            let new = identity_of(&user, provider, outside);
            let linked = json!({ "provider": new.provider, "by": "address" });
            let unit = self.platform().begin().await?;
            unit.identities().link(project, new).await?;
            let target = user.id.to_string();
            let event = deeds::myself(&user, client).did(
                "user.link_identity",
                Some(project),
                target,
                linked,
            );
            unit.audit().append(event).await?;
            unit.commit().await?;
        }
        Ok(user)
    }

    async fn become_user(
        &self,
        auth: &ProjectAuth,
        provider: &AuthProvider,
        (outside, email): (&OutsideUser, String),
        client: &Client,
    ) -> Result<EndUser> {
        if auth.settings.sign_up != SignUpPolicy::Open || !provider.sign_up {
            return Err(Error::new(
                ErrorKind::Forbidden,
                "sign_up_closed",
                "this project takes new users by invitation only, or not at all",
            ));
        }
        let project = provider.project;
        let new = NewUser {
            email,
            handle: None,
            // A name that does not do is left out, it can be chosen later.
            name: profile::name(outside.name.clone()).unwrap_or_default(),
            password_hash: None,
            email_verified: outside.email_verified,
            roles: vec![roles::DEFAULT.to_owned()],
        };
        let unit = self.platform().begin().await?;
        let user = unit.users().create(project, new).await?;
        let new = identity_of(&user, provider, outside.clone());
        unit.identities().link(project, new).await?;
        unit.audit()
            .append(deeds::signed_up(&user, provider.name.as_str(), client))
            .await?;
        unit.commit().await?;
        if auth.settings.require_verified_email && user.email_verified_at.is_none() {
            self.mails().ask(MailRequest {
                project,
                kind: MailKind::VerifyEmail,
                to: Recipient::User(user.id),
                onward: Onward::default().checked(&auth.settings)?,
            });
        }
        Ok(user)
    }
}

fn identity_of(user: &EndUser, provider: &AuthProvider, outside: OutsideUser) -> NewIdentity {
    NewIdentity {
        user: user.id,
        provider: provider.name.clone(),
        issuer: outside.issuer,
        subject: outside.subject,
        email: outside.email,
    }
}

/// Tells the application why there is no code, as OAuth does (RFC 6749,
/// section 4.1.2.1), with our own code beside it.
fn tell(to: &mut Url, error: &Error) {
    let (word, message) = match error.kind() {
        ErrorKind::Unavailable | ErrorKind::DeadlineExceeded => (
            "temporarily_unavailable",
            "the provider cannot be reached, try again",
        ),
        ErrorKind::RateLimited => ("temporarily_unavailable", error.message()),
        ErrorKind::BadRequest => ("invalid_request", error.message()),
        kind if kind.is_server_fault() => ("server_error", "something went wrong, try again"),
        _ => ("access_denied", error.message()),
    };
    to.query_pairs_mut()
        .append_pair("error", word)
        .append_pair("error_code", error.code())
        .append_pair("error_description", message);
}

/// No such sign-in is under way in this browser.
fn unknown() -> Error {
    Error::bad_request(
        "sign_in_unknown",
        "this sign-in was not begun in this browser, has run out, or was finished before: go back \
         to the application and begin again",
    )
}

fn denied() -> Error {
    Error::forbidden("the provider let nobody in, or was not allowed to say who it is")
}

fn shut_out() -> Error {
    Error::new(
        ErrorKind::Forbidden,
        "account_disabled",
        "the account is shut out",
    )
}

fn no_address() -> Error {
    Error::new(
        ErrorKind::Forbidden,
        "no_email",
        "the provider gave no email address: allow it to, or sign in another way",
    )
}

fn not_linked() -> Error {
    Error::conflict(
        "identity_not_linked",
        "another account has this address: sign in to it, and prove the address there and here",
    )
}
