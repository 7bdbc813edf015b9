//! The nodes that are up.

use crate::fixture::{Fixture, on_both_engines};
use atlashub_data::platform::Nodes;
use std::{sync::Arc, time::Duration};
use uuid::Uuid;

on_both_engines! {
    nodes_that_say_so_are_counted,
    a_node_that_is_silent_counts_as_gone,
    a_node_that_leaves_is_forgotten_at_once,
}

async fn beat(fixture: &Fixture, node: Uuid) -> u64 {
    fixture.platform.nodes().beat(node).await.unwrap()
}

async fn nodes_that_say_so_are_counted(fixture: Arc<Fixture>) {
    let (one, two) = (Uuid::now_v7(), Uuid::now_v7());
    assert_eq!(beat(&fixture, one).await, 1);
    assert_eq!(beat(&fixture, two).await, 2);
    assert_eq!(beat(&fixture, one).await, 2);
}

async fn a_node_that_is_silent_counts_as_gone(fixture: Arc<Fixture>) {
    let (one, two) = (Uuid::now_v7(), Uuid::now_v7());
    let _ = beat(&fixture, one).await;
    fixture.clock.advance(Nodes::LIVE_FOR / 2);
    assert_eq!(beat(&fixture, two).await, 2);
    fixture.clock.advance(Nodes::LIVE_FOR / 2);
    assert_eq!(beat(&fixture, two).await, 1);
    // It was only slow.
    assert_eq!(beat(&fixture, one).await, 2);
    fixture.clock.advance(Duration::from_secs(60));
    assert_eq!(beat(&fixture, two).await, 1);
}

async fn a_node_that_leaves_is_forgotten_at_once(fixture: Arc<Fixture>) {
    let (one, two) = (Uuid::now_v7(), Uuid::now_v7());
    let _ = beat(&fixture, one).await;
    let _ = beat(&fixture, two).await;
    fixture.platform.nodes().leave(one).await.unwrap();
    assert_eq!(beat(&fixture, two).await, 1);
}
