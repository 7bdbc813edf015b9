//! Second factors of end users: a secret that is asked for once a code has
//! proven it, the last step of which a code was accepted, and recovery codes.
//! Each code works once, however many try it at the same time.

use super::{
    super::{
        changes::uuid,
        entity::{
            user::{Column, Entity},
            user_recovery_code as code,
        },
        failure::failed,
    },
    Users,
};
use atlashub_core::{Digest, Error, ProjectId, Result, UserId};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, ExprTrait as _, PaginatorTrait as _,
    QueryFilter as _, sea_query::Expr,
};

impl Users<'_> {
    /// Puts a new sealed secret and new recovery codes in place of what was
    /// begun before. It is not asked for until a code has proven it.
    ///
    /// # Errors
    /// `totp_enabled` when a second factor is in use; `not_found`.
    pub async fn begin_second_factor(
        &self,
        project: ProjectId,
        id: UserId,
        sealed_secret: &str,
        recovery_codes: &[Digest],
    ) -> Result<()> {
        let unit = self.db.begin().await?;
        let context = failed("begin a second factor");
        let result = Entity::update_many()
            .filter(Column::Id.eq(*id.as_uuid()))
            .filter(Column::ProjectId.eq(uuid(project)))
            .filter(Column::TotpEnabledAt.is_null())
            .col_expr(Column::TotpSecret, Expr::value(sealed_secret))
            .col_expr(Column::TotpLastStep, Expr::value(0i64))
            .exec(&unit.executor())
            .await
            .map_err(&context)?;
        if result.rows_affected == 0 {
            unit.users().get(project, id).await?;
            return Err(Error::conflict(
                "totp_enabled",
                "a second factor is in use, remove it first",
            ));
        }
        code::Entity::delete_many()
            .filter(code::Column::UserId.eq(*id.as_uuid()))
            .exec(&unit.executor())
            .await
            .map_err(&context)?;
        let rows = recovery_codes.iter().map(|hash| code::ActiveModel {
            user_id: Set(*id.as_uuid()),
            code_hash: Set(hash.as_bytes().to_vec()),
        });
        code::Entity::insert_many(rows)
            .exec_without_returning(&unit.executor())
            .await
            .map_err(&context)?;
        unit.commit().await
    }

    /// Takes note that a code of `step` was accepted; the secret is in use
    /// from now on, if it was not. Whether no code of this step or a later
    /// one was accepted before, and the secret is still the same.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn accept_step(&self, id: UserId, sealed_secret: &str, step: i64) -> Result<bool> {
        let now = self.db.now();
        let result = Entity::update_many()
            .filter(Column::Id.eq(*id.as_uuid()))
            .filter(Column::TotpSecret.eq(sealed_secret))
            .filter(Column::TotpLastStep.lt(step))
            .col_expr(Column::TotpLastStep, Expr::value(step))
            .col_expr(
                Column::TotpEnabledAt,
                Expr::col(Column::TotpEnabledAt).if_null(now),
            )
            .exec(&self.db.write())
            .await
            .map_err(failed("accept a code"))?;
        Ok(result.rows_affected > 0)
    }

    /// Removes the second factor and its recovery codes; whether there was
    /// one.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn remove_second_factor(&self, project: ProjectId, id: UserId) -> Result<bool> {
        let unit = self.db.begin().await?;
        let context = failed("remove a second factor");
        let result = Entity::update_many()
            .filter(Column::Id.eq(*id.as_uuid()))
            .filter(Column::ProjectId.eq(uuid(project)))
            .filter(Column::TotpSecret.is_not_null())
            .col_expr(Column::TotpSecret, Expr::value(None::<String>))
            .col_expr(Column::TotpEnabledAt, Expr::value(None::<i64>))
            .col_expr(Column::TotpLastStep, Expr::value(0i64))
            .exec(&unit.executor())
            .await
            .map_err(&context)?;
        if result.rows_affected > 0 {
            code::Entity::delete_many()
                .filter(code::Column::UserId.eq(*id.as_uuid()))
                .exec(&unit.executor())
                .await
                .map_err(&context)?;
        }
        unit.commit().await?;
        Ok(result.rows_affected > 0)
    }

    /// Uses a recovery code up; whether it was there.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn take_recovery_code(&self, id: UserId, hash: &Digest) -> Result<bool> {
        let result = code::Entity::delete_many()
            .filter(code::Column::UserId.eq(*id.as_uuid()))
            .filter(code::Column::CodeHash.eq(hash.as_bytes().to_vec()))
            .exec(&self.db.write())
            .await
            .map_err(failed("use a recovery code"))?;
        Ok(result.rows_affected > 0)
    }

    /// How many recovery codes a user has left.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn recovery_codes_left(&self, id: UserId) -> Result<u64> {
        code::Entity::find()
            .filter(code::Column::UserId.eq(*id.as_uuid()))
            .count(&self.db.read())
            .await
            .map_err(failed("count recovery codes"))
    }
}
