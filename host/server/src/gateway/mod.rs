//! The project gateway: everything that is not the host's own goes tenant →
//! caller → admission → route → plugin. On the way of a warm request there is
//! no database, no lock across an await, no task of its own.

mod address;
pub(crate) mod answer;
mod assets;
mod basic;
mod caller;
mod class;
mod count;
mod describe;
mod once;

use crate::{
    client_address::{self, ClientAddress},
    problem, rate_limit,
    request_id::{self, RequestTag},
    routes,
    telemetry::request_span,
};
use address::Target;
use atlashub_app::{
    App,
    directory::ProjectEntry,
    limits::Admission,
    users::{SignedInUser, totp_required},
};
use atlashub_core::{
    Caller, Error, ErrorKind, PluginName, ProjectId, Result,
    manifest::{below, is_host_path, is_user_path},
};
use atlashub_runtime::RequestContext;
use axum::{body::Body, response::Response};
pub(crate) use count::Counted;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body::Body as _;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use ipnet::IpNet;
use once::Once;
use std::{net::SocketAddr, sync::Arc};

/// Forwarding headers: told to plugins by the host alone.
const FORWARDED: [HeaderName; 5] = [
    FORWARDED_PATH,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-proto"),
    header::FORWARDED,
];

/// The path as the client sent it, when the plugin sees another.
const FORWARDED_PATH: HeaderName = HeaderName::from_static("x-forwarded-path");

/// Where a project describes itself, below its own address.
const DESCRIPTION: &str = "/openapi.json";

/// What the gateway made of a request.
pub(crate) enum Routed {
    /// A project's: answered.
    Answered(Response<Body>),
    /// The host's own: given back untouched.
    Host(Request<Incoming>),
    /// The host's own inside a project: carries an [`InProject`], and its
    /// path starts where the project's does.
    Project(Request<Incoming>, Box<Counted>, Option<Admission>),
}

/// The project that a request of the host's own belongs to, and who makes it.
#[derive(Clone)]
pub(crate) struct InProject {
    /// The project.
    pub(crate) project: Arc<ProjectEntry>,
    /// What of the path names it, as the client sent it: empty, or `/p/<slug>`.
    pub(crate) base: String,
    /// Who makes the request.
    pub(crate) caller: Caller,
    /// The signed-in end user, if it is one.
    pub(crate) user: Option<Arc<SignedInUser>>,
    /// The end user of a session that awaits the second factor, and is good
    /// for showing it only.
    pub(crate) awaiting: Option<Arc<SignedInUser>>,
}

/// Routes requests to plugins.
pub(crate) struct Gateway {
    app: App,
    proxies: Vec<IpNet>,
    /// Of pages that plugins bring.
    policy: assets::Policy,
    /// Whether traces are sent.
    traced: bool,
}

impl Gateway {
    /// `store` are the origins that clients are sent to for objects, each
    /// after a blank.
    ///
    /// # Errors
    /// When those are no text for a header.
    pub(crate) fn new(app: App, proxies: Vec<IpNet>, store: &str, traced: bool) -> Result<Self> {
        Ok(Self {
            app,
            proxies,
            policy: assets::Policy::new(store)?,
            traced,
        })
    }

    pub(crate) fn app(&self) -> &App {
        &self.app
    }

    pub(crate) async fn handle(&self, request: Request<Incoming>, peer: SocketAddr) -> Routed {
        let path = request.uri().path();
        if is_user_path(inside(path)) {
            return self.user_route(request, peer).await;
        }
        if is_host_path(path) && !path.starts_with("/p/") {
            return Routed::Host(request);
        }
        let tag = RequestTag::of(request.headers());
        let origin = request.headers().get(header::ORIGIN).cloned();
        let mut counted = Counted::begin(&request);
        let mut response = if let Some(preflight) = answer::preflight(&request) {
            preflight
        } else {
            let mut told = Told::default();
            let answer = self
                .answer(request, peer, &tag, &mut counted, &mut told)
                .await;
            let mut response = answer.unwrap_or_else(|error| problem::render(&error, &tag));
            if let Some(project) = told.project {
                let plugin = told.plugin.as_ref();
                counted.end(&self.app, project, plugin, Some(tag.id()), &response);
            }
            told.tell(&mut response);
            response
        };
        if origin.is_some() {
            answer::allow_origin(response.headers_mut());
        }
        response
            .headers_mut()
            .insert(request_id::HEADER, tag.header());
        Routed::Answered(response)
    }

    /// What the host answers inside a project, for its end users.
    async fn user_route(&self, mut request: Request<Incoming>, peer: SocketAddr) -> Routed {
        if let Some(mut preflight) = answer::preflight(&request) {
            answer::allow_origin(preflight.headers_mut());
            return Routed::Answered(preflight);
        }
        let mut counted = Counted::begin(&request);
        let mut told = Told::default();
        match self
            .enter_project(&mut request, peer, &mut counted, &mut told)
            .await
        {
            Ok(()) => Routed::Project(request, Box::new(counted), told.admission),
            Err(error) => {
                let tag = RequestTag::of(request.headers());
                let path = inside(request.uri().path());
                let mut response = routes::refused_in_dialect(path, request.headers(), &error)
                    .unwrap_or_else(|| problem::render(&error, &tag));
                answer::allow_origin(response.headers_mut());
                if let Some(project) = told.project {
                    counted.end(&self.app, project, None, Some(tag.id()), &response);
                }
                told.tell(&mut response);
                response
                    .headers_mut()
                    .insert(request_id::HEADER, tag.header());
                Routed::Answered(response)
            }
        }
    }

    async fn enter_project(
        &self,
        request: &mut Request<Incoming>,
        peer: SocketAddr,
        counted: &mut Counted,
        told: &mut Told,
    ) -> Result<()> {
        client_address::believe_host(request, peer, &self.proxies);
        let Target {
            project,
            key,
            prefix,
            ..
        } = address::resolve(self.app.directory(), request).await?;
        told.project = Some(project.id);
        if self.traced {
            request_span::note("atlashub.project", project.slug.as_str());
        }
        let found =
            caller::identify(&self.app, request.headers_mut(), project.id, key.as_deref()).await?;
        counted.by(&found.caller);
        found.may_call(None)?;
        let client = client_address::resolve(peer, request.headers(), &self.proxies);
        let class = class::of(
            request.method(),
            &address::without_prefix(request.uri().path(), prefix),
        );
        told.admission
            .insert(project.admit(class, &found.caller, client.0))
            .check()?;
        let base = request
            .uri()
            .path()
            .get(..prefix)
            .unwrap_or_default()
            .to_owned();
        if prefix > 0 {
            let whole = request
                .uri()
                .path_and_query()
                .map_or("/", |whole| whole.as_str());
            let inner = address::without_prefix(whole, prefix).into_owned();
            show(request, &inner)?;
        }
        request.extensions_mut().insert(InProject {
            project,
            base,
            caller: found.caller,
            user: found.user,
            awaiting: found.awaiting,
        });
        Ok(())
    }

    async fn answer(
        &self,
        mut request: Request<Incoming>,
        peer: SocketAddr,
        tag: &RequestTag,
        counted: &mut Counted,
        told: &mut Told,
    ) -> Result<Response<Body>> {
        client_address::believe_host(&mut request, peer, &self.proxies);
        let directory = self.app.directory();
        let Target {
            project,
            key,
            prefix,
            by_host,
        } = address::resolve(directory, &request).await?;
        told.project = Some(project.id);
        if self.traced {
            request_span::note("atlashub.project", project.slug.as_str());
        }
        let found =
            caller::identify(&self.app, request.headers_mut(), project.id, key.as_deref()).await?;
        if found.awaiting.is_some() {
            return Err(totp_required());
        }
        let mut caller = found.caller.clone();
        counted.by(&caller);
        let client = client_address::resolve(peer, request.headers(), &self.proxies);
        if basic::is_sent(request.headers()) {
            let routes = directory.routes(&project).await?;
            let path = address::without_prefix(request.uri().path(), prefix).into_owned();
            if routes.find(&path).is_some_and(|mount| mount.basic) {
                told.challenge = basic::challenge(&project);
                let headers = request.headers_mut();
                caller = basic::authenticate(&self.app, headers, &project, client.0).await?;
                counted.by(&caller);
            }
        }
        let class = class::of(
            request.method(),
            &address::without_prefix(request.uri().path(), prefix),
        );
        told.admission
            .insert(project.admit(class, &caller, client.0))
            .check()?;
        let routes = directory.routes(&project).await?;
        if routes.wants_retry() {
            self.app.retry_plugins(&project);
        }
        let (plugin, seen) = {
            let whole = request
                .uri()
                .path_and_query()
                .map_or("/", |whole| whole.as_str());
            let inner = address::without_prefix(whole, prefix);
            let path = inner
                .split_once('?')
                .map_or(inner.as_ref(), |(path, _)| path);
            if path == DESCRIPTION && prefix > 0 && request.method() == Method::GET {
                found.may_call(None)?;
                return describe::answer(&self.app, &project, &caller).await;
            }
            let mount = routes
                .find(path)
                .filter(|_| prefix == 0 || !is_host_path(path))
                .ok_or_else(|| no_route(path))?;
            told.plugin = Some(mount.plugin.installation.plugin.clone());
            found.may_call(Some(&mount.plugin.installation.plugin))?;
            if self.traced {
                let plugin = &mount.plugin.installation.plugin;
                request_span::note("atlashub.plugin", plugin.as_str());
                request_span::note("http.route", mount.path());
            }
            if mount.assets {
                let asking = assets::Asking {
                    method: request.method(),
                    uri: request.uri(),
                    headers: request.headers(),
                    rest: below(&mount.path, path).map_or("", |(rest, _)| rest),
                    own_host: by_host,
                };
                let files = Arc::clone(mount.plugin.assets()?);
                return assets::answer(&files, asking, &self.policy, tag).await;
            }
            if mount.basic && !basic::is_browser(request.headers()) {
                told.challenge = basic::challenge(&project);
            }
            let seen = mount
                .seen(&inner)
                .or_else(|| (prefix > 0).then(|| inner.clone().into_owned()));
            (Arc::clone(mount.plugin.live()?), seen)
        };
        prepare(&mut request, client, seen)?;
        // For the plugin's own problem documents.
        request
            .headers_mut()
            .insert(request_id::HEADER, tag.header());
        let once = Once::of(&mut request, &caller)?;
        let context = RequestContext {
            session: found.session,
            client: Some(client.0),
            ..RequestContext::new(tag.id(), caller)
        };
        let limit = plugin.limits().max_body_bytes;
        let mut response = if let Some(once) = once {
            let request = refuse_beyond(request, limit)?;
            let call = move |request: Request<atlashub_runtime::WasiBody>| async move {
                let response = plugin.handle(request, context).await?;
                Ok(response.map(Body::new))
            };
            once.run(&self.app, project.id, request, call).await?
        } else if limit == 0 {
            plugin.handle(request, context).await?.map(Body::new)
        } else {
            let request = limited(request, limit)?;
            plugin.handle(request, context).await?.map(Body::new)
        };
        if !by_host {
            answer::take_origin(response.headers_mut());
        }
        Ok(response)
    }
}

/// What the host adds to an answer, whoever made it.
#[derive(Default)]
struct Told {
    /// How many more requests the caller may make.
    admission: Option<Admission>,
    /// What asks a program for a user's address and an app password.
    challenge: Option<HeaderValue>,
    /// For whom the request is counted, and for which plugin.
    project: Option<ProjectId>,
    plugin: Option<PluginName>,
}

impl Told {
    fn tell(self, response: &mut Response<Body>) {
        if let Some(admission) = self.admission {
            rate_limit::tell(response.headers_mut(), &admission);
        }
        if let Some(challenge) = self.challenge
            && response.status() == StatusCode::UNAUTHORIZED
        {
            response
                .headers_mut()
                .append(header::WWW_AUTHENTICATE, challenge);
        }
    }
}

/// What the plugin shall see of the request.
fn prepare(
    request: &mut Request<Incoming>,
    client: ClientAddress,
    seen: Option<String>,
) -> Result<()> {
    let asked = match seen {
        Some(seen) => {
            let asked = request.uri().path().parse().ok();
            show(request, &seen)?;
            asked
        }
        None => None,
    };
    let headers = request.headers_mut();
    for name in FORWARDED {
        headers.remove(name);
    }
    // For plugins whose answers name paths as the client has them.
    if let Some(asked) = asked {
        headers.insert(FORWARDED_PATH, asked);
    }
    if let Ok(value) = HeaderValue::from_str(&client.0.to_string()) {
        headers.insert(HeaderName::from_static("x-forwarded-for"), value);
    }
    if !headers.contains_key(header::HOST) && request.uri().authority().is_none() {
        return Err(Error::bad_request(
            "host_missing",
            "the request names no host",
        ));
    }
    Ok(())
}

/// The path inside the project that a path names, whether or not it names the
/// project, too.
fn inside(path: &str) -> &str {
    match path.strip_prefix("/p/") {
        Some(rest) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"),
        None => path,
    }
}

/// Puts another path and query in place of a request's.
fn show(request: &mut Request<Incoming>, whole: &str) -> Result<()> {
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    parts.path_and_query = Some(whole.parse().map_err(|_| bad_path())?);
    if parts.scheme.is_none() {
        parts.authority = None;
    }
    *request.uri_mut() = Uri::from_parts(parts).map_err(|_| bad_path())?;
    Ok(())
}

fn bad_path() -> Error {
    Error::bad_request("invalid_path", "the path cannot be read")
}

fn no_route(path: &str) -> Error {
    let shown: String = path.chars().take(200).collect();
    Error::new(
        ErrorKind::NotFound,
        "route_not_found",
        format!("no plugin that is enabled in this project answers `{shown}`"),
    )
}

/// Refuses a body whose length is known and beyond `limit` bytes; 0 is none.
fn refuse_beyond(request: Request<Incoming>, limit: u64) -> Result<Request<Incoming>> {
    if limit > 0 && request.body().size_hint().lower() > limit {
        return Err(body_too_large(limit));
    }
    Ok(request)
}

fn body_too_large(limit: u64) -> Error {
    Error::new(
        ErrorKind::TooLarge,
        "body_too_large",
        format!("the plugin takes bodies of at most {limit} bytes"),
    )
    .with_field("limit_bytes", limit)
}

/// Refuses bodies beyond `limit` bytes: at once when their length is known,
/// else as soon as they pass it.
fn limited(request: Request<Incoming>, limit: u64) -> Result<Request<atlashub_runtime::WasiBody>> {
    let request = refuse_beyond(request, limit)?;
    if request.method() == Method::GET || request.body().is_end_stream() {
        return Ok(request.map(|body| body.map_err(Into::into).boxed_unsync()));
    }
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    Ok(request.map(|body| {
        Limited::new(body, limit)
            .map_err(|_| atlashub_runtime::BodyError::HttpRequestBodySize(None))
            .boxed_unsync()
    }))
}
