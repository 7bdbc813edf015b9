//! `atlashub:database/definitions`: how the project's own tables are made.

use super::{
    database::{Answer, answer},
    not_granted,
};
use crate::{bindings::database::definitions::Host, state::State};
use atlashub_core::{
    Grant, Result,
    capability::definitions::{Definer, Definitions},
};
use std::sync::Arc;

/// Whether something is to be changed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wants {
    Reading,
    Change,
}

impl State {
    fn definitions(&self, wants: Wants) -> Result<(Arc<dyn Definitions>, Definer)> {
        let plugin = self.plugin();
        if wants == Wants::Change && !plugin.grants.contains(&Grant::DatabaseDefine) {
            return Err(not_granted("database:define"));
        }
        if !plugin.grants.allows_definitions() {
            return Err(not_granted("database:read"));
        }
        let request = &self.hooks.request;
        let definer = Definer {
            scope: plugin.scope.clone(),
            caller: request.caller.clone(),
            request: request.request_id,
        };
        Ok((Arc::clone(&plugin.services.definitions), definer))
    }
}

impl Host for State {
    async fn read(&mut self) -> Answer<String> {
        answer(match self.definitions(Wants::Reading) {
            Ok((definitions, definer)) => definitions.read(&definer).await,
            Err(error) => Err(error),
        })
    }

    async fn check(&mut self, tables: String) -> Answer<String> {
        answer(match self.definitions(Wants::Change) {
            Ok((definitions, definer)) => definitions.check(&definer, &tables).await,
            Err(error) => Err(error),
        })
    }

    async fn create(&mut self, tables: String) -> Answer<()> {
        answer(match self.definitions(Wants::Change) {
            Ok((definitions, definer)) => definitions.create(&definer, &tables).await,
            Err(error) => Err(error),
        })
    }

    async fn alter(&mut self, table: String, changes: String) -> Answer<()> {
        answer(match self.definitions(Wants::Change) {
            Ok((definitions, definer)) => definitions.alter(&definer, &table, &changes).await,
            Err(error) => Err(error),
        })
    }

    async fn remove(&mut self, table: String) -> Answer<()> {
        answer(match self.definitions(Wants::Change) {
            Ok((definitions, definer)) => definitions.remove(&definer, &table).await,
            Err(error) => Err(error),
        })
    }

    async fn set_policies(&mut self, table: String, policies: String) -> Answer<()> {
        answer(match self.definitions(Wants::Change) {
            Ok((definitions, definer)) => {
                definitions.set_policies(&definer, &table, &policies).await
            }
            Err(error) => Err(error),
        })
    }
}
