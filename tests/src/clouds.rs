//! Storage that users have elsewhere: a WebDAV server over a folder, which is
//! rclone's, and the S3 server of the run.

use crate::process::Process;
use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::Command,
};
use tempfile::TempDir;

/// A WebDAV server; ends with its owner.
#[derive(Debug)]
pub struct WebdavServer {
    address: SocketAddr,
    folder: TempDir,
    _process: Process,
}

impl WebdavServer {
    /// Starts one that lets one user in.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(user: &str, password: &str) -> Self {
        let folder = TempDir::with_prefix("atlashub-webdav-").expect("make a folder");
        let data = folder.path().join("data");
        std::fs::create_dir(&data).expect("make a folder");
        let address = free_address();
        let mut command = Command::new("rclone");
        command
            .args(["serve", "webdav", "--dir-cache-time", "1ms", "--addr"])
            .arg(address.to_string())
            .args(["--user", user, "--pass", password])
            .arg(&data)
            .env("RCLONE_CONFIG", "/dev/null");
        let mut process = Process::start(&mut command, &folder.path().join("log"));
        crate::until("the WebDAV server", crate::DEADLINE, || {
            if let Some(status) = process.ended() {
                panic!("rclone ended with {status}:\n{}", process.log());
            }
            let found = TcpStream::connect(address).ok().map(drop);
            std::future::ready(found)
        })
        .await;
        Self {
            address,
            folder,
            _process: process,
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What its top is.
    #[must_use]
    pub fn folder(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    /// The bytes of a file in it.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn read(&self, path: impl AsRef<Path>) -> Vec<u8> {
        std::fs::read(self.folder().join(path)).expect("a file of the WebDAV server")
    }

    /// Puts a file into it.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, path: impl AsRef<Path>, bytes: &[u8]) {
        let path = self.folder().join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("make a folder");
        std::fs::write(path, bytes).expect("write a file of the WebDAV server");
    }
}

/// An address of this machine at which nobody listens.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("an address")
}

/// A bucket of the run's S3 server, which both engines have.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// The server, as in `http://127.0.0.1:9000`.
    pub endpoint: String,
    /// The bucket's name.
    pub name: String,
    /// Whose it is.
    pub access_key: String,
    /// What proves it.
    pub secret_key: String,
}

impl Bucket {
    /// The one that `cargo xtask test` made.
    ///
    /// # Panics
    /// When the variables that say where are not set.
    #[must_use]
    pub fn of_this_run() -> Self {
        let variable = |name: &str| {
            std::env::var(name)
                .unwrap_or_else(|_| panic!("{name} is not set: `cargo xtask test` sets it"))
        };
        let url = variable("ATLASHUB_TEST_S3_URL");
        let (bucket, query) = url.split_once('?').expect("an S3 URL with an endpoint");
        let endpoint = query
            .split('&')
            .find_map(|pair| pair.strip_prefix("endpoint="))
            .expect("an endpoint");
        Self {
            endpoint: endpoint.to_owned(),
            name: bucket.trim_start_matches("s3://").to_owned(),
            access_key: variable("AWS_ACCESS_KEY_ID"),
            secret_key: variable("AWS_SECRET_ACCESS_KEY"),
        }
    }

    /// Where the server listens.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.endpoint.trim_start_matches("http://")
    }
}
