//! Under which id a project's data lies: its own, until it was restored.
//!
//! A restore loads everything beside what is there, under an id made for it,
//! and then says that the project's data lies there. Nobody but the stores of
//! databases and objects knows of it. Bounded by the number of projects.

use crate::ProjectId;
use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Where data lies that is not under its project's own id. Cheap to clone;
/// clones share what they know.
#[derive(Clone, Debug, Default)]
pub struct Locations(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    moved: RwLock<HashMap<ProjectId, ProjectId>>,
    count: AtomicUsize,
}

impl Locations {
    /// The id under which the data of `project` lies.
    #[must_use]
    pub fn of(&self, project: ProjectId) -> ProjectId {
        if self.0.count.load(Ordering::Acquire) == 0 {
            return project;
        }
        let moved = self.0.moved.read().unwrap_or_else(PoisonError::into_inner);
        moved.get(&project).copied().unwrap_or(project)
    }

    /// Says where the data of `project` lies: under its own id for `None`.
    pub fn set(&self, project: ProjectId, location: Option<ProjectId>) {
        let location = location.filter(|location| *location != project);
        if location.is_none() && self.0.count.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut moved = self.0.moved.write().unwrap_or_else(PoisonError::into_inner);
        match location {
            Some(location) => moved.insert(project, location),
            None => moved.remove(&project),
        };
        self.0.count.store(moved.len(), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_lies_under_its_projects_id_until_it_is_said_otherwise() {
        let locations = Locations::default();
        let (project, elsewhere) = (ProjectId::new(), ProjectId::new());
        assert_eq!(locations.of(project), project);
        locations.set(project, Some(elsewhere));
        assert_eq!(locations.clone().of(project), elsewhere);
        assert_eq!(locations.of(elsewhere), elsewhere);
        locations.set(project, None);
        assert_eq!(locations.of(project), project);
    }
}
