//! Installing, switching, configuring, upgrading and rolling back: one call
//! that builds the new state whole, tries it, writes it down, swaps it in.

use super::{Plugins, config, schedules};
use crate::{
    Actor,
    directory::{Prepared, ProjectEntry, paths},
};
use atlashub_core::{
    Digest, Error, ErrorKind, Grant, GrantSet, InstallationId, Limits, Manifest, PluginName,
    Precondition, Result, RevisionId,
    capability::PluginScope,
    manifest::{Route, check_route},
    precondition::{self, tag_of_generation},
};
use atlashub_data::platform::{
    Installation, InstallationState, Installations, NewAuditEvent, Revision, Revisions,
};
use serde_json::{Value, json};
use std::{collections::HashMap, sync::Arc};

/// What an admin wants of an installation; `None` leaves a thing as it is.
#[derive(Clone, Debug, Default)]
pub struct InstallPlugin {
    /// A revision's id, digest or version; a new installation takes the
    /// newest.
    pub revision: Option<String>,
    /// On or off; a new installation is on.
    pub enabled: Option<bool>,
    /// The whole configuration.
    pub config: Option<Value>,
    /// What is granted; a new installation is granted nothing.
    pub grants: Option<GrantsChoice>,
    /// Where it is mounted instead of where its manifest says, route for
    /// route, and then its static files; an empty list goes back to the manifest's.
    pub routes: Option<Vec<String>>,
    /// What it may use instead of what its manifest says.
    pub limits: Option<Limits>,
    /// What it is made from, by the tag of the installation's generation.
    pub condition: Precondition,
}

/// Which grants an admin gives.
#[derive(Clone, Debug)]
pub enum GrantsChoice {
    /// All that the manifest asks for.
    Requested,
    /// These; each has to be asked for by the manifest.
    These(Vec<Grant>),
}

/// What became of it.
#[derive(Clone, Debug)]
pub struct InstallOutcome {
    /// The installation as it is now.
    pub installation: Installation,
    /// The revision it is on.
    pub revision: Revision,
    /// Whether it was not installed before.
    pub created: bool,
    /// Migrations that ran.
    pub migrations: Vec<String>,
}

impl InstallOutcome {
    /// What the audit says of it.
    fn noted(&self, actor: &Actor) -> NewAuditEvent {
        let (installation, state) = (&self.installation, &self.installation.state);
        let action = if self.created {
            "plugin.install"
        } else {
            "plugin.change"
        };
        let details = json!({
            "revision": state.revision, "version": self.revision.manifest.version,
            "enabled": state.enabled, "grants": state.grants, "migrations": self.migrations,
        });
        let plugin = installation.plugin.to_string();
        actor.did(action, Some(installation.project), plugin, details)
    }
}

impl Plugins {
    /// Makes an installation what `wanted` says. Takes effect here at once
    /// and on other nodes within a second; running requests finish on what
    /// they began with. When anything fails, everything stays as it was; only
    /// migrations that succeeded before a later step failed stay applied,
    /// since they are written to fit the revision before them too.
    ///
    /// # Errors
    /// 404 for an unknown plugin or revision; `route_taken` and
    /// `installation_changed` (409); `precondition_failed` (412), and nothing
    /// has happened; `invalid_config`, `grant_not_requested`,
    /// `grant_needed`, `activation_failed` (422).
    pub async fn install(
        &self,
        entry: &Arc<ProjectEntry>,
        plugin: &PluginName,
        wanted: InstallPlugin,
        actor: &Actor,
    ) -> Result<InstallOutcome> {
        let old = self.platform.installations().find(entry.id, plugin).await?;
        let condition = wanted.condition.clone();
        let what = format!("the plugin `{plugin}`");
        let tag = old.as_ref().map(|old| tag_of_generation(old.generation));
        condition.check(&what, tag.as_deref())?;
        let revision = self
            .wanted_revision(plugin, old.as_ref(), wanted.revision.as_deref())
            .await?;
        let next = self.next(entry, plugin, old.as_ref(), &revision, wanted)?;
        let old_revision = match &old {
            Some(old) => self.platform.revisions().find(old.state.revision).await?,
            None => None,
        };
        let mut migrations = Vec::new();
        let mut live = None;
        if next.state.enabled {
            // Looked at once more when it is written down: here so that nothing
            // is tried in vain.
            let (others, revisions) = (self.platform.installations(), self.platform.revisions());
            check_routes(&others, &revisions, &next, &revision).await?;
            let ready = self.prepare(entry, &next, &revision, old.as_ref(), old_revision.as_ref());
            let (plugin, ran) = ready.await?;
            migrations = ran;
            live = Some(plugin);
        }
        let expected = old.as_ref().map(|old| old.generation);
        let unit = self.platform.begin().await?;
        if next.state.enabled {
            // Two that want one route wait for each other here, and the later
            // sees what the earlier wrote.
            unit.projects().lock(entry.id).await?;
            check_routes(&unit.installations(), &unit.revisions(), &next, &revision).await?;
        }
        let installation = unit
            .installations()
            .put(entry.id, plugin, next.state, expected, &actor.name())
            .await
            .map_err(|error| match condition {
                Precondition::None => error,
                // Somebody else was faster since it was looked at above.
                _ if error.code() == "installation_changed" => precondition::failed(&what),
                _ => error,
            })?;
        schedules::settle(&unit, &installation, &revision.manifest).await?;
        let outcome = InstallOutcome {
            installation,
            revision,
            created: old.is_none(),
            migrations,
        };
        unit.audit().append(outcome.noted(actor)).await?;
        unit.commit().await?;
        let installation = &outcome.installation;
        let replaced = entry
            .routes()
            .and_then(|routes| routes.plugin(plugin).cloned());
        let prepared = live.map(|plugin| Prepared {
            installation: installation.clone(),
            plugin,
        });
        if let Err(error) = self.directory.bring_up(entry, prepared).await {
            // Written down: the changes feed brings it up a moment later.
            tracing::warn!(%error, %plugin, "an installation could not be swapped in at once");
        }
        if !installation.state.enabled
            && let Some(Ok(live)) = replaced.as_ref().map(|replaced| replaced.live())
            && let Err(error) = live.deactivate("disable").await
        {
            tracing::warn!(%error, %plugin, "the lifecycle hook failed");
        }
        Ok(outcome)
    }

    /// Goes back to the revision before the present one.
    ///
    /// # Errors
    /// `nothing_to_roll_back` (409) and what [`Plugins::install`] says.
    pub async fn roll_back(
        &self,
        entry: &Arc<ProjectEntry>,
        plugin: &PluginName,
        actor: &Actor,
    ) -> Result<InstallOutcome> {
        let old = self
            .platform
            .installations()
            .find(entry.id, plugin)
            .await?
            .ok_or_else(|| Error::not_found(format!("plugin `{plugin}`")))?;
        let previous = old.previous_revision.ok_or_else(|| {
            Error::conflict(
                "nothing_to_roll_back",
                "the plugin was never on another revision",
            )
        })?;
        let wanted = InstallPlugin {
            revision: Some(previous.to_string()),
            ..InstallPlugin::default()
        };
        self.install(entry, plugin, wanted, actor).await
    }

    async fn wanted_revision(
        &self,
        plugin: &PluginName,
        old: Option<&Installation>,
        wanted: Option<&str>,
    ) -> Result<Revision> {
        let revisions = self.platform.revisions();
        let found = match (wanted, old) {
            (None, Some(old)) => revisions.find(old.state.revision).await?,
            (None | Some("latest"), _) => revisions.latest(plugin).await?,
            (Some(text), _) => match (text.parse::<RevisionId>(), text.parse::<Digest>()) {
                (Ok(id), _) => revisions.find(id).await?,
                (_, Ok(digest)) => revisions.find_by_digest(plugin, &digest).await?,
                _ => self.revision_of_version(plugin, text).await?,
            },
        };
        found
            .filter(|revision| revision.plugin == *plugin)
            .ok_or_else(|| match wanted {
                Some(wanted) => {
                    Error::not_found(format!("revision `{wanted}` of the plugin `{plugin}`"))
                }
                None => Error::not_found(format!("plugin `{plugin}`")),
            })
    }

    async fn revision_of_version(
        &self,
        plugin: &PluginName,
        version: &str,
    ) -> Result<Option<Revision>> {
        let newest = self.platform.revisions().list(plugin, None, 1_000).await?;
        Ok(newest
            .items
            .into_iter()
            .find(|revision| revision.manifest.version.to_string() == version))
    }

    /// The installation as it shall be.
    fn next(
        &self,
        entry: &ProjectEntry,
        plugin: &PluginName,
        old: Option<&Installation>,
        revision: &Revision,
        wanted: InstallPlugin,
    ) -> Result<Installation> {
        let manifest = &revision.manifest;
        let requested = manifest.requested();
        let old_state = old.map(|old| &old.state);
        let grants = match (wanted.grants, old_state) {
            (Some(choice), _) => granted(choice, &requested)?,
            (None, Some(state)) => state.grants.intersection(&requested),
            (None, None) => GrantSet::default(),
        };
        let old_config = old.map(|old| config::open(&self.sealer, old)).transpose()?;
        let mut config = match (wanted.config, &old_config) {
            (Some(config), _) => config,
            (None, Some(old)) => old.clone(),
            (None, None) => json!({}),
        };
        config::keep_hidden(&mut config, old_config.as_ref());
        config::check(manifest.config_schema.as_ref(), &config)?;
        let routes = match (wanted.routes, old_state) {
            (Some(routes), _) => overridden(routes, manifest)?,
            (None, Some(state)) => state.routes.clone(),
            (None, None) => None,
        };
        let state = InstallationState {
            revision: revision.id,
            enabled: wanted
                .enabled
                .or(old_state.map(|state| state.enabled))
                .unwrap_or(true),
            config: config::seal(&self.sealer, entry.id, plugin, &config)?,
            grants,
            routes,
            limits: wanted
                .limits
                .map(Limits::clamp)
                .or(old_state.and_then(|state| state.limits.clone())),
        };
        let now = self.platform.now();
        Ok(Installation {
            id: old.map_or_else(InstallationId::new, |old| old.id),
            project: entry.id,
            plugin: plugin.clone(),
            state,
            previous_revision: None,
            generation: 0,
            created_at: now,
            updated_at: now,
        })
    }

    /// Provisions, migrates, starts and activates the new state.
    async fn prepare(
        &self,
        entry: &ProjectEntry,
        next: &Installation,
        revision: &Revision,
        old: Option<&Installation>,
        old_revision: Option<&Revision>,
    ) -> Result<(Arc<atlashub_runtime::LivePlugin>, Vec<String>)> {
        let manifest = &revision.manifest;
        let live = self.directory.live_plugin(entry, next, revision).await?;
        live.warm_up().await?;
        let mut migrations = Vec::new();
        if next.state.grants.contains(&Grant::Sql) {
            let scope = PluginScope {
                project: entry.id,
                plugin: next.plugin.clone(),
            };
            self.databases.provision_plugin(&scope).await?;
            migrations = self
                .databases
                .migrate_plugin(&scope, &manifest.migrations)
                .await?;
        } else if !manifest.migrations.is_empty() {
            return Err(Error::new(
                ErrorKind::Invalid,
                "grant_needed",
                format!(
                    "the plugin `{}` keeps tables: grant it `sql`, or install it disabled",
                    next.plugin
                ),
            ));
        }
        let previous = old_revision.map(|revision| revision.manifest.version.to_string());
        live.activate(reason(old, old_revision, revision), previous.as_deref())
            .await?;
        Ok((live, migrations))
    }
}

/// Two plugins of one project cannot own the same route: looks at what is
/// written down.
async fn check_routes(
    installations: &Installations<'_>,
    revisions: &Revisions<'_>,
    next: &Installation,
    revision: &Revision,
) -> Result<()> {
    let own = paths(&next.state, &revision.manifest);
    let mut others = installations.list(next.project).await?;
    others.retain(|other| other.plugin != next.plugin && other.state.enabled);
    let ids: Vec<RevisionId> = others.iter().map(|other| other.state.revision).collect();
    let manifests: HashMap<RevisionId, Manifest> = revisions
        .find_many(&ids)
        .await?
        .into_iter()
        .map(|revision| (revision.id, revision.manifest))
        .collect();
    for other in &others {
        let Some(manifest) = manifests.get(&other.state.revision) else {
            continue;
        };
        let theirs = paths(&other.state, manifest);
        if let Some(route) = own.iter().find(|route| theirs.contains(*route)) {
            return Err(Error::conflict(
                "route_taken",
                format!(
                    "the plugins `{}` and `{}` both own the route `{}`: disable one, or mount one elsewhere with `routes`",
                    next.plugin, other.plugin, route
                ),
            ));
        }
    }
    Ok(())
}

fn reason(
    old: Option<&Installation>,
    old_revision: Option<&Revision>,
    revision: &Revision,
) -> &'static str {
    let Some(old) = old else { return "install" };
    match old_revision {
        Some(before) if before.id != revision.id && before.created_at > revision.created_at => {
            "rollback"
        }
        Some(before) if before.id != revision.id => "upgrade",
        _ if !old.state.enabled => "enable",
        _ => "configure",
    }
}

fn granted(choice: GrantsChoice, requested: &GrantSet) -> Result<GrantSet> {
    let grants = match choice {
        GrantsChoice::Requested => return Ok(requested.clone()),
        GrantsChoice::These(grants) => grants.into_iter().collect::<GrantSet>(),
    };
    let excess = grants.difference(requested);
    match excess.iter().next() {
        None => Ok(grants),
        Some(_) => {
            let names: Vec<String> = excess.iter().map(|grant| format!("`{grant}`")).collect();
            Err(Error::invalid(
                "grant_not_requested",
                format!(
                    "the plugin does not ask for {}: grant only what its manifest requests",
                    names.join(", ")
                ),
            ))
        }
    }
}

fn overridden(routes: Vec<String>, manifest: &Manifest) -> Result<Option<Vec<Route>>> {
    if routes.is_empty() {
        return Ok(None);
    }
    let declared = manifest.routes.len() + usize::from(manifest.assets.is_some());
    if routes.len() > declared.max(1) {
        return Err(Error::invalid(
            "invalid_route",
            format!(
                "the plugin declares {declared} routes, {} were given",
                routes.len()
            ),
        ));
    }
    let routes = routes.into_iter().map(|path| {
        check_route(&path)?;
        Ok(Route {
            path,
            strip: false,
            basic: false,
        })
    });
    routes.collect::<Result<_>>().map(Some)
}
