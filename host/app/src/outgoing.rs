//! Requests that the host makes itself, to addresses that somebody typed: of
//! identity providers and of their keys. Each has a time-out and a bound on
//! its answer, and follows no redirect. Where private addresses are kept out,
//! the address that was checked is the one that is connected to; who may
//! nonetheless be reached is the operator's to say, as for plugins.

use atlashub_core::{Error, ErrorKind, Result};
use atlashub_runtime::{EgressPolicy, is_public, resolve_public};
use reqwest::{
    Client, RequestBuilder, StatusCode,
    dns::{Addrs, Name, Resolve, Resolving},
};
use serde::de::DeserializeOwned;
use std::{net::IpAddr, sync::Arc, time::Duration};
use url::{Host, Url};

/// Longest wait for a whole answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// Largest answer, bytes.
const MAX_BYTES: usize = 256 * 1_024;
/// What providers are told; GitHub refuses requests without it.
const AGENT: &str = concat!("AtlasHub/", env!("CARGO_PKG_VERSION"));

/// Which addresses may be reached.
#[derive(Clone, Debug)]
pub(crate) enum Reach {
    /// All: the address was set by the operator, or this is a developer's
    /// machine. Plain HTTP is allowed.
    Everywhere,
    /// Public ones, and those that the operator names; with TLS only.
    Public(EgressPolicy),
}

/// Makes requests.
pub(crate) struct Outgoing {
    reach: Reach,
    everywhere: Client,
    public: Client,
}

/// An answer that was read whole.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    body: Vec<u8>,
}

impl Outgoing {
    /// # Errors
    /// When the client cannot be set up.
    pub(crate) fn new(reach: Reach) -> Result<Self> {
        let builder = || {
            Client::builder()
                .timeout(PATIENCE)
                .connect_timeout(CONNECT)
                .redirect(reqwest::redirect::Policy::none())
                .user_agent(AGENT)
        };
        let failed = |error| Error::internal("set up the client for outgoing requests", error);
        Ok(Self {
            reach,
            everywhere: builder().build().map_err(failed)?,
            // A proxy would resolve names by itself, and reach what it likes.
            public: builder()
                .no_proxy()
                .dns_resolver(Arc::new(PublicOnly))
                .build()
                .map_err(failed)?,
        })
    }

    /// Whether an address may be reached, as far as it says itself.
    ///
    /// # Errors
    /// `address_refused`.
    pub(crate) fn check(&self, url: &Url) -> Result<()> {
        self.client(url).map(drop)
    }

    /// A GET of an address that may be reached.
    ///
    /// # Errors
    /// `address_refused`.
    pub(crate) fn get(&self, url: &Url) -> Result<RequestBuilder> {
        Ok(self.client(url)?.get(url.clone()))
    }

    /// A POST to an address that may be reached.
    ///
    /// # Errors
    /// `address_refused`.
    pub(crate) fn post(&self, url: &Url) -> Result<RequestBuilder> {
        Ok(self.client(url)?.post(url.clone()))
    }

    /// Sends a request and reads its answer whole, whatever its status.
    ///
    /// # Errors
    /// 503 `no_answer` when there is none, or too large a one.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<Answer> {
        let mut response = request.send().await.map_err(no_answer)?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(no_answer)? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_BYTES {
                return Err(no_answer(format!("more than {MAX_BYTES} bytes")));
            }
        }
        Ok(Answer { status, body })
    }

    /// Sends a request and reads the JSON of its answer.
    ///
    /// # Errors
    /// 503 `no_answer` when there is none, or another one.
    pub(crate) async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T> {
        let answer = self.send(request).await?;
        if !answer.status.is_success() {
            return Err(no_answer(format!("the status was {}", answer.status)));
        }
        answer.json()
    }

    /// Which client may be used for an address.
    fn client(&self, url: &Url) -> Result<&Client> {
        let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
            return Err(refused(url));
        };
        let plain = url.username().is_empty() && url.password().is_none();
        match (&self.reach, url.scheme()) {
            (Reach::Everywhere, "https" | "http") if plain => Ok(&self.everywhere),
            (Reach::Public(policy), "https") if plain => {
                if policy.names(&host.to_string(), port) {
                    return Ok(&self.everywhere);
                }
                // A number is not looked up, so the resolver does not see it.
                let may = match host {
                    Host::Ipv4(ip) => is_public(IpAddr::V4(ip)),
                    Host::Ipv6(ip) => is_public(IpAddr::V6(ip)),
                    Host::Domain(_) => true,
                };
                may.then_some(&self.public).ok_or_else(|| refused(url))
            }
            _ => Err(refused(url)),
        }
    }
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Errors
    /// 503 `no_answer` when it is none.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).map_err(no_answer)
    }
}

/// Looks names up, and refuses those that lead into private networks.
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let addresses = resolve_public(name.as_str()).await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

fn refused(url: &Url) -> Error {
    Error::bad_request(
        "address_refused",
        format!(
            "requests to `{}` are not allowed here: give an `https://` address that is public",
            url.origin().ascii_serialization()
        ),
    )
}

fn no_answer(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "no_answer",
        "read the answer of another server",
    )
    .with_retry_after(5)
    .with_source(cause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    /// A server that says one thing to everybody, and the port it listens on.
    async fn saying(answer: String) -> (u16, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = [0; 1_024];
                let _ = stream.read(&mut head).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        (port, task)
    }

    fn http(status: &str, headers: &str, body: &str) -> String {
        let length = body.len();
        format!(
            "HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
        )
    }

    async fn ask(outgoing: &Outgoing, url: &str) -> Result<Value> {
        let request = outgoing.get(&url.parse().unwrap())?;
        outgoing.json(request).await
    }

    #[tokio::test]
    async fn private_addresses_are_kept_out_however_they_are_written() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let outgoing = Outgoing::new(Reach::Public(EgressPolicy::default())).unwrap();
        for host in [
            "127.0.0.1",
            "2130706433",
            "0x7f.1",
            "localhost",
            "LOCALHOST.",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "10.0.0.1",
            "169.254.169.254",
            "[fd00::1]",
        ] {
            let outcome = ask(&outgoing, &format!("https://{host}:{port}/")).await;
            assert!(outcome.is_err(), "{host} was reached");
        }
        for url in [
            format!("http://example.com:{port}/"),
            format!("https://user@example.com:{port}/"),
            "ftp://example.com/".to_owned(),
        ] {
            let error = ask(&outgoing, &url).await.unwrap_err();
            assert_eq!(error.code(), "address_refused", "{url}");
        }
        let nobody = tokio::time::timeout(Duration::ZERO, listener.accept()).await;
        assert!(nobody.is_err(), "somebody connected");
    }

    #[tokio::test]
    async fn what_the_operator_names_is_reached() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let policy = EgressPolicy::parse(&format!("localhost:{port}")).unwrap();
        let outgoing = Outgoing::new(Reach::Public(policy)).unwrap();
        let url = format!("https://localhost:{port}/");
        // It speaks no TLS, but it hears that somebody tries.
        let (asked, accepted) = tokio::join!(ask(&outgoing, &url), async {
            drop(listener.accept().await.unwrap());
        });
        assert_eq!(asked.unwrap_err().code(), "no_answer");
        accepted
    }

    #[tokio::test]
    async fn only_an_answer_of_decent_size_is_read_and_no_redirect_followed() {
        let outgoing = Outgoing::new(Reach::Everywhere).unwrap();
        let (good, _task) = saying(http("200 OK", "", "{\"a\":1}")).await;
        let url = format!("http://127.0.0.1:{good}/");
        assert_eq!(ask(&outgoing, &url).await.unwrap()["a"], 1);
        let large = format!("\"{}\"", "x".repeat(MAX_BYTES));
        let moved = format!("location: {url}\r\n");
        for answer in [
            http("200 OK", "", &large),
            http("302 Found", &moved, "{}"),
            http("500 Internal Server Error", "", "{}"),
            http("200 OK", "", "<html>"),
        ] {
            let (port, _task) = saying(answer).await;
            let error = ask(&outgoing, &format!("http://127.0.0.1:{port}/")).await;
            assert_eq!(error.unwrap_err().code(), "no_answer");
        }
    }
}
