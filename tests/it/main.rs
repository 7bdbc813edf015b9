//! Tests of the whole, over HTTP, against the real binary. The same tests run
//! on SQLite with local files and on Postgres with S3.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what goes wrong in a test fails it"
)]

mod addressing;
mod admin_accounts;
mod admins;
mod app_passwords;
mod assets;
mod auth_js;
mod avatars;
mod backends;
mod backends_oauth;
mod backends_stand_in;
mod backups;
mod backups_disaster;
mod backups_nodes;
mod backups_policy;
mod boto;
mod classifier;
mod client_ts;
mod clocks;
mod cloudflare_access;

mod command_line;
mod compose;
mod contained;
mod cron;
mod cron_mails;
mod db;
mod descriptions;
mod dialects;
mod documents;
mod domains;
mod engine_move;
mod events;
mod files;
mod files_trash;
mod foreign_components;
mod frozen_components;
mod fsck;
mod hostile;
mod hostile_crud;
mod job_kills;
mod jobs;
mod keys;
mod kills;
mod kills_told;
mod large_files;
mod mails;
mod matrix;
mod mpesa;
mod mpesa_day;
mod mpesa_developer;
mod mpesa_faults;
mod mpesa_kills;
mod mpesa_pull;
mod mpesa_stand_in;
mod mpesa_world;
mod names;
mod nodes;
mod notifications;
mod oauth;
mod oauth_stand_in;
mod office;
mod operations;
mod overtaken;
mod page_sessions;
mod permissions;
mod plugin_changes;
mod plugin_logs;
mod plugin_pages;
mod plugin_uploads;
mod postgrest_js;
mod problems;
mod races;
mod readiness;
mod requests;
mod resumable;
mod rpc;
mod schedules;
mod schemathesis;
mod series;
mod set_up;
mod signer;
mod smtp;
mod sql_editor;
mod storage;
mod survival;
mod survival_deploy;
mod tables;
mod telemetry;
mod telemetry_stand_in;
mod tenant_files;
mod thumbnails;
mod transfer;
mod transfer_by_admins;
mod transfer_dump;
mod transfer_whole;
mod two_projects;
mod types_ts;
mod user_audit;
mod user_roles;
mod user_sessions;
mod users;
mod walk;
mod webdav;
