//! Pictures of users: decoded in the sandbox, shown to everybody, and gone
//! without a trace.

use atlashub_tests::{Admin, Project, Reply, User, shared};
use reqwest::Method;
use serde_json::{Value, json};

/// A PNG of this size in one colour, without a library: `stored` blocks of
/// zlib (RFC 1950, RFC 1951).
pub(crate) fn png(width: u32, height: u32, colour: [u8; 3]) -> Vec<u8> {
    let mut rows = Vec::new();
    for _ in 0..height {
        rows.push(0);
        rows.extend(colour.repeat(width as usize));
    }
    let mut zlib = vec![0x78, 0x01];
    let blocks: Vec<&[u8]> = rows.chunks(0xffff).collect();
    for (number, block) in blocks.iter().enumerate() {
        let length = u16::try_from(block.len()).unwrap();
        zlib.push(u8::from(number + 1 == blocks.len()));
        zlib.extend(length.to_le_bytes());
        zlib.extend((!length).to_le_bytes());
        zlib.extend(*block);
    }
    let (mut low, mut high) = (1_u32, 0_u32);
    for byte in &rows {
        low = (low + u32::from(*byte)) % 65_521;
        high = (high + low) % 65_521;
    }
    zlib.extend((high << 16 | low).to_be_bytes());
    let mut head = [width.to_be_bytes(), height.to_be_bytes()].concat();
    head.extend([8, 2, 0, 0, 0]);
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, data) in [(b"IHDR", &head), (b"IDAT", &zlib), (b"IEND", &Vec::new())] {
        let named = [kind.as_slice(), data].concat();
        png.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
        png.extend(&named);
        png.extend(crc32(&named).to_be_bytes());
    }
    png
}

pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg())
        })
    })
}

/// Width and height as the frame of a baseline JPEG states them.
pub(crate) fn jpeg_size(bytes: &[u8]) -> (u16, u16) {
    let at = bytes
        .windows(2)
        .position(|pair| pair == [0xff, 0xc0])
        .expect("a frame");
    let number = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
    (number(at + 7), number(at + 5))
}

async fn send(user: &User, field: &'static str, image: Vec<u8>) -> Reply {
    let part = reqwest::multipart::Part::bytes(image).file_name("me.png");
    let form = reqwest::multipart::Form::new()
        .text("note", "ignored")
        .part(field, part);
    Reply::to(
        user.request(Method::POST, "/users/me/avatar")
            .multipart(form),
    )
    .await
}

/// The picture at an address, as somebody without any credentials gets it.
async fn look(address: &str) -> Reply {
    Reply::to(reqwest::Client::new().get(address)).await
}

async fn used_bytes(admin: &Admin, project: &Project) -> u64 {
    let path = format!("/admin/v1/projects/{}/usage", project.slug);
    let usage = admin.get(&path).await.expect(200).json();
    usage["storage"]["used_bytes"].as_u64().unwrap()
}

async fn with_avatar(project: &Project) -> (User, String) {
    let user = project.sign_up().await;
    let made = send(&user, "avatar", png(300, 200, [200, 30, 30])).await;
    let address = made.expect(200).json()["avatar"]
        .as_str()
        .unwrap()
        .to_owned();
    (user, address)
}

#[tokio::test]
async fn a_picture_is_cut_to_squares_and_shown_to_everybody() {
    let project = shared().await.admin().project().await;
    let (user, address) = with_avatar(&project).await;
    for (asked, side) in [
        ("", 256),
        ("&size=64", 64),
        ("&size=128", 128),
        ("&size=512", 512),
    ] {
        let shown = look(&format!("{address}{asked}")).await.expect(200);
        assert_eq!(shown.header("content-type"), "image/jpeg");
        assert_eq!(jpeg_size(&shown.body), (side, side));
        assert_eq!(
            shown.header("cache-control"),
            "public, max-age=31536000, immutable"
        );
        assert_eq!(shown.header("x-content-type-options"), "nosniff");
        assert!(
            shown
                .header("content-security-policy")
                .starts_with("sandbox")
        );
        let length = shown.header("content-length").parse::<usize>().unwrap();
        assert_eq!(length, shown.body.len());
    }
    let me = user.get("/users/me").await.expect(200).json();
    assert_eq!(me["avatar"], address);
    let profile = project
        .get(&format!("/users/{}", user.id))
        .await
        .expect(200);
    assert_eq!(profile.json()["avatar"], address);

    let plain = address.split('?').next().unwrap();
    let shown = look(plain).await.expect(200);
    assert_eq!(shown.header("cache-control"), "public, no-cache");
    let tag = shown.header("etag").to_owned();
    let again = reqwest::Client::new()
        .get(plain)
        .header("if-none-match", &tag);
    let again = Reply::to(again).await.expect(304);
    assert_eq!((again.header("etag"), again.body.len()), (tag.as_str(), 0));
    let head = Reply::to(reqwest::Client::new().head(plain))
        .await
        .expect(200);
    assert_eq!(head.body.len(), 0);
    assert_eq!(
        look(&format!("{plain}?size=100")).await.expect_problem(400),
        "invalid_size"
    );
}

#[tokio::test]
async fn a_replaced_and_a_removed_picture_leave_nothing_behind() {
    let admin = shared().await.admin();
    let project = admin.project().await;
    let (user, first) = with_avatar(&project).await;
    let one = used_bytes(&admin, &project).await;
    assert!(one > 0);
    let made = send(&user, "file", png(300, 200, [200, 30, 30])).await;
    let second = made.expect(200).json()["avatar"].clone();
    assert_ne!(second, first);
    assert_eq!(used_bytes(&admin, &project).await, one);
    // The old address shows what there is now, and may not be kept.
    let shown = look(&first).await.expect(200);
    assert_eq!(shown.header("cache-control"), "public, no-cache");

    let _ = user
        .delete("/users/me/avatar", Value::Null)
        .await
        .expect(204);
    assert_eq!(used_bytes(&admin, &project).await, 0);
    look(&first).await.expect_problem(404);
    assert_eq!(user.get("/users/me").await.json()["avatar"], Value::Null);
    let _ = user
        .delete("/users/me/avatar", Value::Null)
        .await
        .expect(204);

    let _ = send(&user, "avatar", png(50, 50, [0, 0, 9]))
        .await
        .expect(200);
    let of_user = format!("/admin/v1/projects/{}/users/{}", project.slug, user.id);
    let _ = admin.delete(&format!("{of_user}/avatar")).await.expect(204);
    assert_eq!(used_bytes(&admin, &project).await, 0);
    let _ = send(&user, "avatar", png(50, 50, [0, 0, 9]))
        .await
        .expect(200);
    let _ = admin.delete(&of_user).await.expect(204);
    assert_eq!(used_bytes(&admin, &project).await, 0);
    look(&first).await.expect_problem(404);
}

#[tokio::test]
async fn of_pictures_that_are_sent_at_once_one_is_kept() {
    let admin = shared().await.admin();
    let project = admin.project().await;
    let (user, _) = with_avatar(&project).await;
    let sent = (0..4).map(|number| send(&user, "avatar", png(80, 80, [number * 60, 9, 9])));
    for reply in futures::future::join_all(sent).await {
        let _ = reply.expect(200);
    }
    let address = user.get("/users/me").await.json()["avatar"].clone();
    let _ = look(address.as_str().unwrap()).await.expect(200);
    let _ = user
        .delete("/users/me/avatar", Value::Null)
        .await
        .expect(204);
    assert_eq!(used_bytes(&admin, &project).await, 0);
}

#[tokio::test]
async fn what_is_no_picture_is_refused_and_the_old_one_stays() {
    let project = shared().await.admin().project().await;
    let (user, address) = with_avatar(&project).await;
    let mut huge = png(8, 8, [1, 2, 3]);
    huge[16..24].copy_from_slice(&[0, 0, 0x40, 0, 0, 0, 0x40, 0]);
    let sum = crc32(&huge[12..29]).to_be_bytes();
    huge[29..33].copy_from_slice(&sum);
    let whole = png(40, 40, [1, 2, 3]);
    for (image, status, code) in [
        (
            b"<svg onload='alert(1)'/>".to_vec(),
            415,
            "unsupported_image",
        ),
        (b"BM\x1e\0\0\0\0\0\0\0".to_vec(), 415, "unsupported_image"),
        (b"GIF89a\x01\0\x01\0".to_vec(), 422, "broken_image"),
        (Vec::new(), 415, "unsupported_image"),
        (whole[..60].to_vec(), 422, "broken_image"),
        (huge, 413, "image_too_large"),
        (vec![0; 10 * 1024 * 1024 + 1], 413, "image_too_large"),
    ] {
        let reply = send(&user, "avatar", image).await;
        assert_eq!(reply.expect_problem(status), code);
    }
    let reply = send(&user, "portrait", whole).await;
    assert_eq!(reply.expect_problem(422), "avatar_needed");
    assert_eq!(user.get("/users/me").await.json()["avatar"], address);
    let _ = look(&address).await.expect(200);
}

#[tokio::test]
async fn a_picture_is_of_its_project_and_counts_against_its_quota() {
    let admin = shared().await.admin();
    let project = admin.project().await;
    let (user, address) = with_avatar(&project).await;
    let other = admin.project().await;
    let elsewhere = format!("/users/{}/avatar", user.id);
    other.get(&elsewhere).await.expect_problem(404);
    let _ = project.get(&elsewhere).await.expect(200);

    let quota = format!("/admin/v1/projects/{}/quota", project.slug);
    let full = json!({"storage_bytes": 1});
    let _ = admin.put(&quota, full).await.expect(200);
    let reply = send(&user, "avatar", png(90, 90, [9, 9, 9])).await;
    assert_eq!(reply.expect_problem(413), "quota_exceeded");
    let _ = look(&address).await.expect(200);

    let of_user = format!("/admin/v1/projects/{}/users/{}", project.slug, user.id);
    let _ = admin
        .patch(&of_user, json!({"disabled": true}))
        .await
        .expect(200);
    look(&address).await.expect_problem(404);
}

#[tokio::test]
async fn a_large_picture_is_decoded() {
    let project = shared().await.admin().project().await;
    let user = project.sign_up().await;
    let large = png(1_800, 1_800, [90, 120, 30]);
    let made = send(&user, "avatar", large).await.expect(200);
    let address = made.json()["avatar"].clone();
    let _ = look(address.as_str().unwrap()).await.expect(200);
}
