//! Restoring: as a new project, or over the one that is there.

use super::{
    Backups,
    archive::{About, ArchiveReader},
    load::{LoadTo, Loaded},
    rows::{Return, RowsTo},
    watch::{LEASE, Progress, Work},
};
use crate::{Actor, changes::chain, maintenance::NOTICE, projects::IN_THE_MAKING};
use atlashub_core::{Error, ErrorKind, ProjectId, Result, Slug, capability::blob::ByteStream};
use atlashub_data::platform::{
    Backup, BackupReason, BackupRun, NewProject, Project, ProjectPatch, ProjectSettings, RunKind,
    Unit,
};
use atlashub_storage::{ObjectPath, PathPrefix};
use serde_json::json;
use uuid::Uuid;

/// As what an archive is restored.
#[derive(Clone, Debug)]
pub enum RestoreInto {
    /// As another project; under its own id where that is free.
    New {
        /// Its display name; that of the archive unless given.
        name: Option<String>,
        /// Its name in addresses; that of the archive, where it is free,
        /// unless given.
        slug: Option<Slug>,
    },
    /// In place of the project.
    Over {
        /// The project's slug, typed again.
        confirm: String,
    },
}

/// What was restored.
#[derive(Clone, Debug)]
pub struct Restored {
    /// The project as it is now.
    pub project: Project,
    /// The backup of what was there before.
    pub before: Option<Uuid>,
}

/// A restore that was begun.
struct Restoring {
    run: Uuid,
    backup: Uuid,
    about: About,
    staging: ProjectId,
    how: Return,
    /// The project that is made or replaced.
    target: ProjectId,
    name: String,
    slug: Slug,
    actor: Actor,
}

/// How many slugs are tried for one name.
const SLUGS: u32 = 50;

impl Backups {
    /// Begins to restore a backup; it goes on by itself.
    ///
    /// # Errors
    /// `not_found`, `backup_not_ready`, `confirmation_required`,
    /// `restore_running`, `slug_taken`, and those of an archive that is
    /// damaged or not for this installation.
    pub async fn restore(
        &self,
        actor: &Actor,
        project: Option<ProjectId>,
        id: Uuid,
        into: RestoreInto,
    ) -> Result<BackupRun> {
        let backup = self.ready(project, id).await?;
        let (reader, restoring) = self.begin_restore(actor, &backup, into).await?;
        let run = restoring.run;
        let this = self.clone();
        self.0.tasks.spawn(async move {
            if let Err(error) = this.carry_out(reader, restoring).await {
                tracing::warn!(backup = %id, error = %chain(&error), "a backup was not restored");
            }
        });
        self.platform().backups().get_run(run).await
    }

    /// As [`restore`](Self::restore), and waits for the end.
    ///
    /// # Errors
    /// As `restore`, and whatever keeps it from being restored.
    pub async fn restore_now(
        &self,
        actor: &Actor,
        id: Uuid,
        into: RestoreInto,
    ) -> Result<Restored> {
        let backup = self.platform().backups().get(id).await?;
        let backup = self.ready(backup.project, id).await?;
        let (reader, restoring) = self.begin_restore(actor, &backup, into).await?;
        self.carry_out(reader, restoring).await
    }

    /// Restores an archive of which no backup is known here.
    ///
    /// # Errors
    /// As [`restore_now`](Self::restore_now).
    pub async fn restore_archive(
        &self,
        actor: &Actor,
        archive: ByteStream,
        into: RestoreInto,
    ) -> Result<Restored> {
        let (reader, about) = ArchiveReader::open(archive, &self.parts().keys).await?;
        let restoring = self.prepare(actor, about, into).await?;
        self.carry_out(reader, restoring).await
    }

    async fn begin_restore(
        &self,
        actor: &Actor,
        backup: &Backup,
        into: RestoreInto,
    ) -> Result<(ArchiveReader, Restoring)> {
        let (reader, about) = self.open_archive(backup).await?;
        Ok((reader, self.prepare(actor, about, into).await?))
    }

    pub(super) async fn open_archive(&self, backup: &Backup) -> Result<(ArchiveReader, About)> {
        let path = ObjectPath::backup(backup.project, &backup.id)?;
        let read = self.parts().archives.read(&path, None).await;
        let object = read.map_err(|error| {
            if error.code() == "object_not_found" {
                return Error::new(
                    ErrorKind::NotFound,
                    "archive_missing",
                    "the archive is not where backups are kept any more",
                );
            }
            error
        })?;
        let (reader, about) = ArchiveReader::open(object.bytes, &self.parts().keys).await?;
        if about.backup != backup.id {
            return Err(super::archive::damaged(
                "it is the archive of another backup",
            ));
        }
        Ok((reader, about))
    }

    /// Sets everything up for a restore, and changes nothing yet.
    async fn prepare(&self, actor: &Actor, about: About, into: RestoreInto) -> Result<Restoring> {
        self.check_about(&about).await?;
        self.parts().databases.check_tools().await?;
        let of = about.project.clone().ok_or_else(|| {
            Error::invalid(
                "not_a_project",
                "this is a backup of the platform: restore it with `atlashub restore` on an empty \
                 host",
            )
        })?;
        let projects = self.platform().projects();
        let (how, target, staging, name, slug) = match into {
            RestoreInto::Over { confirm } => {
                let target = self.project(of.id).await?;
                if confirm != target.slug.as_str() {
                    return Err(Error::invalid(
                        "confirmation_required",
                        "write the project's slug as `confirm`: everything in it is replaced",
                    ));
                }
                let staging = ProjectId::new();
                (Return::Over, target.id, staging, target.name, target.slug)
            }
            RestoreInto::New { name, slug } => {
                let name = crate::projects::name(name.as_deref().unwrap_or(&of.name))?;
                let slug = self.free_slug(&of.slug, slug).await?;
                let is_free = !projects.is_there(of.id).await?;
                let databases = self.parts().databases.as_they_lie();
                if is_free && databases.is_there(of.id).await? {
                    return Err(Error::conflict(
                        "database_in_the_way",
                        "there is a database of this project already that this installation \
                         knows nothing of, another one's perhaps: remove it first",
                    ));
                }
                let (how, id) = if is_free {
                    (Return::Same, of.id)
                } else {
                    (Return::Copy, ProjectId::new())
                };
                (how, id, id, name, slug)
            }
        };
        let kind = match how {
            Return::Over => RunKind::RestoreOver,
            Return::Same | Return::Copy => RunKind::RestoreNew,
        };
        let unit = self.platform().begin().await?;
        let run = unit
            .backups()
            .begin_run(
                about.backup,
                kind,
                Some(target),
                Some(staging),
                &actor.name(),
                LEASE,
            )
            .await?;
        let mut settings = ProjectSettings::default();
        settings.other.insert(IN_THE_MAKING.to_owned(), true.into());
        unit.projects()
            .create(NewProject {
                id: staging,
                slug: format!("r-{:08x}", fastrand::u32(..)).parse()?,
                name: name.clone(),
                settings,
                storage_limit_bytes: None,
            })
            .await?;
        unit.projects().delete(staging).await?;
        let details = json!({ "backup": about.backup, "run": run, "kind": kind.as_str() });
        unit.audit()
            .append(actor.did(
                "backup.restore",
                Some(target),
                about.backup.to_string(),
                details,
            ))
            .await?;
        unit.commit().await?;
        Ok(Restoring {
            run,
            backup: about.backup,
            about,
            staging,
            how,
            target,
            name,
            slug,
            actor: actor.clone(),
        })
    }

    /// The slug that was asked for, or one like the archive's that is free.
    async fn free_slug(&self, archived: &str, wanted: Option<Slug>) -> Result<Slug> {
        let projects = self.platform().projects();
        if let Some(slug) = wanted {
            slug.check_free()?;
            if projects.find_by_slug(&slug).await?.is_some() {
                return Err(crate::projects::taken(&slug));
            }
            return Ok(slug);
        }
        let base: Slug = archived
            .parse()
            .map_err(|_| super::archive::damaged("the project's slug is none"))?;
        for number in 1..=SLUGS {
            let slug = crate::projects::numbered(&base, number)?;
            if projects.find_by_slug(&slug).await?.is_none() {
                return Ok(slug);
            }
        }
        Err(crate::projects::taken(&base))
    }

    async fn carry_out(&self, reader: ArchiveReader, restoring: Restoring) -> Result<Restored> {
        let progress = Progress::default();
        let work = self.work(reader, &restoring, &progress);
        let restored = self.own(Work::Run(restoring.run), &progress, work).await;
        match restored {
            Ok(restored) => {
                self.clean_up_after(&restoring).await;
                Ok(restored)
            }
            Err(error) => {
                // It may have been put in place in the very moment in which
                // this was stopped.
                match self.platform().backups().get_run(restoring.run).await {
                    Ok(run) if run.state == "done" => {
                        let project = self.project(restoring.target).await?;
                        Ok(Restored {
                            project,
                            before: run.before,
                        })
                    }
                    Ok(run) => {
                        self.undo(&run, restoring.staging).await;
                        Err(error)
                    }
                    Err(_) => Err(error),
                }
            }
        }
    }

    async fn work(
        &self,
        mut reader: ArchiveReader,
        restoring: &Restoring,
        progress: &Progress,
    ) -> Result<Restored> {
        let to = LoadTo {
            staging: restoring.staging,
            new_ids: restoring.how == Return::Copy,
            keep_objects: true,
        };
        progress.step("preparing");
        let databases = self.parts().databases.as_they_lie();
        databases.provision(restoring.staging).await?;
        let loaded = self
            .load_archive(restoring.run, &mut reader, &restoring.about, to, progress)
            .await?;
        drop(reader);
        let mut before = None;
        if restoring.how == Return::Over {
            // Rows that do not fit are found before anybody is kept out.
            progress.step("checking rows");
            let unit = self.platform().begin().await?;
            self.rows_to(&unit, restoring).put(&loaded).await?;
            unit.roll_back().await?;
            // From here on nobody changes the project: what is archived of it
            // is all that there was.
            progress.step("closing the project");
            self.set_restoring(restoring.target, Some(restoring.run))
                .await?;
            tokio::time::sleep(NOTICE).await;
            // Nor does a node that has not heard of it.
            self.parts().databases.fence(restoring.target).await?;
            progress.step("keeping what is there");
            let kept = self
                .make_now(
                    &restoring.actor,
                    Some(restoring.target),
                    BackupReason::BeforeRestore,
                )
                .await?;
            self.platform()
                .backups()
                .keep_before(restoring.run, kept.id)
                .await?;
            before = Some(kept.id);
        }
        progress.step("putting in place");
        let project = self.put_in_place(restoring, &loaded).await?;
        self.know(&project);
        Ok(Restored { project, before })
    }

    fn rows_to<'a>(&'a self, unit: &'a Unit, restoring: &Restoring) -> RowsTo<'a> {
        RowsTo {
            unit,
            engine: self.platform().engine(),
            sealer: &self.parts().sealer,
            project: restoring.target,
            how: restoring.how,
            now: unit.now(),
        }
    }

    /// The one transaction that changes anything.
    async fn put_in_place(&self, restoring: &Restoring, loaded: &Loaded) -> Result<Project> {
        let (target, staging) = (restoring.target, restoring.staging);
        let unit = self.platform().begin().await?;
        let archived = self.rows_to(&unit, restoring).put(loaded).await?;
        let mut settings = archived.settings;
        match restoring.how {
            Return::Same => {}
            Return::Copy => {
                let origin = settings.sealed_as().unwrap_or(loaded.project.id);
                settings.set_sealed_as(Some(origin));
            }
            Return::Over => settings.set_location(Some(staging)),
        }
        if restoring.how == Return::Over {
            let now = unit.projects().find(target).await?;
            let now = now.ok_or_else(|| Error::not_found("project"))?;
            let mut home = ProjectSettings::default();
            home.set_home_of(Some(target));
            // What lies under another id goes with that one's row.
            home.set_leftover(now.settings.location().is_none());
            unit.projects().set_hidden_settings(staging, &home).await?;
        } else {
            unit.projects().restore(target, &settings).await?;
        }
        let patch = ProjectPatch {
            slug: Some(restoring.slug.clone()),
            name: Some(restoring.name.clone()),
            settings: Some(settings),
        };
        let project = unit.projects().update(target, patch).await?;
        unit.usage()
            .replace(target, loaded.object_bytes, archived.limit_bytes)
            .await?;
        unit.projects().announce_restored(target).await?;
        let details = json!({ "backup": restoring.backup, "slug": project.slug });
        unit.audit()
            .append(restoring.actor.did(
                "backup.restored",
                Some(target),
                restoring.backup.to_string(),
                details,
            ))
            .await?;
        if !unit.backups().end_run(restoring.run, Some(target)).await? {
            unit.roll_back().await?;
            return Err(Error::conflict(
                "backup_given_up",
                "the restore was given up before it was done",
            ));
        }
        unit.commit().await?;
        if restoring.how != Return::Same {
            self.platform().idempotency().delete_all(target).await?;
        }
        Ok(project)
    }

    /// Says whether the project is being restored, on all nodes.
    pub(super) async fn set_restoring(&self, project: ProjectId, run: Option<Uuid>) -> Result<()> {
        let unit = self.platform().begin().await?;
        let found = unit.projects().find(project).await?;
        let mut settings = found.ok_or_else(|| Error::not_found("project"))?.settings;
        settings.set_restoring(run);
        let patch = ProjectPatch {
            settings: Some(settings),
            ..ProjectPatch::default()
        };
        unit.projects().update(project, patch).await?;
        unit.commit().await
    }

    /// Removes what a failed restore has loaded.
    async fn undo(&self, run: &BackupRun, staging: ProjectId) {
        let undone = async {
            self.after_failed_run(run).await?;
            self.discard(staging).await
        };
        if let Err(error) = undone.await {
            tracing::warn!(%staging, error = %chain(&error), "what a failed restore has loaded is removed later");
        }
    }

    /// Removes a hidden project and all that was loaded under its id.
    pub(super) async fn discard(&self, staging: ProjectId) -> Result<()> {
        self.parts().databases.as_they_lie().drop(staging).await?;
        let storage = self.parts().storage.as_it_lies();
        storage.delete_all(&PathPrefix::project(staging)).await?;
        self.platform().projects().purge(staging).await.map(drop)
    }

    /// Removes the data that was replaced; the purge of projects does what
    /// this cannot.
    async fn clean_up_after(&self, restoring: &Restoring) {
        if restoring.how != Return::Over {
            return;
        }
        // Other nodes learn first where the data lies now.
        tokio::time::sleep(NOTICE).await;
        if let Err(error) = self.remove_leftover(restoring.staging).await {
            tracing::warn!(project = %restoring.target, error = %chain(&error), "what was replaced is removed later");
        }
        if let Err(error) = self.keep_to_policy(Some(restoring.target)).await {
            tracing::warn!(error = %chain(&error), "old backups were not removed");
        }
    }

    /// Removes what lies under the id of the project whose data lies under
    /// `home`, if there is something.
    pub(crate) async fn remove_leftover(&self, home: ProjectId) -> Result<()> {
        let projects = self.platform().projects();
        let Some(mut settings) = projects.hidden_settings(home).await? else {
            return Ok(());
        };
        let Some(project) = settings.home_of().filter(|_| settings.has_leftover()) else {
            return Ok(());
        };
        self.parts().databases.as_they_lie().drop(project).await?;
        let storage = self.parts().storage.as_it_lies();
        storage.delete_all(&PathPrefix::project(project)).await?;
        settings.set_leftover(false);
        projects.set_hidden_settings(home, &settings).await?;
        Ok(())
    }

    /// Whether a hidden project is still of use: something is loaded to it, or
    /// a project's data lies in it.
    pub(crate) async fn is_of_use(&self, hidden: &Project) -> Result<bool> {
        if self.platform().backups().is_loaded_to(hidden.id).await? {
            return Ok(true);
        }
        let Some(of) = hidden.settings.home_of() else {
            return Ok(false);
        };
        let project = self.platform().projects().find(of).await?;
        Ok(project.is_some_and(|project| project.settings.location() == Some(hidden.id)))
    }

    /// Reads a backup whole and loads it to be thrown away; notes what was
    /// found.
    pub(super) async fn verify_now(&self, run: Uuid, backup: &Backup) -> Result<()> {
        let progress = Progress::default();
        let staging = ProjectId::new();
        let work = async {
            let (mut reader, about) = self.open_archive(backup).await?;
            self.check_about(&about).await?;
            if about.project.is_some() {
                let mut settings = ProjectSettings::default();
                settings.other.insert(IN_THE_MAKING.to_owned(), true.into());
                let unit = self.platform().begin().await?;
                unit.projects()
                    .create(NewProject {
                        id: staging,
                        slug: format!("v-{:08x}", fastrand::u32(..)).parse()?,
                        name: "test of a backup".to_owned(),
                        settings,
                        storage_limit_bytes: None,
                    })
                    .await?;
                unit.projects().delete(staging).await?;
                unit.commit().await?;
                self.parts()
                    .databases
                    .as_they_lie()
                    .provision(staging)
                    .await?;
                // As one that is restored as another project, of which nothing
                // stays: its rows have to go in, and what is sealed in them to
                // open.
                let to = LoadTo {
                    staging,
                    new_ids: true,
                    keep_objects: false,
                };
                let loaded = self
                    .load_archive(run, &mut reader, &about, to, &progress)
                    .await?;
                let unit = self.platform().begin().await?;
                let trial = RowsTo {
                    unit: &unit,
                    engine: self.platform().engine(),
                    sealer: &self.parts().sealer,
                    project: staging,
                    how: Return::Copy,
                    now: unit.now(),
                };
                trial.put(&loaded).await?;
                unit.roll_back().await?;
            } else {
                self.read_platform(run, &mut reader, &progress).await?;
            }
            // Whoever sees that the run is done reads of the backup what it found.
            let backups = self.platform().backups();
            backups.verified(backup.id, None).await?;
            backups.end_run(run, None).await.map(drop)
        };
        let outcome = self.own(Work::Run(run), &progress, work).await;
        if let Err(error) = &outcome {
            self.platform()
                .backups()
                .verified(backup.id, Some(error.message()))
                .await?;
        }
        self.discard(staging).await?;
        outcome
    }
}
