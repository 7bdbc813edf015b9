//! What this node knows of projects' tables, and a number that grows when it
//! is forgotten. Bounded by the projects that were used since the start.

use atlashub_core::{ProjectId, capability::database::Table};
use parking_lot::RwLock;
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// A cell for each project.
#[derive(Debug, Default)]
pub(in crate::project) struct Versions {
    last: AtomicU64,
    cells: RwLock<HashMap<ProjectId, Cell>>,
}

#[derive(Debug)]
struct Cell {
    version: u64,
    tables: Option<Arc<Vec<Table>>>,
}

impl Versions {
    fn next(&self) -> u64 {
        self.last.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The number that holds now.
    pub(super) fn current(&self, project: ProjectId) -> u64 {
        if let Some(cell) = self.cells.read().get(&project) {
            return cell.version;
        }
        let fresh = || Cell {
            version: self.next(),
            tables: None,
        };
        let mut cells = self.cells.write();
        cells.entry(project).or_insert_with(fresh).version
    }

    /// Forgets the tables and takes the next number.
    pub(super) fn raise(&self, project: ProjectId) {
        let cell = Cell {
            version: self.next(),
            tables: None,
        };
        self.cells.write().insert(project, cell);
    }

    /// Forgets all tables; answers whose.
    pub(super) fn raise_all(&self) -> Vec<ProjectId> {
        self.cells.read().keys().copied().collect()
    }

    /// The tables, if they are known.
    pub(super) fn tables(&self, project: ProjectId) -> Option<Arc<Vec<Table>>> {
        self.cells.read().get(&project)?.tables.clone()
    }

    /// Keeps what was read under the number `version`, unless another holds
    /// by now.
    pub(super) fn keep(&self, project: ProjectId, version: u64, tables: &Arc<Vec<Table>>) {
        if let Some(cell) = self.cells.write().get_mut(&project)
            && cell.version == version
        {
            cell.tables = Some(Arc::clone(tables));
        }
    }

    /// Forgets a project that is gone.
    pub(in crate::project) fn remove(&self, project: ProjectId) {
        self.cells.write().remove(&project);
    }
}
