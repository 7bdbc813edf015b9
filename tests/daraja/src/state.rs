//! What the stand-in knows: accounts, tokens, payments, and what is registered.

use crate::{clock, fault::Faults, initiated::Movement, journal::Journal, pull::Paid};
use parking_lot::{Mutex, MutexGuard};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// Longest wait for whoever is called back.
const CALLBACK: Duration = Duration::from_secs(20);
/// Letters of receipts: capitals and digits.
const RECEIPT: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// An application's account, as its owner knows it from the portal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Of the application.
    pub consumer_key: String,
    /// Of the application.
    pub consumer_secret: String,
    /// Paybill, or the store's number.
    pub shortcode: String,
    /// What passwords of pushes are made with.
    pub passkey: String,
    /// The till, where that is another number.
    #[serde(default)]
    pub till: Option<String>,
    /// Who pays out.
    #[serde(default)]
    pub initiator: String,
    /// What that one proves it with.
    #[serde(default)]
    pub security_credential: String,
}

/// A push that was accepted.
#[derive(Clone, Debug, Serialize)]
pub struct Payment {
    /// Daraja's ids.
    pub checkout_request_id: String,
    /// See above.
    pub merchant_request_id: String,
    /// Who is paid.
    pub shortcode: String,
    /// Who pays.
    pub phone: String,
    /// Shillings.
    pub amount: u64,
    /// As the customer sees it.
    pub reference: String,
    /// Where the outcome is told.
    pub callback_url: String,
    /// The result code that it comes to.
    pub outcome: String,
    /// The receipt, for those that are paid.
    pub receipt: String,
    /// Until when it is under way.
    #[serde(skip)]
    pub(crate) ends: Instant,
}

impl Payment {
    /// Whether its outcome stands.
    pub(crate) fn has_ended(&self) -> bool {
        Instant::now() >= self.ends
    }
}

/// Where payments from the menu are told.
#[derive(Clone, Debug)]
pub(crate) struct Registered {
    pub(crate) confirmation: String,
    pub(crate) validation: String,
    /// Whether a payment goes through when nobody answers for it.
    pub(crate) completes: bool,
    /// Numbers are hashed in version 1, and masked in version 2.
    pub(crate) hashed: bool,
}

/// A token that holds.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) ends: Instant,
}

/// All that changes.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) accounts: Vec<Account>,
    pub(crate) faults: Faults,
    /// The one token of each application that holds, by its key.
    pub(crate) tokens: BTreeMap<String, Token>,
    pub(crate) payments: Vec<Payment>,
    pub(crate) registered: BTreeMap<String, Registered>,
    /// What was paid from the menu.
    pub(crate) paid: Vec<Paid>,
    /// Shortcodes whose payments can be asked for.
    pub(crate) pulled: BTreeSet<String>,
    pub(crate) movements: Vec<Movement>,
    pub(crate) conversations: BTreeSet<String>,
    pub(crate) journal: Journal,
    /// What is held back.
    pub(crate) held: Vec<crate::deliver::Letter>,
    random: fastrand::Rng,
}

impl State {
    pub(crate) fn request_id(&mut self) -> String {
        self.opaque()
    }

    /// Four groups and a number, as Daraja's own ids are.
    pub(crate) fn opaque(&mut self) -> String {
        let group = |random: &mut fastrand::Rng| format!("{:04x}", random.u16(..));
        let [a, b, c, d] = std::array::from_fn(|_| group(&mut self.random));
        format!("{a}-{b}-{c}-{d}{}", self.random.u64(10_000_000..99_999_999))
    }

    pub(crate) fn token(&mut self) -> String {
        (0..28).map(|_| self.random.alphanumeric()).collect()
    }

    /// A receipt that was not given before.
    pub(crate) fn receipt(&mut self) -> String {
        (0..10)
            .filter_map(|_| {
                let at = self.random.usize(..RECEIPT.len());
                RECEIPT.get(at).copied().map(char::from)
            })
            .collect()
    }

    /// `ws_CO_`, the time and the payer's last nine digits.
    pub(crate) fn checkout_id(&mut self, phone: &str) -> String {
        let at = clock::now();
        let tail = phone.get(phone.len().saturating_sub(9)..).unwrap_or(phone);
        format!(
            "ws_CO_{:02}{:02}{}{:02}{:02}{:02}{}{tail}",
            at.day(),
            u8::from(at.month()),
            at.year(),
            at.hour(),
            at.minute(),
            at.second(),
            self.random.u32(100_000..1_000_000),
        )
    }

    /// `AG_`, the day and a word.
    pub(crate) fn conversation_id(&mut self) -> String {
        let day = clock::compact(clock::now());
        let day = day.get(..8).unwrap_or_default().to_owned();
        format!(
            "AG_{day}_{:016x}{:04x}",
            self.random.u64(..),
            self.random.u16(..)
        )
    }
}

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    tasks: Mutex<JoinSet<()>>,
    pub(crate) http: reqwest::Client,
}

impl Shared {
    pub(crate) fn new(accounts: Vec<Account>, seed: u64) -> io::Result<Arc<Self>> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(CALLBACK)
            .build()
            .map_err(io::Error::other)?;
        Ok(Arc::new(Self {
            state: Mutex::new(State {
                accounts,
                faults: Faults::default(),
                tokens: BTreeMap::new(),
                payments: Vec::new(),
                registered: BTreeMap::new(),
                paid: Vec::new(),
                pulled: BTreeSet::new(),
                movements: Vec::new(),
                conversations: BTreeSet::new(),
                journal: Journal::default(),
                held: Vec::new(),
                random: fastrand::Rng::with_seed(seed),
            }),
            tasks: Mutex::new(JoinSet::new()),
            http,
        }))
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Does something beside, until this ends.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock();
        while tasks.try_join_next().is_some() {}
        tasks.spawn(work);
    }

    pub(crate) fn end(&self) {
        self.tasks.lock().abort_all();
    }
}
