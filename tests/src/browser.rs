//! A browser, as far as signing in needs one: it keeps cookies by host and
//! path (RFC 6265), and follows what it is told to. It sends cookies that are
//! for TLS only to this machine, as browsers do.

use crate::{Reply, server::client};
use reqwest::{Method, header::SET_COOKIE};

/// A browser with cookies of its own.
#[derive(Clone, Debug)]
pub struct Browser {
    http: reqwest::Client,
    cookies: Vec<Cookie>,
}

#[derive(Clone, Debug)]
struct Cookie {
    host: String,
    path: String,
    name: String,
    value: String,
}

impl Default for Browser {
    fn default() -> Self {
        Self {
            http: client(),
            cookies: Vec::new(),
        }
    }
}

impl Browser {
    /// Opens an address.
    pub async fn get(&mut self, url: &str) -> Reply {
        self.ask(Method::GET, url, None).await
    }

    /// Sends a form.
    pub async fn post(&mut self, url: &str, form: &[(&str, &str)]) -> Reply {
        self.ask(Method::POST, url, Some(form)).await
    }

    /// The value of a cookie, whatever it is for.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let found = self.cookies.iter().find(|cookie| cookie.name == name);
        found.map(|cookie| cookie.value.as_str())
    }

    /// The value of a cookie of another browser, put in here.
    ///
    /// # Panics
    /// When the other one has no such cookie.
    pub fn steal(&mut self, name: &str, from: &Self) {
        let found = from.cookies.iter().find(|cookie| cookie.name == name);
        self.cookies.push(found.expect("a cookie").clone());
    }

    async fn ask(&mut self, method: Method, url: &str, form: Option<&[(&str, &str)]>) -> Reply {
        let address = reqwest::Url::parse(url).expect("an address");
        let mut request = self.http.request(method, address.clone());
        let sent: Vec<String> = self
            .cookies
            .iter()
            .filter(|cookie| cookie.fits(&address))
            .map(|cookie| format!("{}={}", cookie.name, cookie.value))
            .collect();
        if !sent.is_empty() {
            request = request.header("cookie", sent.join("; "));
        }
        if let Some(form) = form {
            let mut encoder = reqwest::Url::parse("http://form").expect("an address");
            encoder.query_pairs_mut().extend_pairs(form);
            request = request
                .header("content-type", "application/x-www-form-urlencoded")
                .body(encoder.query().unwrap_or_default().to_owned());
        }
        let reply = Reply::to(request).await;
        for set in reply.headers.get_all(SET_COOKIE) {
            self.keep(&address, set.to_str().expect("a cookie"));
        }
        reply
    }

    fn keep(&mut self, from: &reqwest::Url, text: &str) {
        let mut parts = text.split(';').map(str::trim);
        let (name, value) = parts
            .next()
            .and_then(|pair| pair.split_once('='))
            .expect("a cookie");
        let mut cookie = Cookie {
            host: from.host_str().unwrap_or_default().to_owned(),
            path: "/".to_owned(),
            name: name.to_owned(),
            value: value.to_owned(),
        };
        let mut is_over = false;
        for attribute in parts {
            let (key, value) = attribute.split_once('=').unwrap_or((attribute, ""));
            match key.to_lowercase().as_str() {
                "path" => value.clone_into(&mut cookie.path),
                "max-age" => is_over = value == "0",
                "expires" => is_over |= value.contains(" 1970 "),
                _ => {}
            }
        }
        self.cookies.retain(|other| {
            (&other.host, &other.path, &other.name) != (&cookie.host, &cookie.path, &cookie.name)
        });
        if !is_over {
            self.cookies.push(cookie);
        }
    }
}

impl Cookie {
    fn fits(&self, url: &reqwest::Url) -> bool {
        let below =
            |rest: &str| rest.is_empty() || rest.starts_with('/') || self.path.ends_with('/');
        url.host_str() == Some(self.host.as_str())
            && url
                .path()
                .strip_prefix(self.path.as_str())
                .is_some_and(below)
    }
}
