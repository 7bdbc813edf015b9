//! End users, their roles, sessions, second factors and mailed tokens.

use crate::fixture::{Fixture, on_both_engines};
use atlashub_core::{Digest, ErrorKind, ProjectId, UserId, UserSessionId, token};
use atlashub_data::platform::{
    ChangeKind, EndUser, MAX_AWAITING, MAX_SESSIONS, NewAuditEvent, NewSigningKey, NewUser,
    NewUserSession, OneTimeKind, Refreshed, SessionLevel, UserFilter, UserPatch,
};
use std::{collections::BTreeSet, sync::Arc, time::Duration};

const DAY: Duration = Duration::from_secs(86_400);
const GRACE: Duration = Duration::from_secs(10);

on_both_engines! {
    names_are_one_in_any_case_and_each_project_has_its_own,
    of_two_who_sign_up_at_once_one_is_made,
    users_are_listed_by_page_name_and_role,
    a_refresh_token_has_one_successor_however_many_ask,
    a_spent_token_that_comes_late_ends_the_session,
    the_grace_is_for_the_immediate_parent_only,
    a_new_password_ends_all_sessions_and_stops_one_in_the_making,
    a_user_who_is_shut_out_or_gone_has_no_session,
    a_user_has_so_many_sessions,
    a_session_that_awaits_a_factor_is_counted_apart_and_not_prolonged,
    the_session_that_sets_a_password_goes_on_and_recovers_no_more,
    users_are_listed_by_number,
    a_role_gives_its_permissions_until_it_is_gone,
    a_code_is_accepted_once,
    a_recovery_code_works_once,
    a_mailed_token_works_once_for_its_kind_and_project,
    one_key_signs,
    a_projects_users_go_with_it,
}

fn new_user(email: &str) -> NewUser {
    NewUser {
        email: email.to_owned(),
        handle: None,
        name: None,
        password_hash: Some("hash".to_owned()),
        email_verified: false,
        roles: vec!["editor".to_owned()],
    }
}

async fn user(fixture: &Fixture, project: ProjectId, email: &str) -> EndUser {
    let users = fixture.platform.users();
    users.create(project, new_user(email)).await.unwrap()
}

async fn session(fixture: &Fixture, user: &EndUser, token: &str) -> UserSessionId {
    let new = NewUserSession {
        noted: NewAuditEvent::default(),
        user: user.id,
        password_hash: user.password_hash.clone(),
        token_hash: token::hash(token),
        user_agent: Some("a browser".to_owned()),
        address: None,
        lifetime: 30 * DAY,
        level: SessionLevel::OneFactor,
        recovers_until: None,
    };
    let sessions = fixture.platform.user_sessions();
    sessions.begin(user.project, new).await.unwrap().id
}

async fn refresh(fixture: &Fixture, project: ProjectId, from: &str, to: &str) -> Refreshed {
    fixture
        .platform
        .user_sessions()
        .refresh(
            project,
            &token::hash(from),
            &token::hash(to),
            30 * DAY,
            GRACE,
        )
        .await
        .unwrap()
}

async fn is_active(fixture: &Fixture, project: ProjectId, id: UserSessionId) -> bool {
    let sessions = fixture.platform.user_sessions();
    sessions.find_active(project, id).await.unwrap().is_some()
}

async fn names_are_one_in_any_case_and_each_project_has_its_own(fixture: Arc<Fixture>) {
    let (one, two) = (fixture.project("one").await, fixture.project("two").await);
    let users = fixture.platform.users();
    let mut new = new_user("Ada@Example.com");
    new.handle = Some("Ada".to_owned());
    let ada = users.create(one.id, new.clone()).await.unwrap();
    assert_eq!(
        (ada.email.as_str(), ada.handle.as_deref()),
        ("ada@example.com", Some("ada"))
    );
    assert_eq!(ada.roles, ["editor"]);
    let error = users.create(one.id, new.clone()).await.unwrap_err();
    assert_eq!(error.code(), "email_taken");
    new.email = "other@example.com".to_owned();
    let error = users.create(one.id, new.clone()).await.unwrap_err();
    assert_eq!(error.code(), "handle_taken");
    users.create(two.id, new).await.unwrap();
    let found = users.find_by_email(one.id, " ADA@example.COM ").await;
    assert_eq!(found.unwrap(), Some(ada.clone()));
    assert_eq!(
        users.find_by_handle(one.id, "ADA").await.unwrap(),
        Some(ada.clone())
    );
    assert_eq!(users.find(two.id, ada.id).await.unwrap(), None);
    let patch = UserPatch {
        name: Some(Some("Ada L.".to_owned())),
        ..UserPatch::default()
    };
    let error = users.update(two.id, ada.id, patch.clone()).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::NotFound);
    let ada = users.update(one.id, ada.id, patch).await.unwrap();
    assert_eq!(ada.name.as_deref(), Some("Ada L."));
    let error = users.create(ProjectId::new(), new_user("a@b.c")).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::NotFound);
}

async fn of_two_who_sign_up_at_once_one_is_made(fixture: Arc<Fixture>) {
    let project = fixture.project("demo").await.id;
    let attempts = (0..8).map(|_| {
        let platform = fixture.platform.clone();
        tokio::spawn(async move { platform.users().create(project, new_user("a@b.c")).await })
    });
    let mut made = 0;
    for attempt in futures::future::join_all(attempts).await {
        match attempt.unwrap() {
            Ok(_) => made += 1,
            Err(error) => assert_eq!(error.code(), "email_taken"),
        }
    }
    assert_eq!(made, 1);
}

async fn users_are_listed_by_page_name_and_role(fixture: Arc<Fixture>) {
    let project = fixture.project("demo").await.id;
    for name in ["ada", "a_b", "axb", "bob"] {
        user(&fixture, project, &format!("{name}@example.com")).await;
    }
    let users = fixture.platform.users();
    let all = UserFilter::default();
    let first = users.list(project, &all, None, 3).await.unwrap();
    assert_eq!(first.items.len(), 3);
    let rest = users.list(project, &all, first.next, 3).await.unwrap();
    assert_eq!(rest.items[0].email, "bob@example.com");
    assert_eq!(rest.next, None);
    let starting = UserFilter {
        starts_with: Some("A_".to_owned()),
        ..UserFilter::default()
    };
    let found = users.list(project, &starting, None, 10).await.unwrap();
    assert_eq!(found.items.len(), 1);
    assert_eq!(found.items[0].email, "a_b@example.com");
    let patch = UserPatch {
        roles: Some(vec!["admin".to_owned()]),
        ..UserPatch::default()
    };
    users
        .update(project, rest.items[0].id, patch)
        .await
        .unwrap();
    let admins = UserFilter {
        role: Some("admin".to_owned()),
        ..UserFilter::default()
    };
    let found = users.list(project, &admins, None, 10).await.unwrap();
    assert_eq!(found.items[0].id, rest.items[0].id);
    assert_eq!(found.items[0].roles, ["admin"]);
    let shut_out = UserPatch {
        disabled: Some(true),
        ..UserPatch::default()
    };
    users
        .update(project, rest.items[0].id, shut_out)
        .await
        .unwrap();
    let let_in = UserFilter {
        enabled: true,
        ..UserFilter::default()
    };
    let found = users.list(project, &let_in, None, 10).await.unwrap();
    assert_eq!(found.items, first.items);
}

async fn a_refresh_token_has_one_successor_however_many_ask(fixture: Arc<Fixture>) {
    let project = fixture.project("demo").await.id;
    let ada = user(&fixture, project, "ada@example.com").await;
    let id = session(&fixture, &ada, "first").await;
    let asked = (0..32).map(|_| {
        let fixture = Arc::clone(&fixture);
        tokio::spawn(async move { refresh(&fixture, project, "first", "second").await })
    });
    let mut rotated = 0;
    for outcome in futures::future::join_all(asked).await {
        match outcome.unwrap() {
            Refreshed::Rotated(session) => {
                assert_eq!(session.id, id);
                rotated += 1;
            }
            outcome => assert!(matches!(outcome, Refreshed::Repeated(_)), "{outcome:?}"),
        }
    }
    assert_eq!(rotated, 1);
    assert!(is_active(&fixture, project, id).await);
    let next = refresh(&fixture, project, "second", "third").await;
    assert!(matches!(next, Refreshed::Rotated(_)));
    let other = fixture.project("other").await.id;
    let elsewhere = refresh(&fixture, other, "third", "fourth").await;
    assert_eq!(elsewhere, Refreshed::Void);
}

async fn a_spent_token_that_comes_late_ends_the_session(fixture: Arc<Fixture>) {
    let project = fixture.project("demo").await.id;
    let ada = user(&fixture, project, "ada@example.com").await;
    let id = session(&fixture, &ada, "first").await;
    refresh(&fixture, project, "first", "second").await;
    fixture.clock.advance(GRACE);
    let seen = fixture.platform.changes().latest_seq().await.unwrap();
    let reused = refresh(&fixture, project, "first", "second").await;
    assert!(matches!(reused, Refreshed::Reused(_)), "{reused:?}");
    assert!(!is_active(&fixture, project, id).await);
    let page = fixture.platform.changes().since(seen, 10).await.unwrap();
    assert_eq!(page.items.len(), 1);
    assert_eq!(page.items[0].kind, ChangeKind::UserSessionEnded);
    assert_eq!(page.items[0].subject, Some(id.to_string()));
    let void = refresh(&fixture, project, "second", "third").await;
    assert_eq!(void, Refreshed::Void);
}

async fn the_grace_is_for_the_immediate_parent_only(fixture: Arc<Fixture>) {
    let project = fixture.project("demo").await.id;
    let ada = user(&fixture, project, "ada@example.com").await;
    let id = session(&fixture, &ada, "first").await;
    refresh(&fixture, project, "first", "second").await;
    refresh(&fixture, project, "second", "third").await;
    let again = refresh(&fixture, project, "second", "third").await;
    assert!(matches!(again, Refreshed::Repeated(_)), "{again:?}");
    let grandparent = refresh(&fixture, project, "first", "second").await;
    assert!(
        matches!(grandparent, Refreshed::Reused(_)),
        "{grandparent:?}"
    );
    assert!(!is_active(&fixture, project, id).await);
    let unknown = refresh(&fixture, project, "never", "x").await;
    assert_eq!(unknown, Refreshed::Void);
}

async fn a_new_password_ends_all_sessions_and_stops_one_in_the_making(fixture: Arc<Fixture>) {
    let project = fixture.project("demo").await.id;
    let ada = user(&fixture, project, "ada@example.com").await;
    let id = session(&fixture, &ada, "first").await;
    let patch = UserPatch {
        password_hash: Some(Some("another".to_owned())),
        ..UserPatch::default()
    };
    let users = fixture.platform.users();
    let changed = users.update(project, ada.id, patch).await.unwrap();
    assert!(!is_active(&fixture, project, id).await);
    let new = NewUserSession {
        noted: NewAuditEvent::default(),
        user: ada.id,
        password_hash: ada.password_hash,
        token_hash: token::hash("late"),
        user_agent: None,
        address: None,
        lifetime: DAY,
        level: SessionLevel::OneFactor,
        recovers_until: None,
    };
    let sessions = fixture.platform.user_sessions();
    let error = sessions.begin(project, new).await.unwrap_err();
    assert_eq!(error.code(), "invalid_credentials");
    let id = session(&fixture, &changed, "second").await;
    assert!(users.rehash(ada.id, "another", "stronger").await.unwrap());
    assert!(!users.rehash(ada.id, "another", "stronger").await.unwrap());
    assert!(is_active(&fixture, project, id).await);
    fixture.clock.advance(30 * DAY);
    assert!(!is_active(&fixture, project, id).await);
    assert_eq!(sessions.sweep(DAY).await.unwrap(), 2);
}

async fn a_user_who_is_shut_out_or_gone_has_no_session(fixture: Arc<Fixture>) {
    let project = fixture.project("demo").await.id;
    let ada = user(&fixture, project, "ada@example.com").await;
    let id = session(&fixture, &ada, "first").await;
    let users = fixture.platform.users();
    let seen = fixture.platform.changes().latest_seq().await.unwrap();
    let patch = |disabled| UserPatch {
        disabled: Some(disabled),
        ..UserPatch::default()
    };
    let shut_out = users.update(project, ada.id, patch(true)).await.unwrap();
    assert!(shut_out.disabled_at.is_some());
    assert!(!is_active(&fixture, project, id).await);
    let page = fixture.platform.changes().since(seen, 10).await.unwrap();
    assert_eq!(page.items[0].kind, ChangeKind::UserChanged);
    assert_eq!(page.items[0].subject, Some(ada.id.to_string()));
    users.update(project, ada.id, patch(false)).await.unwrap();
    assert!(!is_active(&fixture, project, id).await);
    let id = session(&fixture, &ada, "second").await;
    let sessions = fixture.platform.user_sessions();
    let stranger = UserId::new();
    assert!(!sessions.revoke(project, stranger, id).await.unwrap());
    assert!(is_active(&fixture, project, id).await);
    let gone = users.delete(project, ada.id).await.unwrap();
    assert_eq!(gone.email, ada.email);
    assert!(!is_active(&fixture, project, id).await);
    let error = users.delete(project, ada.id).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

async fn a_user_has_so_many_sessions(fixture: Arc<Fixture>) {
    let project = fixture.project("demo").await.id;
    let ada = user(&fixture, project, "ada@example.com").await;
    let first = session(&fixture, &ada, "first").await;
    for number in 1..MAX_SESSIONS {
        session(&fixture, &ada, &number.to_string()).await;
    }
    assert!(is_active(&fixture, project, first).await);
    let last = session(&fixture, &ada, "last").await;
    assert!(!is_active(&fixture, project, first).await);
    let sessions = fixture.platform.user_sessions();
    let listed = sessions.list(project, ada.id).await.unwrap();
    assert_eq!((listed.len(), listed[0].id), (MAX_SESSIONS, last));
    let ended = sessions.revoke_all(project, ada.id, Some(last)).await;
    assert_eq!(ended.unwrap(), 49);
    assert!(is_active(&fixture, project, last).await);
}

async fn a_session_that_awaits_a_factor_is_counted_apart_and_not_prolonged(fixture: Arc<Fixture>) {
    let project = fixture.project("demo").await.id;
    let ada = user(&fixture, project, "ada@example.com").await;
    let own = session(&fixture, &ada, "own").await;
    let sessions = fixture.platform.user_sessions();
    let mut begun = Vec::new();
    for at in 0..=MAX_AWAITING {
        let new = NewUserSession {
            noted: NewAuditEvent::default(),
            user: ada.id,
            password_hash: None,
            token_hash: token::hash(&format!("half {at}")),
            user_agent: None,
            address: None,
            lifetime: GRACE,
            level: SessionLevel::AwaitsFactor,
            recovers_until: None,
        };
        begun.push(sessions.begin(project, new).await.unwrap());
    }
    assert!(is_active(&fixture, project, own).await);
    assert!(!is_active(&fixture, project, begun[0].id).await);
    let last = begun.last().unwrap();
    assert!(is_active(&fixture, project, last.id).await);
    let listed = sessions.list(project, ada.id).await.unwrap();
    assert_eq!(
        listed.iter().map(|one| one.id).collect::<Vec<_>>(),
        [own],
        "only what signed in whole is listed"
    );
    let from = format!("half {MAX_AWAITING}");
    let outcome = refresh(&fixture, project, &from, "next").await;
    assert!(matches!(outcome, Refreshed::Rotated(_)), "{outcome:?}");
    let found = sessions.find_active(project, last.id).await.unwrap();
    let found = found.unwrap().session;
    assert_eq!(found.level, SessionLevel::AwaitsFactor);
    assert_eq!(found.expires_at, last.expires_at);
}

async fn the_session_that_sets_a_password_goes_on_and_recovers_no_more(fixture: Arc<Fixture>) {
    let project = fixture.project("demo").await.id;
    let ada = user(&fixture, project, "ada@example.com").await;
    let other = session(&fixture, &ada, "other").await;
    let sessions = fixture.platform.user_sessions();
    let new = NewUserSession {
        noted: NewAuditEvent::default(),
        user: ada.id,
        password_hash: None,
        token_hash: token::hash("recovering"),
        user_agent: None,
        address: None,
        lifetime: DAY,
        level: SessionLevel::TwoFactors,
        recovers_until: Some(ada.created_at + DAY),
    };
    let own = sessions.begin(project, new).await.unwrap();
    assert_eq!(own.recovers_until, Some(ada.created_at + DAY));
    let patch = |disabled| UserPatch {
        password_hash: Some(Some("another".to_owned())),
        keeps: Some(own.id),
        disabled,
        ..UserPatch::default()
    };
    let users = fixture.platform.users();
    let _ = users.update(project, ada.id, patch(None)).await.unwrap();
    assert!(!is_active(&fixture, project, other).await);
    let found = sessions.find_active(project, own.id).await.unwrap();
    let found = found.unwrap().session;
    assert_eq!(
        (found.level, found.recovers_until),
        (SessionLevel::TwoFactors, None)
    );
    // Nothing is kept of a user who is shut out.
    let shut = users.update(project, ada.id, patch(Some(true))).await;
    assert!(shut.unwrap().disabled_at.is_some());
    let again = users.update(
        project,
        ada.id,
        UserPatch {
            disabled: Some(false),
            ..UserPatch::default()
        },
    );
    let _ = again.await.unwrap();
    assert!(!is_active(&fixture, project, own.id).await);
}

async fn users_are_listed_by_number(fixture: Arc<Fixture>) {
    let project = fixture.project("demo").await.id;
    let other = fixture.project("other").await.id;
    let _ = user(&fixture, other, "eve@example.com").await;
    let mut made = Vec::new();
    for at in 0..3 {
        made.push(
            user(&fixture, project, &format!("u{at}@example.com"))
                .await
                .id,
        );
    }
    let users = fixture.platform.users();
    let ids = |(users, total): (Vec<EndUser>, u64)| {
        let ids: Vec<_> = users.iter().map(|user| user.id).collect();
        (ids, total)
    };
    let first = users.slice(project, 0, 2).await.unwrap();
    assert_eq!(ids(first), (made[..2].to_vec(), 3));
    let second = users.slice(project, 2, 2).await.unwrap();
    assert_eq!(ids(second), (made[2..].to_vec(), 3));
    let beyond = users.slice(project, 4, 2).await.unwrap();
    assert_eq!(ids(beyond), (Vec::new(), 3));
}

async fn a_role_gives_its_permissions_until_it_is_gone(fixture: Arc<Fixture>) {
    let (one, two) = (
        fixture.project("one").await.id,
        fixture.project("two").await.id,
    );
    let roles = fixture.platform.roles();
    let set = |names: &[&str]| -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    };
    roles
        .create(one, "clerk", &set(&["files:share"]), 2)
        .await
        .unwrap();
    let error = roles.create(one, "clerk", &set(&[]), 2).await.unwrap_err();
    assert_eq!(error.code(), "role_taken");
    roles
        .create(one, "boss", &set(&["files:delete", "files:share"]), 2)
        .await
        .unwrap();
    let error = roles.create(one, "third", &set(&[]), 2).await.unwrap_err();
    assert_eq!(error.code(), "too_many_roles");
    roles
        .create(two, "clerk", &set(&["other:thing"]), 2)
        .await
        .unwrap();
    let names = ["clerk".to_owned(), "nobody".to_owned()];
    assert_eq!(roles.missing(one, &names).await.unwrap(), ["nobody"]);
    let ada = user(&fixture, one, "ada@example.com").await;
    let patch = UserPatch {
        roles: Some(vec![
            "clerk".into(),
            "viewer".into(),
            "boss".into(),
            "clerk".into(),
        ]),
        ..UserPatch::default()
    };
    let ada = fixture
        .platform
        .users()
        .update(one, ada.id, patch)
        .await
        .unwrap();
    assert_eq!(ada.roles, ["boss", "clerk", "viewer"]);
    let id = session(&fixture, &ada, "first").await;
    let sessions = fixture.platform.user_sessions();
    let held = || async { sessions.find_active(one, id).await.unwrap().unwrap() };
    assert_eq!(
        held().await.permissions,
        set(&["files:delete", "files:share"])
    );
    roles.update(one, "boss", &set(&["a:b"])).await.unwrap();
    assert_eq!(held().await.permissions, set(&["a:b", "files:share"]));
    assert!(roles.delete(one, "clerk").await.unwrap());
    assert!(!roles.delete(one, "clerk").await.unwrap());
    assert_eq!(held().await.user.roles, ["boss", "viewer"]);
    assert!(roles.find(two, "clerk").await.unwrap().is_some());
    assert_eq!(roles.list(one).await.unwrap().len(), 1);
    let error = roles.update(one, "clerk", &set(&[])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

async fn a_code_is_accepted_once(fixture: Arc<Fixture>) {
    let project = fixture.project("demo").await.id;
    let ada = user(&fixture, project, "ada@example.com").await;
    let users = fixture.platform.users();
    let codes = [token::hash("one")];
    users
        .begin_second_factor(project, ada.id, "old", &codes)
        .await
        .unwrap();
    users
        .begin_second_factor(project, ada.id, "sealed", &codes)
        .await
        .unwrap();
    let found = users.get(project, ada.id).await.unwrap();
    assert!(found.active_factor().is_none());
    let tries = (0..8).map(|_| {
        let platform = fixture.platform.clone();
        let id = ada.id;
        tokio::spawn(async move { platform.users().accept_step(id, "sealed", 7).await.unwrap() })
    });
    let accepted = futures::future::join_all(tries).await;
    let accepted = accepted.into_iter().filter(|yes| *yes.as_ref().unwrap());
    assert_eq!(accepted.count(), 1);
    let found = users.get(project, ada.id).await.unwrap();
    assert_eq!(found.active_factor().unwrap().last_step, 7);
    assert!(!users.accept_step(ada.id, "sealed", 6).await.unwrap());
    assert!(!users.accept_step(ada.id, "old", 8).await.unwrap());
    assert!(users.accept_step(ada.id, "sealed", 8).await.unwrap());
    let again = users
        .begin_second_factor(project, ada.id, "new", &codes)
        .await;
    assert_eq!(again.unwrap_err().code(), "totp_enabled");
    assert!(users.remove_second_factor(project, ada.id).await.unwrap());
    assert!(!users.remove_second_factor(project, ada.id).await.unwrap());
    assert_eq!(users.recovery_codes_left(ada.id).await.unwrap(), 0);
}

async fn a_recovery_code_works_once(fixture: Arc<Fixture>) {
    let project = fixture.project("demo").await.id;
    let ada = user(&fixture, project, "ada@example.com").await;
    let users = fixture.platform.users();
    let codes: Vec<Digest> = ["one", "two"].into_iter().map(token::hash).collect();
    users
        .begin_second_factor(project, ada.id, "sealed", &codes)
        .await
        .unwrap();
    let tries = (0..8).map(|_| {
        let (platform, code, id) = (fixture.platform.clone(), codes[0], ada.id);
        tokio::spawn(async move {
            platform
                .users()
                .take_recovery_code(id, &code)
                .await
                .unwrap()
        })
    });
    let taken = futures::future::join_all(tries).await;
    assert_eq!(
        taken
            .into_iter()
            .filter(|yes| *yes.as_ref().unwrap())
            .count(),
        1
    );
    assert_eq!(users.recovery_codes_left(ada.id).await.unwrap(), 1);
    assert!(
        !users
            .take_recovery_code(UserId::new(), &codes[1])
            .await
            .unwrap()
    );
}

async fn a_mailed_token_works_once_for_its_kind_and_project(fixture: Arc<Fixture>) {
    let (one, two) = (
        fixture.project("one").await.id,
        fixture.project("two").await.id,
    );
    let ada = user(&fixture, one, "ada@example.com").await;
    let tokens = fixture.platform.one_time_tokens();
    let make = async |text: &str| {
        let hash = token::hash(text);
        let kind = OneTimeKind::ResetPassword;
        tokens
            .create(ada.id, kind, "ada@example.com", &hash, DAY)
            .await
            .unwrap();
        hash
    };
    let hash = make("first").await;
    let take = |project, kind, hash| {
        let platform = fixture.platform.clone();
        tokio::spawn(async move {
            platform
                .one_time_tokens()
                .take(project, kind, &hash)
                .await
                .unwrap()
        })
    };
    let reset = OneTimeKind::ResetPassword;
    assert_eq!(take(one, OneTimeKind::MagicLink, hash).await.unwrap(), None);
    assert_eq!(take(two, reset, hash).await.unwrap(), None);
    let taken = futures::future::join_all((0..8).map(|_| take(one, reset, hash))).await;
    let taken: Vec<_> = taken.into_iter().filter_map(|one| one.unwrap()).collect();
    assert_eq!(taken.len(), 1);
    assert_eq!(
        (taken[0].user, taken[0].email.as_str()),
        (ada.id, "ada@example.com")
    );
    let late = make("late").await;
    fixture.clock.advance(DAY);
    assert_eq!(take(one, reset, late).await.unwrap(), None);
    assert_eq!(tokens.sweep_expired().await.unwrap(), 1);
    let mut hashes = Vec::new();
    for number in 0..6 {
        hashes.push(make(&number.to_string()).await);
        fixture.clock.advance(Duration::from_secs(1));
    }
    assert_eq!(take(one, reset, hashes[0]).await.unwrap(), None);
    assert!(take(one, reset, hashes[1]).await.unwrap().is_some());
    tokens.void(ada.id, &[reset]).await.unwrap();
    assert_eq!(take(one, reset, hashes[5]).await.unwrap(), None);
}

async fn one_key_signs(fixture: Arc<Fixture>) {
    let project = fixture.project("demo").await.id;
    let auth = fixture.platform.auth();
    let key = || NewSigningKey {
        id: atlashub_core::SigningKeyId::new(),
        public_key: vec![1, 2, 3],
        sealed_private_key: "sealed".to_owned(),
    };
    let tries = (0..4).map(|_| {
        let (platform, key) = (fixture.platform.clone(), key());
        tokio::spawn(async move { platform.auth().add_first_key(project, key).await.unwrap() })
    });
    let added = futures::future::join_all(tries).await;
    assert_eq!(
        added
            .into_iter()
            .filter(|yes| *yes.as_ref().unwrap())
            .count(),
        1
    );
    let first = auth.signing_keys(project).await.unwrap();
    assert_eq!((first.len(), first[0].retired_at), (1, None));
    fixture.clock.advance(Duration::from_secs(1));
    let second = key();
    auth.rotate_key(project, second.clone()).await.unwrap();
    let keys = auth.signing_keys(project).await.unwrap();
    assert_eq!((keys.len(), keys[0].id), (2, second.id));
    assert!(keys[1].retired_at.is_some());
    assert_eq!(auth.sweep_retired_keys(DAY).await.unwrap(), 0);
    fixture.clock.advance(DAY + DAY);
    assert_eq!(auth.sweep_retired_keys(DAY).await.unwrap(), 1);
    assert_eq!(auth.settings(project).await.unwrap(), None);
    auth.put_settings(project, "{}").await.unwrap();
    auth.put_settings(project, r#"{"enabled":false}"#)
        .await
        .unwrap();
    assert_eq!(
        auth.settings(project).await.unwrap().as_deref(),
        Some(r#"{"enabled":false}"#)
    );
    let error = auth.put_settings(ProjectId::new(), "{}").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

async fn a_projects_users_go_with_it(fixture: Arc<Fixture>) {
    let project = fixture.project("demo").await.id;
    let ada = user(&fixture, project, "ada@example.com").await;
    let id = session(&fixture, &ada, "first").await;
    let users = fixture.platform.users();
    users
        .begin_second_factor(project, ada.id, "sealed", &[token::hash("one")])
        .await
        .unwrap();
    fixture
        .platform
        .auth()
        .put_settings(project, "{}")
        .await
        .unwrap();
    fixture
        .platform
        .roles()
        .create(project, "clerk", &BTreeSet::new(), 9)
        .await
        .unwrap();
    fixture.platform.projects().delete(project).await.unwrap();
    assert!(fixture.platform.projects().purge(project).await.unwrap());
    assert_eq!(users.find(project, ada.id).await.unwrap(), None);
    assert!(!is_active(&fixture, project, id).await);
    assert_eq!(users.recovery_codes_left(ada.id).await.unwrap(), 0);
    assert_eq!(
        fixture.platform.auth().settings(project).await.unwrap(),
        None
    );
    assert!(
        fixture
            .platform
            .roles()
            .list(project)
            .await
            .unwrap()
            .is_empty()
    );
}
