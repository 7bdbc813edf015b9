//! A row of `installations`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "installations")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub project_id: Uuid,
    pub plugin: String,
    pub revision_id: Uuid,
    pub previous_revision_id: Option<Uuid>,
    pub enabled: bool,
    pub config: String,
    pub grants: String,
    pub routes: Option<String>,
    pub limits: Option<String>,
    pub generation: i64,
    pub created_at: i64,
    pub updated_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
