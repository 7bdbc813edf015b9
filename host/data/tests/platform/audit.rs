//! The audit.

use crate::fixture::{Fixture, on_both_engines};
use atlashub_core::{AdminId, AdminRole, Caller, Clock as _, RequestId};
use atlashub_data::platform::{AuditFilter, NewAuditEvent};
use sea_orm::ConnectionTrait as _;
use serde_json::json;
use std::{sync::Arc, time::Duration};

on_both_engines! {
    events_are_found_by_what_they_say,
    the_database_itself_refuses_to_change_the_audit,
    an_event_shares_the_fate_of_its_unit,
}

fn event(action: &str) -> NewAuditEvent {
    NewAuditEvent {
        actor: Caller::Scheduler,
        action: action.to_owned(),
        ..NewAuditEvent::default()
    }
}

async fn events_are_found_by_what_they_say(fixture: Arc<Fixture>) {
    let project = fixture.project("demo").await;
    let admin = AdminId::new();
    let request = RequestId::new();
    let audit = fixture.platform.audit();
    audit.append(event("session.create")).await.unwrap();
    fixture.clock.advance(Duration::from_secs(1));
    let middle = fixture.clock.now();
    audit
        .append(NewAuditEvent {
            project: Some(project.id),
            actor: Caller::Admin {
                id: Some(admin),
                role: AdminRole::Owner,
            },
            action: "project.create".into(),
            target: Some("demo".into()),
            request: Some(request),
            details: json!({"slug": "demo"}),
        })
        .await
        .unwrap();
    fixture.clock.advance(Duration::from_secs(1));
    audit.append(event("projection.run")).await.unwrap();

    let actions = async |filter: AuditFilter| {
        let page = fixture.platform.audit().list(&filter, 1_000).await.unwrap();
        page.items
            .into_iter()
            .map(|event| event.action)
            .collect::<Vec<_>>()
    };
    let any = AuditFilter::default;
    assert_eq!(
        actions(any()).await,
        ["projection.run", "project.create", "session.create"]
    );
    let one = ["project.create"];
    assert_eq!(
        actions(AuditFilter {
            project: Some(project.id),
            ..any()
        })
        .await,
        one
    );
    assert_eq!(
        actions(AuditFilter {
            actor: Some(admin.to_string()),
            ..any()
        })
        .await,
        one
    );
    assert_eq!(
        actions(AuditFilter {
            action: Some("project.create".into()),
            ..any()
        })
        .await,
        one
    );
    assert_eq!(
        actions(AuditFilter {
            action: Some("project.*".into()),
            ..any()
        })
        .await,
        one
    );
    assert_eq!(
        actions(AuditFilter {
            target: Some("demo".into()),
            ..any()
        })
        .await,
        one
    );
    let from = AuditFilter {
        from: Some(middle),
        ..any()
    };
    assert_eq!(actions(from).await, ["projection.run", "project.create"]);
    let until = AuditFilter {
        until: Some(middle),
        ..any()
    };
    assert_eq!(actions(until).await, ["session.create"]);

    let page = fixture.platform.audit().list(&any(), 2).await.unwrap();
    let event = &page.items[1];
    assert_eq!((event.at, event.project), (middle, Some(project.id)));
    assert_eq!(
        (event.actor_kind.as_str(), event.request),
        ("admin", Some(request))
    );
    assert_eq!(event.details, json!({"slug": "demo"}));
    assert_eq!(
        actions(AuditFilter {
            before: page.next,
            ..any()
        })
        .await,
        ["session.create"]
    );
}

async fn the_database_itself_refuses_to_change_the_audit(fixture: Arc<Fixture>) {
    fixture.platform.audit().append(event("a.b")).await.unwrap();
    let raw = fixture.raw().await;
    let attempts = [
        "UPDATE audit SET action = 'nothing'",
        "DELETE FROM audit",
        "INSERT OR REPLACE INTO audit (seq, at, actor_kind, action, details) \
         VALUES (1, 0, 'x', 'nothing', '{}')",
        "TRUNCATE audit",
    ];
    for attempt in attempts {
        let statement = sea_orm::Statement::from_string(raw.get_database_backend(), attempt);
        // The last two are each a syntax error on one of the engines, which
        // refuses as well.
        assert!(raw.execute_raw(statement).await.is_err(), "{attempt}");
    }
    raw.close().await.unwrap();
    let page = fixture
        .platform
        .audit()
        .list(&AuditFilter::default(), 10)
        .await
        .unwrap();
    assert_eq!(page.items.len(), 1);
    assert_eq!(page.items[0].action, "a.b");
}

async fn an_event_shares_the_fate_of_its_unit(fixture: Arc<Fixture>) {
    let unit = fixture.platform.begin().await.unwrap();
    unit.audit().append(event("a.b")).await.unwrap();
    drop(unit);
    let unit = fixture.platform.begin().await.unwrap();
    unit.audit().append(event("c.d")).await.unwrap();
    unit.commit().await.unwrap();
    let page = fixture
        .platform
        .audit()
        .list(&AuditFilter::default(), 10)
        .await
        .unwrap();
    let actions: Vec<_> = page
        .items
        .iter()
        .map(|event| event.action.as_str())
        .collect();
    assert_eq!(actions, ["c.d"]);
}
