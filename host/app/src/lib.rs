//! Use cases: what the host can do, in its own words. Owns transactions and
//! the order of steps; leaves HTTP to `server`, queries to `data`, objects to
//! `storage`, and running components to `runtime`.

mod admins;
mod app;
mod audit;
mod audit_of_plugins;
pub mod backups;
pub mod blobs;
pub mod changes;
mod channels;
mod check;
mod cloudflare_access;
mod credentials;
pub mod directory;
mod editor;
pub mod engine_move;
mod generated;
mod idempotency;
mod images;
mod installations;
mod key_set;
mod keys;
pub mod limits;
mod logs;
mod mail;
mod maintenance;
pub mod one_time_code;
mod outgoing;
pub mod page_tokens;
pub mod plugins;
mod projects;
mod queue;
mod sessions;
mod settings;
mod sign_ins_of_plugins;
mod tables;
mod taking_up;
pub mod users;
mod users_of_plugins;
mod uses;

pub use admins::{Invited, UpdateAdmin, password};
pub use app::{App, AppParts, BackupSettings};
pub use audit::Actor;
pub use channels::StreamLimits;
pub use check::{CheckNews, CheckOptions, CheckSummary};
pub use cloudflare_access::{AccessIdentity, AccessSettings};
pub use credentials::SealedCredentials;
pub use editor::{RunSql, SqlAnswer};
pub use idempotency::{Idempotent, KeyTicket};
pub use keys::{CreateKey, CreatedKey, RotateKey};
pub use logs::PluginLog;
pub use mail::MailSettings;
pub use projects::{CreateProject, CreatedProject, ProjectUsage, QuotaPatch, UpdateProject};
pub use queue::{BegunProvided, PlatformAction, PlatformActions, PlatformTask, QueueSettings};
pub use sessions::{AdminIdentity, SignIn, SignedIn};
pub use settings::AppSettings;
