//! A row of `direct_uploads`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "direct_uploads")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub project_id: Uuid,
    pub plugin: String,
    pub bucket: String,
    pub object_key: String,
    pub max_bytes: i64,
    pub is_straight: bool,
    pub reservation_id: Option<Uuid>,
    pub sha256: Option<String>,
    pub claimed_until: Option<i64>,
    pub settled_at: Option<i64>,
    pub expires_at: i64,
    pub check_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
