//! Load from `wrk`, and what the kernel says of a process meanwhile.

use crate::{process::Program, setup};
use anyhow::{Context as _, Result, bail};
use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    time::Duration,
};

/// Prints what the benches read; turns through the keys of a file, or sends
/// the bodies of one, each as if from an address of its own.
const SCRIPT: &str = r#"
local requests, at = {}, 0
function init(args)
  if args[1] then
    for line in io.lines(args[2]) do
      if args[1] == "keys" then
        requests[#requests + 1] = wrk.format(nil, nil, { ["x-api-key"] = line })
      else
        local number = #requests
        local address = string.format("10.0.%d.%d", math.floor(number / 250), number % 250 + 1)
        requests[#requests + 1] = wrk.format("POST", nil, {
          ["content-type"] = "application/json", ["x-forwarded-for"] = address }, line)
      end
    end
    at = math.random(#requests)
    request = function()
      at = at % #requests + 1
      return requests[at]
    end
  end
end
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format("RESULT %d %d %d %d %.1f %.1f\n", summary.requests, summary.duration,
    summary.bytes, errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
"#;

/// Connections of every run.
pub(super) const CONNECTIONS: u32 = 64;

/// A request that is repeated.
pub(super) struct Load {
    pub(super) url: String,
    /// Goes into `x-api-key`.
    pub(super) key: Option<String>,
    /// An access token beside it.
    pub(super) token: Option<String>,
    /// What is different in each request instead.
    pub(super) turns: Option<Turns>,
}

/// What requests take in turn, a line of a file each.
pub(super) enum Turns {
    /// Keys.
    Keys(PathBuf),
    /// Bodies to be posted, each from an address of its own.
    Bodies(PathBuf),
}

/// What one run gave.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sample {
    /// Requests a second.
    pub(super) rate: f64,
    /// Bytes a second.
    pub(super) bytes_rate: f64,
    /// Latency that half the requests stay below, microseconds.
    pub(super) p50: f64,
    /// Latency that 99 of 100 stay below, microseconds.
    pub(super) p99: f64,
    /// Processor time of the server for a request, microseconds.
    pub(super) cpu: f64,
}

/// Runs `wrk` for a while against the server that is the process `pid`.
pub(super) fn run(
    load: &Load,
    pid: u32,
    time: Duration,
    folder: &std::path::Path,
) -> Result<Sample> {
    let script = folder.join("bench.lua");
    std::fs::write(&script, SCRIPT).context("write the script of wrk")?;
    let mut program = Program::new("wrk")
        .args(["-t2", &format!("-c{CONNECTIONS}"), "--timeout", "60s"])
        .args([format!("-d{}s", time.as_secs())])
        .args([std::path::Path::new("-s"), &script]);
    if let Some(key) = &load.key {
        program = program.args(["-H", &format!("x-api-key: {key}")]);
    }
    if let Some(token) = &load.token {
        program = program.args(["-H", &format!("authorization: Bearer {token}")]);
    }
    program = program.args([&load.url]);
    match &load.turns {
        Some(Turns::Keys(file)) => program = program.args(["--", "keys"]).args([file]),
        Some(Turns::Bodies(file)) => program = program.args(["--", "bodies"]).args([file]),
        None => {}
    }
    let before = cpu_time(pid)?;
    let text = program.output("run wrk")?;
    let spent = cpu_time(pid)?.saturating_sub(before);
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("RESULT "))
        .with_context(|| format!("wrk gave no result:\n{text}"))?;
    let numbers: Vec<f64> = line
        .split(' ')
        .map(|word| word.parse().unwrap_or(f64::NAN))
        .collect();
    let [requests, micros, bytes, errors, p50, p99] = *numbers else {
        bail!("wrk's result is not understood: {line}");
    };
    if errors > 0.0 {
        bail!(
            "{errors} of {requests} requests to {} failed:\n{text}",
            load.url
        );
    }
    let seconds = micros / 1e6;
    Ok(Sample {
        rate: requests / seconds,
        bytes_rate: bytes / seconds,
        p50,
        p99,
        cpu: spent.as_secs_f64() * 1e6 / requests.max(1.0),
    })
}

/// What most requests stay below, microseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Latencies {
    /// Half of them.
    pub(super) p50: f64,
    /// 95 of 100.
    pub(super) p95: f64,
    /// 99 of 100.
    pub(super) p99: f64,
}

/// The latency that 99 of 100 requests stay below at `rate` requests a second,
/// microseconds.
pub(super) fn p99_at(load: &Load, rate: u32, time: Duration) -> Result<f64> {
    Ok(at_rate(&[load.url.as_ref()], load.key.as_deref(), rate, time)?.p99)
}

/// As [`p99_at`], with all figures, of requests to the addresses in a file, one
/// a line.
pub(super) fn turns_at(
    addresses: &Path,
    key: Option<&str>,
    rate: u32,
    time: Duration,
) -> Result<Latencies> {
    let target = ["--urls-from-file".as_ref(), addresses.as_os_str()];
    at_rate(&target, key, rate, time)
}

/// Runs `oha` for a while. A request counts from when it was due, so that a
/// server that stalls cannot hide it.
fn at_rate(target: &[&OsStr], key: Option<&str>, rate: u32, time: Duration) -> Result<Latencies> {
    let mut program = Program::new(setup::oha()?)
        .args([
            "--no-tui",
            "--latency-correction",
            "--output-format",
            "json",
        ])
        .args(["-c", &CONNECTIONS.to_string(), "-q", &rate.to_string()])
        .args(["-z", &format!("{}s", time.as_secs())]);
    if let Some(key) = key {
        program = program.args(["-H", &format!("x-api-key: {key}")]);
    }
    let text = program.args(target).output("run oha")?;
    let result: serde_json::Value =
        serde_json::from_str(&text).context("oha's result is not JSON")?;
    let figure = |pointer: &str| result.pointer(pointer).and_then(serde_json::Value::as_f64);
    if figure("/summary/successRate") != Some(1.0) {
        bail!("requests to {target:?} failed:\n{text}");
    }
    let percentile = |name: &str| {
        figure(&format!("/latencyPercentiles/{name}"))
            .map(|seconds| seconds * 1e6)
            .with_context(|| format!("oha gave no {name}:\n{text}"))
    };
    Ok(Latencies {
        p50: percentile("p50")?,
        p95: percentile("p95")?,
        p99: percentile("p99")?,
    })
}

/// The median of each figure.
pub(super) fn median(samples: &[Sample]) -> Sample {
    let of = |figure: fn(&Sample) -> f64| middle(samples.iter().map(figure).collect());
    Sample {
        rate: of(|sample| sample.rate),
        bytes_rate: of(|sample| sample.bytes_rate),
        p50: of(|sample| sample.p50),
        p99: of(|sample| sample.p99),
        cpu: of(|sample| sample.cpu),
    }
}

/// The median of some figures; 0 of none.
pub(super) fn middle(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    let half = figures.len() / 2;
    let at = |index: usize| figures.get(index).copied().unwrap_or_default();
    match figures.len() % 2 {
        0 => f64::midpoint(at(half.saturating_sub(1)), at(half)),
        _ => at(half),
    }
}

/// Processor time that a process has used, in user and kernel.
pub(super) fn cpu_time(pid: u32) -> Result<Duration> {
    let text =
        std::fs::read_to_string(format!("/proc/{pid}/stat")).context("read a process's times")?;
    // The name, in parentheses, may hold anything.
    let (_, rest) = text.rsplit_once(')').context("read a process's times")?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let mut ticks = || {
        fields
            .next()
            .and_then(|field| field.parse::<u64>().ok())
            .unwrap_or(0)
    };
    // The kernel's unit towards programs is a hundredth of a second.
    Ok(Duration::from_millis((ticks() + ticks()) * 10))
}

/// A line such as `VmRSS` of a process's status, bytes.
pub(super) fn memory(pid: u32, line: &str) -> Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status"))
        .context("read a process's memory")?;
    let kib: u64 = text
        .lines()
        .find_map(|text| text.strip_prefix(line)?.strip_prefix(':'))
        .and_then(|text| text.trim().trim_end_matches(" kB").parse().ok())
        .with_context(|| format!("{line} of process {pid}"))?;
    Ok(kib * 1024)
}

/// Makes `VmHWM` start again from what is resident now.
pub(super) fn reset_peak(pid: u32) -> Result<()> {
    std::fs::write(format!("/proc/{pid}/clear_refs"), "5").context("reset a process's memory peak")
}
