//! What was measured, as a document: a table of goals, and the figures behind
//! it. The document's own words, around the measured part, are kept.

use super::load::{CONNECTIONS, Sample};
use crate::process::Program;
use anyhow::{Context as _, Result};
use std::{fmt::Write as _, path::Path};

const BEGIN: &str = "<!-- measured: begin -->";
const END: &str = "<!-- measured: end -->";

/// What is to be reached.
#[derive(Clone, Copy)]
pub(super) enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

impl Goal {
    fn holds(self, figure: f64) -> bool {
        match self {
            Self::AtLeast(least) => figure >= least,
            Self::AtMost(most) => figure <= most,
        }
    }

    fn text(self, unit: &str) -> String {
        match self {
            Self::AtLeast(least) => format!("at least {least}{unit}"),
            Self::AtMost(most) => format!("at most {most}{unit}"),
        }
    }
}

/// The figures so far.
pub(super) struct Report {
    machine: String,
    quick: bool,
    goals: String,
    figures: String,
}

impl Report {
    pub(super) fn new(quick: bool) -> Result<Self> {
        Ok(Self {
            machine: machine()?,
            quick,
            goals: String::new(),
            figures: String::new(),
        })
    }

    /// Begins a part.
    pub(super) fn part(&mut self, name: &str) {
        crate::setup::announce(&format!("measuring: {name}"));
        let _ = write!(self.figures, "\n### {name}\n\n");
    }

    /// Adds the figures of one contender.
    pub(super) fn sample(&mut self, name: &str, sample: &Sample) {
        const HEAD: &str = "| who | requests/s | MiB/s | p50 | p99 | CPU a request |\n| --- | ---: | ---: | ---: | ---: | ---: |\n";
        if self.figures.ends_with("\n\n") {
            self.figures.push_str(HEAD);
        }
        let line = format!(
            "| {name} | {:.0} | {:.1} | {} | {} | {} |\n",
            sample.rate,
            sample.bytes_rate / (1024.0 * 1024.0),
            time(sample.p50),
            time(sample.p99),
            time(sample.cpu),
        );
        eprint!("    {line}");
        self.figures.push_str(&line);
    }

    /// Adds a remark to the part at hand.
    pub(super) fn note(&mut self, text: &str) {
        eprintln!("    {text}");
        let _ = write!(self.figures, "\n{text}.\n");
    }

    /// Adds a ratio.
    pub(super) fn ratio(&mut self, what: &str, beside: &str, ratio: f64, goal: Goal) {
        self.goal(
            what,
            beside,
            &format!("{ratio:.2}"),
            &goal.text(""),
            goal.holds(ratio),
        );
    }

    /// Adds a figure that stands for itself.
    pub(super) fn figure(&mut self, what: &str, figure: f64, unit: &str, goal: Goal) {
        let unit = format!(" {unit}");
        self.goal(
            what,
            "",
            &format!("{figure:.1}{unit}"),
            &goal.text(&unit),
            goal.holds(figure),
        );
    }

    /// Adds an amount of memory, whose goal is in MiB.
    pub(super) fn mebibytes(&mut self, what: &str, bytes: u64, goal: Goal) {
        #[expect(clippy::cast_precision_loss, reason = "far from where it would show")]
        self.figure(what, bytes as f64 / (1024.0 * 1024.0), "MiB", goal);
    }

    fn goal(&mut self, what: &str, beside: &str, reached: &str, goal: &str, holds: bool) {
        let mark = if holds { "yes" } else { "**no**" };
        let line = format!("| {what} | {beside} | {reached} | {goal} | {mark} |\n");
        eprint!("    {line}");
        self.goals.push_str(&line);
    }

    /// The measured part of the document.
    pub(super) fn text(&self) -> String {
        let quality = if self.quick {
            "\nA quick run: hints, not figures.\n"
        } else {
            ""
        };
        format!(
            "{BEGIN}\n\nMeasured by `cargo xtask bench` with {CONNECTIONS} connections on {}. Medians; the \
             baselines ran in turn with AtlasHub, the plain server first and last. Load and servers share \
             the machine.\n{quality}\n\
             | what | baseline | reached | to reach | holds |\n| --- | --- | ---: | ---: | --- |\n{}\n\
             ## The figures behind it\n{}\n{END}",
            self.machine,
            self.goals,
            self.figures.trim_end(),
        )
    }

    /// Puts the measured part into the document.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let old = std::fs::read_to_string(path)
            .unwrap_or_else(|_| format!("# Benchmarks\n\n{BEGIN}\n{END}\n"));
        let around = old
            .split_once(BEGIN)
            .and_then(|(before, rest)| rest.split_once(END).map(|(_, after)| (before, after)));
        let (before, after) = around.with_context(|| {
            format!("{} has lost the marks of its measured part", path.display())
        })?;
        std::fs::write(path, format!("{before}{}{after}", self.text()))
            .with_context(|| format!("write {}", path.display()))
    }
}

fn time(microseconds: f64) -> String {
    match microseconds {
        short if short < 1_000.0 => format!("{short:.0} µs"),
        long if long < 1_000_000.0 => format!("{:.2} ms", long / 1e3),
        long => format!("{:.1} s", long / 1e6),
    }
}

fn machine() -> Result<String> {
    let info = std::fs::read_to_string("/proc/cpuinfo").context("read what the processor is")?;
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = info
        .lines()
        .filter(|line| line.starts_with("processor"))
        .count();
    let kernel = Program::new("uname")
        .args(["-sr"])
        .output("ask for the kernel's version")?;
    Ok(format!(
        "{cores} cores of {}, {}",
        model.map_or("a processor", |(_, name)| name),
        kernel.trim()
    ))
}
