//! Held notification streams: what they cost in memory, and how long a
//! message takes to all of them.

use super::{
    Bench,
    peers::Node,
    report::{Goal, Report},
};
use crate::http::Client;
use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

/// Who opens streams at once.
const OPENING: usize = 4;
/// Longest wait for a message.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection that is held, read as it comes.
struct Stream {
    connection: TcpStream,
    text: String,
}

impl Stream {
    /// Asks for one, and waits until it is held.
    fn open(node: &Node, key: &str, token: &str) -> Result<Self> {
        let address = node.server.address;
        let mut connection = TcpStream::connect(address).context("open a stream")?;
        connection.set_read_timeout(Some(PATIENCE))?;
        write!(
            connection,
            "GET /notifications/stream HTTP/1.1\r\nhost: {address}\r\nx-api-key: {key}\r\n\
             authorization: Bearer {token}\r\n\r\n"
        )?;
        let mut stream = Self {
            connection,
            text: String::new(),
        };
        stream.read_to(": held\n")?;
        ensure!(
            stream.text.starts_with("HTTP/1.1 200"),
            "a stream was refused: {}",
            stream.text
        );
        stream.text = String::new();
        Ok(stream)
    }

    /// Reads until this was among what came.
    fn read_to(&mut self, wanted: &str) -> Result<()> {
        let mut part = [0; 4_096];
        while !self.text.contains(wanted) {
            let count = self.connection.read(&mut part).context("read a stream")?;
            let read = part.get(..count).unwrap_or_default();
            ensure!(count > 0, "a stream ended: {}", self.text);
            self.text.push_str(&String::from_utf8_lossy(read));
        }
        Ok(())
    }
}

/// All streams of one user, who is told of something.
pub(super) fn streams(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    let count = bench.plan.streams;
    report.part(&format!("{count} held streams"));
    let most = (count + 100).to_string();
    let settings = [
        ("ATLASHUB_MAX_CONNECTIONS", most.as_str()),
        ("ATLASHUB_STREAMS_PER_CALLER", most.as_str()),
    ];
    let node = Node::start_on(bench.repository, &bench.folder, "streams", &settings)?;
    let keys = node.project("streams", &["notifications"])?;
    let (user, token) = sign_up(&node, &keys.publishable)?;
    let begun = Instant::now();
    let mut streams = open(&node, &keys.publishable, &token, count)?;
    let opened = begun.elapsed();
    // The first message makes the buffers of all connections.
    let first = tell(&node, &keys.secret, &user, "first", &mut streams)?;
    let resident = node.server.resident()?;
    let again = tell(&node, &keys.secret, &user, "again", &mut streams)?;
    report.note(&format!("opened in {:.1} s", opened.as_secs_f64()));
    report.mebibytes(
        &format!("resident with {count} held streams"),
        resident,
        Goal::AtMost(300.0),
    );
    report.figure(
        "a message to all of them",
        first.max(again).as_secs_f64(),
        "s",
        Goal::AtMost(2.0),
    );
    Ok(())
}

fn sign_up(node: &Node, key: &str) -> Result<(String, String)> {
    let headers = format!("x-api-key: {key}\r\n");
    let client = Client::with_headers(node.server.address, &headers);
    let body = json!({"email": "ada@example.com", "password": "correct horse battery"});
    let made = client.call("POST", "/v1/auth/signup", Some(&body))?;
    let made = made.expect_success("sign up")?;
    let text = |place: &str| {
        let text = made.pointer(place).and_then(Value::as_str);
        text.map(str::to_owned).context("an answer of another kind")
    };
    Ok((text("/user/id")?, text("/access_token")?))
}

fn open(node: &Node, key: &str, token: &str, count: usize) -> Result<Vec<Stream>> {
    std::thread::scope(|scope| {
        let openers: Vec<_> = (0..OPENING)
            .map(|number| {
                let share = count / OPENING + usize::from(number < count % OPENING);
                scope.spawn(move || {
                    (0..share)
                        .map(|_| Stream::open(node, key, token))
                        .collect::<Result<Vec<_>>>()
                })
            })
            .collect();
        let mut all = Vec::with_capacity(count);
        for opener in openers {
            let opened = opener
                .join()
                .map_err(|_| anyhow::anyhow!("opening streams panicked"))?;
            all.extend(opened?);
        }
        Ok(all)
    })
}

/// Tells the user something, and says how long it took until the last stream
/// had heard of it.
fn tell(
    node: &Node,
    secret: &str,
    user: &str,
    title: &str,
    streams: &mut [Stream],
) -> Result<Duration> {
    let headers = format!("x-api-key: {secret}\r\n");
    let client = Client::with_headers(node.server.address, &headers);
    let notice = json!({"kind": "bench", "user_ids": [user], "title": title});
    let begun = Instant::now();
    client
        .call("POST", "/notifications", Some(&notice))?
        .expect_success("tell a user")?;
    for stream in streams {
        stream.read_to(&format!("\"title\":\"{title}\""))?;
        stream.text = String::new();
    }
    Ok(begun.elapsed())
}
