//! Addresses: where the node listens, what links start with, whose
//! forwarding headers are believed, which private addresses plugins may call.

use anyhow::{Context as _, bail};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
};
use url::Url;

/// Addresses and proxies.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct NetworkConfig {
    /// The address to listen on.
    pub(crate) listen: SocketAddr,
    /// What links start with, without a slash at the end.
    pub(crate) public_url: Option<String>,
    /// Addresses and networks whose forwarding headers are believed.
    pub(crate) trusted_proxies: Vec<String>,
    /// Private `host:port` that plugins may reach nonetheless.
    pub(crate) egress_allow: Vec<String>,
    /// Origins besides the node's own that may call the admin interface from
    /// a browser.
    pub(crate) cors_origins: Vec<String>,
    /// `smtps://user:password@host:465`, or `smtp://…:587`, which asks for TLS
    /// unless the server is on this machine or `?tls=none` says otherwise.
    pub(crate) smtp_url: Option<String>,
    /// A file with certificates (PEM) that the mail server's may be issued by.
    pub(crate) smtp_ca_file: Option<PathBuf>,
    /// Who mails come from: `AtlasHub <no-reply@example.com>`.
    pub(crate) mail_from: Option<String>,
}

impl Default for NetworkConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080),
            public_url: None,
            trusted_proxies: Vec::new(),
            egress_allow: Vec::new(),
            cors_origins: Vec::new(),
            smtp_url: None,
            smtp_ca_file: None,
            mail_from: None,
        }
    }
}

impl NetworkConfig {
    pub(super) fn validate(&self) -> anyhow::Result<()> {
        if let Some(text) = &self.public_url {
            let url = Url::parse(text)
                .ok()
                .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
            let Some(url) = url else {
                bail!(
                    "ATLASHUB_PUBLIC_URL must be an http or https address such as https://api.example.com, not `{text}`"
                );
            };
            if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
                bail!("ATLASHUB_PUBLIC_URL must have no path: write only the scheme and the host");
            }
        }
        for origin in &self.cors_origins {
            let plain =
                Url::parse(origin).is_ok_and(|url| url.origin().ascii_serialization() == *origin);
            if !plain {
                bail!(
                    "ATLASHUB_CORS_ORIGINS: `{origin}` is not an origin such as https://app.example.com"
                );
            }
        }
        let usable = |text: &String| {
            Url::parse(text)
                .is_ok_and(|url| matches!(url.scheme(), "smtp" | "smtps") && url.has_host())
        };
        if self.smtp_url.as_ref().is_some_and(|text| !usable(text)) {
            bail!("ATLASHUB_SMTP_URL must look like smtp://user:password@host:port");
        }
        self.egress()?;
        self.proxies().map(drop)
    }

    /// Who issues access tokens: the public address where one is set. The
    /// listening address would be another one on each node.
    pub(crate) fn issuer(&self) -> String {
        match &self.public_url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => "atlashub".to_owned(),
        }
    }

    /// The certificates of [`smtp_ca_file`](Self::smtp_ca_file).
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn smtp_ca(&self) -> anyhow::Result<Option<Vec<u8>>> {
        self.smtp_ca_file
            .as_ref()
            .map(|file| {
                std::fs::read(file).with_context(|| {
                    format!("ATLASHUB_SMTP_CA_FILE: cannot read {}", file.display())
                })
            })
            .transpose()
    }

    /// Who mails come from: the setting, or nobody at the host of
    /// [`public_url`](Self::public_url).
    pub(crate) fn mail_from(&self) -> String {
        if let Some(from) = &self.mail_from {
            return from.clone();
        }
        let url = Url::parse(&self.public_url()).ok();
        let host = url.as_ref().and_then(Url::domain).unwrap_or("localhost");
        format!("AtlasHub <no-reply@{host}>")
    }

    /// What links start with, without a slash at the end: the setting, or the
    /// listening address.
    pub(crate) fn public_url(&self) -> String {
        match &self.public_url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => format!("http://{}", self.reachable()),
        }
    }

    /// An address on this machine by which the node is reached: who listens on
    /// all addresses listens on the loopback's, too.
    pub(crate) fn reachable(&self) -> SocketAddr {
        let ip = match self.listen.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        SocketAddr::new(ip, self.listen.port())
    }

    /// The proxies as networks.
    ///
    /// # Errors
    /// Names the entry that is neither an address nor a network.
    pub(crate) fn proxies(&self) -> anyhow::Result<Vec<IpNet>> {
        self.trusted_proxies
            .iter()
            .map(|text| {
                text.parse::<IpNet>()
                    .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
                    .map_err(|_| anyhow::anyhow!("ATLASHUB_TRUSTED_PROXIES: `{text}` is neither an address nor a network such as 10.0.0.0/8"))
            })
            .collect()
    }

    /// The private hosts and ports that plugins may reach.
    ///
    /// # Errors
    /// Names the entry that is not `host:port`.
    pub(crate) fn egress(&self) -> anyhow::Result<Vec<(String, u16)>> {
        self.egress_allow
            .iter()
            .map(|text| {
                let (host, port) = text
                    .rsplit_once(':')
                    .filter(|(host, _)| !host.is_empty())
                    .with_context(|| format!("ATLASHUB_EGRESS_ALLOW: `{text}` is not host:port"))?;
                let port = port
                    .parse()
                    .ok()
                    .with_context(|| format!("ATLASHUB_EGRESS_ALLOW: `{text}` is not host:port"))?;
                Ok((host.trim_matches(['[', ']']).to_ascii_lowercase(), port))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_on_all_addresses_is_reached_at_this_machines_own() {
        for (listen, asked) in [
            ("0.0.0.0:8080", "127.0.0.1:8080"),
            ("[::]:8080", "[::1]:8080"),
            ("10.0.0.7:80", "10.0.0.7:80"),
        ] {
            let network = NetworkConfig {
                listen: listen.parse().expect("an address"),
                ..NetworkConfig::default()
            };
            assert_eq!(network.reachable().to_string(), asked);
        }
    }
}
