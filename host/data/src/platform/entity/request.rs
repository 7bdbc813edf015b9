//! A row of `requests`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "requests")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub seq: i64,
    pub project_id: Uuid,
    pub at: i64,
    pub plugin: Option<String>,
    pub method: String,
    pub path: String,
    pub status: i64,
    pub micros: i64,
    pub bytes: i64,
    pub caller: Option<String>,
    pub request_id: Option<Uuid>,
    pub missed: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
