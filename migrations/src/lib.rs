//! The platform's schema, one change a file, for SQLite and Postgres alike.
//!
//! Owns every table of the platform database. A file that has been released
//! is never edited: a later change is a later file. Statements are written
//! once in the part of SQL that both engines share; the few types that differ
//! are filled in by its module `ddl`. Project databases are not built here.
//!
//! Conventions: ids are UUIDs (16 bytes, so that they sort by time), times are
//! microseconds since 1970-01-01 UTC, structured values are JSON text.

use sea_orm_migration::{MigrationTrait, MigratorTrait, async_trait};

mod ddl;
mod m0001_projects;
mod m0002_api_keys;
mod m0003_admins;
mod m0004_plugin_revisions;
mod m0005_installations;
mod m0006_buckets;
mod m0007_storage_usage;
mod m0008_kv;
mod m0009_plugin_logs;
mod m0010_audit;
mod m0011_idempotency_keys;
mod m0012_changes;
mod m0013_project_credentials;
mod m0020_users;
mod m0021_user_sessions;
mod m0022_project_auth;
mod m0030_tries;
mod m0031_nodes;
mod m0032_admin_second_factors;
mod m0033_admin_invitations;
mod m0045_project_migrations;
mod m0046_sql_editor;
mod m0050_oauth;
mod m0051_session_levels;
mod m0052_oauth_links;
mod m0060_queue;
mod m0070_user_app_passwords;
mod m0080_channel_messages;
mod m0090_storage_recounts;
mod m0105_plugin_descriptions;
mod m0110_direct_uploads;
mod m0111_schedules;
mod m0112_queue_jobs;
mod m0120_backups;
mod m0135_engine_moves;
mod m0145_series;
mod m0150_backup_turns;
mod m0160_requests;

/// Applies the platform's migrations in order.
#[derive(Clone, Copy, Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_projects::Migration),
            Box::new(m0002_api_keys::Migration),
            Box::new(m0003_admins::Migration),
            Box::new(m0004_plugin_revisions::Migration),
            Box::new(m0005_installations::Migration),
            Box::new(m0006_buckets::Migration),
            Box::new(m0007_storage_usage::Migration),
            Box::new(m0008_kv::Migration),
            Box::new(m0009_plugin_logs::Migration),
            Box::new(m0010_audit::Migration),
            Box::new(m0011_idempotency_keys::Migration),
            Box::new(m0012_changes::Migration),
            Box::new(m0013_project_credentials::Migration),
            Box::new(m0020_users::Migration),
            Box::new(m0021_user_sessions::Migration),
            Box::new(m0022_project_auth::Migration),
            Box::new(m0030_tries::Migration),
            Box::new(m0031_nodes::Migration),
            Box::new(m0045_project_migrations::Migration),
            Box::new(m0046_sql_editor::Migration),
            Box::new(m0032_admin_second_factors::Migration),
            Box::new(m0033_admin_invitations::Migration),
            Box::new(m0050_oauth::Migration),
            Box::new(m0051_session_levels::Migration),
            Box::new(m0052_oauth_links::Migration),
            Box::new(m0060_queue::Migration),
            Box::new(m0070_user_app_passwords::Migration),
            Box::new(m0080_channel_messages::Migration),
            Box::new(m0090_storage_recounts::Migration),
            Box::new(m0105_plugin_descriptions::Migration),
            Box::new(m0110_direct_uploads::Migration),
            Box::new(m0111_schedules::Migration),
            Box::new(m0112_queue_jobs::Migration),
            Box::new(m0120_backups::Migration),
            Box::new(m0135_engine_moves::Migration),
            Box::new(m0145_series::Migration),
            Box::new(m0150_backup_turns::Migration),
            Box::new(m0160_requests::Migration),
        ]
    }
}
