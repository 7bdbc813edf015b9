//! Signing in with others: providers, sign-ins under way, codes, identities.

use crate::fixture::{Fixture, on_both_engines};
use atlashub_core::{Digest, ProjectId, ProviderName, UserId};
use atlashub_data::platform::{
    NewIdentity, NewOAuthCode, NewOAuthSignIn, NewUser, ProviderKind, PutProvider,
};
use std::{sync::Arc, time::Duration};

const MINUTE: Duration = Duration::from_secs(60);

on_both_engines! {
    a_provider_is_replaced_and_a_project_has_so_many,
    a_sign_in_is_taken_up_once_by_its_browser_at_its_provider,
    the_newest_sign_ins_push_the_oldest_out,
    a_code_is_used_once_in_its_time,
    a_subject_is_one_user_of_a_project,
    an_identity_is_never_the_last_way_in_however_many_are_removed_at_once,
}

fn name(text: &str) -> ProviderName {
    text.parse().unwrap()
}

fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

fn provider(issuer: &str) -> PutProvider {
    PutProvider {
        kind: ProviderKind::Oidc,
        issuer: issuer.to_owned(),
        client_id: "a client".to_owned(),
        sealed_client_secret: Some("sealed".to_owned()),
        scopes: vec!["openid".to_owned()],
        enabled: true,
        sign_up: false,
    }
}

fn sign_in(state: &str) -> NewOAuthSignIn {
    NewOAuthSignIn {
        state_hash: digest(state),
        provider: name("id"),
        browser_hash: digest("browser"),
        sealed_secrets: format!("sealed {state}"),
        redirect_to: "https://app.example.com/".to_owned(),
        code_challenge: "challenge".to_owned(),
        lifetime: 10 * MINUTE,
    }
}

async fn user(fixture: &Fixture, project: ProjectId, password: Option<&str>) -> UserId {
    let new = NewUser {
        email: format!("{}@example.com", UserId::new()),
        handle: None,
        name: None,
        password_hash: password.map(str::to_owned),
        email_verified: true,
        roles: Vec::new(),
    };
    let users = fixture.platform.users();
    users.create(project, new).await.unwrap().id
}

fn identity(user: UserId, subject: &str) -> NewIdentity {
    NewIdentity {
        user,
        provider: name("id"),
        issuer: "https://id.example".to_owned(),
        subject: subject.to_owned(),
        email: None,
    }
}

async fn a_provider_is_replaced_and_a_project_has_so_many(fixture: Arc<Fixture>) {
    let (one, other) = (
        fixture.project("one").await.id,
        fixture.project("two").await.id,
    );
    let providers = fixture.platform.auth_providers();
    let first = providers
        .put(one, &name("id"), provider("https://a"), 2)
        .await;
    let first = first.unwrap();
    fixture.clock.advance(MINUTE);
    let second = providers
        .put(one, &name("id"), provider("https://b"), 2)
        .await;
    let second = second.unwrap();
    assert_eq!(second.issuer, "https://b");
    assert_eq!(second.created_at, first.created_at);
    assert!(second.updated_at > first.updated_at);
    let _ = providers
        .put(one, &name("b"), provider("https://a"), 2)
        .await
        .unwrap();
    let third = providers
        .put(one, &name("c"), provider("https://a"), 2)
        .await;
    assert_eq!(third.unwrap_err().code(), "too_many_providers");
    let listed = providers.list(one).await.unwrap();
    assert_eq!(
        listed.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(),
        ["b", "id"]
    );
    assert_eq!(providers.list(other).await.unwrap(), []);
    assert!(providers.find(other, &name("id")).await.unwrap().is_none());
    assert!(!providers.delete(other, &name("id")).await.unwrap());
    assert!(providers.delete(one, &name("id")).await.unwrap());
    assert!(providers.find(one, &name("id")).await.unwrap().is_none());
    let nowhere = providers
        .put(ProjectId::new(), &name("id"), provider("https://a"), 2)
        .await;
    assert_eq!(nowhere.unwrap_err().code(), "not_found");
}

async fn a_sign_in_is_taken_up_once_by_its_browser_at_its_provider(fixture: Arc<Fixture>) {
    let (one, other) = (
        fixture.project("one").await.id,
        fixture.project("two").await.id,
    );
    let sign_ins = fixture.platform.oauth_sign_ins();
    sign_ins.begin(one, sign_in("state"), 10).await.unwrap();
    let (state, browser) = (digest("state"), digest("browser"));
    let take = |project, provider: &'static str, state: Digest, browser: Digest| {
        let fixture = Arc::clone(&fixture);
        async move {
            let sign_ins = fixture.platform.oauth_sign_ins();
            let provider = name(provider);
            let taken = sign_ins.take(project, &provider, &state, &browser);
            taken.await.unwrap()
        }
    };
    assert!(take(other, "id", state, browser).await.is_none());
    assert!(take(one, "other", state, browser).await.is_none());
    assert!(take(one, "id", digest("another"), browser).await.is_none());
    assert!(take(one, "id", state, digest("another")).await.is_none());
    let tries = (0..4).map(|_| tokio::spawn(take(one, "id", state, browser)));
    let taken: Vec<_> = futures::future::join_all(tries)
        .await
        .into_iter()
        .filter_map(Result::unwrap)
        .collect();
    assert_eq!(taken.len(), 1);
    assert_eq!(taken[0].sealed_secrets, "sealed state");
    sign_ins.begin(one, sign_in("late"), 10).await.unwrap();
    fixture.clock.advance(10 * MINUTE);
    assert!(take(one, "id", digest("late"), browser).await.is_none());
    assert_eq!(sign_ins.sweep_expired().await.unwrap(), 1);
}

async fn the_newest_sign_ins_push_the_oldest_out(fixture: Arc<Fixture>) {
    let (one, other) = (
        fixture.project("one").await.id,
        fixture.project("two").await.id,
    );
    let sign_ins = fixture.platform.oauth_sign_ins();
    sign_ins.begin(other, sign_in("other's"), 3).await.unwrap();
    for number in 0..5 {
        fixture.clock.advance(Duration::from_secs(1));
        let new = sign_in(&format!("state {number}"));
        sign_ins.begin(one, new, 3).await.unwrap();
    }
    let mut left = Vec::new();
    for (project, state) in [
        (one, "state 0"),
        (one, "state 1"),
        (one, "state 2"),
        (one, "state 3"),
        (one, "state 4"),
        (other, "other's"),
    ] {
        let (id, state_hash, browser) = (name("id"), digest(state), digest("browser"));
        let taken = sign_ins.take(project, &id, &state_hash, &browser);
        if taken.await.unwrap().is_some() {
            left.push(state);
        }
    }
    assert_eq!(left, ["state 2", "state 3", "state 4", "other's"]);
}

async fn a_code_is_used_once_in_its_time(fixture: Arc<Fixture>) {
    let (one, other) = (
        fixture.project("one").await.id,
        fixture.project("two").await.id,
    );
    let user = user(&fixture, one, None).await;
    let codes = fixture.platform.oauth_codes();
    let new = |code: &str| NewOAuthCode {
        code_hash: digest(code),
        user,
        code_challenge: "challenge".to_owned(),
        recovers: code == "a",
        links: (code == "a").then(|| identity(user, "linked")),
        lifetime: MINUTE,
    };
    codes.create(one, new("a")).await.unwrap();
    assert!(codes.peek(other, &digest("a")).await.unwrap().is_none());
    assert!(!codes.take(other, &digest("a")).await.unwrap());
    let found = codes.peek(one, &digest("a")).await.unwrap().unwrap();
    assert_eq!((found.user, found.recovers), (user, true));
    let links = found.links.unwrap();
    assert_eq!((links.user, links.subject), (user, "linked".to_owned()));
    let tries = (0..4).map(|_| {
        let fixture = Arc::clone(&fixture);
        tokio::spawn(async move {
            let codes = fixture.platform.oauth_codes();
            codes.take(one, &digest("a")).await.unwrap()
        })
    });
    let taken = futures::future::join_all(tries).await;
    assert_eq!(
        taken
            .into_iter()
            .filter(|taken| *taken.as_ref().unwrap())
            .count(),
        1
    );
    codes.create(one, new("late")).await.unwrap();
    fixture.clock.advance(MINUTE);
    assert!(codes.peek(one, &digest("late")).await.unwrap().is_none());
    assert!(!codes.take(one, &digest("late")).await.unwrap());
    for number in 0..8 {
        fixture.clock.advance(Duration::from_secs(1));
        codes
            .create(one, new(&format!("code {number}")))
            .await
            .unwrap();
    }
    assert!(codes.peek(one, &digest("code 2")).await.unwrap().is_none());
    assert!(codes.peek(one, &digest("code 3")).await.unwrap().is_some());
    fixture.clock.advance(2 * MINUTE);
    assert_eq!(codes.sweep_expired().await.unwrap(), 5);
}

async fn a_subject_is_one_user_of_a_project(fixture: Arc<Fixture>) {
    let (one, other) = (
        fixture.project("one").await.id,
        fixture.project("two").await.id,
    );
    let (ada, eve) = (
        user(&fixture, one, None).await,
        user(&fixture, one, None).await,
    );
    let elsewhere = user(&fixture, other, None).await;
    let identities = fixture.platform.identities();
    let linked = identities.link(one, identity(ada, "1")).await.unwrap();
    let taken = identities.link(one, identity(eve, "1")).await;
    assert_eq!(taken.unwrap_err().code(), "identity_taken");
    let _ = identities
        .link(other, identity(elsewhere, "1"))
        .await
        .unwrap();
    let mut another = identity(eve, "1");
    another.issuer = "https://other.example".to_owned();
    let _ = identities.link(one, another).await.unwrap();
    let found = identities
        .find(one, "https://id.example", "1")
        .await
        .unwrap();
    assert_eq!(found.unwrap().user, ada);
    fixture.clock.advance(MINUTE);
    identities.note_use(linked.id, Some("a@b.c")).await.unwrap();
    let listed = identities.list(one, ada).await.unwrap();
    assert_eq!(listed[0].email.as_deref(), Some("a@b.c"));
    assert!(listed[0].last_used_at > linked.last_used_at);
    for number in 1..20 {
        let new = identity(ada, &format!("more {number}"));
        let _ = identities.link(one, new).await.unwrap();
    }
    let too_many = identities.link(one, identity(ada, "too many")).await;
    assert_eq!(too_many.unwrap_err().code(), "too_many_identities");
    let _ = fixture.platform.users().delete(one, ada).await.unwrap();
    assert!(identities.list(one, ada).await.unwrap().is_empty());
}

async fn an_identity_is_never_the_last_way_in_however_many_are_removed_at_once(
    fixture: Arc<Fixture>,
) {
    let project = fixture.project("one").await.id;
    let identities = fixture.platform.identities();
    let with_password = user(&fixture, project, Some("hash")).await;
    let only = identities
        .link(project, identity(with_password, "0"))
        .await
        .unwrap();
    identities
        .unlink(project, with_password, only.id)
        .await
        .unwrap();
    let without = user(&fixture, project, None).await;
    let mut ids = Vec::new();
    for subject in ["1", "2", "3", "4"] {
        ids.push(
            identities
                .link(project, identity(without, subject))
                .await
                .unwrap()
                .id,
        );
    }
    let foreign = identities.unlink(project, with_password, ids[0]).await;
    assert_eq!(foreign.unwrap_err().code(), "not_found");
    let tries = ids.into_iter().map(|id| {
        let fixture = Arc::clone(&fixture);
        tokio::spawn(async move {
            let identities = fixture.platform.identities();
            identities.unlink(project, without, id).await
        })
    });
    let outcomes = futures::future::join_all(tries).await;
    let refused: Vec<_> = outcomes
        .into_iter()
        .filter_map(|outcome| outcome.unwrap().err())
        .collect();
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].code(), "last_way_in");
    assert_eq!(identities.list(project, without).await.unwrap().len(), 1);
}
