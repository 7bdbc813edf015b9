//! The tables as sea-orm sees them: one module a table, columns as the engine
//! stores them.
//!
//! Nothing of this leaves [`platform`](super): its repositories turn rows into
//! records with the host's own types.

#![expect(
    unreachable_pub,
    reason = "the derived entity items are public by construction"
)]

pub(super) mod admin;
pub(super) mod admin_invitation;
pub(super) mod admin_recovery_code;
pub(super) mod admin_session;
pub(super) mod api_key;
pub(super) mod audit;
pub(super) mod auth_provider;
pub(super) mod auth_settings;
pub(super) mod auth_signing_key;
pub(super) mod bucket;
pub(super) mod change;
pub(super) mod channel_message;
pub(super) mod direct_upload;
pub(super) mod domain;
pub(super) mod idempotency_key;
pub(super) mod installation;
pub(super) mod installation_history;
pub(super) mod kv;
pub(super) mod node;
pub(super) mod oauth_code;
pub(super) mod oauth_sign_in;
pub(super) mod plugin_description;
pub(super) mod plugin_log;
pub(super) mod plugin_revision;
pub(super) mod project;
pub(super) mod project_credential;
pub(super) mod project_migration;
pub(super) mod queue_item;
pub(super) mod request;
pub(super) mod role;
pub(super) mod saved_query;
pub(super) mod schedule;
pub(super) mod sql_history;
pub(super) mod storage_reservation;
pub(super) mod storage_usage;
pub(super) mod tries;
pub(super) mod user;
pub(super) mod user_app_password;
pub(super) mod user_identity;
pub(super) mod user_one_time_token;
pub(super) mod user_recovery_code;
pub(super) mod user_refresh_token;
pub(super) mod user_role;
pub(super) mod user_session;
