//! What lies in `compose/`, read as a container engine would, and started
//! without one: the commands and settings that it names, with this machine's
//! addresses and folders in the place of a container's.

use crate::{DEADLINE, free_address, process::Process, server::client, until};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

/// Compose files, the later laid over the earlier ones.
#[derive(Debug)]
pub struct Composed {
    whole: Value,
    /// What `secrets.sh` made.
    secrets: TempDir,
}

impl Composed {
    /// Where the files lie.
    #[must_use]
    pub fn folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../compose")
    }

    /// Reads files of that folder, which must fit the schema of the Compose
    /// Specification, and makes the secrets that they name.
    ///
    /// # Panics
    /// When they do not fit.
    #[must_use]
    pub fn read(files: &[&str]) -> Self {
        let part = std::env::var("ATLASHUB_TEST_COMPOSE")
            .expect("ATLASHUB_TEST_COMPOSE is not set: `cargo xtask test` sets it");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("javascript/compose/resolve.mjs");
        let read = Command::new("node")
            .arg(script)
            .args(files)
            .env("ATLASHUB_TEST_COMPOSE", part)
            .env("ATLASHUB_DOMAIN", "hub.example.com")
            .current_dir(Self::folder())
            .output()
            .expect("run node");
        assert!(
            read.status.success(),
            "{files:?}: {}",
            String::from_utf8_lossy(&read.stderr)
        );
        let secrets = TempDir::with_prefix("atlashub-secrets-").expect("make a folder");
        let made = Command::new("sh")
            .arg(Self::folder().join("secrets.sh"))
            .arg(secrets.path())
            .output()
            .expect("run sh");
        assert!(made.status.success(), "{made:?}");
        Self {
            whole: serde_json::from_slice(&read.stdout).expect("what was read"),
            secrets,
        }
    }

    /// All services by their names.
    ///
    /// # Panics
    /// When there are none.
    pub fn services(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.whole["services"].as_object().expect("services").iter()
    }

    /// What is said of a service.
    ///
    /// # Panics
    /// When there is none of that name.
    #[must_use]
    pub fn service(&self, name: &str) -> &Value {
        let service = &self.whole["services"][name];
        assert!(service.is_object(), "there is no service {name}");
        service
    }

    /// The file of a secret, as the files name it.
    ///
    /// # Panics
    /// When they do not, or `secrets.sh` does not make it.
    #[must_use]
    pub fn secret(&self, name: &str) -> PathBuf {
        let file = self.whole["secrets"][name]["file"]
            .as_str()
            .unwrap_or_else(|| panic!("there is no secret {name}"));
        let file = file
            .strip_prefix("./secrets/")
            .expect("a file in the folder of secrets");
        let path = self.secrets.path().join(file);
        assert!(path.is_file(), "secrets.sh makes no {file}");
        path
    }

    /// The variables of a service, with files in the place of its secrets.
    ///
    /// # Panics
    /// When it names a secret that it is not given.
    #[must_use]
    pub fn variables(&self, service: &str) -> BTreeMap<String, String> {
        let service = self.service(service);
        let given = |name: &str| {
            let mut all = service["secrets"].as_array().into_iter().flatten();
            all.any(|secret| secret == name)
        };
        let variables = service["environment"].as_object().expect("variables");
        variables
            .iter()
            .map(|(name, value)| {
                let value = value.as_str().expect("a text");
                let value = match value.strip_prefix("/run/secrets/") {
                    Some(secret) => {
                        assert!(given(secret), "{name}: the service is not given {secret}");
                        self.secret(secret).display().to_string()
                    }
                    None => value.to_owned(),
                };
                (name.clone(), value)
            })
            .collect()
    }

    /// Whom the balancer believes, as this machine's addresses: all who come
    /// from it, where the files name their own network.
    fn trusted_by_balancer(&self) -> &'static str {
        let trusts = &self.service("caddy")["environment"]["ATLASHUB_CADDY_TRUSTS"];
        let own = &self.whole["networks"]["hub"]["ipam"]["config"][0]["subnet"];
        match trusts.is_string() {
            true => {
                assert_eq!(trusts, own, "the balancer believes another network");
                "127.0.0.0/8"
            }
            false => "",
        }
    }

    /// Starts the balancer that the files name before these nodes.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn balancer(&self, nodes: &[SocketAddr]) -> Balancer {
        let service = self.service("caddy");
        let mounted = "./Caddyfile:/etc/caddy/Caddyfile:ro";
        let volumes = service["volumes"].as_array().expect("volumes");
        assert!(volumes.iter().any(|volume| volume == mounted));
        let named = service["environment"]["ATLASHUB_NODES"]
            .as_str()
            .expect("nodes");
        assert_eq!(named.split(' ').count(), nodes.len());
        let nodes: Vec<String> = nodes.iter().map(ToString::to_string).collect();
        let (address, health) = (free_address(), free_address());
        let folder = TempDir::with_prefix("atlashub-caddy-").expect("make a folder");
        let mut command = Command::new("caddy");
        command
            .args(["run", "--adapter", "caddyfile", "--config"])
            .arg(Self::folder().join("Caddyfile"))
            .env("ATLASHUB_SITES", format!("http://{address}"))
            .env("ATLASHUB_NODES", nodes.join(" "))
            .env("ATLASHUB_HEALTH_PORT", health.port().to_string())
            .env("ATLASHUB_CADDY_TRUSTS", self.trusted_by_balancer())
            .env("HOME", folder.path())
            .env("XDG_DATA_HOME", folder.path())
            .env("XDG_CONFIG_HOME", folder.path());
        let mut process = Process::start(&mut command, &folder.path().join("log"));
        let url = format!("http://{address}");
        let client = client();
        until("the balancer", DEADLINE, || {
            if let Some(status) = process.ended() {
                panic!("the balancer ended with {status}:\n{}", process.log());
            }
            let answer = client.get(format!("{url}/readyz")).send();
            async move { answer.await.ok().filter(|answer| answer.status() == 200) }
        })
        .await;
        // As the engine asks it.
        let up = client.get(format!("http://127.0.0.1:{}/", health.port()));
        let up = up.send().await.expect("an answer of the balancer's own");
        assert_eq!(up.status(), 200);
        Balancer {
            client,
            url,
            _process: process,
            _folder: folder,
        }
    }
}

/// A balancer; ends with its owner.
#[derive(Debug)]
pub struct Balancer {
    client: reqwest::Client,
    url: String,
    _process: Process,
    _folder: TempDir,
}

impl Balancer {
    /// An address behind it.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// A request to whoever it passes it to.
    pub fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, self.url(path))
    }
}
