//! Making a project.

use super::{IN_THE_MAKING, name};
use crate::{Actor, App, changes::chain};
use atlashub_core::{Error, KeyKind, ProjectId, Result, Slug, token};
use atlashub_data::platform::{
    DEFAULT_STORAGE_BYTES, NewKey, NewProject, Project, ProjectSettings,
};
use serde_json::json;

/// Slugs that are tried for one name.
const TRIES: u32 = 50;

/// A project to be made.
#[derive(Clone, Debug)]
pub struct CreateProject {
    /// Its display name.
    pub name: String,
    /// Its name in addresses; made from the name unless given.
    pub slug: Option<Slug>,
}

/// A project that was made.
#[derive(Clone)]
pub struct CreatedProject {
    /// The project.
    pub project: Project,
    /// Its publishable key, shown once.
    pub publishable: String,
    /// Its secret key, shown once.
    pub secret: String,
}

impl App {
    /// Makes a project with its database, the buckets `private` and `uploads`
    /// and two keys.
    ///
    /// # Errors
    /// `invalid_name`, `reserved_name`, `slug_taken`.
    pub async fn create_project(
        &self,
        actor: &Actor,
        wanted: CreateProject,
    ) -> Result<CreatedProject> {
        let name = name(&wanted.name)?;
        let slug = self.free_slug(&name, wanted.slug).await?;
        let id = ProjectId::new();
        let making = self.making(id);
        self.hide_new(id, &name, slug).await?;
        let made = self.finish(actor, id).await;
        drop(making);
        self.take_up(id).await;
        if let Err(error) = &made {
            tracing::warn!(project = %id, error = %chain(error), "a project was not made, its parts are removed");
            self.want_purge();
        }
        made
    }

    /// The slug that was asked for, or one made from the name that is free.
    async fn free_slug(&self, name: &str, wanted: Option<Slug>) -> Result<Slug> {
        if let Some(slug) = wanted {
            slug.check_free()?;
            if self
                .platform()
                .projects()
                .find_by_slug(&slug)
                .await?
                .is_some()
            {
                return Err(taken(&slug));
            }
            return Ok(slug);
        }
        let base = Slug::from_name(name).ok_or_else(|| {
            Error::invalid(
                "invalid_name",
                "no slug can be made from this name, give one as `slug`",
            )
        })?;
        for number in 1..=TRIES {
            let slug = numbered(&base, number)?;
            if slug.check_free().is_ok()
                && self
                    .platform()
                    .projects()
                    .find_by_slug(&slug)
                    .await?
                    .is_none()
            {
                return Ok(slug);
            }
        }
        Err(taken(&base))
    }

    async fn hide_new(&self, id: ProjectId, name: &str, slug: Slug) -> Result<()> {
        let mut settings = ProjectSettings::default();
        settings.other.insert(IN_THE_MAKING.to_owned(), true.into());
        let unit = self.platform().begin().await?;
        unit.projects()
            .create(NewProject {
                id,
                slug,
                name: name.to_owned(),
                settings,
                storage_limit_bytes: Some(DEFAULT_STORAGE_BYTES),
            })
            .await?;
        unit.projects().delete(id).await?;
        unit.commit().await
    }

    async fn finish(&self, actor: &Actor, id: ProjectId) -> Result<CreatedProject> {
        self.databases().provision(id).await?;
        let publishable = token::generate(KeyKind::Publishable.prefix())?;
        let secret = token::generate(KeyKind::Secret.prefix())?;
        let unit = self.platform().begin().await?;
        let project = unit
            .projects()
            .restore(id, &ProjectSettings::default())
            .await?;
        for (kind, token) in [
            (KeyKind::Publishable, &publishable),
            (KeyKind::Secret, &secret),
        ] {
            unit.keys()
                .create(id, NewKey::of_token(kind, "default", token, None))
                .await?;
        }
        unit.audit()
            .append(actor.did(
                "project.create",
                Some(id),
                id.to_string(),
                json!({ "slug": project.slug, "name": project.name }),
            ))
            .await?;
        unit.commit().await?;
        Ok(CreatedProject {
            project,
            publishable,
            secret,
        })
    }
}

/// `base`, `base-2`, `base-3`, …, cut so that it stays a slug.
pub(crate) fn numbered(base: &Slug, number: u32) -> Result<Slug> {
    if number == 1 {
        return Ok(base.clone());
    }
    let suffix = format!("-{number}");
    let kept: String = base.as_str().chars().take(40 - suffix.len()).collect();
    format!("{}{suffix}", kept.trim_end_matches('-')).parse()
}

/// The error for a slug that another project has.
pub(crate) fn taken(slug: &Slug) -> Error {
    Error::conflict(
        "slug_taken",
        format!("another project has the slug `{slug}`, choose another"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_numbered_slug_stays_a_slug() {
        let base: Slug = format!("{}-b", "a".repeat(38)).parse().unwrap();
        assert_eq!(numbered(&base, 1).unwrap(), base);
        assert_eq!(
            numbered(&base, 2).unwrap().as_str(),
            format!("{}-2", "a".repeat(38))
        );
        assert_eq!(
            numbered(&"shop".parse().unwrap(), 12).unwrap().as_str(),
            "shop-12"
        );
    }
}
