//! `POST /rpc/login`.

use crate::answer::refused;
use atlashub_sdk::prelude::*;
use serde_json::json;

/// What a client sends.
#[derive(Deserialize)]
struct Login {
    email: String,
    password: String,
    /// A code of the second factor, for those who have one.
    totp: Option<String>,
}

pub(crate) fn login(mut request: Request) -> Result<Response> {
    let agent = request.header("user-agent").map(str::to_owned);
    let body = request.take_body().bytes(Body::DEFAULT_LIMIT)?;
    let Ok(login) = serde_json::from_slice::<Login>(&body) else {
        return refused(
            StatusCode::BAD_REQUEST,
            "Send JSON with the texts `email` and `password`.",
        );
    };
    let mut credentials = sign_in::with_password(login.email, login.password);
    if let Some(code) = login.totp {
        credentials = credentials.with_totp_code(code);
    }
    if let Some(agent) = agent {
        credentials = credentials.with_user_agent(agent);
    }
    match credentials.send() {
        Ok(tokens) => Ok(Json(json!([{ "token": tokens.access_token }])).into_response()),
        Err(error) => refusal(error),
    }
}

/// Refusals of the host's sign-in, as this dialect has them.
fn refusal(error: Error) -> Result<Response> {
    let message = match error.code() {
        "invalid_credentials" => "Invalid email or password",
        "totp_required" => "Send a code of the second factor as `totp`",
        "invalid_totp_code" => "The code of the second factor is wrong",
        "email_not_verified" => "Follow the link in the mail that was sent to the address first",
        _ => return Err(error),
    };
    refused(StatusCode::BAD_REQUEST, message)
}
