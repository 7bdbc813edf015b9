//! A row of `queue_items`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "queue_items")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub seq: i64,
    pub id: Uuid,
    pub project_id: Uuid,
    pub kind: String,
    pub consumer: String,
    pub name: String,
    pub source: Option<String>,
    pub subject: Uuid,
    pub request_id: Option<Uuid>,
    pub payload: String,
    pub bytes: i64,
    pub ordering_key: Option<String>,
    pub unique_key: Option<String>,
    pub priority: i64,
    pub hops: i64,
    pub state: String,
    pub due_at: i64,
    pub attempt: i64,
    pub max_attempts: i64,
    pub fence: i64,
    pub worker: Option<Uuid>,
    pub lease_until: Option<i64>,
    pub progress: Option<i64>,
    pub progress_note: Option<String>,
    pub error_code: Option<String>,
    pub error_message: Option<String>,
    pub created_at: i64,
    pub started_at: Option<i64>,
    pub finished_at: Option<i64>,
    pub timeout_ms: Option<i64>,
    pub backoff_ms: Option<i64>,
    pub schedule: Option<String>,
    pub tick_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
