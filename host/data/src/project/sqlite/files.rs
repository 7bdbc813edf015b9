//! Where the files of projects and plugins lie, and how they come and go.
//! No name in a path was chosen freely: projects are UUIDs, schemas are made
//! of lower-case letters, digits and underscores.

use atlashub_core::{Error, ProjectId, Result, capability::PluginScope};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Files that SQLite keeps beside a database.
const BESIDE: &[&str] = &["-wal", "-shm", "-journal"];

/// The root folder.
#[derive(Clone, Debug)]
pub(super) struct Files {
    root: PathBuf,
}

impl Files {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    fn project(&self, project: ProjectId) -> PathBuf {
        self.root.join(project.to_string())
    }

    /// The folder of a project.
    pub(super) fn folder(&self, project: ProjectId) -> PathBuf {
        self.project(project)
    }

    /// The database of a plugin.
    pub(super) fn plugin(&self, scope: &PluginScope) -> PathBuf {
        self.project(scope.project)
            .join(format!("plugin_{}.db", scope.plugin.schema()))
    }

    /// The project's own tables.
    pub(super) fn public(&self, project: ProjectId) -> PathBuf {
        self.project(project).join("public.sqlite")
    }

    /// Whether the project has a folder.
    pub(super) fn has_project(&self, project: ProjectId) -> bool {
        self.project(project).is_dir()
    }

    /// Makes a project's folder, for this user alone.
    pub(super) fn make_project(&self, project: ProjectId) -> Result<()> {
        let folder = self.project(project);
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder
            .create(&folder)
            .map_err(|error| Error::internal("make a project's database folder", error))
    }

    /// Removes a project's folder. It is renamed first, so that a removal
    /// that is cut short leaves no half project.
    pub(super) fn remove_project(&self, project: ProjectId) -> Result<()> {
        let failed = |error| Error::internal("remove a project's database folder", error);
        let going = self.root.join(format!("{project}.removed"));
        remove_folder(&going).map_err(failed)?;
        match fs::rename(self.project(project), &going) {
            Ok(()) => remove_folder(&going).map_err(failed),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(failed(error)),
        }
    }

    /// Removes a plugin's database.
    pub(super) fn remove_plugin(&self, scope: &PluginScope) -> Result<()> {
        remove_file(&self.plugin(scope))
            .map_err(|error| Error::internal("remove a plugin's database", error))?;
        self.clear_remains(scope)
    }

    /// Removes what a removal that was cut short left beside the database:
    /// a stray log would be played into the next one of the same name.
    pub(super) fn clear_remains(&self, scope: &PluginScope) -> Result<()> {
        let database = self.plugin(scope);
        for suffix in BESIDE {
            let mut name = database.clone().into_os_string();
            name.push(suffix);
            remove_file(Path::new(&name))
                .map_err(|error| Error::internal("remove a plugin's database log", error))?;
        }
        Ok(())
    }
}

fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn remove_folder(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
