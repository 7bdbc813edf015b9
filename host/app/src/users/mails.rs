//! Mails to end users: asked for by a handler that waits for nothing, made
//! and sent by workers. Who has no account gets none, and nobody else learns
//! of it.

use super::{AuthSettings, MailKind, MailTemplate, oauth::redeem};
use crate::{
    App,
    changes::chain,
    mail::{Mail, fill},
};
use atlashub_core::{ProjectId, Result, UserId, token};
use atlashub_data::platform::{EndUser, OneTimeKind};
use futures::StreamExt as _;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use url::Url;

/// Mails that wait to be made.
const QUEUE: usize = 1_000;
/// Mails that are made and sent at once.
const AT_ONCE: usize = 4;
/// How long a node that ends goes on with what waits.
const LAST: Duration = Duration::from_secs(5);
/// How a mailed token starts.
pub(super) const PREFIX: &str = "aho_";

/// A mail that somebody asked for.
#[derive(Clone, Debug)]
pub(crate) struct MailRequest {
    pub(crate) project: ProjectId,
    pub(crate) kind: MailKind,
    pub(crate) to: Recipient,
    /// Where the mail leads in the end, and how.
    pub(crate) onward: CheckedOnward,
}

/// Where a mail leads in the end, and how, as somebody wants it.
#[derive(Clone, Debug, Default)]
pub struct Onward {
    /// One of the project's `redirect_urls`, the first of them unless given.
    pub redirect: Option<String>,
    /// Whether following the link signs in, whatever the mail is for.
    pub signs_in: bool,
    /// The challenge of an application that fetches the tokens with a code
    /// (RFC 7636); without one they stand in the fragment.
    pub code_challenge: Option<String>,
}

/// The same, as the project allows it.
#[derive(Clone, Debug)]
pub(crate) struct CheckedOnward {
    redirect: Option<Url>,
    signs_in: bool,
    code_challenge: Option<String>,
}

impl CheckedOnward {
    /// Where it leads in the end.
    pub(super) fn redirect(&self) -> Option<String> {
        self.redirect.as_ref().map(Url::to_string)
    }
}

impl Onward {
    /// To where, and as the host itself leads on.
    #[must_use]
    pub fn to(redirect: Option<String>) -> Self {
        Self {
            redirect,
            ..Self::default()
        }
    }

    /// # Errors
    /// `redirect_not_allowed`, `pkce_required`.
    pub(super) fn checked(self, settings: &AuthSettings) -> Result<CheckedOnward> {
        if let Some(challenge) = &self.code_challenge {
            redeem::check_challenge(challenge)?;
        }
        Ok(CheckedOnward {
            redirect: settings.redirect(self.redirect.as_deref())?,
            signs_in: self.signs_in,
            code_challenge: self.code_challenge,
        })
    }
}

/// Whom a mail is for.
#[derive(Clone, Debug)]
pub(crate) enum Recipient {
    /// Whoever has this address, if anybody does.
    Address(String),
    /// This user.
    User(UserId),
}

/// Mails that wait to be made.
#[derive(Clone)]
pub(crate) struct MailQueue(mpsc::Sender<MailRequest>);

impl MailQueue {
    pub(crate) fn new() -> (Self, mpsc::Receiver<MailRequest>) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        (Self(sender), receiver)
    }

    /// Asks for a mail. When too many wait, it is dropped: who asked cannot
    /// be told, or would learn of an account.
    pub(super) fn ask(&self, request: MailRequest) {
        if self.0.try_send(request).is_err() {
            tracing::warn!("a mail was dropped, too many are waiting for the mail server");
        }
    }
}

/// Makes and sends mails until the app ends.
pub(crate) async fn run(app: App, requests: mpsc::Receiver<MailRequest>) {
    let stop = app.stopping();
    let mut requests = requests;
    let (feed, fed) = mpsc::channel(1);
    let sending = ReceiverStream::new(fed).for_each_concurrent(AT_ONCE, |request| {
        let app = app.clone();
        async move { app.deliver(request).await }
    });
    let feeding = async {
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                request = requests.recv() => match request {
                    Some(request) => if feed.send(request).await.is_err() { break },
                    None => break,
                },
            }
        }
        requests.close();
        let rest = async {
            while let Some(request) = requests.recv().await {
                if feed.send(request).await.is_err() {
                    break;
                }
            }
        };
        let _ = tokio::time::timeout(LAST, rest).await;
        drop(feed);
    };
    let last = async {
        stop.cancelled().await;
        tokio::time::sleep(LAST).await;
    };
    tokio::select! {
        ((), ()) = futures::future::join(sending, feeding) => {}
        () = last => tracing::warn!("some mails were not sent before the end"),
    }
}

impl App {
    async fn deliver(&self, request: MailRequest) {
        let (project, kind) = (request.project, request.kind);
        if let Err(error) = self.make_and_send(request).await {
            tracing::warn!(%project, ?kind, error = %chain(&error), "a mail was not sent");
        }
    }

    async fn make_and_send(&self, request: MailRequest) -> Result<()> {
        let auth = self.access().project(request.project).await?;
        let users = self.platform().users();
        let user = match &request.to {
            Recipient::Address(email) => users.find_by_email(request.project, email).await?,
            Recipient::User(id) => users.find(request.project, *id).await?,
        };
        let Some(user) = user.filter(|user| user.disabled_at.is_none()) else {
            return Ok(());
        };
        if request.kind == MailKind::VerifyEmail && user.email_verified_at.is_some() {
            return Ok(());
        }
        let Some(project) = self.platform().projects().find(request.project).await? else {
            return Ok(());
        };
        let token = token::generate(PREFIX)?;
        let (kind, lifetime) = one_time(request.kind);
        self.platform()
            .one_time_tokens()
            .create(user.id, kind, &user.email, &token::hash(&token), lifetime)
            .await?;
        let link = link(
            &self.directory().public_url(&project.slug),
            request.kind,
            &token,
            &request.onward,
        );
        let mail = compose(
            &auth.settings,
            request.kind,
            &user,
            &project.name,
            &token,
            &link,
        );
        self.mailer().send(mail).await
    }
}

pub(super) fn one_time(kind: MailKind) -> (OneTimeKind, Duration) {
    const HOUR: u64 = 3_600;
    let (kind, seconds) = match kind {
        MailKind::VerifyEmail => (OneTimeKind::VerifyEmail, 24 * HOUR),
        MailKind::MagicLink => (OneTimeKind::MagicLink, HOUR / 4),
        MailKind::ResetPassword => (OneTimeKind::ResetPassword, HOUR),
        MailKind::Invite => (OneTimeKind::Invite, 7 * 24 * HOUR),
    };
    (kind, Duration::from_secs(seconds))
}

/// Where a mail leads. New passwords are typed into the application's own
/// page, where it has one; everything else starts at the host's, which leads
/// on. The token stands in the fragment of a foreign page: it is in no log.
pub(super) fn link(base: &str, kind: MailKind, token: &str, onward: &CheckedOnward) -> String {
    if onward.signs_in {
        return signing_link(base, kind, token, onward);
    }
    let redirect = onward.redirect.as_ref();
    let sets_password = matches!(kind, MailKind::ResetPassword | MailKind::Invite);
    if let (true, Some(page)) = (sets_password, redirect) {
        let mut page = page.clone();
        page.set_fragment(Some(&format!("type={}&token={token}", kind.as_str())));
        return page.into();
    }
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("type", kind.as_str());
    query.append_pair("token", token);
    if let Some(page) = redirect {
        query.append_pair("redirect_to", page.as_str());
    }
    format!("{base}/v1/auth/confirm?{}", query.finish())
}

/// A link that signs in, whatever the mail is for: the way of supabase.
fn signing_link(base: &str, kind: MailKind, token: &str, onward: &CheckedOnward) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("token", token);
    query.append_pair("type", kind.in_dialect());
    if let Some(page) = &onward.redirect {
        query.append_pair("redirect_to", page.as_str());
    }
    if let Some(challenge) = &onward.code_challenge {
        query.append_pair("code_challenge", challenge);
    }
    format!("{base}/auth/v1/verify?{}", query.finish())
}

fn compose(
    settings: &AuthSettings,
    kind: MailKind,
    user: &EndUser,
    project: &str,
    token: &str,
    link: &str,
) -> Mail {
    let name = user.name.as_deref().unwrap_or(&user.email);
    let values = [
        ("link", link),
        ("token", token),
        ("project", project),
        ("email", user.email.as_str()),
        ("name", name),
    ];
    let template = settings
        .mail_templates
        .get(&kind)
        .cloned()
        .unwrap_or_else(|| standard(kind));
    Mail {
        to: user.email.clone(),
        subject: fill(&template.subject, &values, false),
        text: fill(&template.text, &values, false),
        html: template.html.map(|html| fill(&html, &values, true)),
    }
}

/// The mail of a project that has none of its own. The name that a user chose
/// is left out: a stranger could sign somebody up and choose it.
fn standard(kind: MailKind) -> MailTemplate {
    let (subject, purpose, until) = match kind {
        MailKind::VerifyEmail => (
            "Confirm your address for {{project}}",
            "Please confirm that this is your email address for {{project}}",
            "24 hours",
        ),
        MailKind::MagicLink => (
            "Sign in to {{project}}",
            "Follow this link to sign in to {{project}}",
            "15 minutes",
        ),
        MailKind::ResetPassword => (
            "Set a new password for {{project}}",
            "Somebody, hopefully you, asked for a new password for {{project}}",
            "one hour",
        ),
        MailKind::Invite => (
            "You are invited to {{project}}",
            "You are invited to {{project}}. Choose a password to begin",
            "seven days",
        ),
    };
    let text = format!(
        "{purpose}:\n\n{{{{link}}}}\n\nThe link works once, and for {until}. If you did not expect \
         this mail, you can ignore it.\n"
    );
    MailTemplate {
        subject: subject.to_owned(),
        text,
        html: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_to_the_host_or_to_the_page_for_passwords() {
        let page: Url = "https://app.example.com/in?a=1".parse().unwrap();
        let to = |redirect: Option<&Url>| CheckedOnward {
            redirect: redirect.cloned(),
            signs_in: false,
            code_challenge: None,
        };
        assert_eq!(
            link(
                "https://hub/p/x",
                MailKind::MagicLink,
                "aho_1",
                &to(Some(&page))
            ),
            "https://hub/p/x/v1/auth/confirm?type=magic_link&token=aho_1&redirect_to=https%3A%2F%2Fapp.example.com%2Fin%3Fa%3D1"
        );
        assert_eq!(
            link(
                "https://hub/p/x",
                MailKind::ResetPassword,
                "aho_1",
                &to(Some(&page))
            ),
            "https://app.example.com/in?a=1#type=reset_password&token=aho_1"
        );
        assert_eq!(
            link(
                "https://hub/p/x",
                MailKind::ResetPassword,
                "aho_1",
                &to(None)
            ),
            "https://hub/p/x/v1/auth/confirm?type=reset_password&token=aho_1"
        );
        let signs_in = CheckedOnward {
            signs_in: true,
            code_challenge: Some("abc".to_owned()),
            ..to(Some(&page))
        };
        assert_eq!(
            link(
                "https://hub/p/x",
                MailKind::ResetPassword,
                "aho_1",
                &signs_in
            ),
            "https://hub/p/x/auth/v1/verify?token=aho_1&type=recovery&redirect_to=https%3A%2F%2Fapp.example.com%2Fin%3Fa%3D1&code_challenge=abc"
        );
    }

    #[test]
    fn every_standard_mail_is_one_that_a_project_may_set() {
        for kind in MailKind::ALL {
            let mut settings = AuthSettings::default();
            settings.mail_templates.insert(kind, standard(kind));
            settings.check().unwrap();
        }
    }
}
