//! Lines to the services behind a server, which a test cuts and mends.

use crate::stores::Stores;
use std::net::SocketAddr;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// How a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Passes everything on.
    Whole,
    /// Ends every connection.
    Cut,
    /// Takes connections, and lets nothing through.
    Silent,
}

/// A line to one service; ends with this.
#[derive(Debug)]
pub struct Line {
    address: SocketAddr,
    state: watch::Sender<State>,
    task: JoinHandle<()>,
}

/// The lines of a server.
#[derive(Debug)]
pub struct Lines {
    /// To the database.
    pub database: Line,
    /// To the object store.
    pub store: Line,
}

impl Lines {
    pub(crate) async fn to(stores: &mut Stores) -> Self {
        let setting = |name: &str| {
            let mut settings = stores.variables().iter();
            let found = settings.find(|(known, _)| *known == name);
            found
                .unwrap_or_else(|| panic!("{name} is not set: this engine needs no lines"))
                .1
                .clone()
        };
        let database = authority(&setting("ATLASHUB_DATABASE_URL"));
        let url: reqwest::Url = setting("ATLASHUB_STORAGE_URL").parse().expect("a URL");
        let endpoint = url.query_pairs().find(|(name, _)| name == "endpoint");
        let store = authority(&endpoint.expect("an endpoint").1);
        let lines = Self {
            database: Line::to(database.clone()).await,
            store: Line::to(store.clone()).await,
        };
        stores.change(|name, value| match name {
            "ATLASHUB_DATABASE_URL" => {
                Some(value.replace(&database, &lines.database.address.to_string()))
            }
            "ATLASHUB_STORAGE_URL" => Some(value.replace(&store, &lines.store.address.to_string())),
            _ => None,
        });
        lines
    }
}

/// The host and port of an address that names both.
fn authority(url: &str) -> String {
    let url: reqwest::Url = url.parse().expect("a URL");
    let host = url.host_str().expect("a host");
    format!("{host}:{}", url.port().expect("a port"))
}

impl Line {
    async fn to(service: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its own address");
        let (state, seen) = watch::channel(State::Whole);
        let task = tokio::spawn(async move {
            loop {
                let Ok((near, _)) = listener.accept().await else {
                    return;
                };
                tokio::spawn(pass(near, service.clone(), seen.clone()));
            }
        });
        Self {
            address,
            state,
            task,
        }
    }

    /// Ends every connection, and those that are made from now on.
    pub fn cut(&self) {
        self.state.send_replace(State::Cut);
    }

    /// Lets nothing through any more, and says nothing.
    pub fn fall_silent(&self) {
        self.state.send_replace(State::Silent);
    }

    /// Passes on what comes from now on; what was on the line is lost.
    pub fn mend(&self) {
        self.state.send_replace(State::Whole);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Passes on what one connection carries, while the line is whole.
async fn pass(mut near: TcpStream, service: String, mut seen: watch::Receiver<State>) {
    let state = *seen.borrow_and_update();
    if state == State::Whole {
        let Ok(mut far) = TcpStream::connect(service).await else {
            return;
        };
        tokio::select! {
            _ = copy_bidirectional(&mut near, &mut far) => return,
            _ = seen.wait_for(|state| *state != State::Whole) => {}
        }
    }
    // A silent line holds its connections until it is something else.
    if *seen.borrow_and_update() == State::Silent {
        let _ = seen.wait_for(|state| *state != State::Silent).await;
    }
}
