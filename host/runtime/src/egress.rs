//! Outgoing requests: to other plugins of the project, and to granted hosts
//! at addresses that are public, or that the operator has allowed. The
//! address that was checked is the one that is connected to; a redirect is
//! the guest's to follow, as a new request that is checked anew.

use crate::{
    runtime::RequestContext,
    secrets::{MAX_BODY, StandIns},
    state::{Hooks, PluginShared},
};
use atlashub_core::{
    Error as CoreError, ErrorKind, PluginName, Result as CoreResult, capability::log::Level,
};
use bytes::Bytes;
use http::{Request, Response, Uri, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use std::{
    future::Future,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::OwnedSemaphorePermit,
};
use tokio_rustls::TlsConnector;
use wasmtime_wasi_http::{
    Error, ForbiddenHeaderFilter, RequestOptions, Result, WasiBody, WasiHttpHooks,
};

/// Longest wait for another call of the plugin to give its connection free.
const TURN: Duration = Duration::from_secs(5);
/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// Longest wait for the head of the response, and between two pieces of it.
const RESPONSE: Duration = Duration::from_secs(30);
/// Most bytes of a response's body, unless the operator says otherwise: they
/// stream, and what keeps them has limits of its own.
const MAX_RESPONSE_BYTES: u64 = 16 * 1024 * 1024 * 1024;
/// Deepest chain of plugins that call each other.
const MAX_DEPTH: u8 = 8;
/// What the host part of a plugin's address ends with.
const INTERNAL: &str = ".internal";

/// Which private addresses plugins may reach nonetheless, and how much may
/// come back.
#[derive(Clone, Debug)]
pub struct EgressPolicy {
    allowed: Vec<(String, u16)>,
    max_response_bytes: u64,
}

impl Default for EgressPolicy {
    fn default() -> Self {
        Self {
            allowed: Vec::new(),
            max_response_bytes: MAX_RESPONSE_BYTES,
        }
    }
}

impl EgressPolicy {
    /// Reads a list of `host:port`, separated by commas: the operator's
    /// setting `ATLASHUB_EGRESS_ALLOW`.
    ///
    /// # Errors
    /// `invalid_egress` naming the entry.
    pub fn parse(text: &str) -> CoreResult<Self> {
        let allowed = text
            .split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
            .map(|entry| {
                entry
                    .rsplit_once(':')
                    .and_then(|(host, port)| Some((host.to_ascii_lowercase(), port.parse().ok()?)))
                    .ok_or_else(|| {
                        CoreError::invalid(
                            "invalid_egress",
                            format!("`{entry}` is not `host:port`"),
                        )
                    })
            })
            .collect::<CoreResult<_>>()?;
        Ok(Self {
            allowed,
            ..Self::default()
        })
    }

    /// The same with another bound on the body of one response, bytes.
    #[must_use]
    pub fn with_max_response_bytes(self, max_response_bytes: u64) -> Self {
        Self {
            max_response_bytes,
            ..self
        }
    }

    fn allows(&self, host: &str, address: SocketAddr) -> bool {
        is_public(address.ip())
            || self.allowed.iter().any(|(allowed, port)| {
                *port == address.port()
                    && (allowed == host
                        || allowed.trim_matches(['[', ']']) == address.ip().to_string())
            })
    }

    /// Whether the operator names this host and port, wherever they lead.
    #[must_use]
    pub fn names(&self, host: &str, port: u16) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        self.allowed
            .iter()
            .any(|(allowed, allowed_port)| *allowed == host && *allowed_port == port)
    }
}

/// The addresses of a host, if all of them are public, with the port 0.
///
/// # Errors
/// When it has none, or one that is not public.
pub async fn resolve_public(host: &str) -> io::Result<Vec<SocketAddr>> {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the egress: what is found is checked below"
    )]
    let addresses: Vec<SocketAddr> = tokio::net::lookup_host((host, 0))
        .await?
        .map(canonical)
        .collect();
    match addresses.iter().find(|address| !is_public(address.ip())) {
        Some(address) => Err(io::Error::other(format!(
            "{host} leads to {}, which is not a public address",
            address.ip()
        ))),
        None => Ok(addresses),
    }
}

/// Whether an address belongs to the public internet, by the IANA registries
/// of special-purpose addresses.
#[must_use]
pub fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    const SPECIAL: &[(Ipv4Addr, u32)] = &[
        (Ipv4Addr::new(0, 0, 0, 0), 8),
        (Ipv4Addr::new(10, 0, 0, 0), 8),
        (Ipv4Addr::new(100, 64, 0, 0), 10),
        (Ipv4Addr::new(127, 0, 0, 0), 8),
        (Ipv4Addr::new(169, 254, 0, 0), 16),
        (Ipv4Addr::new(172, 16, 0, 0), 12),
        (Ipv4Addr::new(192, 0, 0, 0), 24),
        (Ipv4Addr::new(192, 0, 2, 0), 24),
        (Ipv4Addr::new(192, 88, 99, 0), 24),
        (Ipv4Addr::new(192, 168, 0, 0), 16),
        (Ipv4Addr::new(198, 18, 0, 0), 15),
        (Ipv4Addr::new(198, 51, 100, 0), 24),
        (Ipv4Addr::new(203, 0, 113, 0), 24),
        (Ipv4Addr::new(224, 0, 0, 0), 3),
    ];
    SPECIAL
        .iter()
        .all(|(network, bits)| (u32::from(ip) ^ u32::from(*network)) >> (32 - bits) != 0)
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let within =
        |network: Ipv6Addr, bits: u32| (u128::from(ip) ^ u128::from(network)) >> (128 - bits) == 0;
    let global = within(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
    let special = within(Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23)
        || within(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32)
        || within(Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16)
        || within(Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20);
    global && !special
}

type SendFuture = Box<
    dyn Future<
            Output = Result<(
                Response<WasiBody>,
                Box<dyn Future<Output = Result<(), Error>> + Send>,
            )>,
        > + Send,
>;

impl WasiHttpHooks for Hooks {
    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        Arc::clone(&self.forbidden)
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> SendFuture {
        let plugin = Arc::clone(&self.plugin);
        let context = self.request.clone();
        let secrets = self.secrets.clone();
        Box::new(async move {
            let authority = request
                .uri()
                .authority()
                .ok_or(Error::HttpRequestUriInvalid)?;
            let host = authority.host().trim_end_matches('.').to_ascii_lowercase();
            if let Some(name) = host.strip_suffix(INTERNAL) {
                let name = name.to_owned();
                return call_plugin(&plugin, &context, &name, request).await;
            }
            call_host(&plugin, &context, &host, request, options, &secrets).await
        })
    }
}

fn denied(plugin: &PluginShared, context: &RequestContext, what: &str) -> Error {
    plugin.output.host(Level::Warn, context, what);
    Error::HttpRequestDenied
}

fn nothing_left() -> Box<dyn Future<Output = Result<(), Error>> + Send> {
    Box::new(async { Ok(()) })
}

async fn call_plugin(
    plugin: &PluginShared,
    context: &RequestContext,
    name: &str,
    request: Request<WasiBody>,
) -> Result<(
    Response<WasiBody>,
    Box<dyn Future<Output = Result<(), Error>> + Send>,
)> {
    let name: PluginName = name.parse().map_err(|_| Error::DestinationNotFound)?;
    if !plugin.grants.allows_plugin(&name) {
        let what =
            format!("a call to the plugin `{name}` was refused: not granted `plugin:{name}`");
        return Err(denied(plugin, context, &what));
    }
    if context.depth >= MAX_DEPTH {
        return Err(Error::LoopDetected);
    }
    let context = RequestContext {
        via_plugin: Some(plugin.scope.plugin.clone()),
        depth: context.depth + 1,
        job: None,
        ..context.clone()
    };
    let calls = &plugin.services.calls;
    match calls
        .call(plugin.scope.project, &name, request, context)
        .await
    {
        Ok(response) => Ok((response, nothing_left())),
        Err(error) => {
            tracing::debug!(error = %error, plugin = %name, "a call between plugins failed");
            Err(of_call(error.kind()))
        }
    }
}

/// What a guest is told of a call to another plugin. Whether that was asked at
/// all it must be able to tell: who had no place, or met one that is cut off,
/// comes again; one that broke at this request breaks again.
fn of_call(kind: ErrorKind) -> Error {
    match kind {
        ErrorKind::NotFound => Error::DestinationNotFound,
        ErrorKind::DeadlineExceeded => Error::HttpResponseTimeout,
        ErrorKind::PluginFault => Error::DestinationUnavailable,
        _ => Error::ConnectionLimitReached,
    }
}

async fn call_host(
    plugin: &PluginShared,
    context: &RequestContext,
    host: &str,
    request: Request<WasiBody>,
    options: Option<RequestOptions>,
    secrets: &StandIns,
) -> Result<(
    Response<WasiBody>,
    Box<dyn Future<Output = Result<(), Error>> + Send>,
)> {
    let tls = request.uri().scheme() == Some(&http::uri::Scheme::HTTPS);
    let port = request
        .uri()
        .port_u16()
        .unwrap_or(if tls { 443 } else { 80 });
    if !plugin.grants.allows_http(host, port) {
        let what = format!("a call to {host}:{port} was refused: not granted `http:{host}`");
        return Err(denied(plugin, context, &what));
    }
    let turn = Arc::clone(&plugin.connections).acquire_owned();
    let Ok(Ok(permit)) = tokio::time::timeout(TURN, turn).await else {
        return Err(Error::ConnectionLimitReached);
    };
    let wait =
        |asked: Option<Duration>, most: Duration| asked.map_or(most, |asked| asked.min(most));
    let connect_timeout = wait(options.and_then(|options| options.connect_timeout), CONNECT);
    let first_byte = wait(
        options.and_then(|options| options.first_byte_timeout),
        RESPONSE,
    );
    let between = wait(
        options.and_then(|options| options.between_bytes_timeout),
        RESPONSE,
    );

    let connect = async {
        let address = checked_address(plugin, context, host, port).await?;
        let stream = TcpStream::connect(address).await.map_err(Error::Connect)?;
        let _ = stream.set_nodelay(true);
        if tls {
            let stream = secured(host, stream).await?;
            handshake(stream, permit).await
        } else {
            handshake(stream, permit).await
        }
    };
    let mut connection = tokio::time::timeout(connect_timeout, connect)
        .await
        .map_err(|_| Error::ConnectionTimeout)??;

    let (mut parts, body) = fill(plugin, context, secrets, request).await?.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    parts.uri = Uri::try_from(path).map_err(|_| Error::HttpRequestUriInvalid)?;
    let began = Instant::now();
    let sent = Arc::new(AtomicU64::new(0));
    let body = RequestBody {
        inner: body,
        began,
        sent: Arc::clone(&sent),
    };
    let send = connection
        .sender
        .send_request(Request::from_parts(parts, body.boxed_unsync()));
    let response = answered(send, began, &sent, first_byte)
        .await
        .ok_or(Error::HttpResponseTimeout)?
        .map_err(Error::from)?;
    let most = plugin.services.egress.max_response_bytes;
    let response = response.map(|incoming| {
        ResponseBody {
            incoming,
            most,
            left: most,
            between,
            silence: None,
        }
        .boxed_unsync()
    });
    Ok((response, connection.driver))
}

/// Waits for the head of a response, no longer than `patience` after the last
/// piece of the request's body went out: a long upload is no silence.
async fn answered<T>(
    send: impl Future<Output = T>,
    began: Instant,
    sent: &AtomicU64,
    patience: Duration,
) -> Option<T> {
    let mut send = std::pin::pin!(send);
    loop {
        let last = sent.load(Ordering::Relaxed);
        let until = began + Duration::from_millis(last) + patience;
        if let Ok(answer) = tokio::time::timeout_at(until.into(), &mut send).await {
            return Some(answer);
        }
        if sent.load(Ordering::Relaxed) == last {
            return None;
        }
    }
}

/// A request's body that notes when its last piece went out.
struct RequestBody {
    inner: WasiBody,
    began: Instant,
    /// Milliseconds since it began.
    sent: Arc<AtomicU64>,
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>>>> {
        let frame = Pin::new(&mut self.inner).poll_frame(context);
        if frame.is_ready() {
            let since = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.sent.store(since, Ordering::Relaxed);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// Puts secrets where a guest wrote their stand-ins.
async fn fill(
    plugin: &PluginShared,
    context: &RequestContext,
    secrets: &StandIns,
    request: Request<WasiBody>,
) -> Result<Request<WasiBody>> {
    if secrets.is_empty() {
        return Ok(request);
    }
    let (mut parts, mut body) = request.into_parts();
    if let Err(error) = secrets.fill_headers(&mut parts.headers) {
        return Err(denied(plugin, context, error.message()));
    }
    let length = parts.headers.get(header::CONTENT_LENGTH);
    let length: Option<u64> = length.and_then(|text| text.to_str().ok()?.parse().ok());
    if length.is_some_and(|length| (1..=MAX_BODY).contains(&length)) {
        let bytes = body.collect().await?.to_bytes();
        let bytes = secrets.fill(&bytes).map_or(bytes, Bytes::from);
        parts
            .headers
            .insert(header::CONTENT_LENGTH, bytes.len().into());
        let whole = http_body_util::Full::new(bytes);
        body = whole.map_err(|never| match never {}).boxed_unsync();
    }
    Ok(Request::from_parts(parts, body))
}

/// Resolves `host` and returns the first address, if all of them are allowed.
async fn checked_address(
    plugin: &PluginShared,
    context: &RequestContext,
    host: &str,
    port: u16,
) -> Result<SocketAddr> {
    let name = host.trim_matches(['[', ']']);
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the egress: what is found is checked below"
    )]
    let addresses: Vec<SocketAddr> = tokio::net::lookup_host((name, port))
        .await
        .map_err(|_| Error::DestinationNotFound)?
        .map(canonical)
        .collect();
    let policy = &plugin.services.egress;
    if let Some(address) = addresses
        .iter()
        .find(|address| !policy.allows(host, **address))
    {
        let what =
            format!("a call to {host}:{port} was refused: {address} is not a public address");
        plugin.output.host(Level::Warn, context, &what);
        return Err(Error::DestinationIpProhibited);
    }
    addresses.first().copied().ok_or(Error::DestinationNotFound)
}

/// An IPv4 address that is written as an IPv6 one, as what it is.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

async fn secured(
    host: &str,
    stream: TcpStream,
) -> Result<tokio_rustls::client::TlsStream<TcpStream>> {
    static CONFIG: OnceLock<Arc<rustls::ClientConfig>> = OnceLock::new();
    let config = CONFIG.get_or_init(|| {
        let roots = rustls::RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.into(),
        };
        let config = rustls::ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Arc::new(config)
    });
    let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
        .map_err(|_| Error::HttpRequestUriInvalid)?;
    TlsConnector::from(Arc::clone(config))
        .connect(name, stream)
        .await
        .map_err(Error::Tls)
}

struct Connection {
    sender: hyper::client::conn::http1::SendRequest<WasiBody>,
    driver: Box<dyn Future<Output = Result<(), Error>> + Send>,
}

async fn handshake(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    permit: OwnedSemaphorePermit,
) -> Result<Connection> {
    let (sender, connection) = hyper::client::conn::http1::Builder::new()
        .handshake(TokioIo::new(stream))
        .await
        .map_err(Error::from)?;
    // The connection has to be driven while the head is awaited; the runtime
    // drives `driver` only once there is a response.
    let task = wasmtime_wasi::runtime::spawn(async move {
        let _permit = permit;
        connection.await.map_err(Error::from)
    });
    Ok(Connection {
        sender,
        driver: Box::new(task),
    })
}

/// A response's body, bounded in size and silence.
struct ResponseBody {
    incoming: hyper::body::Incoming,
    most: u64,
    left: u64,
    between: Duration,
    silence: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>>>> {
        let this = &mut *self;
        let frame = match Pin::new(&mut this.incoming).poll_frame(context) {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                let between = this.between;
                let silence = this
                    .silence
                    .get_or_insert_with(|| Box::pin(tokio::time::sleep(between)));
                return silence
                    .as_mut()
                    .poll(context)
                    .map(|()| Some(Err(Error::ConnectionReadTimeout)));
            }
        };
        this.silence = None;
        Poll::Ready(frame.map(|frame| {
            let frame = frame.map_err(Error::from)?;
            let length = frame.data_ref().map_or(0, Bytes::len) as u64;
            this.left = this
                .left
                .checked_sub(length)
                .ok_or(Error::HttpResponseBodySize(Some(this.most)))?;
            Ok(frame)
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_addresses_are_not_public() {
        for ip in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001::1",
            "2001:db8::1",
            "ff02::1",
        ] {
            let address = canonical(SocketAddr::new(ip.parse().unwrap(), 80));
            assert!(!is_public(address.ip()), "{ip} counts as public");
        }
        let mapped = canonical("[::ffff:10.0.0.1]:80".parse().unwrap());
        assert!(!is_public(mapped.ip()));
        for ip in ["1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111"] {
            assert!(
                is_public(ip.parse().unwrap()),
                "{ip} does not count as public"
            );
        }
    }

    #[test]
    fn a_plugin_that_was_not_asked_is_told_from_one_that_broke() {
        let not_asked = |kind| matches!(of_call(kind), Error::ConnectionLimitReached);
        assert!(not_asked(ErrorKind::Unavailable));
        assert!(not_asked(ErrorKind::Internal));
        assert!(matches!(
            of_call(ErrorKind::PluginFault),
            Error::DestinationUnavailable
        ));
        assert!(matches!(
            of_call(ErrorKind::DeadlineExceeded),
            Error::HttpResponseTimeout
        ));
        assert!(matches!(
            of_call(ErrorKind::NotFound),
            Error::DestinationNotFound
        ));
    }

    #[tokio::test]
    async fn a_long_upload_is_waited_for_and_silence_is_not() {
        let patience = Duration::from_millis(1);
        let sent = AtomicU64::new(0);
        // Nothing wakes it but the end of our patience.
        let upload = std::future::poll_fn(|_| match sent.fetch_add(1, Ordering::Relaxed) {
            0..20 => Poll::Pending,
            _ => Poll::Ready("stored"),
        });
        let began = Instant::now();
        let answer = answered(upload, began, &sent, patience).await;
        assert_eq!(answer, Some("stored"));
        let silence = std::future::pending::<()>();
        let nothing = AtomicU64::new(0);
        assert_eq!(answered(silence, began, &nothing, patience).await, None);
    }

    #[test]
    fn the_operator_can_allow_a_private_address() {
        let policy = EgressPolicy::parse("127.0.0.1:9000, db.lan:80").unwrap();
        assert!(policy.allows("127.0.0.1", "127.0.0.1:9000".parse().unwrap()));
        assert!(policy.allows("db.lan", "10.0.0.7:80".parse().unwrap()));
        assert!(!policy.allows("127.0.0.1", "127.0.0.1:9001".parse().unwrap()));
        assert!(!policy.allows("other.lan", "10.0.0.7:80".parse().unwrap()));
        assert!(EgressPolicy::parse("nonsense").is_err());
    }
}
