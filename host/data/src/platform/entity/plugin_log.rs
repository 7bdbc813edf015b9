//! A row of `plugin_logs`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "plugin_logs")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub seq: i64,
    pub project_id: Uuid,
    pub plugin: String,
    pub at: i64,
    pub level: i64,
    pub source: String,
    pub request_id: Option<Uuid>,
    pub message: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
