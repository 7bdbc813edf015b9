//! The layer behind creating calls: a call with an `Idempotency-Key` that was
//! answered before is answered the same.

use super::users::caller::{Me, UserAdmin};
use crate::{
    admin::AdminCaller,
    problem::{self, Problem},
    state::HostState,
};
use atlashub_app::{Idempotent, KeyTicket};
use atlashub_core::{Digest, Error};
use atlashub_data::platform::StoredAnswer;
use axum::{
    body::{Body, Bytes},
    extract::{FromRequestParts as _, Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

const HEADER: HeaderName = HeaderName::from_static("idempotency-key");
/// Headers that are kept with an answer.
const KEPT: [HeaderName; 3] = [
    header::CONTENT_TYPE,
    header::LOCATION,
    header::CACHE_CONTROL,
];

/// For calls of platform admins.
pub(super) async fn of_admins(
    State(state): State<HostState>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    if !request.headers().contains_key(HEADER) {
        return Ok(next.run(request).await);
    }
    let (mut parts, body) = request.into_parts();
    let caller = AdminCaller::from_request_parts(&mut parts, &state).await?;
    once(&state, &caller.name(), parts, body, next).await
}

/// For calls of those who look after a project's users.
pub(super) async fn of_user_admins(
    State(state): State<HostState>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    if !request.headers().contains_key(HEADER) {
        return Ok(next.run(request).await);
    }
    let (mut parts, body) = request.into_parts();
    let caller = UserAdmin::from_request_parts(&mut parts, &state).await?;
    // The path does not always name the project.
    let name = format!("{}/{}", caller.project, caller.actor.name());
    once(&state, &name, parts, body, next).await
}

/// For calls of users about what is their own.
pub(super) async fn of_users(
    State(state): State<HostState>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    if !request.headers().contains_key(HEADER) {
        return Ok(next.run(request).await);
    }
    let (mut parts, body) = request.into_parts();
    let Me(me) = Me::from_request_parts(&mut parts, &state).await?;
    let name = format!("{}/user/{}", me.project, me.id());
    once(&state, &name, parts, body, next).await
}

/// Runs a call unless it was answered before.
async fn once(
    state: &HostState,
    caller: &str,
    parts: Parts,
    body: Body,
    next: Next,
) -> Result<Response, Problem> {
    let key = key(&parts.headers)?;
    let body = read(body, state.config.limits.max_body()).await?;
    let digest = digest(&parts, &body);
    match state.app.begin_idempotent(caller, &key, digest).await? {
        Idempotent::Again(answer) => Ok(again(answer)),
        Idempotent::Run(ticket) => {
            let response = next.run(Request::from_parts(parts, Body::from(body))).await;
            keep(state, &ticket, response).await
        }
    }
}

fn key(headers: &HeaderMap) -> Result<String, Problem> {
    let text = headers
        .get(HEADER)
        .and_then(|value| value.to_str().ok())
        .map(str::trim);
    text.filter(|text| !text.is_empty())
        .map(str::to_owned)
        .ok_or_else(|| {
            Problem(Error::bad_request(
                "invalid_idempotency_key",
                "the idempotency key must be printable ASCII",
            ))
        })
}

async fn read(body: Body, limit: usize) -> Result<Bytes, Problem> {
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Problem(problem::from_body_status(
            StatusCode::PAYLOAD_TOO_LARGE,
        ))),
        Err(_) => Err(Problem(problem::from_body_status(StatusCode::BAD_REQUEST))),
    }
}

/// What makes two calls the same.
fn digest(parts: &Parts, body: &[u8]) -> Digest {
    let head = format!("{} {}\n", parts.method, parts.uri.path());
    Digest::of(&[head.as_bytes(), body].concat())
}

/// Keeps an answer that made something; a refusal made nothing, and may be
/// tried again.
async fn keep(
    state: &HostState,
    ticket: &KeyTicket,
    response: Response,
) -> Result<Response, Problem> {
    if !response.status().is_success() {
        state.app.drop_ticket(ticket).await?;
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let body = body
        .collect()
        .await
        .map_err(|error| Error::internal("read an answer to keep", error))?
        .to_bytes();
    let headers = KEPT
        .iter()
        .filter_map(|name| {
            Some((
                name.to_string(),
                parts.headers.get(name)?.to_str().ok()?.to_owned(),
            ))
        })
        .collect();
    let answer = StoredAnswer {
        status: parts.status.as_u16(),
        headers,
        body: body.to_vec(),
    };
    state.app.keep_answer(ticket, answer).await?;
    Ok(Response::from_parts(parts, Body::from(body)))
}

fn again(answer: StoredAnswer) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    for (name, value) in answer.headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(&value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response.headers_mut().insert(
        HeaderName::from_static("idempotent-replayed"),
        HeaderValue::from_static("true"),
    );
    response
}
