//! `POST /thumbnail` with images made here.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed test may panic"
)]

use crate::routes;
use atlashub_sdk::prelude::*;
use image::{DynamicImage, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};
use serde_json::Value;
use std::io::Cursor;

const RED: [u8; 3] = [220, 20, 20];
const BLUE: [u8; 3] = [20, 20, 220];

fn call(target: &str, bytes: &[u8]) -> Response {
    routes().call(Request::post(target, bytes))
}

fn thumbnail(target: &str, bytes: &[u8]) -> (String, RgbaImage) {
    let response = call(target, bytes);
    assert_eq!(response.status().as_u16(), 200, "{target}");
    let header = |name| response.header(name).unwrap().to_owned();
    let kind = header("content-type");
    let said = (header("image-width"), header("image-height"));
    let made = image::load_from_memory(&response.into_bytes().unwrap()).unwrap();
    assert_eq!(said, (made.width().to_string(), made.height().to_string()));
    (kind, made.into_rgba8())
}

fn refused(target: &str, bytes: &[u8]) -> (u16, String) {
    let response = call(target, bytes);
    let status = response.status().as_u16();
    let problem: Value = response.into_json().unwrap();
    (status, problem["code"].as_str().unwrap().to_owned())
}

fn written(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// Red on the left, blue on the right.
fn halves(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, _| {
        Rgb(if x < width / 2 { RED } else { BLUE })
    })
}

fn is_near(pixel: &Rgba<u8>, wanted: [u8; 3]) -> bool {
    (0..3).all(|at| pixel.0[at].abs_diff(wanted[at]) < 40)
}

/// The same JPEG with a note of its orientation, and of where it was taken.
fn with_orientation(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let mut exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0]);
    exif.extend(b"a secret place");
    let length = u16::try_from(exif.len() + 2).unwrap().to_be_bytes();
    [&jpeg[..2], b"\xff\xe1", &length, &exif, &jpeg[2..]].concat()
}

#[test]
fn the_four_types_are_cut_to_squares() {
    for format in [
        ImageFormat::Png,
        ImageFormat::Jpeg,
        ImageFormat::WebP,
        ImageFormat::Gif,
    ] {
        let bytes = written(halves(300, 100), format);
        let (kind, made) = thumbnail("/thumbnail?width=64&height=64", &bytes);
        assert_eq!((kind.as_str(), made.dimensions()), ("image/jpeg", (64, 64)));
        assert!(is_near(made.get_pixel(8, 32), RED), "{format:?}");
        assert!(is_near(made.get_pixel(56, 32), BLUE), "{format:?}");
    }
    let small = written(halves(10, 10), ImageFormat::Png);
    let (_, made) = thumbnail("/thumbnail?width=128&height=64", &small);
    assert_eq!(made.dimensions(), (128, 64));
}

#[test]
fn an_image_within_a_size_keeps_its_form() {
    let bytes = written(halves(300, 100), ImageFormat::Png);
    let (_, made) = thumbnail("/thumbnail?width=60&height=60&fit=contain", &bytes);
    assert_eq!(made.dimensions(), (60, 20));
    let (_, made) = thumbnail("/thumbnail?width=900&height=900&fit=contain", &bytes);
    assert_eq!(made.dimensions(), (300, 100));
}

#[test]
fn what_can_be_seen_through_stays_so() {
    let glass = RgbaImage::from_pixel(80, 80, Rgba([10, 200, 10, 100]));
    let bytes = written(glass, ImageFormat::WebP);
    let (kind, made) = thumbnail("/thumbnail?width=40&height=40", &bytes);
    assert_eq!(kind, "image/png");
    assert_eq!(made.get_pixel(20, 20).0[3], 100);
}

#[test]
fn an_orientation_is_applied_and_metadata_is_gone() {
    let jpeg = written(halves(200, 100), ImageFormat::Jpeg);
    // Shown a quarter turned to the right: what was left is on top.
    let turned = with_orientation(&jpeg, 6);
    let target = "/thumbnail?width=100&height=100&fit=contain";
    let (_, made) = thumbnail(target, &turned);
    assert_eq!(made.dimensions(), (50, 100));
    assert!(is_near(made.get_pixel(25, 10), RED));
    assert!(is_near(made.get_pixel(25, 90), BLUE));
    let (_, made) = thumbnail("/thumbnail?width=20&height=80", &turned);
    assert_eq!(made.dimensions(), (20, 80));
    let bytes = call(target, &turned).into_bytes().unwrap();
    for trace in [&b"Exif"[..], b"secret place"] {
        assert!(!bytes.windows(trace.len()).any(|part| part == trace));
    }
}

#[test]
fn what_is_no_image_is_refused() {
    let target = "/thumbnail?width=8&height=8";
    let png = written(halves(30, 30), ImageFormat::Png);
    for (bytes, wanted) in [
        (&b""[..], (415, "unsupported_image")),
        (
            b"<svg xmlns='http://www.w3.org/2000/svg'/>",
            (415, "unsupported_image"),
        ),
        (b"BM\x1e\0\0\0\0\0\0\0", (415, "unsupported_image")),
        (b"GIF89a\x01\0\x01\0", (422, "broken_image")),
        (&png[..40], (422, "broken_image")),
        (&png[..png.len() - 20], (422, "broken_image")),
        (b"\xff\xd8\xff\xe0 no more", (422, "broken_image")),
        (b"RIFF\x04\0\0\0WEBP", (422, "broken_image")),
    ] {
        let (status, code) = refused(target, bytes);
        assert_eq!((status, code.as_str()), wanted, "{bytes:?}");
    }
    for size in ["width=0&height=8", "width=8&height=2049"] {
        let (status, code) = refused(&format!("/thumbnail?{size}"), &png);
        assert_eq!((status, code.as_str()), (422, "invalid_size"));
    }
    let long = vec![0; 16 * 1024 * 1024 + 1];
    assert_eq!(refused(target, &long).0, 413);
}

/// A PNG whose head speaks of a size that its body does not have.
fn claiming(width: u32, height: u32) -> Vec<u8> {
    let mut png = written(halves(8, 8), ImageFormat::Png);
    png[16..20].copy_from_slice(&width.to_be_bytes());
    png[20..24].copy_from_slice(&height.to_be_bytes());
    let sum = crc32(&png[12..29]).to_be_bytes();
    png[29..33].copy_from_slice(&sum);
    png
}

/// The check sum of a part of a PNG (RFC 2083, appendix).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg())
        })
    })
}

#[test]
fn too_many_pixels_are_refused_before_they_are_decoded() {
    for (width, height) in [(6_000, 6_000), (20_000, 10), (u32::MAX >> 1, 1)] {
        let (status, code) = refused("/thumbnail?width=8&height=8", &claiming(width, height));
        assert_eq!((status, code.as_str()), (413, "image_too_large"), "{width}");
    }
    let mut gif = written(halves(8, 8), ImageFormat::Gif);
    for (width, height) in [(6_000_u16, 6_000_u16), (u16::MAX, 10)] {
        gif[6..8].copy_from_slice(&width.to_le_bytes());
        gif[8..10].copy_from_slice(&height.to_le_bytes());
        let (status, code) = refused("/thumbnail?width=8&height=8", &gif);
        assert_eq!((status, code.as_str()), (413, "image_too_large"), "{width}");
    }
}

#[test]
fn the_description_names_the_routes() {
    atlashub_sdk::testing::assert_described(&routes(), env!("CARGO_MANIFEST_DIR"));
}
