//! A stand-in for Google Drive, OneDrive and Dropbox: it signs anybody in by
//! OAuth 2.0 with PKCE, which it insists on, and keeps one tree of files that
//! each interface shows in its own way, as far as `backends` asks.

use aws_lc_rs::digest::{SHA256, digest};
use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::Url;
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
};

pub(crate) const CLIENT_ID: &str = "client-of-the-tests";
pub(crate) const CLIENT_SECRET: &str = "client~secret_of-the.tests";
const FOLDER: &str = "application/vnd.google-apps.folder";

/// A file, or a folder, which has no bytes. The first is the top.
#[derive(Default)]
struct Node {
    parent: usize,
    name: String,
    bytes: Option<Bytes>,
}

#[derive(Default)]
struct Kept {
    address: String,
    nodes: Vec<Node>,
    /// Codes, with the challenge and the address to come back to.
    codes: HashMap<String, (String, String)>,
    refresh: String,
    /// The one access token that holds.
    access: String,
    tokens_given: usize,
}

/// The stand-in; ends with the test's event loop.
pub(crate) struct StandIn {
    pub(crate) address: SocketAddr,
    kept: Arc<Mutex<Kept>>,
}

impl StandIn {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let kept = Kept {
            address: format!("http://{address}"),
            nodes: vec![Node::default()],
            ..Kept::default()
        };
        let kept = Arc::new(Mutex::new(kept));
        let app = Router::new().fallback(answer).with_state(Arc::clone(&kept));
        drop(tokio::spawn(
            async move { axum::serve(listener, app).await },
        ));
        Self { address, kept }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap()
    }

    /// Puts a file at a path.
    pub(crate) fn write(&self, path: &str, bytes: &'static [u8]) {
        self.kept().write(path, Bytes::from_static(bytes));
    }

    /// The bytes of a file.
    pub(crate) fn read(&self, path: &str) -> Option<Bytes> {
        let kept = self.kept();
        kept.nodes[kept.find(path)?].bytes.clone()
    }

    /// Forgets whom it let in.
    pub(crate) fn revoke(&self) {
        let mut kept = self.kept();
        kept.refresh.clear();
        kept.access.clear();
    }

    /// The tokens that hold, and how many were given out.
    pub(crate) fn tokens(&self) -> (Vec<String>, usize) {
        let kept = self.kept();
        let tokens = vec![kept.refresh.clone(), kept.access.clone()];
        (tokens, kept.tokens_given)
    }
}

impl Kept {
    fn child(&self, parent: usize, name: &str) -> Option<usize> {
        let mut nodes = self.nodes.iter().enumerate().skip(1);
        nodes
            .find(|(_, node)| node.parent == parent && node.name == name)
            .map(|(id, _)| id)
    }

    fn find(&self, path: &str) -> Option<usize> {
        let names = path.split('/').filter(|name| !name.is_empty());
        names.fold(Some(0), |at, name| self.child(at?, name))
    }

    fn make(&mut self, parent: usize, name: &str, bytes: Option<Bytes>) -> usize {
        if let Some(id) = self.child(parent, name) {
            if bytes.is_some() {
                self.nodes[id].bytes = bytes;
            }
            return id;
        }
        self.nodes.push(Node {
            parent,
            name: name.to_owned(),
            bytes,
        });
        self.nodes.len() - 1
    }

    fn write(&mut self, path: &str, bytes: Bytes) -> usize {
        let path = path.trim_matches('/');
        let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
        let names = folders.split('/').filter(|name| !name.is_empty());
        let parent = names.fold(0, |at, name| self.make(at, name, None));
        self.make(parent, name, Some(bytes))
    }

    fn children(&self, parent: usize) -> Vec<usize> {
        let nodes = self.nodes.iter().enumerate().skip(1);
        nodes
            .filter(|(_, node)| node.parent == parent)
            .map(|(id, _)| id)
            .collect()
    }

    fn bytes(&self, id: usize, headers: &HeaderMap) -> Response {
        let bytes = self.nodes[id].bytes.clone().unwrap();
        let range = headers
            .get(header::RANGE)
            .map(|range| range.to_str().unwrap());
        let Some((first, last)) =
            range.and_then(|range| range.strip_prefix("bytes=")?.split_once('-'))
        else {
            return bytes.into_response();
        };
        let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
        let of = format!("bytes {first}-{last}/{}", bytes.len());
        let part = bytes.slice(first..=last);
        (StatusCode::PARTIAL_CONTENT, [("content-range", of)], part).into_response()
    }
}

type Pairs = HashMap<String, String>;

fn pairs(text: &str) -> Pairs {
    let url = Url::parse(&format!("http://x/?{text}")).unwrap();
    url.query_pairs().into_owned().collect()
}

fn refused(status: u16) -> Response {
    StatusCode::from_u16(status).unwrap().into_response()
}

async fn answer(State(kept): State<Arc<Mutex<Kept>>>, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 64 << 20).await.unwrap();
    let mut kept = kept.lock().unwrap();
    let path = parts.uri.path().to_owned();
    let query = pairs(parts.uri.query().unwrap_or_default());
    let method = parts.method.as_str();
    match path.as_str() {
        "/o/oauth2/v2/auth" | "/common/oauth2/v2.0/authorize" | "/oauth2/authorize" => {
            return authorize(&mut kept, &query);
        }
        "/token" | "/common/oauth2/v2.0/token" | "/oauth2/token" => {
            return token(&mut kept, &pairs(str::from_utf8(&body).unwrap()));
        }
        _ => {}
    }
    let authorization = parts.headers.get(header::AUTHORIZATION);
    // Addresses that carry their own permission get no token.
    if let Some(id) = path.strip_prefix("/led/") {
        assert!(authorization.is_none(), "a token went to {path}");
        let id: usize = id.parse().unwrap();
        if method == "PUT" {
            kept.nodes[id].bytes = Some(body);
            return Json(json!({})).into_response();
        }
        return kept.bytes(id, &parts.headers);
    }
    let wanted = format!("Bearer {}", kept.access);
    if kept.access.is_empty() || authorization.is_none_or(|sent| sent != wanted.as_str()) {
        return refused(401);
    }
    if path.starts_with("/2/") {
        return dropbox(&mut kept, &path, &parts.headers, body);
    }
    if path.starts_with("/v1.0/") {
        return onedrive(&mut kept, method, &parts.uri, body);
    }
    gdrive(&mut kept, method, &path, &query, &parts.headers, &body)
}

fn authorize(kept: &mut Kept, query: &Pairs) -> Response {
    assert_eq!(query["response_type"], "code");
    assert_eq!(query["client_id"], CLIENT_ID);
    assert_eq!(query["code_challenge_method"], "S256");
    let code = format!("code-{}", kept.codes.len());
    let back = query["redirect_uri"].clone();
    let challenge = query["code_challenge"].clone();
    kept.codes.insert(code.clone(), (challenge, back.clone()));
    let mut url = Url::parse(&back).unwrap();
    url.query_pairs_mut()
        .append_pair("code", &code)
        .append_pair("state", &query["state"]);
    (StatusCode::FOUND, [("location", url.to_string())]).into_response()
}

fn token(kept: &mut Kept, form: &Pairs) -> Response {
    let is_client = form["client_id"] == CLIENT_ID && form["client_secret"] == CLIENT_SECRET;
    let is_known = match form["grant_type"].as_str() {
        "authorization_code" => {
            let found = kept.codes.remove(&form["code"]);
            let challenge =
                URL_SAFE_NO_PAD.encode(digest(&SHA256, form["code_verifier"].as_bytes()));
            found == Some((challenge, form["redirect_uri"].clone()))
        }
        _ => !kept.refresh.is_empty() && form["refresh_token"] == kept.refresh,
    };
    if !is_client || !is_known {
        let body = Json(json!({"error": "invalid_grant"}));
        return (StatusCode::BAD_REQUEST, body).into_response();
    }
    kept.tokens_given += 1;
    kept.access = format!("access-token-{}", kept.tokens_given);
    let mut given = json!({"access_token": kept.access, "token_type": "bearer", "expires_in": 30});
    if form["grant_type"] == "authorization_code" {
        kept.refresh = format!("refresh-token-{}", kept.tokens_given);
        given["refresh_token"] = json!(kept.refresh);
    }
    Json(given).into_response()
}

fn gdrive(
    kept: &mut Kept,
    method: &str,
    path: &str,
    query: &Pairs,
    headers: &HeaderMap,
    body: &Bytes,
) -> Response {
    let id_of = |text: &str| -> usize {
        match text {
            "root" => 0,
            text => text.strip_prefix("node_").unwrap().parse().unwrap(),
        }
    };
    let shown = |kept: &Kept, id: usize| {
        let node = &kept.nodes[id];
        let mut file = json!({"id": format!("node_{id}"), "name": node.name, "mimeType": FOLDER});
        if let Some(bytes) = &node.bytes {
            file["mimeType"] = json!("application/octet-stream");
            file["size"] = json!(bytes.len().to_string());
        }
        file
    };
    let about: Value = serde_json::from_slice(body).unwrap_or_default();
    let upload = path.strip_prefix("/upload");
    let path = upload.unwrap_or(path);
    let id = path.strip_prefix("/drive/v3/files/").map(id_of);
    match (method, id, upload.is_some()) {
        ("GET", None, false) => {
            let words: Vec<_> = query["q"].split('\'').collect();
            let found = match words.as_slice() {
                [_, parent, rest] => {
                    assert_eq!(*rest, " in parents and trashed = false");
                    kept.children(id_of(parent))
                }
                ["name = ", name, " and ", parent, _] => {
                    kept.child(id_of(parent), name).into_iter().collect()
                }
                other => panic!("{other:?}"),
            };
            let files: Vec<_> = found.into_iter().map(|id| shown(kept, id)).collect();
            Json(json!({ "files": files })).into_response()
        }
        ("GET", Some(id), false) if query.get("alt").is_some_and(|alt| alt == "media") => {
            kept.bytes(id, headers)
        }
        ("GET", Some(id), false) => Json(shown(kept, id)).into_response(),
        ("POST", None, false) => {
            let parent = id_of(about["parents"][0].as_str().unwrap());
            let id = kept.make(parent, about["name"].as_str().unwrap(), None);
            Json(shown(kept, id)).into_response()
        }
        ("POST", None, true) => {
            let parent = id_of(about["parents"][0].as_str().unwrap());
            let name = about["name"].as_str().unwrap();
            let id = kept.make(parent, name, Some(Bytes::new()));
            [("location", format!("{}/led/{id}", kept.address))].into_response()
        }
        ("PATCH", Some(id), true) => {
            [("location", format!("{}/led/{id}", kept.address))].into_response()
        }
        other => panic!("{other:?} at {path}"),
    }
}

fn onedrive(kept: &mut Kept, method: &str, uri: &Uri, body: Bytes) -> Response {
    let rest = uri.path().strip_prefix("/v1.0/me/drive/root").unwrap();
    let (path, action) = match rest.strip_prefix(":/") {
        Some(rest) => rest.split_once(":/").unwrap_or((rest, "")),
        None => ("", rest.trim_start_matches('/')),
    };
    let decoded = Url::parse(&format!("http://x/?{}", path.replace('+', "%2B"))).unwrap();
    let path = decoded
        .query_pairs()
        .next()
        .map(|(name, _)| name.into_owned());
    let path = path.unwrap_or_default();
    if (method, action) == ("PUT", "content") {
        kept.write(&path, body);
        return (StatusCode::CREATED, Json(json!({}))).into_response();
    }
    let Some(id) = kept.find(&path) else {
        return refused(404);
    };
    let shown = |id: usize| {
        let node = &kept.nodes[id];
        match &node.bytes {
            Some(bytes) => json!({"name": node.name, "size": bytes.len(), "file": {}}),
            None => json!({"name": node.name, "size": 0, "folder": {}}),
        }
    };
    match (method, action) {
        ("GET", "") => Json(shown(id)).into_response(),
        ("GET", "children") => {
            let items: Vec<_> = kept.children(id).into_iter().map(shown).collect();
            Json(json!({ "value": items })).into_response()
        }
        ("GET", "content") => {
            let location = format!("{}/led/{id}", kept.address);
            (StatusCode::FOUND, [("location", location)]).into_response()
        }
        other => panic!("{other:?} at {uri}"),
    }
}

fn dropbox(kept: &mut Kept, path: &str, headers: &HeaderMap, body: Bytes) -> Response {
    let argument: Value = match headers.get("dropbox-api-arg") {
        Some(argument) => serde_json::from_str(argument.to_str().unwrap()).unwrap(),
        None => serde_json::from_slice(&body).unwrap(),
    };
    let place = argument["path"].as_str().unwrap();
    assert!(
        place.is_empty() || (place.starts_with('/') && place.len() > 1),
        "{place}"
    );
    if path == "/2/files/upload" {
        assert_eq!(argument["mode"], "overwrite");
        kept.write(place, body);
        return Json(json!({})).into_response();
    }
    let Some(id) = kept.find(place) else {
        let words = json!({"error_summary": "path/not_found/.", "error": {}});
        return (StatusCode::CONFLICT, Json(words)).into_response();
    };
    let shown = |id: usize| {
        let node = &kept.nodes[id];
        match &node.bytes {
            Some(bytes) => json!({".tag": "file", "name": node.name, "size": bytes.len()}),
            None => json!({".tag": "folder", "name": node.name}),
        }
    };
    match path {
        "/2/files/get_metadata" => Json(shown(id)).into_response(),
        "/2/files/list_folder" => {
            let entries: Vec<_> = kept.children(id).into_iter().map(shown).collect();
            let page = json!({"entries": entries, "cursor": "end", "has_more": false});
            Json(page).into_response()
        }
        "/2/files/download" => kept.bytes(id, headers),
        other => panic!("{other}"),
    }
}
