//! Bytes in and out through the `files` plugin: a small file, a large
//! download, a large upload.

use super::{
    Bench,
    load::{self, Load, Sample, median, middle},
    peers::{Node, Server, control, control_objects, static_files, upload_to_control},
    report::{Goal, Report},
};
use anyhow::{Context as _, Result};
use std::{
    fs::File,
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

const SMALL_BYTES: u64 = 4 * 1024;
const DOWNLOAD_BYTES: u64 = 256 << 20;

/// Writes a file of bytes that do not repeat soon (xorshift).
fn write_noise(path: &Path, size: u64) -> Result<()> {
    let mut file =
        BufWriter::new(File::create(path).with_context(|| format!("create {}", path.display()))?);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..size / 8 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        file.write_all(&state.to_le_bytes())?;
    }
    file.flush()?;
    Ok(())
}

/// A node with a project that has `files`, and the control server.
fn start(bench: &Bench<'_>, name: &str) -> Result<(Server, Node, String)> {
    std::fs::create_dir_all(static_files(&bench.folder))?;
    std::fs::create_dir_all(control_objects(&bench.folder))?;
    let plain = control(bench.repository, &bench.folder)?;
    let node = Node::start(bench.repository, &bench.folder, name)?;
    let key = node.project("files", &["files"])?.secret;
    Ok((plain, node, key))
}

/// Both in turn, the control first and last.
fn duel(
    bench: &Bench<'_>,
    report: &mut Report,
    (name, plain, path): (&str, &Server, &str),
    (node, key, id): (&Node, &str, &str),
    time: Duration,
) -> Result<(Sample, Sample)> {
    let theirs = Load {
        url: plain.url(path),
        key: None,
        token: None,
        turns: None,
    };
    let ours = Load {
        url: node.server.url(&format!("/files/{id}/download")),
        key: Some(key.to_owned()),
        token: None,
        turns: None,
    };
    let run = |load: &Load, pid, time| load::run(load, pid, time, bench.folder.path());
    run(&theirs, plain.pid(), Duration::from_secs(1))?;
    run(&ours, node.server.pid(), Duration::from_secs(1))?;
    let (mut control, mut subject) = (Vec::new(), Vec::new());
    for _ in 0..bench.plan.rounds {
        control.push(run(&theirs, plain.pid(), time)?);
        subject.push(run(&ours, node.server.pid(), time)?);
    }
    control.push(run(&theirs, plain.pid(), time)?);
    let (control, subject) = (median(&control), median(&subject));
    report.sample(name, &control);
    report.sample("AtlasHub, `files`", &subject);
    Ok((control, subject))
}

/// A 4 KiB file against axum's static file service.
pub(super) fn small(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    report.part("a 4 KiB file");
    let (plain, node, key) = start(bench, "small")?;
    let file = static_files(&bench.folder).join("small.bin");
    write_noise(&file, SMALL_BYTES)?;
    let (id, _) = node.upload_file(&key, &file)?;
    let control = ("axum's static file service", &plain, "/static/small.bin");
    let (control, ours) = duel(bench, report, control, (&node, &key, &id), bench.plan.time)?;
    report.ratio(
        "a 4 KiB file through `files`",
        "axum's static file service",
        ours.rate / control.rate,
        Goal::AtLeast(0.8),
    );
    Ok(())
}

/// A large file against axum streaming the same object.
pub(super) fn download(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    report.part("download of 256 MiB");
    let (plain, node, key) = start(bench, "download")?;
    let file = control_objects(&bench.folder).join("large.bin");
    write_noise(&file, DOWNLOAD_BYTES)?;
    let (id, _) = node.upload_file(&key, &file)?;
    let control = (
        "axum streaming from the operator",
        &plain,
        "/objects/large.bin",
    );
    // Long enough for each of the connections to finish some.
    let time = bench.plan.time * 2;
    let (control, ours) = duel(bench, report, control, (&node, &key, &id), time)?;
    report.ratio(
        "download of a 256 MiB file through `files`",
        "axum streaming it",
        ours.bytes_rate / control.bytes_rate,
        Goal::AtLeast(0.85),
    );
    std::fs::remove_file(file)?;
    Ok(())
}

/// A large upload by TUS against the same by a plain request.
pub(super) fn tus(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    let size = bench.plan.upload_bytes;
    report.part(&format!("upload of {} MiB by TUS", size >> 20));
    let (_, node, key) = start(bench, "tus")?;
    let file: PathBuf = bench.folder.path().join("upload.bin");
    write_noise(&file, size)?;
    let plain = || -> Result<f64> {
        let (id, seconds) = node.upload_file(&key, &file)?;
        node.delete_file(&key, &id)?;
        Ok(seconds)
    };
    let (mut control, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..bench.plan.rounds {
        control.push(plain()?);
        let (id, seconds) = node.upload_by_tus(&key, &file)?;
        node.delete_file(&key, &id)?;
        ours.push(seconds);
    }
    control.push(plain()?);
    let (control, ours) = (middle(control), middle(ours));
    report.note(&format!("plain {control:.2} s, TUS {ours:.2} s"));
    report.ratio(
        "upload by TUS",
        "a plain upload",
        control / ours,
        Goal::AtLeast(0.8),
    );
    std::fs::remove_file(file)?;
    Ok(())
}

/// A large upload against axum streaming it to the operator; both are on the
/// disk when they are acknowledged.
pub(super) fn upload(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    let size = bench.plan.upload_bytes;
    report.part(&format!("upload of {} MiB", size >> 20));
    let (plain, node, key) = start(bench, "upload")?;
    let file: PathBuf = bench.folder.path().join("upload.bin");
    write_noise(&file, size)?;
    let stored = control_objects(&bench.folder).join("upload.bin");

    let to_control = || -> Result<f64> {
        let seconds = upload_to_control(&plain, &file, "upload.bin")?;
        std::fs::remove_file(&stored)?;
        Ok(seconds)
    };
    let (mut control, mut ours) = (Vec::new(), Vec::new());
    // Once without counting: the code that uploads run is mapped then.
    let (id, _) = node.upload_file(&key, &file)?;
    node.delete_file(&key, &id)?;
    let before = node.server.resident()?;
    load::reset_peak(node.server.pid())?;
    for _ in 0..bench.plan.rounds {
        control.push(to_control()?);
        let (id, seconds) = node.upload_file(&key, &file)?;
        node.delete_file(&key, &id)?;
        ours.push(seconds);
    }
    control.push(to_control()?);
    let peak = load::memory(node.server.pid(), "VmHWM")?;
    let (control, ours) = (middle(control), middle(ours));
    report.note(&format!("axum {control:.2} s, AtlasHub {ours:.2} s"));
    report.ratio(
        "upload through `files`",
        "axum streaming it",
        control / ours,
        Goal::AtLeast(0.8),
    );
    report.mebibytes(
        "growth of the server's memory during uploads",
        peak.saturating_sub(before),
        Goal::AtMost(64.0),
    );
    std::fs::remove_file(file)?;
    Ok(())
}
