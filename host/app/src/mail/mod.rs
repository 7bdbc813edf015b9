//! Mail: by SMTP (RFC 5321) where a server is configured, else one file a
//! message in the data folder, for developers.
//!
//! Mails are queued in memory, bounded in number, and sent by a few workers,
//! so that whoever asks for one waits for no mail server and learns nothing of
//! an account by the time it takes. A mail that cannot be sent is tried again
//! a few times, then given up: whoever waits for it asks for another. Mails of
//! plugins, for which nobody would ask again, are kept in the queue instead.

mod compose;
mod of_plugins;
mod outbox;

pub use compose::escape;
pub(crate) use compose::{Mail, fill};
pub(crate) use of_plugins::{KeptMails, MailsOfPlugins};

use crate::{Actor, App, admins, changes::chain};
use atlashub_core::{Error, Result};
use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    message::Mailbox,
    transport::smtp::{
        AsyncSmtpTransportBuilder, PoolConfig,
        client::{Certificate, Tls, TlsParameters},
    },
};
use outbox::Outbox;
use secrecy::{ExposeSecret as _, SecretString};
use std::{path::PathBuf, time::Duration};
use url::Url;

/// Connections to the mail server.
const CONNECTIONS: u32 = 4;
/// Longest wait for the mail server.
const PATIENCE: Duration = Duration::from_secs(20);
/// Waits before a mail is tried again.
const RETRIES: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_secs(10),
    Duration::from_secs(60),
];

/// How mails are sent.
#[derive(Clone, Debug)]
pub struct MailSettings {
    /// `smtps://user:password@host:465`, or `smtp://…:587`, which asks for TLS
    /// unless the server is on this machine or `?tls=none` says otherwise;
    /// without one, mails are written into `outbox`.
    pub smtp_url: Option<SecretString>,
    /// Certificates (PEM) that the server's may be issued by, beside those that
    /// everybody trusts.
    pub smtp_ca: Option<Vec<u8>>,
    /// Who they come from: `AtlasHub <no-reply@example.com>`.
    pub from: String,
    /// The folder of mails that are not sent.
    pub outbox: PathBuf,
}

/// Sends mails.
pub(crate) struct Mailer {
    from: Mailbox,
    way: Way,
}

/// Why a mail was not sent.
pub(crate) struct Refused {
    /// Whether another try is of no use.
    pub(crate) for_good: bool,
    /// What is wrong, for programs.
    pub(crate) code: &'static str,
    pub(crate) error: Error,
}

/// Replies of a mail server about who sends, not about the mail (RFC 4954): a
/// password that is wrong, or a way of signing in that it does not take.
const SIGN_IN_REPLIES: [u16; 4] = [530, 534, 535, 538];

impl Refused {
    /// What the mail server, or the way there, said.
    fn by_server(error: lettre::transport::smtp::Error) -> Self {
        let about_us = error
            .status()
            .is_some_and(|code| SIGN_IN_REPLIES.contains(&u16::from(code)));
        let for_good = error.is_permanent() && !about_us;
        Self {
            for_good,
            code: match (about_us, for_good) {
                (true, _) => "mail_sign_in_refused",
                (false, true) => "mail_refused",
                (false, false) => "mail_not_sent",
            },
            error: Error::internal("send a mail", error),
        }
    }
}

enum Way {
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
    Outbox(Outbox),
}

impl Mailer {
    /// A mailer as the settings say. Connects to nothing yet.
    ///
    /// # Errors
    /// `invalid_mail_settings`.
    pub(crate) fn new(settings: MailSettings) -> Result<Self> {
        let from = settings.from.parse().map_err(|error| {
            invalid("the sender of mails must look like `Name <name@example.com>`")
                .with_source(error)
        })?;
        let way = match &settings.smtp_url {
            None => Way::Outbox(Outbox::new(settings.outbox)),
            Some(url) => {
                let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(&with_tls(url.expose_secret()))
                    .map_err(|_| {
                        invalid("the mail server's address must look like `smtps://user:password@host:465` or `smtp://host:587?tls=required`")
                    })?;
                let builder = match &settings.smtp_ca {
                    Some(pem) => trusting(builder, url.expose_secret(), pem)?,
                    None => builder,
                };
                Way::Smtp(
                    builder
                        .timeout(Some(PATIENCE))
                        .pool_config(PoolConfig::new().max_size(CONNECTIONS))
                        .build(),
                )
            }
        };
        Ok(Self { from, way })
    }

    /// Tries once to send a mail.
    pub(crate) async fn try_to_send(&self, mail: Mail) -> std::result::Result<(), Refused> {
        let message = mail.message(self.from.clone()).map_err(|error| Refused {
            for_good: true,
            code: "mail_refused",
            error,
        })?;
        match &self.way {
            Way::Outbox(outbox) => outbox.keep(&message).await.map_err(|error| Refused {
                for_good: false,
                code: "mail_not_sent",
                error,
            }),
            Way::Smtp(transport) => match transport.send(message).await {
                Ok(_) => Ok(()),
                Err(error) => Err(Refused::by_server(error)),
            },
        }
    }

    /// Sends a mail; one that the server does not take now is tried again.
    ///
    /// # Errors
    /// When it cannot be written, or the server refused it for good or for
    /// too long.
    pub(crate) async fn send(&self, mail: Mail) -> Result<()> {
        let message = mail.message(self.from.clone())?;
        match &self.way {
            Way::Outbox(outbox) => outbox.keep(&message).await,
            Way::Smtp(transport) => send_by(transport, message).await,
        }
    }
}

impl App {
    /// Tries once to send a mail that says that mails arrive; answers the
    /// address.
    ///
    /// # Errors
    /// `invalid_email`; `mail_refused`, `mail_not_sent` or
    /// `mail_sign_in_refused` with what the mail server, or the way there, said.
    pub async fn try_mail(&self, actor: &Actor, to: &str) -> Result<String> {
        let to = admins::email(to)?;
        let address = self.directory().public_address();
        let mail = Mail {
            to: to.clone(),
            subject: "Mails of AtlasHub arrive".to_owned(),
            text: format!("An admin of {address} asked whether mails arrive here. They do."),
            html: None,
        };
        if let Err(refused) = self.mailer().try_to_send(mail).await {
            let why = chain(&refused.error);
            return Err(Error::invalid(
                refused.code,
                format!("the mail was not sent: {why}"),
            ));
        }
        let event = actor.did("mail.try", None, to.clone(), serde_json::json!({}));
        self.platform().audit().append(event).await?;
        Ok(to)
    }
}

async fn send_by(transport: &AsyncSmtpTransport<Tokio1Executor>, message: Message) -> Result<()> {
    let mut retries = RETRIES.into_iter();
    loop {
        let refused = match transport.send(message.clone()).await {
            Ok(_) => return Ok(()),
            Err(error) => Refused::by_server(error),
        };
        match retries.next() {
            Some(wait) if !refused.for_good => tokio::time::sleep(wait).await,
            _ => return Err(refused.error),
        }
    }
}

/// The same way, on which these certificates are trusted, too.
fn trusting(
    builder: AsyncSmtpTransportBuilder,
    url: &str,
    pem: &[u8],
) -> Result<AsyncSmtpTransportBuilder> {
    let unread =
        |error| invalid("the certificates for the mail server must be in PEM").with_source(error);
    let url = Url::parse(&with_tls(url))
        .map_err(|error| invalid("the mail server's address cannot be read").with_source(error))?;
    let host = url.host_str().unwrap_or_default().to_owned();
    let parameters = TlsParameters::builder(host)
        .add_root_certificate(Certificate::from_pem(pem).map_err(unread)?)
        .build()
        .map_err(unread)?;
    let tls = url
        .query_pairs()
        .find(|(name, _)| name == "tls")
        .map(|(_, value)| value.into_owned());
    Ok(builder.tls(match (url.scheme(), tls.as_deref()) {
        ("smtps", _) => Tls::Wrapper(parameters),
        (_, Some("required")) => Tls::Required(parameters),
        (_, Some("opportunistic")) => Tls::Opportunistic(parameters),
        _ => Tls::None,
    }))
}

/// The address as the library reads it, which would send passwords in the
/// clear where the address does not ask for TLS.
fn with_tls(text: &str) -> String {
    let Ok(mut url) = Url::parse(text) else {
        return text.to_owned();
    };
    let tls = url
        .query_pairs()
        .find(|(name, _)| name == "tls")
        .map(|(_, value)| value.into_owned());
    let local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    match tls.as_deref() {
        Some("none") => url.set_query(None),
        None if url.scheme() == "smtp" && !local => url.set_query(Some("tls=required")),
        _ => {}
    }
    url.into()
}

fn invalid(message: &str) -> Error {
    Error::invalid("invalid_mail_settings", message)
}

#[cfg(test)]
mod tests {
    use super::with_tls;

    #[test]
    fn a_password_never_travels_in_the_clear_unasked() {
        for (given, used) in [
            (
                "smtp://u:p@mail.example:587",
                "smtp://u:p@mail.example:587?tls=required",
            ),
            (
                "smtps://u:p@mail.example:465",
                "smtps://u:p@mail.example:465",
            ),
            ("smtp://localhost:1025", "smtp://localhost:1025"),
            ("smtp://mail.example:25?tls=none", "smtp://mail.example:25"),
            (
                "smtp://mail.example:25?tls=opportunistic",
                "smtp://mail.example:25?tls=opportunistic",
            ),
        ] {
            assert_eq!(with_tls(given), used);
        }
    }
}
