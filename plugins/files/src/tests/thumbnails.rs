//! Thumbnails, with an `images` that the test plays.

use super::drive::*;
use atlashub_sdk::{Request, Response, StatusCode, testing::TestHost};
use serde_json::json;
use std::{cell::Cell, rc::Rc};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";

/// A host whose `images` answers so, and how often it was asked.
fn with_images(answer: impl Fn(&str) -> Response + 'static) -> (TestHost, Rc<Cell<u32>>) {
    let asked = Rc::new(Cell::new(0));
    let counter = Rc::clone(&asked);
    let host = host().with_service("images.internal", move |request| {
        counter.set(counter.get() + 1);
        answer(request.query())
    });
    (host, asked)
}

fn picture(query: &str) -> Response {
    Response::new(StatusCode::OK)
        .with_header("content-type", "image/jpeg")
        .with_body(query.to_owned().into_bytes())
}

fn text(response: Response) -> String {
    assert_eq!(response.status().as_u16(), 200);
    assert_eq!(response.header("content-type"), Some("image/jpeg"));
    String::from_utf8(response.into_bytes().unwrap()).unwrap()
}

#[test]
fn a_thumbnail_is_made_once_and_goes_with_its_image() {
    let (host, asked) = with_images(picture);
    let file = upload("a.png", PNG);
    let at = format!("/files/{}/thumbnail", id(&file));
    for _ in 0..2 {
        assert_eq!(text(get(at.as_str())), "width=256&height=256&fit=contain");
        // The next size that is made.
        let small = text(get(format!("{at}?size=65")));
        assert_eq!(small, "width=128&height=128&fit=contain");
    }
    assert_eq!(asked.get(), 2);
    let first = get(at.as_str());
    let etag = first.header("etag").unwrap();
    let known = call(Request::get(at.as_str()).with_header("if-none-match", etag));
    assert_eq!(known.status().as_u16(), 304);
    assert_eq!(known.header("etag"), Some(etag));
    assert_eq!(host.objects("private").len(), 3);
    let gone = delete(format!("/files/{}?permanent=1", id(&file)));
    assert!(gone.status().is_success());
    assert_eq!(host.objects("private").len(), 0);
    assert_eq!(get(at.as_str()).status().as_u16(), 404);
}

#[test]
fn what_is_no_image_or_a_bad_one_is_told_clearly() {
    let (host, asked) = with_images(|_| {
        let problem = json!({"code": "image_too_large", "detail": "25 million pixels at most"});
        Response::new(StatusCode::PAYLOAD_TOO_LARGE).with_body(problem.to_string().into_bytes())
    });
    let words = upload("a.txt", b"words");
    let at = format!("/files/{}/thumbnail", id(&words));
    assert_eq!(refused(get(at.as_str())), (415, "unsupported_image".into()));
    assert_eq!(asked.get(), 0);
    let file = upload("a.png", PNG);
    let at = format!("/files/{}/thumbnail", id(&file));
    for size in ["0", "1025"] {
        let answer = get(format!("{at}?size={size}"));
        assert_eq!(refused(answer), (422, "invalid_size".into()));
    }
    assert_eq!(refused(get(at.as_str())), (413, "image_too_large".into()));
    host.set_caller(user("u2"));
    assert_eq!(refused(get(at.as_str())).0, 404);
}

#[test]
fn an_image_that_breaks_its_decoder_is_told_from_one_that_is_not_there() {
    let (_host, _) = with_images(|_| Response::new(StatusCode::BAD_GATEWAY));
    let file = upload("a.png", PNG);
    let at = format!("/files/{}/thumbnail", id(&file));
    assert_eq!(refused(get(at.as_str())), (422, "broken_image".into()));
    let _without = host();
    let file = upload("a.png", PNG);
    let at = format!("/files/{}/thumbnail", id(&file));
    assert_eq!(
        refused(get(at.as_str())),
        (503, "images_unavailable".into())
    );
}
