//! A running `atlashub serve`.

use crate::{Admin, Engine, Lines, process::Process, stores::Stores, until, wait::DEADLINE};
use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

/// Ports are taken from below those that the kernel gives to clients, so
/// that a server that restarts finds its own free.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// The development token of every server.
pub(crate) const DEV_TOKEN: &str = "dev-token-of-the-tests";

/// Names the library that gives a program another clock, for the loader.
const FAKETIME: &str = "ATLASHUB_TEST_FAKETIME";
const PRELOAD: &str = "LD_PRELOAD";

/// Settings of a server about to start.
#[derive(Debug, Default)]
pub struct ServerBuilder {
    variables: BTreeMap<String, String>,
}

impl ServerBuilder {
    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.insert(name.to_owned(), value.into());
        self
    }

    /// Lets it live ten minutes ago, until [`TestServer::return_to_now`]: a
    /// store that checks signatures takes a clock that is wrong by so much.
    ///
    /// # Panics
    /// When `ATLASHUB_TEST_FAKETIME` does not name the library for that;
    /// `cargo xtask test` sees to it.
    #[must_use]
    pub fn ten_minutes_ago(self) -> Self {
        let library = std::env::var(FAKETIME).expect("the library that sets clocks");
        self.env(PRELOAD, library)
            .env("FAKETIME", "-10m")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
    }

    /// Lets it live by the clock in `file`: an offset such as `+1h` or `-3d`,
    /// which the test may change at any time. Stores that check signatures do
    /// not take a clock that is wrong by so much: start it embedded.
    ///
    /// # Panics
    /// As [`Self::ten_minutes_ago`].
    #[must_use]
    pub fn by_the_clock_in(self, file: &Path) -> Self {
        let library = std::env::var(FAKETIME).expect("the library that sets clocks");
        self.env(PRELOAD, library)
            .env("FAKETIME_TIMESTAMP_FILE", file.display().to_string())
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
    }

    /// Sets environment variables.
    #[must_use]
    pub fn envs(mut self, variables: BTreeMap<String, String>) -> Self {
        self.variables.extend(variables);
        self
    }

    /// Starts it on stores of its own and waits until it is ready.
    pub async fn start(self) -> TestServer {
        let stores = Arc::new(Stores::make().await);
        TestServer::on(stores, 0, self.variables).await
    }

    /// Starts it on SQLite files and a local folder, whatever this run stands
    /// on.
    pub async fn start_embedded(self) -> TestServer {
        let stores = Arc::new(Stores::make_on(Engine::Sqlite).await);
        TestServer::on(stores, 0, self.variables).await
    }

    /// Starts it with lines to the database and the object store that the
    /// test can cut.
    ///
    /// # Panics
    /// When this run's engine needs no lines.
    pub async fn start_over_lines(self) -> (TestServer, Lines) {
        let mut stores = Stores::make().await;
        let lines = Lines::to(&mut stores).await;
        let server = TestServer::on(Arc::new(stores), 0, self.variables).await;
        (server, lines)
    }
}

/// A server that ends when this is dropped.
#[derive(Debug)]
pub struct TestServer {
    /// Ends before its stores go away.
    process: Process,
    pub(crate) stores: Arc<Stores>,
    node: usize,
    pub(crate) variables: BTreeMap<String, String>,
    address: SocketAddr,
}

impl TestServer {
    /// A server of its own with the usual settings.
    pub async fn start() -> Self {
        ServerBuilder::default().start().await
    }

    /// A server with other settings.
    #[must_use]
    pub fn builder() -> ServerBuilder {
        ServerBuilder::default()
    }

    /// A server on stores that are there.
    pub(crate) async fn on_stores(stores: Stores) -> Self {
        Self::on(Arc::new(stores), 0, BTreeMap::new()).await
    }

    async fn on(stores: Arc<Stores>, node: usize, variables: BTreeMap<String, String>) -> Self {
        let address = free_address();
        let process = launch(&stores, node, &variables, address);
        let mut server = Self {
            stores,
            node,
            variables,
            address,
            process,
        };
        server.wait_until_ready().await;
        server
    }

    /// What a server says that refuses to start with these settings.
    ///
    /// # Panics
    /// When it starts all the same.
    pub async fn refused(variables: &[(&str, &str)]) -> String {
        let stores = Stores::make().await;
        let variables = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let mut process = launch(&stores, 0, &variables, free_address());
        let mut look = || process.ended();
        let status = until("the end of the server", DEADLINE, || {
            std::future::ready(look())
        })
        .await;
        assert!(
            !status.success(),
            "the server ended well:\n{}",
            process.log()
        );
        process.log()
    }

    /// Another node on the same stores.
    ///
    /// # Panics
    /// When the engine is for one node only.
    pub async fn second_node(&self) -> Self {
        assert!(
            Engine::of_this_run().serves_many_nodes(),
            "this engine is for one node"
        );
        Self::on(
            Arc::clone(&self.stores),
            self.node + 1,
            self.variables.clone(),
        )
        .await
    }

    /// Node number `node` on the same stores, with settings of its own.
    ///
    /// # Panics
    /// When the engine is for one node only.
    pub async fn node_with(&self, node: usize, variables: BTreeMap<String, String>) -> Self {
        assert!(
            Engine::of_this_run().serves_many_nodes(),
            "this engine is for one node"
        );
        Self::on(Arc::clone(&self.stores), node, variables).await
    }

    /// Ends it politely and starts it again at the same address.
    pub async fn restart(&mut self) {
        self.stop().await;
        self.start_again().await;
    }

    /// Ends it politely, and waits until it has ended.
    ///
    /// # Panics
    /// When it ends with a failure, or not at all.
    pub async fn stop(&mut self) {
        self.process.signal("TERM");
        let process = &mut self.process;
        let mut look = || process.ended();
        let status = until("the end of the server", DEADLINE, || {
            std::future::ready(look())
        })
        .await;
        assert!(
            status.success(),
            "the server ended with {status}:\n{}",
            self.log()
        );
    }

    /// Ends it politely and starts it again by the clock on the wall, after
    /// [`ServerBuilder::ten_minutes_ago`].
    ///
    /// # Panics
    /// When it lives by that clock already.
    pub async fn return_to_now(&mut self) {
        let before = self.variables.remove(PRELOAD);
        assert!(before.is_some(), "the server lives now");
        self.restart().await;
    }

    /// Ends it politely and starts it again without one of its settings.
    pub async fn restart_without(&mut self, name: &str) {
        let _ = self.variables.remove(name);
        self.restart().await;
    }

    /// Ends it in the middle of whatever it does.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Stops it where it is, as a machine that hangs would.
    pub fn freeze(&self) {
        self.process.signal("STOP");
    }

    /// Lets it go on after [`Self::freeze`].
    pub fn thaw(&self) {
        self.process.signal("CONT");
    }

    /// Starts it again after [`Self::stop`] or [`Self::kill`].
    pub async fn start_again(&mut self) {
        self.process = launch(&self.stores, self.node, &self.variables, self.address);
        self.wait_until_ready().await;
    }

    async fn wait_until_ready(&mut self) {
        let url = self.url("/readyz");
        let client = client();
        let deadline = std::time::Instant::now() + DEADLINE;
        loop {
            let answer = client.get(&url).send().await;
            if answer.is_ok_and(|answer| answer.status() == 200) {
                return;
            }
            if let Some(status) = self.process.ended() {
                panic!(
                    "the server ended with {status} before it was ready:\n{}",
                    self.log()
                );
            }
            assert!(
                std::time::Instant::now() < deadline,
                "the server is not ready:\n{}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// A client with the development token.
    #[must_use]
    pub fn admin(&self) -> Admin {
        Admin::with_dev_token(self, DEV_TOKEN)
    }

    /// Runs a command of the same binary as this server's developer, and
    /// answers what it printed.
    ///
    /// # Panics
    /// When it fails.
    pub async fn command(&self, args: &[&str]) -> String {
        let (succeeded, said) = self.run_command(args).await;
        assert!(succeeded, "`atlashub {}` failed:\n{said}", args.join(" "));
        said
    }

    /// Runs a command that must fail, and answers what it printed.
    ///
    /// # Panics
    /// When it succeeds.
    pub async fn failing_command(&self, args: &[&str]) -> String {
        let (succeeded, said) = self.run_command(args).await;
        assert!(
            !succeeded,
            "`atlashub {}` went well:\n{said}",
            args.join(" ")
        );
        said
    }

    async fn run_command(&self, args: &[&str]) -> (bool, String) {
        let (status, text) = self.command_that_ends(args).await;
        (status == 0, text)
    }

    /// Runs a command, and answers with what it ended and what it printed.
    ///
    /// # Panics
    /// When it cannot be run, or is killed.
    pub async fn command_that_ends(&self, args: &[&str]) -> (i32, String) {
        let output = tokio::process::Command::new(binary())
            .args(args)
            .env("ATLASHUB_URL", self.url(""))
            .env("ATLASHUB_DEV_ADMIN_TOKEN", DEV_TOKEN)
            .current_dir(self.folder())
            .stdin(std::process::Stdio::null())
            .output()
            .await
            .expect("run a command");
        let text = [output.stdout, output.stderr].concat();
        (
            output.status.code().expect("an end of its own"),
            String::from_utf8_lossy(&text).into_owned(),
        )
    }

    /// An address on this server.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The folder of its binary, for a shell's `PATH`.
    ///
    /// # Panics
    /// When it lies in no folder.
    #[must_use]
    pub fn programs(&self) -> PathBuf {
        binary().parent().expect("a folder").to_owned()
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Everything of it that lies on this machine.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.stores.root()
    }

    /// A setting that leads to its stores, such as `ATLASHUB_STORAGE_URL`;
    /// none where it is left at its default.
    #[must_use]
    pub fn store_setting(&self, name: &str) -> Option<&str> {
        let mut settings = self.stores.variables().iter();
        settings
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value.as_str())
    }

    /// What it has logged, over all its lives.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Its resident memory, bytes.
    ///
    /// # Panics
    /// When the kernel does not say.
    #[must_use]
    pub fn resident_bytes(&self) -> u64 {
        self.status_bytes("VmRSS:")
    }

    /// What of its resident memory is its own, bytes: without pages of files,
    /// which come and go with the code that runs.
    ///
    /// # Panics
    /// When the kernel does not say.
    #[must_use]
    pub fn own_bytes(&self) -> u64 {
        self.status_bytes("RssAnon:") + self.status_bytes("RssShmem:")
    }

    fn status_bytes(&self, line: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))
            .expect("read the server's status");
        let text = status
            .lines()
            .find_map(|text| text.strip_prefix(line))
            .expect("a line of the kernel's");
        let kib: u64 = text
            .trim()
            .trim_end_matches(" kB")
            .parse()
            .expect("a number of kB");
        kib * 1024
    }

    /// Files and sockets that it holds open.
    ///
    /// # Panics
    /// When the kernel does not say.
    #[must_use]
    pub fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.process.id()))
            .expect("read the server's open files")
            .count()
    }
}

/// A client without credentials. Each test makes its own: connections belong
/// to the test's event loop.
#[must_use]
pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(120))
        .build()
        .expect("build a client")
}

/// The server that tests share which neither end nor overload it. Each makes
/// projects of its own in it.
pub async fn shared() -> &'static TestServer {
    static SHARED: tokio::sync::OnceCell<TestServer> = tokio::sync::OnceCell::const_new();
    SHARED
        .get_or_init(|| async {
            TestServer::builder()
                .env("ATLASHUB_BASE_DOMAIN", "hub.test")
                .start()
                .await
        })
        .await
}

fn launch(
    stores: &Stores,
    node: usize,
    variables: &BTreeMap<String, String>,
    address: SocketAddr,
) -> Process {
    let folder = stores.folder(node);
    #[cfg(unix)]
    stores.share_compiled_code(node);
    let mut command = Command::new(binary());
    forget_settings(&mut command);
    command
        .args(["serve", "--listen", &address.to_string(), "--data-dir"])
        .arg(folder.join("data"))
        .env("ATLASHUB_ENV", "development")
        .env("ATLASHUB_DEV_ADMIN_TOKEN", DEV_TOKEN)
        .envs(stores.variables().iter().map(|(name, value)| (name, value)))
        .envs(variables)
        .current_dir(&folder);
    Process::start(&mut command, &folder.join("server.log"))
}

/// Keeps the settings of whoever runs the tests from what they start.
pub(crate) fn forget_settings(command: &mut Command) {
    for (name, _) in std::env::vars() {
        if name.starts_with("ATLASHUB_") || name.starts_with("OTEL_") {
            command.env_remove(name);
        }
    }
}

/// The server's binary: `ATLASHUB_BIN`, or what the release build leaves.
pub(crate) fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("ATLASHUB_BIN") {
        return path.into();
    }
    // <target>/release/deps/it-… → <target>/release/atlashub
    let own = std::env::current_exe().expect("the test's own path");
    own.ancestors()
        .nth(2)
        .expect("the release folder")
        .join("atlashub")
}

fn free_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let span = PORTS.end - PORTS.start;
    let start = u16::try_from(std::process::id() % u32::from(span)).expect("a small number");
    for _ in 0..span {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = PORTS.start + (start.wrapping_add(step)) % span;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
    panic!("no port between {} and {} is free", PORTS.start, PORTS.end);
}
