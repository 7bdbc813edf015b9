//! Signing in with others: npm's `oidc-provider` as it is. What it does not do
//! by itself is in `oauth_stand_in`.

use atlashub_tests::{
    Browser, MailServer, OidcProvider, Project, Reply, TestServer, User, shared, totp_code, unique,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::{Method, Url};
use serde_json::{Value, json};
use std::collections::HashMap;

/// Where the application is.
pub(crate) const APP: &str = "https://app.example.com/welcome";
/// The application's verifier, and what it hashes to.
pub(crate) const VERIFIER: &str = "the-verifier-of-an-application-which-is-long-enough";

pub(crate) fn challenge() -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, VERIFIER.as_bytes());
    URL_SAFE_NO_PAD.encode(digest)
}

/// A project where one signs in with a provider.
pub(crate) struct Place {
    pub(crate) project: Project,
    pub(crate) base: String,
    admin: atlashub_tests::Admin,
}

impl Place {
    pub(crate) async fn at(server: &TestServer) -> Self {
        let admin = server.admin();
        let project = admin.project().await;
        let place = Self {
            base: server.url(&format!("/p/{}", project.slug)),
            project,
            admin,
        };
        place.settings(json!({})).await;
        place
    }

    /// Changes the project's settings; those of signing in with others stay.
    pub(crate) async fn settings(&self, mut settings: Value) {
        settings["redirect_urls"] = json!([APP]);
        let path = format!("/admin/v1/projects/{}/auth", self.project.slug);
        let _ = self.admin.put(&path, settings).await.expect(200);
    }

    pub(crate) fn callback(&self, name: &str) -> String {
        format!("{}/v1/auth/oauth/{name}/callback", self.base)
    }

    /// Sets a provider up.
    pub(crate) async fn put(&self, name: &str, body: Value) -> Reply {
        let path = format!(
            "/admin/v1/projects/{}/auth/providers/{name}",
            self.project.slug
        );
        self.admin.put(&path, body).await
    }

    /// npm's provider, set up as `id`.
    pub(crate) async fn provider(&self) -> OidcProvider {
        let callbacks = [self.callback("id"), self.callback("other")];
        let callbacks: Vec<&str> = callbacks.iter().map(String::as_str).collect();
        let provider = OidcProvider::start(&callbacks).await;
        let _ = self.put("id", described(&provider)).await.expect(200);
        provider
    }

    /// Where an application sends a browser.
    pub(crate) fn start(&self, name: &str) -> String {
        let mut url = Url::parse(&format!("{}/v1/auth/oauth/{name}", self.base)).unwrap();
        url.query_pairs_mut()
            .append_pair("redirect_to", APP)
            .append_pair("code_challenge", &challenge())
            .append_pair("code_challenge_method", "S256");
        url.into()
    }

    /// Signs in with `provider` as `name`: what the application is told.
    async fn sign_in(&self, provider: &OidcProvider, name: &str) -> HashMap<String, String> {
        let mut browser = Browser::default();
        self.sign_in_with(&mut browser, provider, name).await
    }

    async fn sign_in_with(
        &self,
        browser: &mut Browser,
        provider: &OidcProvider,
        name: &str,
    ) -> HashMap<String, String> {
        let begun = browser.get(&self.start("id")).await.expect(302);
        let back = provider
            .sign_in(browser, begun.header("location"), name)
            .await;
        told(&browser.get(&back).await.expect(302))
    }

    pub(crate) async fn redeem(&self, code: &str) -> Reply {
        let body = json!({"code": code, "code_verifier": VERIFIER});
        self.project.auth("/oauth/token", body).await
    }

    /// Signs in with `provider` as `name`, to the end.
    async fn enter(&self, provider: &OidcProvider, name: &str) -> User {
        let told = self.sign_in(provider, name).await;
        let tokens = self.redeem(&told["code"]).await.expect(200).json();
        self.known(&tokens).await
    }

    /// The user that has these tokens.
    pub(crate) async fn known(&self, tokens: &Value) -> User {
        let token = tokens["access_token"].as_str().unwrap();
        let request = self.project.bare_request(Method::GET, "/v1/auth/me");
        let request = request
            .header("apikey", &self.project.publishable)
            .bearer_auth(token);
        let me = Reply::to(request).await.expect(200).json();
        User::known(&self.project, &me, tokens)
    }
}

fn described(provider: &OidcProvider) -> Value {
    json!({
        "kind": "oidc", "issuer": provider.issuer(),
        "client_id": OidcProvider::CLIENT_ID, "client_secret": OidcProvider::CLIENT_SECRET,
    })
}

/// What the application is told when a browser is led back to it.
pub(crate) fn told(reply: &Reply) -> HashMap<String, String> {
    let to = Url::parse(reply.header("location")).unwrap();
    assert_eq!(&to.as_str()[..url_end(&to)], APP, "{to}");
    to.query_pairs().into_owned().collect()
}

fn url_end(url: &Url) -> usize {
    url.as_str().find('?').unwrap_or(url.as_str().len())
}

fn someone() -> String {
    format!("{}@example.com", unique("o"))
}

#[tokio::test]
async fn somebody_signs_in_with_an_issuer_and_is_the_same_user_next_time() {
    let place = Place::at(shared().await).await;
    let provider = place.provider().await;
    let email = someone();
    let told = place.sign_in(&provider, &email).await;
    assert_eq!(told.keys().collect::<Vec<_>>(), ["code"]);
    let tokens = place.redeem(&told["code"]).await.expect(200).json();
    let mut members: Vec<_> = tokens.as_object().unwrap().keys().collect();
    members.sort();
    assert_eq!(
        members,
        ["access_token", "expires_in", "refresh_token", "token_type"]
    );
    let user = place.known(&tokens).await;
    let me = user.get("/v1/auth/me").await.expect(200).json();
    assert_eq!(me["email"], json!(email));
    assert_eq!(
        (&me["email_verified"], &me["name"]),
        (&json!(true), &json!("Ada L."))
    );
    assert_eq!(me["roles"], json!(["editor"]));
    // The code was good for one use.
    let again = place.redeem(&told["code"]).await;
    assert_eq!(again.expect_problem(401), "invalid_code");
    let next = place.enter(&provider, &email).await;
    assert_eq!(next.id, user.id);
    let identities = next.get("/v1/auth/identities").await.expect(200).json();
    let items = identities["items"].as_array().unwrap();
    assert_eq!((items.len(), &items[0]["provider"]), (1, &json!("id")));
    assert_eq!(items[0]["email"], json!(email));
}

#[tokio::test]
async fn a_sign_in_belongs_to_the_browser_that_began_it_and_ends_once() {
    let place = Place::at(shared().await).await;
    let provider = place.provider().await;
    let (mut attacker, mut victim) = (Browser::default(), Browser::default());
    let begun = attacker.get(&place.start("id")).await.expect(302);
    let back = provider
        .sign_in(&mut attacker, begun.header("location"), &someone())
        .await;
    // Whoever is sent to where somebody else's sign-in ends is not signed in.
    let refused = victim.get(&back).await.expect(400);
    assert!(
        refused.text().contains("not begun in this browser"),
        "{}",
        refused.text()
    );
    let _ = victim.get(&place.start("id")).await.expect(302);
    assert!(victim.cookie("__Secure-atlashub-oauth").is_some());
    let _ = victim.get(&back).await.expect(400);
    // A state that nobody made, and one of another provider.
    let mut forged = Url::parse(&back).unwrap();
    forged.set_query(Some("code=x&state=of-nobody"));
    let _ = attacker.get(forged.as_str()).await.expect(400);
    let _ = place.put("other", described(&provider)).await.expect(200);
    let elsewhere = back.replace("/oauth/id/", "/oauth/other/");
    let _ = attacker.get(&elsewhere).await.expect(400);
    // None of this has hindered the one who began it.
    let done = attacker.get(&back).await.expect(302);
    assert!(told(&done).contains_key("code"));
    let _ = attacker.get(&back).await.expect(400);
}

#[tokio::test]
async fn a_code_is_for_the_application_that_began_and_for_its_project() {
    let server = shared().await;
    let (place, other) = (Place::at(server).await, Place::at(server).await);
    let provider = place.provider().await;
    let code = &place.sign_in(&provider, &someone()).await["code"];
    for verifier in ["", "short", &"x".repeat(43), &challenge()] {
        let body = json!({"code": code, "code_verifier": verifier});
        let reply = place.project.auth("/oauth/token", body).await;
        assert_eq!(reply.expect_problem(401), "invalid_code", "{verifier}");
    }
    assert_eq!(other.redeem(code).await.expect_problem(401), "invalid_code");
    let _ = place.redeem(code).await.expect(200);
}

#[tokio::test]
async fn what_an_application_may_not_begin_is_refused() {
    let place = Place::at(shared().await).await;
    let provider = place.provider().await;
    let mut browser = Browser::default();
    let base = format!("{}/v1/auth/oauth/id", place.base);
    let challenge = challenge();
    for (query, status, code) in [
        (String::new(), 400, "pkce_required"),
        ("code_challenge=short".to_owned(), 400, "pkce_required"),
        (
            format!("code_challenge={challenge}&code_challenge_method=plain"),
            400,
            "pkce_required",
        ),
        (
            format!("code_challenge={challenge}&redirect_to=https://evil.example/"),
            400,
            "redirect_not_allowed",
        ),
    ] {
        let reply = browser.get(&format!("{base}?{query}")).await;
        assert_eq!(reply.expect_problem(status), code, "{query}");
    }
    // Where the application said whereto, it is told there.
    let unknown = browser.get(&place.start("nobody")).await.expect(302);
    let unknown = told(&unknown);
    assert_eq!(unknown["error_code"], "not_found");
    let pkce = format!("{base}?redirect_to={APP}");
    let refused = told(&browser.get(&pkce).await.expect(302));
    assert_eq!(
        (refused["error"].as_str(), refused["error_code"].as_str()),
        ("invalid_request", "pkce_required")
    );
    // Elsewhere, people are shown a page that runs nothing.
    let shown = place.project.bare_request(
        Method::GET,
        &format!(
            "/p/{}/v1/auth/oauth/id?redirect_to=https://evil.example/",
            place.project.slug
        ),
    );
    let shown = Reply::to(shown.header("accept", "text/html,*/*;q=0.8")).await;
    let shown = shown.expect(400);
    assert!(shown.text().contains("cannot begin"), "{}", shown.text());
    let policy = shown.header("content-security-policy");
    assert!(policy.contains("default-src 'none'"), "{policy}");
    let mut off = described(&provider);
    off["enabled"] = json!(false);
    let _ = place.put("id", off).await.expect(200);
    let off = browser.get(&place.start("id")).await.expect(302);
    assert_eq!(told(&off)["error_code"], "not_found");
}

#[tokio::test]
async fn who_is_signed_in_links_another_account_and_nobody_else_does() {
    let place = Place::at(shared().await).await;
    let provider = place.provider().await;
    let user = place.project.sign_up().await;
    let ask = || async {
        let body = json!({
            "provider": "id", "redirect_to": APP, "code_challenge": challenge(),
        });
        let request = user.request(Method::POST, "/v1/auth/identities");
        let reply = Reply::to(request.json(&body)).await.expect(200).json();
        reply["url"].as_str().unwrap().to_owned()
    };
    let url = ask().await;
    let outside = someone();
    // Another application's challenge does not go with the ticket.
    let mut forged = Url::parse(&url).unwrap();
    let pairs: Vec<_> = forged.query_pairs().into_owned().collect();
    forged.query_pairs_mut().clear();
    for (name, value) in pairs {
        let value = match name.as_str() {
            "code_challenge" => "x".repeat(43),
            _ => value,
        };
        forged.query_pairs_mut().append_pair(&name, &value);
    }
    let mut browser = Browser::default();
    let refused = told(&browser.get(forged.as_str()).await.expect(302));
    assert_eq!(refused["error_code"], "invalid_ticket");
    // Somebody else who is made to follow the address links nothing: the
    // application there does not have the verifier.
    let begun = browser.get(&url).await.expect(302);
    let back = provider
        .sign_in(&mut browser, begun.header("location"), &outside)
        .await;
    let code = told(&browser.get(&back).await.expect(302))["code"].clone();
    let body = json!({"code": code, "code_verifier": "y".repeat(43)});
    let reply = place.project.auth("/oauth/token", body).await;
    assert_eq!(reply.expect_problem(401), "invalid_code");
    let identities = user.get("/v1/auth/identities").await.expect(200).json();
    assert_eq!(identities["items"], json!([]));
    // The application itself does.
    let tokens = place.redeem(&code).await.expect(200).json();
    assert_eq!(place.known(&tokens).await.id, user.id);
    let identities = user.get("/v1/auth/identities").await.expect(200).json();
    assert_eq!(identities["items"][0]["email"], json!(outside));
    assert_eq!(place.enter(&provider, &outside).await.id, user.id);
    // It is this user's now, and no other's.
    let other = place.project.sign_up().await;
    let body = json!({"provider": "id", "redirect_to": APP, "code_challenge": challenge()});
    let request = other.request(Method::POST, "/v1/auth/identities");
    let asked = Reply::to(request.json(&body)).await.expect(200).json();
    let mut browser = Browser::default();
    let begun = browser.get(asked["url"].as_str().unwrap()).await;
    let begun = begun.expect(302);
    let back = provider
        .sign_in(&mut browser, begun.header("location"), &outside)
        .await;
    let refused = told(&browser.get(&back).await.expect(302));
    assert_eq!(refused["error_code"], "identity_taken");
}

#[tokio::test]
async fn an_account_is_linked_only_when_both_sides_have_proven_the_address() {
    let mails = MailServer::start().await;
    let server = TestServer::builder().env("ATLASHUB_SMTP_URL", mails.url());
    let server = server.start().await;
    let place = Place::at(&server).await;
    let provider = place.provider().await;
    let user = place.project.sign_up().await;
    // The account's owner has not proven the address.
    let told = place.sign_in(&provider, &user.email).await;
    assert_eq!(told["error"], "access_denied");
    assert_eq!(told["error_code"], "identity_not_linked");
    let asked = json!({"email": user.email});
    let _ = place.project.auth("/verify-email", asked).await.expect(202);
    let token = mails.mail_to(&user.email, 1).await.token();
    let proof = json!({"token": token});
    let _ = place
        .project
        .auth("/verify-email", proof)
        .await
        .expect_success();
    // The provider has not.
    let unproven = format!("unproven:{}", user.email);
    let told = place.sign_in(&provider, &unproven).await;
    assert_eq!(told["error_code"], "identity_not_linked");
    let linked = place.enter(&provider, &user.email).await;
    assert_eq!(linked.id, user.id);
    let path = format!("/admin/v1/audit?project={}&limit=200", place.project.id);
    let audit = server.admin().get(&path).await.expect(200).json();
    let events = audit["items"].as_array().unwrap();
    for (action, details) in [
        ("user.verify_email", json!({})),
        (
            "user.link_identity",
            json!({"provider": "id", "by": "address"}),
        ),
    ] {
        let of_it: Vec<_> = events
            .iter()
            .filter(|event| event["action"] == action)
            .collect();
        assert_eq!(of_it.len(), 1, "{action} in {audit}");
        let event = of_it[0];
        assert_eq!(event["actor_id"], user.id.as_str(), "{event}");
        assert_eq!(event["target"], user.id.as_str(), "{event}");
        assert_eq!(event["details"], details, "{event}");
    }
    // The password is there still.
    let _ = place.project.sign_in(&user.email).await.expect(200);
}

#[tokio::test]
async fn somebody_without_a_proven_address_is_held_to_the_projects_rules() {
    let mails = MailServer::start().await;
    let server = TestServer::builder().env("ATLASHUB_SMTP_URL", mails.url());
    let server = server.start().await;
    let place = Place::at(&server).await;
    let provider = place.provider().await;
    let told = place.sign_in(&provider, "nameless").await;
    assert_eq!(told["error_code"], "no_email");
    place
        .settings(json!({"require_verified_email": true}))
        .await;
    let email = someone();
    let name = format!("unproven:{email}");
    let told = place.sign_in(&provider, &name).await;
    let refused = place.redeem(&told["code"]).await;
    assert_eq!(refused.expect_problem(403), "email_not_verified");
    let token = mails.mail_to(&email, 1).await.token();
    let proof = json!({"token": token});
    let _ = place
        .project
        .auth("/verify-email", proof)
        .await
        .expect_success();
    let _ = place.redeem(&told["code"]).await.expect(200);
}

#[tokio::test]
async fn who_proves_an_address_later_owns_the_account_alone() {
    let mails = MailServer::start().await;
    let server = TestServer::builder().env("ATLASHUB_SMTP_URL", mails.url());
    let server = server.start().await;
    let place = Place::at(&server).await;
    let provider = place.provider().await;
    let email = someone();
    let squatter = place.enter(&provider, &format!("unproven:{email}")).await;
    let asked = json!({"email": email});
    let _ = place.project.auth("/magic-link", asked).await.expect(202);
    let token = mails.mail_to(&email, 1).await.token();
    let link = json!({"token": token});
    let tokens = place.project.auth("/magic-link", link).await.expect(200);
    let owner = place.known(&tokens.json()).await;
    assert_eq!(owner.id, squatter.id);
    let left = owner.get("/v1/auth/identities").await.expect(200).json();
    assert_eq!(left["items"], json!([]));
    let told = place.sign_in(&provider, &format!("unproven:{email}")).await;
    assert_eq!(told["error_code"], "identity_not_linked");
}

#[tokio::test]
async fn whoever_is_shut_out_or_not_let_in_stays_out() {
    let server = shared().await;
    let place = Place::at(server).await;
    let provider = place.provider().await;
    let user = place.enter(&provider, &someone()).await;
    let waiting = &place.sign_in(&provider, &user.email).await["code"];
    let path = format!(
        "/admin/v1/projects/{}/users/{}",
        place.project.slug, user.id
    );
    let shut = json!({"disabled": true});
    let _ = server.admin().patch(&path, shut).await.expect(200);
    assert_eq!(
        place.redeem(waiting).await.expect_problem(401),
        "invalid_code"
    );
    let told = place.sign_in(&provider, &user.email).await;
    assert_eq!(told["error_code"], "account_disabled");
    for closed in ["invite", "closed"] {
        place.settings(json!({"sign_up": closed})).await;
        let told = place.sign_in(&provider, &someone()).await;
        assert_eq!(told["error_code"], "sign_up_closed");
    }
    place.settings(json!({})).await;
    let mut known_only = described(&provider);
    known_only["sign_up"] = json!(false);
    let _ = place.put("id", known_only).await.expect(200);
    let told = place.sign_in(&provider, &someone()).await;
    assert_eq!(told["error_code"], "sign_up_closed");
}

#[tokio::test]
async fn a_second_factor_is_asked_for_as_with_a_password() {
    let place = Place::at(shared().await).await;
    let provider = place.provider().await;
    let user = place.enter(&provider, &someone()).await;
    let made = user.post("/v1/auth/totp/enroll", json!({})).await;
    let made = made.expect_success().json();
    let secret = made["secret"].as_str().unwrap();
    let proof = json!({"code": totp_code(secret, 0)});
    let _ = user
        .post("/v1/auth/totp/verify", proof)
        .await
        .expect_success();
    let told = place.sign_in(&provider, &user.email).await;
    let code = &told["code"];
    assert_eq!(
        place.redeem(code).await.expect_problem(401),
        "totp_required"
    );
    let with = |totp: &str| {
        let body = json!({"code": code, "code_verifier": VERIFIER, "totp_code": totp});
        place.project.auth("/oauth/token", body)
    };
    assert_eq!(
        with("000000").await.expect_problem(401),
        "invalid_totp_code"
    );
    let _ = with(&totp_code(secret, 1)).await.expect(200);
    assert_eq!(
        with(&totp_code(secret, 1)).await.expect_problem(401),
        "invalid_code"
    );
}

#[tokio::test]
async fn an_identity_is_unlinked_but_never_the_last_way_in() {
    let server = shared().await;
    let place = Place::at(server).await;
    let provider = place.provider().await;
    let user = place.enter(&provider, &someone()).await;
    let identities = user.get("/v1/auth/identities").await.expect(200).json();
    let id = identities["items"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/auth/identities/{id}");
    let other = place.project.sign_up().await;
    assert_eq!(
        other.delete(&path, json!({})).await.expect_problem(404),
        "not_found"
    );
    assert_eq!(
        user.delete(&path, json!({})).await.expect_problem(409),
        "last_way_in"
    );
    // The same person with another client of the same issuer is no stranger.
    let _ = place.put("other", described(&provider)).await.expect(200);
    let again = place.enter(&provider, &user.email).await;
    let same = again.get("/v1/auth/identities").await.expect(200).json();
    assert_eq!(same["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_provider_that_says_no_is_told_to_the_application() {
    let place = Place::at(shared().await).await;
    let provider = place.provider().await;
    let mut browser = Browser::default();
    let begun = browser.get(&place.start("id")).await.expect(302);
    let asked = Url::parse(begun.header("location")).unwrap();
    let state = asked
        .query_pairs()
        .find(|(name, _)| name == "state")
        .unwrap()
        .1;
    let back = format!("{}?error=access_denied&state={state}", place.callback("id"));
    let told_so = told(&browser.get(&back).await.expect(302));
    assert_eq!(told_so["error"], "access_denied");
    assert!(!told_so.contains_key("code"));
    // A secret that is not the one there.
    let mut wrong = described(&provider);
    wrong["client_secret"] = json!("another");
    let _ = place.put("id", wrong).await.expect(200);
    let told_so = place.sign_in(&provider, &someone()).await;
    assert_eq!(told_so["error_code"], "provider_not_believed");
    // Nobody listens there.
    let mut gone = described(&provider);
    gone["issuer"] = json!("http://127.0.0.1:9");
    let _ = place.put("id", gone).await.expect(200);
    let told_so = told(&browser.get(&place.start("id")).await.expect(302));
    assert_eq!(told_so["error_code"], "provider_unavailable");
}

#[tokio::test]
async fn another_host_of_the_project_leads_home_first() {
    let server = shared().await;
    let place = Place::at(server).await;
    let _provider = place.provider().await;
    let path = place.start("id").replace(&server.url(""), "");
    let path = path.replace(&format!("/p/{}", place.project.slug), "");
    let host = format!("{}.hub.test", place.project.slug);
    let request = place
        .project
        .bare_request(Method::GET, &path)
        .header("host", host);
    let led = Reply::to(request).await.expect(302);
    let home = led.header("location").to_owned();
    assert!(
        home.starts_with(&format!("{}/v1/auth/oauth/id?", place.base)),
        "{home}"
    );
    let mut browser = Browser::default();
    let begun = browser.get(&home).await.expect(302);
    assert!(
        begun.header("location").contains("code_challenge="),
        "{home}"
    );
}

#[tokio::test]
async fn a_sign_in_ends_on_another_node_than_it_began() {
    let public = "http://hub.example";
    let server = TestServer::builder().env("ATLASHUB_PUBLIC_URL", public);
    let mut server = server.start().await;
    let place = Place::at(&server).await;
    let callback = place.callback("id").replace(&server.url(""), public);
    let provider = OidcProvider::start(&[&callback]).await;
    let _ = place.put("id", described(&provider)).await.expect(200);
    let mut browser = Browser::default();
    let start = format!("{}&home=true", place.start("id"));
    let begun = browser.get(&start).await.expect(302);
    let asked = begun.header("location");
    let back = provider.sign_in(&mut browser, asked, &someone()).await;
    let second = match atlashub_tests::Engine::of_this_run().serves_many_nodes() {
        true => Some(server.second_node().await),
        false => None,
    };
    if second.is_none() {
        server.restart().await;
    }
    let there = second.as_ref().unwrap_or(&server);
    let ended = browser.get(&back.replace(public, &there.url(""))).await;
    let code = &told(&ended.expect(302))["code"];
    let _ = place.redeem(code).await.expect(200);
}
