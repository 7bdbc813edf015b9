//! A connection on which a test decides itself when to read, when to write,
//! and when to go away.

use crate::TestServer;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// A connection to a server, without any HTTP library in between.
#[derive(Debug)]
pub struct RawConnection(TcpStream);

impl RawConnection {
    /// Connects.
    ///
    /// # Panics
    /// When nobody listens.
    pub async fn to(server: &TestServer) -> Self {
        Self(TcpStream::connect(server.address()).await.expect("connect"))
    }

    /// Sends text as it is.
    ///
    /// # Panics
    /// When the server has closed the connection.
    pub async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.expect("send");
    }

    /// Sends bytes as they are, as long as the server takes them.
    ///
    /// # Errors
    /// When the server has closed the connection.
    pub async fn try_send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.write_all(bytes).await
    }

    /// Reads until at least one byte has come, and answers what came.
    ///
    /// # Panics
    /// When the connection breaks.
    pub async fn read_some(&mut self) -> Vec<u8> {
        let mut bytes = vec![0; 16 * 1024];
        let count = self.0.read(&mut bytes).await.expect("read");
        bytes.truncate(count);
        bytes
    }

    /// Reads until the server closes the connection.
    ///
    /// # Panics
    /// When the connection breaks.
    pub async fn read_all(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.0.read_to_end(&mut bytes).await.expect("read");
        bytes
    }

    /// Goes away at once, without a farewell.
    ///
    /// # Panics
    /// When the system refuses.
    pub fn abort(self) {
        self.0.set_zero_linger().expect("set linger");
    }
}
