//! Running other programs, and ending those that are still running when this
//! one ends.
//!
//! A program that fails is explained: what it was for, the command, the end
//! of its output. Programs started with [`Program::start`] belong to their
//! [`Running`], and all of them end on Ctrl-C.

use anyhow::{Context as _, Result, anyhow};
use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Lines of a failed program's output that are shown.
const SHOWN_LINES: usize = 30;

/// What ends when this program does: running children, folders to remove.
static OWNED: Mutex<Owned> = Mutex::new(Owned {
    children: Vec::new(),
    folders: Vec::new(),
});

struct Owned {
    children: Vec<Arc<Owner>>,
    folders: Vec<PathBuf>,
}

/// A started child and the signal that asks it to end.
struct Owner {
    child: Mutex<Child>,
    end_signal: &'static str,
}

/// A program about to be run.
pub(crate) struct Program {
    command: Command,
    end_signal: &'static str,
}

impl Program {
    /// The program `name`, without the variables that `cargo run` set for
    /// this one.
    pub(crate) fn new(name: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(name);
        for (key, _) in std::env::vars_os() {
            let own = key.to_str().is_some_and(|key| {
                key.starts_with("CARGO_PKG_") || key.starts_with("CARGO_MANIFEST_")
            });
            if own {
                command.env_remove(key);
            }
        }
        Self {
            command,
            end_signal: "TERM",
        }
    }

    /// Sets the signal that asks it to end, instead of TERM.
    pub(crate) fn end_signal(mut self, name: &'static str) -> Self {
        self.end_signal = name;
        self
    }

    /// Adds arguments.
    pub(crate) fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.command.args(args);
        self
    }

    /// Sets an environment variable.
    pub(crate) fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(key, value);
        self
    }

    /// Sets environment variables.
    pub(crate) fn envs(mut self, vars: &[(String, OsString)]) -> Self {
        for (key, value) in vars {
            self.command.env(key, value);
        }
        self
    }

    /// Sets the folder in which it runs.
    pub(crate) fn current_dir(mut self, path: impl AsRef<Path>) -> Self {
        self.command.current_dir(path);
        self
    }

    /// Runs it as another user. Only root may.
    pub(crate) fn run_by(mut self, user: Option<User>) -> Self {
        if let Some(user) = user {
            self.command.uid(user.uid).gid(user.gid);
        }
        self
    }

    /// The command as one would type it.
    fn line(&self) -> String {
        let words = std::iter::once(self.command.get_program()).chain(self.command.get_args());
        words
            .map(|word| word.to_string_lossy().into_owned())
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// Runs it to its end with its output shown.
    pub(crate) fn run(self, purpose: &str) -> Result<()> {
        let line = self.line();
        let status = self.start(purpose, None)?.wait()?;
        if status.success() {
            return Ok(());
        }
        Err(anyhow!("failed to {purpose}: `{line}` ended with {status}"))
    }

    /// Runs it to its end with its output shown, and answers whether it
    /// succeeded and the lines of its standard output.
    pub(crate) fn run_and_hear(mut self, purpose: &str) -> Result<(bool, Vec<String>)> {
        self.command.stdout(Stdio::piped());
        let running = self.start(purpose, None)?;
        let output = lock(&running.child.child).stdout.take();
        let output = output.context("the output of a program is not there")?;
        let mut heard = Vec::new();
        let mut shown = std::io::stdout();
        for line in BufReader::new(output).split(b'\n') {
            let line = line.with_context(|| format!("failed to {purpose}: read its output"))?;
            let line = String::from_utf8_lossy(&line).into_owned();
            writeln!(shown, "{line}")?;
            heard.push(line);
        }
        Ok((running.wait()?.success(), heard))
    }

    /// Runs it to its end and answers whether it succeeded, showing nothing.
    pub(crate) fn succeeds(mut self) -> bool {
        self.command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }

    /// Runs it to its end and answers its standard output. Shown only when
    /// it fails.
    pub(crate) fn output(mut self, purpose: &str) -> Result<String> {
        let line = self.line();
        let output = self
            .command
            .stdin(Stdio::null())
            .output()
            .with_context(|| could_not_start(purpose, &line))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(text);
        }
        let errors = String::from_utf8_lossy(&output.stderr);
        Err(anyhow!(
            "failed to {purpose}: `{line}` ended with {}\n{}",
            output.status,
            last_lines(&format!("{text}{errors}"))
        ))
    }

    /// Runs it to its end and answers its standard output; what it says on
    /// standard error is shown as it comes.
    pub(crate) fn output_with_progress(mut self, purpose: &str) -> Result<String> {
        let line = self.line();
        let output = self
            .command
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .with_context(|| could_not_start(purpose, &line))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(anyhow!(
            "failed to {purpose}: `{line}` ended with {}",
            output.status
        ))
    }

    /// Starts it and leaves it running; its output goes to `log`, or to the
    /// terminal without one.
    pub(crate) fn start(mut self, purpose: &str, log: Option<&Path>) -> Result<Running> {
        let line = self.line();
        self.command.stdin(Stdio::null());
        if let Some(path) = log {
            let file = File::create(path).with_context(|| format!("create {}", path.display()))?;
            self.command.stderr(file.try_clone()?).stdout(file);
        }
        let child = self
            .command
            .spawn()
            .with_context(|| could_not_start(purpose, &line))?;
        let child = Arc::new(Owner {
            child: Mutex::new(child),
            end_signal: self.end_signal,
        });
        lock(&OWNED).children.push(Arc::clone(&child));
        Ok(Running {
            child,
            purpose: purpose.to_owned(),
            log: log.map(Path::to_owned),
        })
    }
}

fn could_not_start(purpose: &str, line: &str) -> String {
    format!("failed to {purpose}: could not start `{line}`")
}

/// A program that this one started. It is told to end when this is dropped.
pub(crate) struct Running {
    child: Arc<Owner>,
    purpose: String,
    log: Option<PathBuf>,
}

impl Running {
    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        lock(&self.child.child).id()
    }

    /// Waits until `ready` holds.
    ///
    /// Fails when the program ends before, or after two minutes.
    pub(crate) fn wait_until(&self, ready: impl Fn() -> bool) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(120);
        while !ready() {
            let ended = lock(&self.child.child).try_wait()?;
            let problem = match ended {
                Some(status) => format!("it ended with {status}"),
                None if Instant::now() > deadline => "it did not answer in two minutes".to_owned(),
                None => {
                    pause();
                    continue;
                }
            };
            let log = self
                .log
                .as_ref()
                .and_then(|path| std::fs::read_to_string(path).ok());
            return Err(anyhow!(
                "failed to {}: {problem}\n{}",
                self.purpose,
                last_lines(&log.unwrap_or_default())
            ));
        }
        Ok(())
    }

    /// Waits until it ends by itself.
    pub(crate) fn wait(&self) -> Result<ExitStatus> {
        loop {
            if let Some(status) = lock(&self.child.child).try_wait()? {
                return Ok(status);
            }
            pause();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        end(&self.child);
        lock(&OWNED)
            .children
            .retain(|child| !Arc::ptr_eq(child, &self.child));
    }
}

/// A temporary folder, removed when this is dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// Makes a folder that only this user can read, and `owner` can write.
    pub(crate) fn new(name: &str, owner: Option<User>) -> Result<Self> {
        let path = std::env::temp_dir().join(format!("atlashub-{}-{name}", std::process::id()));
        anyhow::ensure!(
            !lock(&OWNED).folders.contains(&path),
            "{} is in use already",
            path.display()
        );
        // Left by a process that had the same number.
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).with_context(|| format!("create {}", path.display()))?;
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(&path, private)?;
        if let Some(user) = owner {
            user.take(&path)?;
        }
        lock(&OWNED).folders.push(path.clone());
        Ok(Self(path))
    }

    /// Where it lies.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
        lock(&OWNED).folders.retain(|path| path != &self.0);
    }
}

/// A user of this machine.
#[derive(Clone, Copy)]
pub(crate) struct User {
    uid: u32,
    gid: u32,
}

impl User {
    /// Looks a user up by name.
    pub(crate) fn named(name: &str) -> Result<Self> {
        let id = |flag: &str| -> Result<u32> {
            let text = Program::new("id")
                .args([flag, name])
                .output("look up a user")?;
            text.trim().parse().context("read a user's number")
        };
        Ok(Self {
            uid: id("-u")?,
            gid: id("-g")?,
        })
    }

    /// Gives a file to this user.
    pub(crate) fn take(&self, path: &Path) -> Result<()> {
        std::os::unix::fs::chown(path, Some(self.uid), Some(self.gid))
            .with_context(|| format!("give {} to another user", path.display()))
    }

    /// Whether this program runs as root.
    pub(crate) fn is_root() -> Result<bool> {
        let text = Program::new("id")
            .args(["-u"])
            .output("look up the own user")?;
        Ok(text.trim() == "0")
    }
}

/// Ends all children and removes all folders on Ctrl-C and on a polite kill.
pub(crate) fn end_children_on_signal() {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let Ok(mut signals) = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP]) else {
        eprintln!("signals cannot be caught here; programs may stay behind after Ctrl-C");
        return;
    };
    std::thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            let owned = lock(&OWNED);
            for child in &owned.children {
                end(child);
            }
            for folder in &owned.folders {
                let _ = std::fs::remove_dir_all(folder);
            }
            #[expect(
                clippy::disallowed_methods,
                reason = "the main thread waits for a child; what must be ended has been"
            )]
            std::process::exit(128 + signal);
        }
    });
}

/// Asks a child to end, and makes it end when it does not within ten seconds.
fn end(owner: &Owner) {
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut asked = false;
    loop {
        let mut child = lock(&owner.child);
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        if !asked {
            asked = Program::new("kill")
                .args(["-s", owner.end_signal, &child.id().to_string()])
                .succeeds();
        }
        if !asked || Instant::now() > deadline {
            let _ = child.kill();
            let _ = child.wait();
            return;
        }
        drop(child);
        pause();
    }
}

/// Lets a moment pass before a condition is looked at again.
pub(crate) fn pause() {
    #[expect(
        clippy::disallowed_methods,
        reason = "this program has no event loop; its conditions can only be polled"
    )]
    std::thread::sleep(Duration::from_millis(30));
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let start = lines.len().saturating_sub(SHOWN_LINES);
    lines.get(start..).unwrap_or_default().join("\n")
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
