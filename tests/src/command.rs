//! The binary as a command: with settings of its own and no server, or beside
//! one until the test ends it.

use crate::{
    DEADLINE, TestServer,
    server::{DEV_TOKEN, binary, forget_settings},
    stores::Stores,
};
use std::{path::PathBuf, process::Stdio};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

/// Settings that lead to empty stores, and no server on them.
#[derive(Debug)]
pub struct Setup {
    stores: Stores,
}

impl Setup {
    /// Makes the stores; the data folder does not exist yet.
    pub async fn make() -> Self {
        Self {
            stores: Stores::make().await,
        }
    }

    /// The data folder.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        data_dir(&self.stores)
    }

    /// A setting that leads to these stores.
    #[must_use]
    pub fn setting(&self, name: &str) -> Option<&str> {
        let found = self.stores.variables().iter().find(|(own, _)| *own == name);
        found.map(|(_, value)| value.as_str())
    }

    /// What a server on these stores says, which does not want to start.
    ///
    /// # Panics
    /// When it does.
    pub async fn refused_to_serve(&self) -> String {
        let serving = self.run(&["serve"], &[]);
        let (code, said) = tokio::time::timeout(DEADLINE, serving)
            .await
            .unwrap_or_else(|_| panic!("it serves"));
        assert_ne!(code, 0, "{said}");
        said
    }

    /// Starts a server on these stores.
    pub async fn start(self) -> TestServer {
        TestServer::on_stores(self.stores).await
    }

    /// Runs a command that takes a node's settings, with `variables` over
    /// them, and answers with what it ended and what it printed.
    ///
    /// # Panics
    /// When it cannot be run, or is killed.
    pub async fn run(&self, args: &[&str], variables: &[(&str, &str)]) -> (i32, String) {
        run(&self.stores, args, variables).await
    }

    /// As [`run`](Self::run), by a program whose file is removed before it begins.
    ///
    /// # Panics
    /// When it cannot be run, or is killed.
    pub async fn run_from_a_removed_file(&self, args: &[&str]) -> (i32, String) {
        // What is open can be run, whatever became of its name.
        const REMOVED: &str = r#"cp "$0" "$1" && exec 3<"$1" && rm "$1" && shift &&
            exec /proc/self/fd/3 "$@""#;
        let mut command = Command::new("sh");
        command
            .args(["-c", REMOVED])
            .arg(binary())
            .arg(self.stores.folder(0).join("removed"))
            .args(args);
        output(&self.stores, command, &[]).await
    }
}

/// A command that runs until it ends by itself or this is dropped.
#[derive(Debug)]
pub struct RunningCommand {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl TestServer {
    /// Runs `doctor` with the settings of this server while it runs, and
    /// answers with what it ended and what it printed.
    ///
    /// # Panics
    /// When it cannot be run, or is killed.
    pub async fn doctor(&self, variables: &[(&str, &str)]) -> (i32, String) {
        self.run_with_its_settings(&["doctor"], variables).await
    }

    /// Runs a command that takes a node's settings with those of this server,
    /// `variables` over them, and answers with what it ended and what it printed.
    ///
    /// # Panics
    /// When it cannot be run, or is killed.
    pub async fn run_with_its_settings(
        &self,
        args: &[&str],
        variables: &[(&str, &str)],
    ) -> (i32, String) {
        let listen = self.address().to_string();
        let own = [("ATLASHUB_LISTEN", listen.as_str())];
        let its = self
            .variables
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let variables: Vec<_> = its.chain(own).chain(variables.iter().copied()).collect();
        run(&self.stores, args, &variables).await
    }

    /// Starts a command as [`run_with_its_settings`](Self::run_with_its_settings)
    /// runs one.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start_with_its_settings(
        &self,
        args: &[&str],
        variables: &[(&str, &str)],
    ) -> RunningCommand {
        let mut command = Command::new(binary());
        forget_settings(command.as_std_mut());
        let mut child = command
            .args(args)
            .env("ATLASHUB_DATA_DIR", data_dir(&self.stores))
            .envs(
                self.stores
                    .variables()
                    .iter()
                    .map(|(name, value)| (*name, value)),
            )
            .envs(&self.variables)
            .envs(variables.iter().copied())
            .current_dir(self.stores.folder(0))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("start a command");
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        RunningCommand { child, lines }
    }

    /// Starts a command of the same binary as this server's developer.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start_command(&self, args: &[&str]) -> RunningCommand {
        let mut child = Command::new(binary())
            .args(args)
            .env("ATLASHUB_URL", self.url(""))
            .env("ATLASHUB_DEV_ADMIN_TOKEN", DEV_TOKEN)
            .current_dir(self.folder())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("start a command");
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        RunningCommand { child, lines }
    }
}

impl RunningCommand {
    /// Waits for the next line that contains `text`.
    ///
    /// # Panics
    /// When it ends before, or the line does not come.
    pub async fn line_with(&mut self, text: &str) -> String {
        let wanted = async {
            loop {
                let line = self.lines.next_line().await.expect("read its output");
                let line = line.unwrap_or_else(|| panic!("it ended without a line with `{text}`"));
                if line.contains(text) {
                    return line;
                }
            }
        };
        tokio::time::timeout(DEADLINE, wanted)
            .await
            .unwrap_or_else(|_| panic!("no line with `{text}` within {DEADLINE:?}"))
    }

    /// Kills it, and waits until it is gone.
    ///
    /// # Panics
    /// When it cannot be killed.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("kill a command");
    }

    /// Waits until it ends by itself, and answers with what, and what it had
    /// to say on standard error.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn ended(mut self) -> (i32, String) {
        let end = async {
            let mut said = String::new();
            let mut errors = self.child.stderr.take().expect("its errors");
            errors
                .read_to_string(&mut said)
                .await
                .expect("read its errors");
            let status = self.child.wait().await.expect("wait for it");
            (status.code().expect("an end of its own"), said)
        };
        tokio::time::timeout(DEADLINE, end)
            .await
            .unwrap_or_else(|_| panic!("it did not end within {DEADLINE:?}"))
    }
}

async fn run(stores: &Stores, args: &[&str], variables: &[(&str, &str)]) -> (i32, String) {
    let mut command = Command::new(binary());
    command.args(args);
    output(stores, command, variables).await
}

async fn output(
    stores: &Stores,
    mut command: Command,
    variables: &[(&str, &str)],
) -> (i32, String) {
    forget_settings(command.as_std_mut());
    let output = command
        .env("ATLASHUB_DATA_DIR", data_dir(stores))
        .env("ATLASHUB_LISTEN", "127.0.0.1:0")
        .envs(
            stores
                .variables()
                .iter()
                .map(|(name, value)| (*name, value)),
        )
        .envs(variables.iter().copied())
        .current_dir(stores.folder(0))
        .stdin(Stdio::null())
        .output()
        .await
        .expect("run a command");
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.code().expect("an end of its own"),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

fn data_dir(stores: &Stores) -> PathBuf {
    stores.folder(0).join("data")
}
