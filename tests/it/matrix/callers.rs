//! Everybody who may turn up inside a project with good credentials, and
//! what each must not come to see.

use atlashub_tests::{Admin, PASSWORD, Project, TestServer, User, unique};
use reqwest::RequestBuilder;
use serde_json::{Value, json};

/// What a caller inside a project is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rank {
    /// No credentials but the project's address.
    Nobody,
    /// A publishable key.
    Publishable,
    /// An end user whose roles allow nothing.
    Guest,
    /// An end user whose roles allow reading.
    Reader,
    /// An end user who looks after nothing.
    User,
    /// An end user with the role `admin`.
    ProjectAdmin,
    /// A secret key.
    Secret,
    /// A platform admin who only reads.
    PlatformViewer,
    /// A platform admin who may change things.
    PlatformAdmin,
}

/// Puts credentials into a request.
type Present = Box<dyn Fn(RequestBuilder) -> RequestBuilder>;

/// Somebody, and the credentials that say so.
pub(super) struct Caller {
    pub(super) name: &'static str,
    pub(super) rank: Rank,
    present: Present,
}

impl Caller {
    fn new(
        name: &'static str,
        rank: Rank,
        present: impl Fn(RequestBuilder) -> RequestBuilder + 'static,
    ) -> Self {
        Self {
            name,
            rank,
            present: Box::new(present),
        }
    }

    pub(super) fn present(&self, request: RequestBuilder) -> RequestBuilder {
        (self.present)(request)
    }
}

/// With a key.
pub(super) fn key(key: &str) -> impl Fn(RequestBuilder) -> RequestBuilder + 'static {
    let key = key.to_owned();
    move |request| request.header("x-api-key", &key)
}

/// With a bearer token.
pub(super) fn bearer(token: &str) -> impl Fn(RequestBuilder) -> RequestBuilder + 'static {
    let token = token.to_owned();
    move |request| request.bearer_auth(&token)
}

/// With a publishable key, as applications in browsers send it, and a bearer
/// token.
pub(super) fn beside(
    publishable: &str,
    token: &str,
) -> impl Fn(RequestBuilder) -> RequestBuilder + 'static {
    let (publishable, token) = (publishable.to_owned(), token.to_owned());
    move |request| request.header("apikey", &publishable).bearer_auth(&token)
}

/// Signs up somebody and gives them these roles and no other.
pub(super) async fn user_with(admin: &Admin, project: &Project, roles: Value) -> User {
    let user = project.sign_up().await;
    let path = format!("/admin/v1/projects/{}/users/{}", project.slug, user.id);
    let changed = admin.patch(&path, json!({ "roles": roles })).await;
    assert_eq!(changed.expect(200).json()["roles"], roles);
    let me = user.get("/v1/auth/me").await.expect(200).json();
    assert_eq!(me["roles"], roles);
    user
}

/// The first owner, with a session.
pub(super) async fn owner(server: &TestServer) -> Admin {
    let body = json!({"email": super::EMAIL, "password": super::PASSWORD});
    let anonymous = server.admin().anonymous();
    let made = anonymous.post("/admin/v1/setup", body).await.expect(201);
    anonymous.with_session(made.json()["token"].as_str().expect("a token"))
}

/// A platform admin with that role; the session's token.
pub(super) async fn platform_admin(owner: &Admin, role: &str) -> String {
    let email = format!("{}@example.com", unique(role));
    let body = json!({"email": email, "role": role});
    let invited = owner.post("/admin/v1/invitations", body).await.expect(201);
    let body = json!({"token": invited.json()["token"], "password": PASSWORD});
    let path = "/admin/v1/invitations/accept";
    let accepted = owner.anonymous().post(path, body).await.expect(201);
    accepted.json()["token"]
        .as_str()
        .expect("a token")
        .to_owned()
}

/// Everybody. Of the roles, `viewer` may read and `editor` write what is the
/// user's own; one of the project's own, without any permission, allows
/// nothing at all.
pub(super) async fn everybody(owner: &Admin, project: &Project) -> Vec<Caller> {
    let roles = format!("/admin/v1/projects/{}/roles", project.slug);
    let guest = json!({"name": "guest", "permissions": []});
    let _ = owner.post(&roles, guest).await.expect(201);
    let publishable = project.publishable.clone();
    let mut all = vec![
        Caller::new("nobody", Rank::Nobody, |request| request),
        Caller::new("a publishable key", Rank::Publishable, key(&publishable)),
        Caller::new(
            "a publishable key beside a token of another issuer",
            Rank::Publishable,
            beside(&publishable, &super::unsigned_token()),
        ),
        Caller::new("a secret key", Rank::Secret, key(&project.secret)),
        Caller::new(
            "a secret key as bearer",
            Rank::Secret,
            bearer(&project.secret),
        ),
    ];
    for (name, rank, roles) in [
        ("a user without roles", Rank::Guest, json!([])),
        (
            "a user with a role of no permissions",
            Rank::Guest,
            json!(["guest"]),
        ),
        ("a user who is a viewer", Rank::Reader, json!(["viewer"])),
        ("a user who is an editor", Rank::User, json!(["editor"])),
        (
            "a user who is an admin",
            Rank::ProjectAdmin,
            json!(["admin"]),
        ),
    ] {
        let user = user_with(owner, project, roles).await;
        let present = beside(&publishable, &user.access);
        all.push(Caller::new(name, rank, present));
    }
    let refresh = user_with(owner, project, json!(["admin"])).await.refresh;
    all.push(Caller::new(
        "a publishable key beside a refresh token",
        Rank::Publishable,
        beside(&publishable, &refresh),
    ));
    // Beside a secret key a user is still no more than the user.
    let user = user_with(owner, project, json!(["editor"])).await;
    all.push(Caller::new(
        "a user beside a secret key",
        Rank::User,
        beside(&project.secret, &user.access),
    ));
    for (name, rank, role) in [
        ("a platform viewer", Rank::PlatformViewer, "viewer"),
        ("a platform admin", Rank::PlatformAdmin, "admin"),
    ] {
        let token = platform_admin(owner, role).await;
        all.push(Caller::new(name, rank, bearer(&token)));
    }
    all
}
