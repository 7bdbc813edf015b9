//! Compiling uploads: one at a time, each in a worker process with bounded
//! input, memory and time.

use crate::{
    revision::ComponentInterface,
    worker::{self, Report},
};
use atlashub_core::{Error, ErrorKind, Result};
use std::{path::PathBuf, process::Stdio, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::Command,
    sync::Semaphore,
};

/// Bounds of one compilation.
#[derive(Clone, Debug)]
pub struct CompileLimits {
    /// Largest component, bytes.
    pub max_bytes: usize,
    /// Wall-clock and processor time.
    pub time: Duration,
    /// Address space of the worker, MiB.
    pub memory_mib: u64,
}

impl Default for CompileLimits {
    fn default() -> Self {
        Self {
            max_bytes: 32 * 1024 * 1024,
            time: Duration::from_secs(60),
            memory_mib: 4096,
        }
    }
}

/// Compiles components in a worker process.
#[derive(Clone, Debug)]
pub struct Compiler {
    /// The program whose `compile-worker` subcommand runs [`worker::run`];
    /// `None` compiles in this process, for tests of trusted components.
    executable: Option<PathBuf>,
    limits: CompileLimits,
    one_at_a_time: Arc<Semaphore>,
}

impl Compiler {
    /// Compiles by starting `executable` with the subcommand `compile-worker`.
    #[must_use]
    pub fn worker(executable: PathBuf, limits: CompileLimits) -> Self {
        Self {
            executable: Some(executable),
            limits,
            one_at_a_time: Arc::new(Semaphore::new(1)),
        }
    }

    /// Compiles in this process, with no bound but the input's size.
    #[must_use]
    pub fn in_process(limits: CompileLimits) -> Self {
        Self {
            executable: None,
            limits,
            one_at_a_time: Arc::new(Semaphore::new(1)),
        }
    }

    /// The bounds.
    #[must_use]
    pub fn limits(&self) -> &CompileLimits {
        &self.limits
    }

    /// Compiles `component`; waits its turn.
    ///
    /// # Errors
    /// `component_too_large`, `invalid_component`, `compile_timeout`,
    /// `compile_failed`.
    pub(crate) async fn compile(&self, component: &[u8]) -> Result<(ComponentInterface, Vec<u8>)> {
        if component.len() > self.limits.max_bytes {
            return Err(Error::new(
                ErrorKind::Invalid,
                "component_too_large",
                format!(
                    "the component has {} bytes, at most {} are compiled",
                    component.len(),
                    self.limits.max_bytes
                ),
            ));
        }
        let _turn = self
            .one_at_a_time
            .acquire()
            .await
            .map_err(|error| Error::internal("wait for the compiler", error))?;
        match &self.executable {
            Some(executable) => self.in_worker(executable, component).await,
            None => {
                let component = component.to_vec();
                tokio::task::spawn_blocking(move || worker::compile(&component))
                    .await
                    .map_err(|error| Error::internal("compile", error))?
                    .map_err(|error| invalid(&format!("{error:#}")))
            }
        }
    }

    /// Compiles a component as it would an upload, and keeps nothing of it: for
    /// whoever wants to know whether that works.
    ///
    /// # Errors
    /// `component_too_large`, `invalid_component`, `compile_timeout`,
    /// `compile_failed`.
    pub async fn try_out(&self, component: &[u8]) -> Result<()> {
        self.compile(component).await.map(drop)
    }

    async fn in_worker(
        &self,
        executable: &PathBuf,
        component: &[u8],
    ) -> Result<(ComponentInterface, Vec<u8>)> {
        let failed = |what: &'static str| move |error: std::io::Error| Error::internal(what, error);
        let mut child = Command::new(executable)
            .arg("compile-worker")
            .arg("--memory-mib")
            .arg(self.limits.memory_mib.to_string())
            .arg("--cpu-seconds")
            .arg(
                self.limits
                    .time
                    .as_secs()
                    .max(1)
                    .saturating_mul(2)
                    .to_string(),
            )
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed("start the compile worker"))?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take();
        let (Some(mut stdin), Some(mut stdout)) = (stdin, stdout) else {
            return Err(Error::internal("start the compile worker", "no pipes"));
        };
        let exchange = async {
            let feed = async {
                // The worker may stop reading; what it says then tells why.
                let _ = stdin.write_all(component).await;
                drop(stdin);
            };
            let mut output = Vec::new();
            let (_, read) = tokio::join!(feed, stdout.read_to_end(&mut output));
            read.map_err(failed("read from the compile worker"))?;
            let status = child
                .wait()
                .await
                .map_err(failed("wait for the compile worker"))?;
            Ok::<_, Error>((output, status))
        };
        let (output, status) = tokio::time::timeout(self.limits.time, exchange)
            .await
            .map_err(|_| {
                Error::invalid(
                    "compile_timeout",
                    format!(
                        "the component takes more than {} s to compile",
                        self.limits.time.as_secs()
                    ),
                )
            })??;
        read_output(output).ok_or_else(|| {
            Error::invalid(
                "compile_failed",
                format!("the component could not be compiled within the limits ({status})"),
            )
        })?
    }
}

fn read_output(mut output: Vec<u8>) -> Option<Result<(ComponentInterface, Vec<u8>)>> {
    let length = output
        .first_chunk::<4>()
        .map(|bytes| u32::from_le_bytes(*bytes))?;
    let end = usize::try_from(length).ok()?.checked_add(4)?;
    let report: Report = serde_json::from_slice(output.get(4..end)?).ok()?;
    Some(match report {
        Report::Compiled(interface) => Ok((interface, output.split_off(end))),
        Report::Refused(why) => Err(invalid(&why)),
    })
}

fn invalid(why: &str) -> Error {
    Error::invalid(
        "invalid_component",
        format!("not a usable component: {why}"),
    )
}
