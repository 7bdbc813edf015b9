//! Tries, counted for all nodes together.

use crate::fixture::{Fixture, on_both_engines, open};
use atlashub_data::platform::{TryAllowance, TryVerdict};
use std::{sync::Arc, time::Duration};

on_both_engines! {
    of_many_tries_on_two_nodes_as_many_pass_as_are_allowed,
    tries_come_back_one_by_one,
    a_refused_try_costs_nothing,
    slots_are_counted_apart,
    what_has_come_back_is_swept,
}

const ALLOWANCE: TryAllowance = TryAllowance {
    burst: 5,
    period: Duration::from_secs(10),
};

async fn passes(fixture: &Fixture, slot: i64) -> bool {
    let verdict = fixture.platform.tries().count(slot, ALLOWANCE).await;
    verdict.unwrap() == TryVerdict::Allowed
}

async fn of_many_tries_on_two_nodes_as_many_pass_as_are_allowed(fixture: Arc<Fixture>) {
    let other = open(&fixture.url, fixture.clock.clone()).await;
    let tries = (0..40).map(|number| {
        let platform = match number % 2 {
            0 => fixture.platform.clone(),
            _ => other.clone(),
        };
        tokio::spawn(async move { platform.tries().count(7, ALLOWANCE).await.unwrap() })
    });
    let passed = futures::future::join_all(tries)
        .await
        .into_iter()
        .filter(|verdict| *verdict.as_ref().unwrap() == TryVerdict::Allowed)
        .count();
    assert_eq!(passed, 5);
    other.close().await.unwrap();
}

async fn tries_come_back_one_by_one(fixture: Arc<Fixture>) {
    for _ in 0..5 {
        assert!(passes(&fixture, 1).await);
    }
    let refused = fixture.platform.tries().count(1, ALLOWANCE).await.unwrap();
    let until = fixture.platform.now() + ALLOWANCE.period;
    assert_eq!(refused, TryVerdict::Refused { until });
    fixture.clock.advance(Duration::from_secs(9));
    assert!(!passes(&fixture, 1).await);
    fixture.clock.advance(Duration::from_secs(1));
    assert!(passes(&fixture, 1).await);
    assert!(!passes(&fixture, 1).await);
    fixture.clock.advance(Duration::from_secs(3_600));
    for _ in 0..5 {
        assert!(passes(&fixture, 1).await);
    }
    assert!(!passes(&fixture, 1).await);
}

async fn a_refused_try_costs_nothing(fixture: Arc<Fixture>) {
    for _ in 0..50 {
        let _ = passes(&fixture, 1).await;
    }
    fixture.clock.advance(ALLOWANCE.period);
    assert!(passes(&fixture, 1).await);
}

async fn slots_are_counted_apart(fixture: Arc<Fixture>) {
    for _ in 0..5 {
        assert!(passes(&fixture, 1).await);
    }
    assert!(!passes(&fixture, 1).await);
    assert!(passes(&fixture, 2).await);
}

async fn what_has_come_back_is_swept(fixture: Arc<Fixture>) {
    assert!(passes(&fixture, 1).await);
    for _ in 0..5 {
        assert!(passes(&fixture, 2).await);
    }
    fixture.clock.advance(Duration::from_secs(10));
    assert_eq!(fixture.platform.tries().sweep_expired().await.unwrap(), 1);
    fixture.clock.advance(Duration::from_secs(20));
    assert!(passes(&fixture, 2).await);
    assert_eq!(fixture.platform.tries().sweep_expired().await.unwrap(), 0);
}
