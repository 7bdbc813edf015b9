//! A mail server that keeps what it gets: as much of SMTP (RFC 5321) as a
//! client needs to hand a mail over.

use crate::wait::{DEADLINE, until};
use std::sync::{Arc, Mutex};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

/// A mail as it came.
#[derive(Clone, Debug)]
pub struct ReceivedMail {
    /// Whom the envelope names.
    pub to: String,
    /// Headers and body, quoted-printable undone.
    pub text: String,
}

/// A mail server on a loopback port; ends with the test.
#[derive(Clone, Debug)]
pub struct MailServer {
    port: u16,
    mails: Arc<Mutex<Vec<ReceivedMail>>>,
}

impl MailServer {
    /// Starts one.
    ///
    /// # Panics
    /// When no port is free.
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let server = Self {
            port: listener.local_addr().expect("an address").port(),
            mails: Arc::default(),
        };
        let mails = Arc::clone(&server.mails);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(talk(stream, Arc::clone(&mails)));
            }
        });
        server
    }

    /// What `ATLASHUB_SMTP_URL` has to say.
    #[must_use]
    pub fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }

    /// All mails to `address` so far.
    ///
    /// # Panics
    /// Never.
    #[must_use]
    pub fn mails_to(&self, address: &str) -> Vec<ReceivedMail> {
        let mails = self.mails.lock().expect("the mails");
        let wanted = mails.iter().filter(|mail| mail.to == address);
        wanted.cloned().collect()
    }

    /// Waits for the mail number `count` to `address`.
    pub async fn mail_to(&self, address: &str, count: usize) -> ReceivedMail {
        until("a mail", DEADLINE, || {
            std::future::ready(self.mails_to(address).into_iter().nth(count - 1))
        })
        .await
    }
}

impl ReceivedMail {
    /// The first link in it.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn link(&self) -> String {
        let start = self.text.find("http").expect("a link in the mail");
        let link = self.text[start..].split_whitespace().next();
        link.expect("a link in the mail").to_owned()
    }

    /// The token in its link.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn token(&self) -> String {
        let link = self.link();
        let (_, rest) = link.split_once("token=").expect("a token in the link");
        rest.split('&').next().unwrap_or(rest).to_owned()
    }
}

async fn talk(stream: TcpStream, mails: Arc<Mutex<Vec<ReceivedMail>>>) -> Option<()> {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    writer.write_all(b"220 mail.test ESMTP\r\n").await.ok()?;
    let mut to = String::new();
    while let Some(line) = lines.next_line().await.ok()? {
        let verb = line.split([' ', ':']).next().unwrap_or("").to_uppercase();
        let answer: &[u8] = match verb.as_str() {
            "EHLO" => b"250-mail.test\r\n250 8BITMIME\r\n",
            "RCPT" => {
                let address = line.split(['<', '>']).nth(1).unwrap_or_default();
                to = address.to_owned();
                b"250 ok\r\n"
            }
            "DATA" => {
                writer.write_all(b"354 go on\r\n").await.ok()?;
                let mut text = String::new();
                while let Some(line) = lines.next_line().await.ok()? {
                    if line == "." {
                        break;
                    }
                    let line = line.strip_prefix('.').unwrap_or(&line);
                    text.push_str(line);
                    text.push('\n');
                }
                // The only encoding that a long line of ASCII needs.
                let text = match text.to_lowercase().contains("quoted-printable") {
                    true => text.replace("=\n", "").replace("=3D", "="),
                    false => text,
                };
                let to = to.clone();
                mails
                    .lock()
                    .expect("the mails")
                    .push(ReceivedMail { to, text });
                b"250 kept\r\n"
            }
            "QUIT" => {
                writer.write_all(b"221 bye\r\n").await.ok()?;
                return Some(());
            }
            _ => b"250 ok\r\n",
        };
        writer.write_all(answer).await.ok()?;
    }
    Some(())
}
