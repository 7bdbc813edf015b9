//! A row of `installation_history`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "installation_history")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub project_id: Uuid,
    pub plugin: String,
    pub installation_id: Uuid,
    pub change: String,
    pub generation: i64,
    pub revision_id: Uuid,
    pub enabled: bool,
    pub config: String,
    pub grants: String,
    pub routes: Option<String>,
    pub limits: Option<String>,
    pub actor: String,
    pub at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
