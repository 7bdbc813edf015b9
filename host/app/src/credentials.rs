//! Passwords of database roles, sealed under the master key and kept in the
//! platform database.

use async_trait::async_trait;
use atlashub_core::{Error, ProjectId, Result};
use atlashub_data::{
    platform::{Platform, seal::Sealer},
    project::CredentialStore,
};
use secrecy::{ExposeSecret as _, SecretString};

/// Keeps passwords of database roles in the platform database.
pub struct SealedCredentials {
    platform: Platform,
    sealer: Sealer,
}

impl SealedCredentials {
    /// Over the platform database and the sealer of its secrets.
    #[must_use]
    pub fn new(platform: Platform, sealer: Sealer) -> Self {
        Self { platform, sealer }
    }

    fn open(&self, project: ProjectId, role: &str, sealed: &str) -> Result<SecretString> {
        let bytes = self.sealer.open(&identity(project, role), sealed)?;
        String::from_utf8(bytes.expose_secret().to_vec())
            .map(SecretString::from)
            .map_err(|error| Error::internal("read a database password", error.utf8_error()))
    }
}

/// What a password is sealed for.
fn identity(project: ProjectId, role: &str) -> String {
    format!("project/{project}/role/{role}")
}

#[async_trait]
impl CredentialStore for SealedCredentials {
    async fn get(&self, project: ProjectId, role: &str) -> Result<Option<SecretString>> {
        let kept = self.platform.credentials().get(project, role).await?;
        kept.map(|kept| self.open(project, role, &kept.sealed_password))
            .transpose()
    }

    async fn put(
        &self,
        project: ProjectId,
        role: &str,
        password: SecretString,
    ) -> Result<SecretString> {
        let sealed = self.sealer.seal(
            &identity(project, role),
            password.expose_secret().as_bytes(),
        )?;
        let unit = self.platform.begin().await?;
        if let Some(kept) = unit.credentials().get(project, role).await? {
            return self.open(project, role, &kept.sealed_password);
        }
        unit.credentials().put(project, role, &sealed).await?;
        unit.commit().await?;
        // Two nodes may have put at once: what stands now is the password.
        self.get(project, role)
            .await
            .map(|kept| kept.unwrap_or(password))
    }

    async fn forget(&self, project: ProjectId, role: Option<&str>) -> Result<()> {
        match role {
            Some(role) => {
                self.platform.credentials().delete(project, role).await?;
            }
            None => {
                for kept in self.platform.credentials().list(project).await? {
                    self.platform
                        .credentials()
                        .delete(project, &kept.role)
                        .await?;
                }
            }
        }
        Ok(())
    }
}
