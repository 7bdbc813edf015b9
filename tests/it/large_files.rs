//! A file as large as a video through the plugin `files`, by curl: what comes
//! out is what went in, whole, in part, and after a break.

use atlashub_tests::{Project, TestServer, noise, shared};
use aws_lc_rs::digest;
use serde_json::Value;
use std::{
    fs::File,
    io::{Read as _, Write as _},
    os::unix::fs::FileExt as _,
    path::Path,
};
use tokio::process::Command;

const MIB: usize = 1024 * 1024;
/// Beyond what one part, one buffer or one guest's memory holds.
const PARTS: usize = 76;
const PART: usize = 4 * MIB;

/// An ISO base media file: what says that it is one, and a box of data.
fn write_video(path: &Path, parts: usize) -> u64 {
    let mut head = Vec::new();
    head.extend_from_slice(&32_u32.to_be_bytes());
    head.extend_from_slice(b"ftypisom\0\0\x02\0isomiso2avc1mp41");
    let data = parts * PART;
    head.extend_from_slice(&1_u32.to_be_bytes());
    head.extend_from_slice(b"mdat");
    head.extend_from_slice(&u64::try_from(16 + data).unwrap().to_be_bytes());
    let mut file = File::create(path).unwrap();
    file.write_all(&head).unwrap();
    for part in 0..parts {
        let seed = u64::try_from(part).unwrap() + 1;
        file.write_all(&noise(PART, seed)).unwrap();
    }
    file.metadata().unwrap().len()
}

/// The SHA-256 of a file, in hexadecimal digits.
fn sha256(path: &Path) -> String {
    let mut file = File::open(path).unwrap();
    let mut context = digest::Context::new(&digest::SHA256);
    let mut buffer = vec![0; MIB];
    loop {
        let count = file.read(&mut buffer).unwrap();
        if count == 0 {
            break;
        }
        context.update(&buffer[..count]);
    }
    let digest = context.finish();
    digest.as_ref().iter().map(|b| format!("{b:02x}")).collect()
}

fn part_of(path: &Path, from: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    File::open(path)
        .unwrap()
        .read_exact_at(&mut bytes, from)
        .unwrap();
    bytes
}

/// Runs curl with the project's key; what it printed.
async fn curl(server: &TestServer, project: &Project, path: &str, args: &[&str]) -> Vec<u8> {
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--fail-with-body", "--header"])
        .arg(format!("x-api-key: {}", project.secret))
        .args(args)
        .arg(server.url(path))
        .output()
        .await
        .expect("curl is there");
    assert!(
        output.status.success(),
        "curl {args:?}: {} {}",
        String::from_utf8_lossy(&output.stderr),
        String::from_utf8_lossy(&output.stdout)
    );
    output.stdout
}

/// Downloads with curl into a file; the status and the headers.
async fn download(
    server: &TestServer,
    project: &Project,
    path: &str,
    into: &Path,
    args: &[&str],
) -> (String, String) {
    let headers = into.with_extension("headers");
    let output = [
        "--output",
        into.to_str().unwrap(),
        "--dump-header",
        headers.to_str().unwrap(),
        "--write-out",
        "%{http_code}",
    ];
    let args = [&output[..], args].concat();
    let status = curl(server, project, path, &args).await;
    let headers = std::fs::read_to_string(headers).unwrap();
    (
        String::from_utf8(status).unwrap(),
        headers.to_ascii_lowercase(),
    )
}

#[tokio::test]
async fn a_video_comes_back_whole_in_part_and_after_a_break() {
    let server = shared().await;
    let project = server.admin().project_with(&["files"]).await;
    let folder = tempfile::tempdir().unwrap();
    let video = folder.path().join("video.mp4");
    let size = write_video(&video, PARTS);
    assert!(size > 300_000_000, "{size}");
    let sum = sha256(&video);
    let upload = [
        "--request",
        "POST",
        "--upload-file",
        video.to_str().unwrap(),
        "--header",
        "file-path: films/video.mp4",
    ];
    let made = curl(server, &project, "/files/upload", &upload).await;
    let made: Value = serde_json::from_slice(&made).unwrap();
    assert_eq!(made["size"], size, "{made}");
    assert_eq!(made["sha256"], sum.as_str(), "{made}");
    assert_eq!(made["mime_type"], "video/mp4", "{made}");
    let path = format!("/files/{}/download", made["id"].as_str().unwrap());

    let whole = folder.path().join("whole");
    let (status, headers) = download(server, &project, &path, &whole, &[]).await;
    assert_eq!(status, "200");
    assert!(headers.contains("accept-ranges: bytes"), "{headers}");
    assert_eq!(sha256(&whole), sum);

    let (middle, last) = (size / 2 + 1, size - 1);
    let tail = size - 1_000_003;
    for (range, from) in [
        (format!("{middle}-{}", middle + 5_000_000), middle),
        (format!("{tail}-"), tail),
        ("-777".to_owned(), size - 777),
        (format!("{last}-{}", size + 10), last),
    ] {
        let piece = folder.path().join("piece");
        let args = ["--range", &range];
        let (status, headers) = download(server, &project, &path, &piece, &args).await;
        assert_eq!(status, "206", "{range}");
        let bytes = std::fs::read(&piece).unwrap();
        let length = u64::try_from(bytes.len()).unwrap();
        let said = format!("content-range: bytes {from}-{}/{size}", from + length - 1);
        assert!(headers.contains(&said), "{range}: {headers}");
        assert!(
            bytes == part_of(&video, from, bytes.len()),
            "{range}: other bytes"
        );
    }

    // The line breaks after a third of it, and curl goes on from there.
    std::fs::remove_file(&whole).unwrap();
    let begun = format!("0-{}", size / 3);
    let args = ["--range", &begun];
    let _ = download(server, &project, &path, &whole, &args).await;
    let args = ["--continue-at", "-"];
    let (status, headers) = download(server, &project, &path, &whole, &args).await;
    assert_eq!(status, "206");
    let from = format!("content-range: bytes {}-{last}/{size}", size / 3 + 1);
    assert!(headers.contains(&from), "{headers}");
    assert_eq!(sha256(&whole), sum);

    let file = format!("/files/{}", made["id"].as_str().unwrap());
    let _ = project.delete(&file).await.expect_success();
}

#[tokio::test]
async fn a_form_with_a_large_file_is_taken_as_browsers_send_it() {
    let server = shared().await;
    let project = server.admin().project_with(&["files"]).await;
    let folder = tempfile::tempdir().unwrap();
    let video = folder.path().join("clip.mp4");
    let size = write_video(&video, 8);
    let form = format!("file=@{};type=application/x-wrong", video.display());
    let made = curl(server, &project, "/files/upload", &["--form", &form]).await;
    let made: Value = serde_json::from_slice(&made).unwrap();
    let made = made.get(0).unwrap_or(&made);
    assert_eq!(made["filename"], "clip.mp4", "{made}");
    assert_eq!(made["size"], size, "{made}");
    assert_eq!(made["sha256"], sha256(&video).as_str(), "{made}");
    assert_eq!(made["mime_type"], "video/mp4", "{made}");
}
