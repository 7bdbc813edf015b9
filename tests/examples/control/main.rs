//! The plain server that the benches measure AtlasHub against: axum with
//! nothing in between. Answers `/hello` as the `hello` plugin does, serves a
//! folder with axum's static file service, and streams objects to and from
//! the operator that AtlasHub's store would use.
//!
//! With a database it reads rows of a table by sqlx, as the `db` plugin does.
//!
//! `control <address> <storage folder> <static folder> [<database URL>]`

mod rows;

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, put},
    serve::ListenerExt as _,
};
use futures::{StreamExt as _, TryStreamExt as _};
use tower_http::services::ServeDir;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

// What each of AtlasHub's chunks carries; the store's own default is slower.
const CHUNK: usize = 256 * 1024;

#[derive(Clone)]
struct Store(atlashub_storage::PlainOperator);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut words = std::env::args().skip(1);
    let (Some(address), Some(storage), Some(statics)) = (words.next(), words.next(), words.next())
    else {
        anyhow::bail!("control <address> <storage folder> <static folder>");
    };
    let url: atlashub_storage::StorageUrl = format!("fs:{storage}").parse()?;
    let rows = match words.next() {
        Some(url) => rows::routes(&url).await?,
        None => Router::new(),
    };
    let app = Router::new()
        .route("/hello", get(hello))
        .route("/objects/{name}", put(upload))
        .route("/objects/{name}", get(download))
        .nest_service("/static", ServeDir::new(statics))
        .with_state(Store(url.plain_operator(None)?))
        .merge(rows);
    // Without it, answers in two writes wait for the client's delayed
    // acknowledgement.
    let listener = tokio::net::TcpListener::bind(address)
        .await?
        .tap_io(|stream| {
            let _ = stream.set_nodelay(true);
        });
    axum::serve(listener, app).await?;
    Ok(())
}

async fn hello() -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "application/json")],
        r#"{"message":"hello"}"#,
    )
}

async fn download(State(Store(operator)): State<Store>, Path(name): Path<String>) -> Response {
    let answer = async {
        let size = operator.stat(&name).await?.content_length();
        let reader = operator.reader_with(&name).chunk(CHUNK).await?;
        let stream = reader.into_bytes_stream(..).await?;
        anyhow::Ok(([(header::CONTENT_LENGTH, size)], Body::from_stream(stream)).into_response())
    };
    answer.await.unwrap_or_else(failed)
}

async fn upload(
    State(Store(operator)): State<Store>,
    Path(name): Path<String>,
    body: Body,
) -> Response {
    let answer = async {
        let mut writer = operator.writer_with(&name).chunk(CHUNK).await?;
        let mut chunks = body
            .into_data_stream()
            .map(|chunk| chunk.map_err(anyhow::Error::from));
        while let Some(chunk) = chunks.try_next().await? {
            let chunk: Bytes = chunk;
            writer.write(chunk).await?;
        }
        writer.close().await?;
        anyhow::Ok(StatusCode::CREATED.into_response())
    };
    answer.await.unwrap_or_else(failed)
}

fn failed(error: anyhow::Error) -> Response {
    (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}\n")).into_response()
}
