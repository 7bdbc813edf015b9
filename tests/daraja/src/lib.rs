//! A stand-in for Safaricom's Daraja: tokens that one another invalidate,
//! fields that are checked, the gateway's error bodies, and callbacks that come
//! late, twice, in another order or not at all.
//!
//! It moves no money and keeps all it knows in memory. What goes wrong is said
//! by [`Faults`], which tests set and developers send to `/_sim/faults`. What
//! was asked and what was sent stands in a journal of so many entries. It knows
//! Kenya only, and of Daraja what an application that takes and pays out money
//! asks for.

mod answer;
mod c2b;
mod clock;
mod control;
mod deliver;
mod fault;
mod fields;
mod initiated;
mod journal;
mod pull;
mod push;
mod query;
mod serve;
mod state;
mod token;

pub use fault::{Faults, Processing, Shape};
pub use journal::Entry;
pub use state::{Account, Payment};

use state::Shared;
use std::{io, net::SocketAddr, sync::Arc};
use tokio::{net::TcpListener, task::JoinHandle};

/// A running stand-in; it ends with this.
#[derive(Debug)]
pub struct Simulator {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

impl Simulator {
    /// Listens, and knows these accounts. The same `seed` makes the same ids
    /// and receipts in the same order.
    ///
    /// # Errors
    /// When it cannot listen there, or cannot make calls.
    pub async fn start(listen: SocketAddr, accounts: Vec<Account>, seed: u64) -> io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let shared = Shared::new(accounts, seed)?;
        let accepting = tokio::spawn(serve::accept(listener, Arc::clone(&shared)));
        Ok(Self {
            address,
            shared,
            accepting,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What addresses of it begin with.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Changes what goes wrong from now on.
    pub fn faults(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.shared.state().faults);
    }

    /// The pushes that were accepted, in order.
    #[must_use]
    pub fn payments(&self) -> Vec<Payment> {
        self.shared.state().payments.clone()
    }

    /// What was asked and what was sent, in order.
    #[must_use]
    pub fn journal(&self) -> Vec<Entry> {
        self.shared.state().journal.entries()
    }

    /// How often a path was asked for.
    #[must_use]
    pub fn asked(&self, path: &str) -> usize {
        let journal = self.journal();
        journal
            .iter()
            .filter(|entry| !entry.sent && entry.path == path)
            .count()
    }

    /// Sends what was held back, the last first; how many they were.
    pub async fn release(&self) -> usize {
        deliver::release(&self.shared).await
    }

    /// A customer pays from the phone's menu, to an account whose addresses are
    /// registered. The receipt, unless the application refused it.
    ///
    /// # Errors
    /// When nothing is registered for the shortcode.
    pub async fn pay(
        &self,
        shortcode: &str,
        phone: &str,
        amount: &str,
        reference: &str,
    ) -> Result<Option<String>, String> {
        c2b::pay(&self.shared, shortcode, phone, amount, reference).await
    }

    /// Returns when it was told to end: never, by itself.
    pub async fn run(mut self) {
        let _ = (&mut self.accepting).await;
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.accepting.abort();
        self.shared.end();
    }
}
