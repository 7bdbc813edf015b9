//! Platform admins and their sessions.

use crate::fixture::{Fixture, on_both_engines};
use atlashub_core::{AdminId, AdminRole, Clock as _, ErrorKind, token};
use atlashub_data::platform::{AdminPatch, NewAdmin, NewInvitation, NewSession};
use std::{sync::Arc, time::Duration};

on_both_engines! {
    of_many_first_owners_one_is_made,
    a_first_owner_waits_for_the_one_under_way,
    an_email_is_one_in_any_case,
    the_last_owner_stays,
    two_owners_cannot_both_leave,
    a_session_ends_when_it_should,
    a_new_password_ends_all_sessions,
    a_code_works_once_whoever_tries_it,
    a_recovery_code_works_once,
    an_invitation_is_taken_once,
    an_address_has_one_invitation,
    an_admin_who_leaves_takes_sessions_along,
}

async fn of_many_first_owners_one_is_made(fixture: Arc<Fixture>) {
    assert!(!fixture.platform.admins().has_owner().await.unwrap());
    let attempts = (0..16).map(|n| {
        let platform = fixture.platform.clone();
        tokio::spawn(async move {
            let email = format!("owner{n}@example.com");
            platform.admins().create_first_owner(&email, "hash").await
        })
    });
    let mut made = 0;
    for attempt in futures::future::join_all(attempts).await {
        match attempt.unwrap() {
            Ok(admin) => {
                assert_eq!(admin.role, AdminRole::Owner);
                made += 1;
            }
            Err(error) => assert_eq!(error.code(), "already_set_up"),
        }
    }
    assert_eq!(made, 1);
    assert!(fixture.platform.admins().has_owner().await.unwrap());
    assert_eq!(
        fixture
            .platform
            .admins()
            .list(None, 100)
            .await
            .unwrap()
            .items
            .len(),
        1
    );
}

async fn a_first_owner_waits_for_the_one_under_way(fixture: Arc<Fixture>) {
    let unit = fixture.platform.begin().await.unwrap();
    unit.admins()
        .create_first_owner("ada@example.com", "hash")
        .await
        .unwrap();
    let platform = fixture.platform.clone();
    let second = tokio::spawn(async move {
        let admins = platform.admins();
        admins.create_first_owner("bob@example.com", "hash").await
    });
    fixture.until_somebody_waits(|| second.is_finished()).await;
    unit.commit().await.unwrap();
    let error = second.await.unwrap().unwrap_err();
    assert_eq!(error.code(), "already_set_up");
}

async fn an_email_is_one_in_any_case(fixture: Arc<Fixture>) {
    let admins = fixture.platform.admins();
    let owner = admins
        .create_first_owner(" Ada@Example.com", "hash")
        .await
        .unwrap();
    assert_eq!(owner.email, "ada@example.com");
    assert_eq!(
        admins.find_by_email("ADA@example.com").await.unwrap(),
        Some(owner.clone())
    );
    assert_eq!(admins.find(owner.id).await.unwrap(), Some(owner));
    let again = NewAdmin {
        email: "ADA@EXAMPLE.COM".into(),
        password_hash: "hash".into(),
        role: AdminRole::Viewer,
    };
    assert_eq!(
        admins.create(again).await.unwrap_err().code(),
        "email_taken"
    );
}

async fn the_last_owner_stays(fixture: Arc<Fixture>) {
    let admins = fixture.platform.admins();
    let owner = admins
        .create_first_owner("ada@example.com", "hash")
        .await
        .unwrap();
    let demote = AdminPatch {
        role: Some(AdminRole::Viewer),
        ..AdminPatch::default()
    };
    let shut_out = AdminPatch {
        disabled: Some(true),
        ..AdminPatch::default()
    };
    for patch in [&demote, &shut_out] {
        let error = admins.update(owner.id, patch.clone()).await.unwrap_err();
        assert_eq!(error.code(), "last_owner");
    }
    let error = admins.remove(owner.id).await.unwrap_err();
    assert_eq!(error.code(), "last_owner");
    assert!(admins.rehash(owner.id, "hash", "stronger").await.unwrap());
    assert!(!admins.rehash(owner.id, "hash", "stronger").await.unwrap());
    let owner = admins.find(owner.id).await.unwrap().unwrap();
    assert_eq!(
        (owner.password_hash.as_str(), owner.disabled_at),
        ("stronger", None)
    );
    let error = admins.update(AdminId::new(), demote).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

async fn two_owners_cannot_both_leave(fixture: Arc<Fixture>) {
    let admins = fixture.platform.admins();
    let first = admins
        .create_first_owner("ada@example.com", "hash")
        .await
        .unwrap();
    let second = admins
        .create(NewAdmin {
            email: "bob@example.com".into(),
            password_hash: "hash".into(),
            role: AdminRole::Owner,
        })
        .await
        .unwrap();
    let leave = |id| {
        let platform = fixture.platform.clone();
        tokio::spawn(async move {
            let patch = AdminPatch {
                disabled: Some(true),
                ..AdminPatch::default()
            };
            platform.admins().update(id, patch).await.is_ok()
        })
    };
    let (first, second) = tokio::join!(leave(first.id), leave(second.id));
    assert!(first.unwrap() ^ second.unwrap());
}

async fn a_session_ends_when_it_should(fixture: Arc<Fixture>) {
    let platform = &fixture.platform;
    let owner = platform
        .admins()
        .create_first_owner("ada@example.com", "hash")
        .await
        .unwrap();
    let new = |token: &str| NewSession {
        admin: owner.id,
        token_hash: token::hash(token),
        expires_at: fixture.clock.now() + Duration::from_secs(60),
    };
    let sessions = platform.sessions();
    let one = sessions.create(new("one")).await.unwrap();
    let two = sessions.create(new("two")).await.unwrap();
    let found = sessions
        .find_valid(&token::hash("one"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found, (one.clone(), owner.clone()));
    assert!(
        sessions
            .find_valid(&token::hash("three"))
            .await
            .unwrap()
            .is_none()
    );
    assert!(sessions.revoke(one.id).await.unwrap());
    assert!(!sessions.revoke(one.id).await.unwrap());
    assert!(
        sessions
            .find_valid(&token::hash("one"))
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        sessions
            .find_valid(&token::hash("two"))
            .await
            .unwrap()
            .is_some()
    );
    let later = fixture.clock.now() + Duration::from_secs(90);
    sessions.extend(two.id, later).await.unwrap();
    sessions
        .extend(two.id, later - Duration::from_secs(60))
        .await
        .unwrap();
    fixture.clock.advance(Duration::from_secs(89));
    assert!(
        sessions
            .find_valid(&token::hash("two"))
            .await
            .unwrap()
            .is_some()
    );
    fixture.clock.advance(Duration::from_secs(1));
    sessions
        .extend(two.id, later + Duration::from_secs(60))
        .await
        .unwrap();
    assert!(
        sessions
            .find_valid(&token::hash("two"))
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(sessions.sweep_expired().await.unwrap(), 2);
    let stranger = NewSession {
        admin: AdminId::new(),
        ..new("four")
    };
    assert_eq!(
        sessions.create(stranger).await.unwrap_err().kind(),
        ErrorKind::NotFound
    );
}

async fn a_new_password_ends_all_sessions(fixture: Arc<Fixture>) {
    let platform = &fixture.platform;
    let owner = platform
        .admins()
        .create_first_owner("ada@example.com", "hash")
        .await
        .unwrap();
    let begin = async |token: &str| {
        let new = NewSession {
            admin: owner.id,
            token_hash: token::hash(token),
            expires_at: fixture.clock.now() + Duration::from_secs(60),
        };
        platform.sessions().create(new).await.unwrap();
    };
    begin("one").await;
    let patch = AdminPatch {
        password_hash: Some("new".into()),
        ..AdminPatch::default()
    };
    platform.admins().update(owner.id, patch).await.unwrap();
    assert!(
        platform
            .sessions()
            .find_valid(&token::hash("one"))
            .await
            .unwrap()
            .is_none()
    );
    begin("two").await;
    assert_eq!(platform.sessions().revoke_all(owner.id).await.unwrap(), 1);
    assert!(
        platform
            .sessions()
            .find_valid(&token::hash("two"))
            .await
            .unwrap()
            .is_none()
    );
}

async fn a_code_works_once_whoever_tries_it(fixture: Arc<Fixture>) {
    let admins = fixture.platform.admins();
    let owner = admins
        .create_first_owner("ada@example.com", "hash")
        .await
        .unwrap();
    admins
        .begin_second_factor(owner.id, "sealed", &[token::hash("one")])
        .await
        .unwrap();
    let begun = admins.find(owner.id).await.unwrap().unwrap();
    assert_eq!(begun.totp_enabled_at, None);
    let tries = (0..8).map(|_| {
        let platform = fixture.platform.clone();
        tokio::spawn(async move {
            let admins = platform.admins();
            admins.accept_step(owner.id, "sealed", 7).await.unwrap()
        })
    });
    let accepted = futures::future::join_all(tries).await;
    let accepted = accepted.into_iter().filter(|done| *done.as_ref().unwrap());
    assert_eq!(accepted.count(), 1);
    let accept = async |sealed, step| admins.accept_step(owner.id, sealed, step).await.unwrap();
    assert!(!accept("sealed", 6).await);
    assert!(!accept("another", 8).await);
    assert!(accept("sealed", 8).await);
    let enabled = admins.find(owner.id).await.unwrap().unwrap();
    assert!(enabled.totp_enabled_at.is_some());
    let again = admins.begin_second_factor(owner.id, "new", &[]).await;
    assert_eq!(again.unwrap_err().code(), "totp_enabled");
    assert!(admins.remove_second_factor(owner.id).await.unwrap());
    assert!(!admins.remove_second_factor(owner.id).await.unwrap());
    assert!(!accept("sealed", 9).await);
}

async fn a_recovery_code_works_once(fixture: Arc<Fixture>) {
    let admins = fixture.platform.admins();
    let owner = admins
        .create_first_owner("ada@example.com", "hash")
        .await
        .unwrap();
    let codes = [token::hash("one"), token::hash("two")];
    for codes in [&[token::hash("old")][..], &codes] {
        admins
            .begin_second_factor(owner.id, "sealed", codes)
            .await
            .unwrap();
    }
    let take = async |text| {
        let hash = token::hash(text);
        admins.take_recovery_code(owner.id, &hash).await.unwrap()
    };
    assert!(take("one").await);
    assert!(!take("one").await);
    assert!(!take("old").await);
    assert_eq!(admins.recovery_codes_left(owner.id).await.unwrap(), 1);
}

fn invitation(email: &str, token: &str, fixture: &Fixture) -> NewInvitation {
    NewInvitation {
        email: email.into(),
        role: AdminRole::Viewer,
        token_hash: token::hash(token),
        invited_by: None,
        expires_at: fixture.clock.now() + Duration::from_secs(60),
    }
}

async fn an_invitation_is_taken_once(fixture: Arc<Fixture>) {
    let invitations = fixture.platform.invitations();
    let new = invitation("Bob@example.com", "token", &fixture);
    let made = invitations.create(new).await.unwrap();
    assert_eq!(made.email, "bob@example.com");
    let found = invitations.find_valid(&token::hash("token")).await;
    assert_eq!(found.unwrap(), Some(made.clone()));
    let tries = (0..8).map(|_| {
        let platform = fixture.platform.clone();
        tokio::spawn(async move { platform.invitations().take(made.id).await.unwrap() })
    });
    let taken = futures::future::join_all(tries).await;
    let taken = taken.into_iter().filter(|done| *done.as_ref().unwrap());
    assert_eq!(taken.count(), 1);
    let new = invitation("bob@example.com", "late", &fixture);
    let late = invitations.create(new).await.unwrap();
    fixture.clock.advance(Duration::from_secs(60));
    let found = invitations.find_valid(&token::hash("late")).await;
    assert_eq!(found.unwrap(), None);
    assert!(!invitations.take(late.id).await.unwrap());
    assert_eq!(invitations.sweep_expired().await.unwrap(), 1);
}

async fn an_address_has_one_invitation(fixture: Arc<Fixture>) {
    let invitations = fixture.platform.invitations();
    for token in ["first", "second"] {
        let new = invitation("bob@example.com", token, &fixture);
        let _ = invitations.create(new).await.unwrap();
    }
    let first = invitations.find_valid(&token::hash("first")).await;
    assert_eq!(first.unwrap(), None);
    let open = invitations.list(None, 100).await.unwrap().items;
    assert_eq!(open.len(), 1);
    assert!(invitations.remove(open[0].id).await.unwrap());
    assert!(!invitations.remove(open[0].id).await.unwrap());
}

async fn an_admin_who_leaves_takes_sessions_along(fixture: Arc<Fixture>) {
    let admins = fixture.platform.admins();
    let _ = admins
        .create_first_owner("ada@example.com", "hash")
        .await
        .unwrap();
    let new = NewAdmin {
        email: "bob@example.com".into(),
        password_hash: "hash".into(),
        role: AdminRole::Viewer,
    };
    let bob = admins.create(new).await.unwrap();
    let session = NewSession {
        admin: bob.id,
        token_hash: token::hash("aht_bob"),
        expires_at: fixture.clock.now() + Duration::from_secs(60),
    };
    let sessions = fixture.platform.sessions();
    let _ = sessions.create(session).await.unwrap();
    assert!(admins.remove(bob.id).await.unwrap());
    assert!(!admins.remove(bob.id).await.unwrap());
    let found = sessions.find_valid(&token::hash("aht_bob")).await;
    assert_eq!(found.unwrap(), None);
}
