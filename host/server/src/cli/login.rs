//! `atlashub login`: signs in and keeps the session token in the user's own
//! configuration folder, readable by the user alone.

use super::client::{self, Client, ServerArgs};
use anyhow::Context as _;
use clap::Args;
use reqwest::Method;
use serde_json::{Map, Value, json};
use std::{
    io::{BufRead as _, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Flags of `login`.
#[derive(Args, Debug)]
pub(crate) struct LoginArgs {
    /// The admin's email address
    #[arg(long, required_unless_present = "out")]
    email: Option<String>,
    /// Forget the kept session instead
    #[arg(long)]
    out: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// Signs in, or out.
///
/// # Errors
/// When the server refuses, or the token cannot be kept.
pub(crate) fn run(args: &LoginArgs) -> anyhow::Result<ExitCode> {
    let client = Client::new(&args.server)?;
    let file = file().context("no folder for settings: HOME is not set")?;
    let mut kept = read(&file);
    if args.out {
        // Forgotten here in any case: the session may be over already.
        kept.remove(client.base());
        write(&file, &kept)?;
        client::block_on(client.json(client.request(Method::DELETE, "/admin/v1/session")))
            .context("forgotten here, but the server did not end the session")?;
        println!("signed out of {}", client.base());
        return Ok(ExitCode::SUCCESS);
    }
    let password = password()?;
    let answer = client::block_on(client.call(
        Method::POST,
        "/admin/v1/session",
        &json!({ "email": args.email, "password": password }),
    ))?;
    kept.insert(
        client.base().to_owned(),
        Value::from(client::text(&answer, "token")),
    );
    write(&file, &kept)?;
    println!(
        "signed in to {} until {}",
        client.base(),
        client::text(&answer, "expires_at")
    );
    Ok(ExitCode::SUCCESS)
}

/// The session token kept for a server.
pub(super) fn kept(base: &str) -> Option<String> {
    read(&file()?).get(base)?.as_str().map(str::to_owned)
}

/// Reads a password: the first line of standard input, without an echo when
/// that is a terminal.
fn password() -> anyhow::Result<String> {
    let terminal = std::io::stdin().is_terminal();
    if terminal {
        eprint!("password: ");
        std::io::stderr()
            .flush()
            .context("cannot write to the terminal")?;
    }
    let _quiet = terminal.then(Quiet::new);
    let mut line = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut line)
        .context("cannot read the password")?;
    if terminal {
        eprintln!();
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Turns a terminal's echo off until dropped.
struct Quiet {
    #[cfg(unix)]
    before: Option<libc::termios>,
}

impl Quiet {
    #[cfg(unix)]
    fn new() -> Self {
        let mut state = std::mem::MaybeUninit::<libc::termios>::uninit();
        // SAFETY: tcgetattr fills `state` when it answers 0; only then is it read.
        let before = unsafe {
            (libc::tcgetattr(libc::STDIN_FILENO, state.as_mut_ptr()) == 0)
                .then(|| state.assume_init())
        };
        if let Some(mut quiet) = before {
            quiet.c_lflag &= !libc::ECHO;
            // SAFETY: `quiet` is a state that the system gave us, with one flag cleared.
            unsafe { libc::tcsetattr(libc::STDIN_FILENO, libc::TCSANOW, &raw const quiet) };
        }
        Self { before }
    }

    #[cfg(not(unix))]
    fn new() -> Self {
        Self {}
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(before) = self.before {
            // SAFETY: restores the state that the system gave us.
            unsafe { libc::tcsetattr(libc::STDIN_FILENO, libc::TCSANOW, &raw const before) };
        }
    }
}

fn file() -> Option<PathBuf> {
    let folder = std::env::var_os("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".config")))?;
    Some(folder.join("atlashub").join("credentials.json"))
}

fn read(file: &Path) -> Map<String, Value> {
    std::fs::read(file)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default()
}

fn write(file: &Path, kept: &Map<String, Value>) -> anyhow::Result<()> {
    let folder = file.parent().context("no folder for settings")?;
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let bytes = serde_json::to_vec_pretty(kept).context("cannot write the credentials")?;
    crate::private_file::replace(file, &bytes)
        .with_context(|| format!("cannot write {}", file.display()))
}
