//! Names in every script, and such as break a careless program: kept as they
//! are, given back as they are, and safe in whatever carries them.

use atlashub_tests::{Project, Reply, shared};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Names that a file may have.
fn names() -> Vec<String> {
    let mut names: Vec<String> = [
        // Scripts, and ways to write the same letter.
        "naïve café.txt",
        "файл.txt",
        "Ελληνικά.txt",
        "写真 2024.jpg",
        "ファイル.txt",
        "파일.txt",
        "ملف.txt",
        "קובץ.txt",
        "फ़ाइल.txt",
        "ไฟล์.txt",
        "ፋይል.txt",
        "caf\u{e9}.nfc",
        "cafe\u{301}.nfd",
        // Beyond the basic plane, joined, and of no width.
        "👩‍👩‍👧‍👦 🏳️‍🌈.png",
        "𝒳𝔜.txt",
        "zero\u{200b}width\u{feff}.txt",
        // What turns the direction of reading round.
        "invoice\u{202e}fdp.exe",
        // What a header, a shell, a URL or XML would take for its own.
        "a'b\"c;d=e,f.txt",
        "<script>&amp;]]>.html",
        "100%25 %2e%2e%2f ?#[]@!$.txt",
        "`rm -rf $HOME`|&*.sh",
        "zwei\r\nSet-Cookie: a=b\r\n\r\n.txt",
        "tab\tand\u{b}vertical.txt",
        "\u{1}\u{1b}[31mred\u{7f}\u{85}.txt",
        "line\u{2028}paragraph\u{2029}.txt",
        "=cmd|'x'!A0.csv",
        // What other systems keep for themselves, or cut off.
        "CON",
        "nul.txt",
        "COM1",
        "LPT1.doc",
        "aux",
        "trailing dot.",
        "trailing dots...",
        " blanks around ",
        ".hidden",
        "...",
        "~",
        "-rf",
        "desktop.ini",
        "__proto__",
        "null",
    ]
    .map(str::to_owned)
    .into();
    names.push("x".repeat(255));
    names.push("ä".repeat(127) + "x");
    names.push("🦀".repeat(63) + "abc");
    names
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        if *first == b'%' {
            let code = std::str::from_utf8(&more[..2]).unwrap();
            bytes.push(u8::from_str_radix(code, 16).unwrap());
            rest = &more[2..];
        } else {
            bytes.push(*first);
            rest = more;
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// The name that a `Content-Disposition` gives, by RFC 6266.
fn disposed(header: &str) -> String {
    if let Some((_, extended)) = header.split_once("filename*=UTF-8''") {
        return decoded(extended);
    }
    let (_, quoted) = header.split_once("filename=\"").unwrap();
    quoted.strip_suffix('"').unwrap().to_owned()
}

/// Names in the central directory of an archive.
fn in_archive(bytes: &[u8]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let number = |at: usize| usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
    let mut at = 0;
    while at + 46 <= bytes.len() {
        if bytes[at..].starts_with(b"PK\x01\x02") {
            let name = &bytes[at + 46..at + 46 + number(at + 28)];
            let name = String::from_utf8(name.to_vec()).unwrap();
            assert!(names.insert(name), "two of the same name");
            at += 46 + number(at + 28) + number(at + 30) + number(at + 32);
        } else {
            at += 1;
        }
    }
    names
}

/// A file of each name at the top of a drive; their ids.
async fn all_uploaded(request: impl Fn() -> reqwest::RequestBuilder) -> Vec<(String, Value)> {
    let mut files = Vec::new();
    for name in names() {
        let upload = request()
            .header("file-path", encoded(&name))
            .body(name.clone());
        let file = Reply::to(upload).await.expect_success().json();
        files.push((name, file));
    }
    files
}

async fn listed(project: &Project) -> BTreeSet<String> {
    let page = project.get("/files?limit=100").await.expect(200).json();
    let items = page["items"].as_array().unwrap().iter();
    items
        .map(|item| item["filename"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn every_name_is_given_back_as_it_came_and_breaks_no_header() {
    let project = shared().await.admin().project_with(&["files"]).await;
    let files = all_uploaded(|| project.request(Method::POST, "/files/upload")).await;
    let wanted: BTreeSet<String> = names().into_iter().collect();
    assert_eq!(listed(&project).await, wanted);
    for (name, file) in &files {
        assert_eq!(file["filename"].as_str(), Some(name.as_str()));
        assert_eq!(file["path"].as_str(), Some(name.as_str()));
        let path = format!("/files/{}", file["id"].as_str().unwrap());
        let again = project.get(&path).await.expect(200).json();
        assert_eq!(again["filename"].as_str(), Some(name.as_str()));
        let reply = project.get(&format!("{path}/download")).await.expect(200);
        assert_eq!(reply.text(), *name);
        assert_eq!(reply.header("set-cookie"), "");
        let header = reply.headers["content-disposition"].as_bytes();
        let plain = |byte: &u8| byte.is_ascii_graphic() || *byte == b' ';
        assert!(header.iter().all(plain), "{name:?}: {header:?}");
        assert_eq!(disposed(reply.header("content-disposition")), *name);
    }
    // An archive has no line breaks and the like; all else stays.
    let ids: Vec<&Value> = files.iter().map(|(_, file)| &file["id"]).collect();
    let zip = project
        .post("/files/zip", json!({"ids": ids}))
        .await
        .expect(200);
    let tame = |name: String| name.replace(char::is_control, "_");
    let wanted: BTreeSet<String> = names().into_iter().map(tame).collect();
    assert_eq!(in_archive(&zip.body), wanted);
}

#[tokio::test]
async fn every_name_is_there_in_a_mounted_drive() {
    let admin = shared().await.admin();
    let project = admin.project_with(&["files", "webdav"]).await;
    let user = project.sign_up().await;
    let _ = all_uploaded(|| user.request(Method::POST, "/files/upload")).await;
    let made = user
        .post("/v1/auth/app-passwords", json!({"name": "Desktop"}))
        .await
        .expect(201)
        .json();
    let mount = format!("/p/{}/dav/", project.slug);
    let call = |method: &'static str, path: String| {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let request = project.bare_request(method, &path);
        request.basic_auth(&user.email, made["password"].as_str())
    };
    let found = call("PROPFIND", mount.clone()).header("depth", "1");
    let text = Reply::to(found).await.expect(207).text();
    // XML 1.0 has no other control characters.
    let sound = |c: char| c >= ' ' || matches!(c, '\t' | '\n' | '\r');
    assert!(text.chars().all(sound), "{text:?}");
    let hrefs = text
        .split("href>")
        .skip(1)
        .step_by(2)
        .map(|rest| rest.split("</").next().unwrap());
    let mut found = BTreeSet::new();
    for href in hrefs {
        assert!(href.bytes().all(|byte| byte.is_ascii_graphic()), "{href:?}");
        let href = href.replace("&apos;", "'").replace("&amp;", "&");
        found.extend(
            decoded(&href)
                .split_once("/dav/")
                .map(|(_, name)| name.to_owned())
                .filter(|name| !name.is_empty()),
        );
    }
    let wanted: BTreeSet<String> = names().into_iter().collect();
    assert_eq!(found, wanted);
    for name in names() {
        let reply = Reply::to(call("GET", format!("{mount}{}", encoded(&name)))).await;
        assert_eq!(reply.expect(200).text(), name);
    }
}

#[tokio::test]
async fn what_no_name_may_be_is_refused_wherever_it_comes() {
    let project = shared().await.admin().project_with(&["files"]).await;
    let file = project.upload("a", "x").await.expect_success().json();
    let path = format!("/files/{}", file["id"].as_str().unwrap());
    let longer = "x".repeat(256);
    for name in [".", "..", "a/../b", "a//b", "\0", "a\\b", longer.as_str()] {
        let upload = project
            .request(Method::POST, "/files/upload")
            .header("file-path", encoded(name))
            .body("x");
        assert_eq!(
            Reply::to(upload).await.expect_problem(422),
            "invalid_path",
            "{name:?}"
        );
        let renamed = project.patch(&path, json!({"filename": name})).await;
        assert_eq!(renamed.status, 422, "{name:?}: {}", renamed.text());
        let made = project.post("/folders", json!({"name": name})).await;
        assert_eq!(made.status, 422, "{name:?}: {}", made.text());
    }
    assert_eq!(listed(&project).await, BTreeSet::from(["a".to_owned()]));
}
