//! Rows of a table by sqlx, the same on Postgres and on SQLite: the table that
//! the bench makes in AtlasHub, the query that `db` would ask, the same JSON.

use crate::failed;
use axum::{
    Json, Router,
    extract::{Query, State},
    response::{IntoResponse as _, Response},
    routing::get,
};
use serde::{Deserialize, Serialize};
use sqlx::{
    PgPool, SqlitePool,
    postgres::PgPoolOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions},
};

/// Connections to Postgres.
const CONNECTIONS: u32 = 16;
/// Connections to SQLite: each is a thread, and more of them than processors
/// only wait for each other.
const FILE_CONNECTIONS: u32 = 4;

const TABLE: &str = "CREATE TABLE items (id bigint PRIMARY KEY, title text NOT NULL, \
                     done boolean NOT NULL, weight double precision NOT NULL)";

/// Connects to the database, makes the table and serves it at `/items`.
pub(crate) async fn routes(url: &str) -> anyhow::Result<Router> {
    if url.starts_with("sqlite:") {
        let pool = sqlite(url).await?;
        return Ok(Router::new()
            .route("/items", get(from_sqlite))
            .with_state(pool));
    }
    let pool = postgres(url).await?;
    Ok(Router::new()
        .route("/items", get(from_postgres))
        .with_state(pool))
}

async fn postgres(url: &str) -> anyhow::Result<PgPool> {
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .connect(url)
        .await?;
    for sql in [
        TABLE,
        "INSERT INTO items SELECT n, 'item number ' || n, n % 3 = 0, n / 8.0 \
         FROM generate_series(1, 10000) AS n",
        "ANALYZE items",
    ] {
        sqlx::query(sql).execute(&pool).await?;
    }
    Ok(pool)
}

async fn sqlite(url: &str) -> anyhow::Result<SqlitePool> {
    let options: SqliteConnectOptions = url.parse()?;
    let options = options
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal);
    let pool = SqlitePoolOptions::new()
        .max_connections(FILE_CONNECTIONS)
        .connect_with(options)
        .await?;
    for sql in [
        // `integer` makes the key the row's own number, as AtlasHub does.
        &TABLE.replace("bigint", "integer"),
        "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 10000) \
         INSERT INTO items SELECT n, 'item number ' || n, n % 3 = 0, n / 8.0 FROM numbers",
        "ANALYZE items",
    ] {
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&pool).await?;
    }
    Ok(pool)
}

#[derive(Deserialize)]
struct Range {
    first: i64,
    last: i64,
}

#[derive(Serialize)]
struct Item {
    id: i64,
    title: String,
    done: bool,
    weight: f64,
}

#[derive(Serialize)]
struct Items {
    rows: Vec<Item>,
    limit: u32,
    offset: u32,
}

type Found = Result<Vec<(i64, String, bool, f64)>, sqlx::Error>;

async fn from_postgres(State(pool): State<PgPool>, Query(range): Query<Range>) -> Response {
    let sql = "SELECT id, title, done, weight FROM items WHERE id >= $1 AND id < $2 \
               ORDER BY id LIMIT 100";
    let found = sqlx::query_as(sql)
        .bind(range.first)
        .bind(range.last)
        .fetch_all(&pool)
        .await;
    answer(found)
}

async fn from_sqlite(State(pool): State<SqlitePool>, Query(range): Query<Range>) -> Response {
    let sql = "SELECT id, title, done, weight FROM items WHERE id >= ?1 AND id < ?2 \
               ORDER BY id LIMIT 100";
    let found = sqlx::query_as(sql)
        .bind(range.first)
        .bind(range.last)
        .fetch_all(&pool)
        .await;
    answer(found)
}

fn answer(found: Found) -> Response {
    let found = match found {
        Ok(found) => found,
        Err(error) => return failed(error.into()),
    };
    let rows = found
        .into_iter()
        .map(|(id, title, done, weight)| Item {
            id,
            title,
            done,
            weight,
        })
        .collect();
    let (limit, offset) = (100, 0);
    Json(Items {
        rows,
        limit,
        offset,
    })
    .into_response()
}
