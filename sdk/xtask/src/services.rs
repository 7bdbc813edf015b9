//! Throw-away services for tests: a Postgres cluster and an S3 server, on
//! free ports of the loopback interface, in folders that go away with them.
//!
//! Nothing in them outlives the run, so nothing is synced to disk.

use crate::{
    process::{Folder, Program, Running, User},
    setup::{self, announce},
};
use anyhow::{Context as _, Result};
use std::{
    collections::BTreeSet,
    ffi::OsString,
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
};

/// Connections that the cluster takes: several servers with pools of their
/// own for each project run against it.
const POSTGRES_CONNECTIONS: u16 = 500;

/// The bucket that exists from the start.
const BUCKET: &str = "atlashub";

/// A Postgres cluster that ends, and is removed, when this is dropped.
pub(crate) struct Postgres {
    url: String,
    certificate: PathBuf,
    server: Running,
    _folder: Folder,
}

impl Postgres {
    /// Makes and starts a cluster.
    pub(crate) fn start() -> Result<Self> {
        let programs = setup::postgres()?;
        announce("starting Postgres");
        let owner = User::is_root()?
            .then(|| User::named("postgres"))
            .transpose()
            .context("Postgres does not run as root and needs the user `postgres`")?;
        let folder = Folder::new("postgres", owner)?;
        let data = folder.path().join("data");
        let password = random_word()?;
        let password_file = folder.path().join("password");
        std::fs::write(&password_file, &password)?;
        if let Some(owner) = owner {
            owner.take(&password_file)?;
        }
        let (certificate, key) = make_certificate(folder.path(), owner)?;
        Program::new(programs.join("initdb"))
            .args(["--username=postgres", "--auth=scram-sha-256", "--no-sync"])
            .args(["--encoding=UTF8", "--locale=C.UTF-8"])
            .args([format!("--pwfile={}", password_file.display())])
            .args([format!("--pgdata={}", data.display())])
            .run_by(owner)
            .current_dir(folder.path())
            .output("make a Postgres cluster")?;

        let [port] = free_ports()?;
        let settings = [
            format!("port={port}"),
            format!("max_connections={POSTGRES_CONNECTIONS}"),
            "listen_addresses=127.0.0.1".to_owned(),
            "unix_socket_directories=".to_owned(),
            "ssl=on".to_owned(),
            format!("ssl_cert_file={}", certificate.display()),
            format!("ssl_key_file={}", key.display()),
            "fsync=off".to_owned(),
            "full_page_writes=off".to_owned(),
            "synchronous_commit=off".to_owned(),
            "wal_level=minimal".to_owned(),
            "max_wal_senders=0".to_owned(),
        ];
        let server = Program::new(programs.join("postgres"))
            .args(["-D".as_ref(), data.as_os_str()])
            .args(settings.iter().flat_map(|setting| ["-c", setting]))
            .run_by(owner)
            .current_dir(folder.path())
            .end_signal("QUIT")
            .start("start Postgres", Some(&folder.path().join("log")))?;
        server.wait_until(|| {
            Program::new(programs.join("pg_isready"))
                .args(["--quiet", "--host=127.0.0.1", &format!("--port={port}")])
                .succeeds()
        })?;
        Ok(Self {
            // One test asks for TLS; the others can do without its cost.
            url: format!(
                "postgres://postgres:{password}@127.0.0.1:{port}/postgres?sslmode=disable"
            ),
            certificate,
            server,
            _folder: folder,
        })
    }

    /// Its address, with the name and the password of its superuser.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The variables that lead tests to it.
    pub(crate) fn variables(&self) -> Vec<(String, OsString)> {
        vec![
            variable("ATLASHUB_TEST_POSTGRES_URL", &self.url),
            (
                "ATLASHUB_TEST_POSTGRES_CERTIFICATE".to_owned(),
                self.certificate.clone().into(),
            ),
        ]
    }
}

/// A certificate that names the loopback interface, signed by itself, and its
/// key, readable by the server alone.
fn make_certificate(folder: &Path, owner: Option<User>) -> Result<(PathBuf, PathBuf)> {
    setup::debian_program("openssl", "openssl", "certificates of the test servers")?;
    let (certificate, key) = (folder.join("server.crt"), folder.join("server.key"));
    let config = folder.join("certificate.conf");
    std::fs::write(
        &config,
        "[req]\nprompt = no\ndistinguished_name = name\nx509_extensions = server\n\
         [name]\nCN = localhost\n\
         [server]\nbasicConstraints = critical, CA:FALSE\n\
         subjectAltName = IP:127.0.0.1, DNS:localhost\n",
    )?;
    Program::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt"])
        .args(["ec_paramgen_curve:prime256v1", "-nodes", "-days", "7"])
        .args(["-config"])
        .args([&config])
        .args(["-keyout"])
        .args([&key])
        .args(["-out"])
        .args([&certificate])
        .output("make a certificate")?;
    if let Some(owner) = owner {
        owner.take(&key)?;
    }
    Ok((certificate, key))
}

/// An S3 server that ends, and is removed, when this is dropped.
pub(crate) struct ObjectStore {
    endpoint: String,
    access_key: String,
    secret_key: String,
    _server: Running,
    _folder: Folder,
}

impl ObjectStore {
    /// Starts a server with one empty bucket.
    pub(crate) fn start() -> Result<Self> {
        let program = setup::seaweedfs()?;
        announce("starting the S3 server");
        let folder = Folder::new("s3", None)?;
        let data = folder.path().join("data");
        std::fs::create_dir_all(&data)?;
        let access_key = random_word()?;
        let secret_key = random_word()?;
        // Every port is assigned: those that are not would be the same for
        // all servers on this machine.
        let [
            s3,
            s3_rpc,
            master,
            master_rpc,
            volume,
            volume_rpc,
            filer,
            filer_rpc,
            admin,
            admin_rpc,
        ] = free_ports()?;
        let ports = [
            ("s3.port", s3),
            ("s3.port.grpc", s3_rpc),
            ("master.port", master),
            ("master.port.grpc", master_rpc),
            ("volume.port", volume),
            ("volume.port.grpc", volume_rpc),
            ("filer.port", filer),
            ("filer.port.grpc", filer_rpc),
            ("admin.port", admin),
            ("admin.port.grpc", admin_rpc),
            ("s3.port.iceberg", 0),
            ("s3.port.lance", 0),
        ];
        let server = Program::new(program)
            .args(["mini", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"])
            .args([
                "-admin.ui=false",
                "-webdav=false",
                "-master.telemetry=false",
            ])
            .args([format!("-dir={}", data.display())])
            .args(ports.map(|(name, port)| format!("-{name}={port}")))
            .env("AWS_ACCESS_KEY_ID", &access_key)
            .env("AWS_SECRET_ACCESS_KEY", &secret_key)
            .env("S3_BUCKET", BUCKET)
            .current_dir(folder.path())
            .start("start the S3 server", Some(&folder.path().join("log")))?;
        server.wait_until(|| TcpStream::connect((Ipv4Addr::LOCALHOST, s3)).is_ok())?;
        Ok(Self {
            endpoint: format!("http://127.0.0.1:{s3}"),
            access_key,
            secret_key,
            _server: server,
            _folder: folder,
        })
    }

    /// The variables that lead tests to it.
    pub(crate) fn variables(&self) -> Vec<(String, OsString)> {
        let url = format!("s3://{BUCKET}?endpoint={}&region=us-east-1", self.endpoint);
        vec![
            variable("ATLASHUB_TEST_S3_URL", &url),
            variable("AWS_ACCESS_KEY_ID", &self.access_key),
            variable("AWS_SECRET_ACCESS_KEY", &self.secret_key),
            variable("AWS_REGION", "us-east-1"),
        ]
    }
}

/// Starts both services, prints the variables that lead tests to them as
/// shell lines, and waits until one of them ends.
pub(crate) fn run() -> Result<()> {
    let postgres = Postgres::start()?;
    let objects = ObjectStore::start()?;
    for (name, value) in postgres.variables().into_iter().chain(objects.variables()) {
        println!("export {name}='{}'", value.to_string_lossy());
    }
    postgres.server.wait()?;
    Ok(())
}

fn variable(name: &str, value: &str) -> (String, OsString) {
    (name.to_owned(), value.into())
}

/// Ports of the loopback interface that nobody listens on.
pub(crate) fn free_ports<const N: usize>() -> Result<[u16; N]> {
    let mut held = Vec::new();
    let mut ports = BTreeSet::new();
    while ports.len() < N {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("find a free port")?;
        ports.insert(listener.local_addr()?.port());
        held.push(listener);
    }
    let ports: Vec<u16> = ports.into_iter().collect();
    ports.try_into().ok().context("find free ports")
}

/// Twenty-four letters and digits that nobody can guess.
pub(crate) fn random_word() -> Result<String> {
    use std::{fmt::Write as _, io::Read as _};
    let mut bytes = [0_u8; 12];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    let mut word = String::new();
    for byte in bytes {
        write!(word, "{byte:02x}")?;
    }
    Ok(word)
}
