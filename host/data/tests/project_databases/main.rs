//! Project databases, the same tests on both engines. Those on Postgres run
//! when `ATLASHUB_TEST_POSTGRES_URL` names a superuser of a server that may
//! be thrown away afterwards.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failed test may panic"
)]

mod cursors;
mod descriptions;
mod dumps;
mod ended;
mod harness;
mod isolation;
mod limits;
mod migrations;
mod policies;
mod policies_on_reads;
mod public;
mod schema;
mod tables;
mod tls;
mod transactions;
mod values;

/// Makes one test for each engine of every function named.
macro_rules! on_both_engines {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::harness::World::sqlite().await).await;
            })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                if let Some(world) = $crate::harness::World::postgres().await {
                    super::$name(world).await;
                }
            })+
        }
    };
}
pub(crate) use on_both_engines;
