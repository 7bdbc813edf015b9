//! The first request after a start.

use super::{
    Bench,
    load::middle,
    peers::Node,
    report::{Goal, Report},
};
use anyhow::{Result, bail};
use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

const ANSWER: &[u8] = br#"{"message":"hello"}"#;

/// Sends `GET /hello` on a connection and waits for the whole answer.
fn get(stream: &mut TcpStream, key: &str) -> Result<Duration> {
    let request = format!("GET /hello HTTP/1.1\r\nhost: bench\r\nx-api-key: {key}\r\n\r\n");
    let begun = Instant::now();
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    let mut part = [0; 4096];
    while !answer.windows(ANSWER.len()).any(|window| window == ANSWER) {
        let count = stream.read(&mut part)?;
        if count == 0 || answer.len() > 64 * 1024 {
            bail!("unexpected answer: {}", String::from_utf8_lossy(&answer));
        }
        answer.extend_from_slice(part.get(..count).unwrap_or_default());
    }
    Ok(begun.elapsed())
}

/// The first request of a plugin that was installed and compiled before the
/// start, against warm ones on the same connection.
pub(super) fn first(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    report.part("the first request after a start");
    let mut node = Node::start(bench.repository, &bench.folder, "first")?;
    let key = node.project("first", &["hello"])?.secret;
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    let (mut cold, mut warm) = (Vec::new(), Vec::new());
    for _ in 0..bench.plan.rounds {
        (node, _) = node.restart()?;
        let mut stream = TcpStream::connect(node.server.address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        cold.push(milliseconds(get(&mut stream, &key)?));
        let mut times = Vec::new();
        for _ in 0..200 {
            times.push(milliseconds(get(&mut stream, &key)?));
        }
        warm.push(middle(times));
    }
    let (cold, warm) = (middle(cold), middle(warm));
    report.note(&format!("first {cold:.2} ms, warm {warm:.3} ms"));
    report.figure(
        "first request after a start, above a warm one",
        cold - warm,
        "ms",
        Goal::AtMost(5.0),
    );
    Ok(())
}
