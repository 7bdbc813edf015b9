//! Signing in with others: the providers of a project, the sign-ins under way,
//! the codes that end them, and who an end user is elsewhere. Client secrets
//! and what a sign-in must keep to itself are sealed; of states, cookies and
//! codes only the SHA-256 is kept. A subject is one issuer's, whatever the
//! project calls the provider.

use crate::ddl;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0050_oauth"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(
            manager,
            &[
                "CREATE TABLE auth_providers (
                     project_id {uuid} NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
                     name TEXT NOT NULL,
                     kind TEXT NOT NULL
                         CHECK (kind IN ('google', 'github', 'microsoft', 'oidc')),
                     issuer TEXT NOT NULL,
                     client_id TEXT NOT NULL,
                     sealed_client_secret TEXT,
                     scopes TEXT NOT NULL,
                     enabled {bool} NOT NULL,
                     sign_up {bool} NOT NULL,
                     created_at {int} NOT NULL,
                     updated_at {int} NOT NULL,
                     PRIMARY KEY (project_id, name)
                 ) {strict}",
                "CREATE TABLE oauth_sign_ins (
                     state_hash {bytes} NOT NULL PRIMARY KEY,
                     project_id {uuid} NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
                     provider TEXT NOT NULL,
                     browser_hash {bytes} NOT NULL,
                     sealed_secrets TEXT NOT NULL,
                     redirect_to TEXT NOT NULL,
                     code_challenge TEXT NOT NULL,
                     created_at {int} NOT NULL,
                     expires_at {int} NOT NULL
                 ) {strict}",
                "CREATE INDEX oauth_sign_ins_project ON oauth_sign_ins (project_id, created_at)",
                "CREATE INDEX oauth_sign_ins_expiry ON oauth_sign_ins (expires_at)",
                "CREATE TABLE oauth_codes (
                     code_hash {bytes} NOT NULL PRIMARY KEY,
                     project_id {uuid} NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
                     user_id {uuid} NOT NULL REFERENCES users (id) ON DELETE CASCADE,
                     code_challenge TEXT NOT NULL,
                     created_at {int} NOT NULL,
                     expires_at {int} NOT NULL
                 ) {strict}",
                "CREATE INDEX oauth_codes_project ON oauth_codes (project_id)",
                "CREATE INDEX oauth_codes_user ON oauth_codes (user_id, created_at)",
                "CREATE INDEX oauth_codes_expiry ON oauth_codes (expires_at)",
                "CREATE TABLE user_identities (
                     id {uuid} NOT NULL PRIMARY KEY,
                     project_id {uuid} NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
                     user_id {uuid} NOT NULL REFERENCES users (id) ON DELETE CASCADE,
                     provider TEXT NOT NULL,
                     issuer TEXT NOT NULL,
                     subject TEXT NOT NULL,
                     email TEXT,
                     created_at {int} NOT NULL,
                     last_used_at {int} NOT NULL,
                     UNIQUE (project_id, issuer, subject)
                 ) {strict}",
                "CREATE INDEX user_identities_user ON user_identities (user_id, id)",
            ],
        )
        .await
    }
}
