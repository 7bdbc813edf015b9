//! A mail server that others wrote: PyPI's `aiosmtpd`, with a certificate made
//! for the test.

use crate::{DEADLINE, process::Process, until};
use std::{
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

/// The server; ends with its owner. Its one user is `hub`, with the password
/// `letters`.
#[derive(Debug)]
pub struct SmtpServer {
    port: u16,
    process: Process,
    folder: TempDir,
}

impl SmtpServer {
    /// Starts one that takes mails over TLS after signing in only.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start() -> Self {
        Self::run(true).await
    }

    /// Starts one that knows of no TLS.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn without_tls() -> Self {
        Self::run(false).await
    }

    async fn run(tls: bool) -> Self {
        let python = std::env::var("ATLASHUB_TEST_AIOSMTPD")
            .expect("ATLASHUB_TEST_AIOSMTPD is not set: `cargo xtask test` sets it");
        let folder = TempDir::with_prefix("atlashub-smtp-").expect("make a folder");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/mail_server.py");
        let mut command = Command::new(python);
        command.arg(script).arg(folder.path());
        if tls {
            certify(folder.path());
            command.args(["certificate.pem", "key.pem"].map(|name| folder.path().join(name)));
        }
        let mut process = Process::start(&mut command, &folder.path().join("log"));
        let port = until("the mail server", DEADLINE, || {
            let log = process.log();
            if let Some(status) = process.ended() {
                panic!("the mail server ended with {status}:\n{log}");
            }
            let mut lines = log.lines();
            let port = lines.find_map(|line| line.strip_prefix("port ")?.parse().ok());
            std::future::ready(port)
        })
        .await;
        Self {
            port,
            process,
            folder,
        }
    }

    /// What `ATLASHUB_SMTP_URL` has to say with this password.
    #[must_use]
    pub fn url(&self, password: &str) -> String {
        format!("smtp://hub:{password}@127.0.0.1:{}?tls=required", self.port)
    }

    /// The certificate by which it is known.
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    /// What it has said: its port, and who signed in.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// The mails that came, quoted-printable undone.
    ///
    /// # Panics
    /// When they cannot be read.
    #[must_use]
    pub fn mails(&self) -> Vec<String> {
        let mut files: Vec<PathBuf> = std::fs::read_dir(self.folder.path())
            .expect("the server's folder")
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.extension().is_some_and(|end| end == "eml"))
            .collect();
        files.sort();
        files
            .iter()
            .map(|path| {
                let text = std::fs::read_to_string(path).expect("a mail");
                text.replace("=\r\n", "")
                    .replace("=\n", "")
                    .replace("=3D", "=")
            })
            .collect()
    }
}

/// A certificate for 127.0.0.1, and its key.
fn certify(folder: &Path) {
    let output = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
        ])
        .args(["-nodes", "-days", "2", "-subj", "/CN=mail of the tests"])
        .args(["-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-keyout", "key.pem", "-out", "certificate.pem"])
        .current_dir(folder)
        .output()
        .expect("openssl is there");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
