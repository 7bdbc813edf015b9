//! A row of `schedules`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "schedules")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub project_id: Uuid,
    pub plugin: String,
    pub name: String,
    pub fixed: bool,
    pub target: String,
    pub expression: String,
    pub zone: String,
    pub catch_up: String,
    pub overlap: bool,
    pub payload: String,
    pub enabled: bool,
    pub paused: bool,
    pub suspended: bool,
    pub rearm: bool,
    pub next_at: Option<i64>,
    pub last_due_at: Option<i64>,
    pub last_item: Option<Uuid>,
    pub missed: i64,
    pub last_missed_at: Option<i64>,
    pub created_at: i64,
    pub updated_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
