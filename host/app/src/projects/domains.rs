//! Host names of a project.

use crate::{Actor, App};
use atlashub_core::{Error, ProjectId, Result};
use atlashub_data::platform::Domain;
use serde_json::json;

impl App {
    /// Host names of a project, in order.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn domains(&self, project: ProjectId) -> Result<Vec<Domain>> {
        self.platform().domains().list(project).await
    }

    /// Gives a host name to a project; again is fine.
    ///
    /// # Errors
    /// `invalid_host`, `domain_taken`, `reserved_domain`, `not_found`.
    pub async fn add_domain(
        &self,
        actor: &Actor,
        project: ProjectId,
        host: &str,
    ) -> Result<Domain> {
        self.check_domain(host)?;
        let unit = self.platform().begin().await?;
        let domain = unit.domains().add(project, host).await?;
        unit.audit()
            .append(actor.did("domain.add", Some(project), domain.host.clone(), json!({})))
            .await?;
        unit.commit().await?;
        self.take_up(project).await;
        Ok(domain)
    }

    /// Takes a host name from a project.
    ///
    /// # Errors
    /// `not_found`, `invalid_host`.
    pub async fn remove_domain(&self, actor: &Actor, project: ProjectId, host: &str) -> Result<()> {
        let unit = self.platform().begin().await?;
        if !unit.domains().remove(project, host).await? {
            return Err(Error::not_found("domain"));
        }
        unit.audit()
            .append(actor.did(
                "domain.remove",
                Some(project),
                host.to_ascii_lowercase(),
                json!({}),
            ))
            .await?;
        unit.commit().await?;
        self.take_up(project).await;
        Ok(())
    }

    /// Names below the base domain belong to slugs, and the host's own name
    /// to nobody.
    fn check_domain(&self, host: &str) -> Result<()> {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let settings = self.settings();
        let below = settings.base_domain.as_ref().is_some_and(|base| {
            host == *base
                || host
                    .strip_suffix(base.as_str())
                    .is_some_and(|rest| rest.ends_with('.'))
        });
        let own = url::Url::parse(&settings.public_url)
            .ok()
            .and_then(|url| url.host_str().map(|name| name == host))
            .unwrap_or_default();
        if below || own {
            return Err(Error::invalid(
                "reserved_domain",
                format!("`{host}` belongs to the platform, choose a name of your own"),
            ));
        }
        Ok(())
    }
}
