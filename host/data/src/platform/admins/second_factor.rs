//! Second factors of admins: a secret that is asked for once a code has
//! proven it, the last step of which a code was accepted, and recovery codes.
//! Each code works once, however many try it at the same time.

use super::{
    super::{
        changes::{ChangeKind, NewChange},
        entity::{
            admin::{Column, Entity},
            admin_recovery_code as code,
        },
        failure::failed,
    },
    Admins,
};
use atlashub_core::{AdminId, Digest, Error, Result};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, ExprTrait as _, PaginatorTrait as _,
    QueryFilter as _, sea_query::Expr,
};

impl Admins<'_> {
    /// Puts a new sealed secret and new recovery codes in place of what was
    /// begun before. It is not asked for until a code has proven it.
    ///
    /// # Errors
    /// `totp_enabled` when a second factor is in use; `not_found`.
    pub async fn begin_second_factor(
        &self,
        id: AdminId,
        sealed_secret: &str,
        recovery_codes: &[Digest],
    ) -> Result<()> {
        let unit = self.db.begin().await?;
        let context = failed("begin a second factor");
        let result = Entity::update_many()
            .filter(Column::Id.eq(*id.as_uuid()))
            .filter(Column::TotpEnabledAt.is_null())
            .col_expr(Column::TotpSecret, Expr::value(sealed_secret))
            .col_expr(Column::TotpLastStep, Expr::value(0i64))
            .exec(&unit.executor())
            .await
            .map_err(&context)?;
        if result.rows_affected == 0 {
            return Err(match unit.admins().find(id).await? {
                Some(_) => {
                    Error::conflict("totp_enabled", "a second factor is in use, remove it first")
                }
                None => Error::not_found("admin"),
            });
        }
        code::Entity::delete_many()
            .filter(code::Column::AdminId.eq(*id.as_uuid()))
            .exec(&unit.executor())
            .await
            .map_err(&context)?;
        let rows = recovery_codes.iter().map(|hash| code::ActiveModel {
            admin_id: Set(*id.as_uuid()),
            code_hash: Set(hash.as_bytes().to_vec()),
        });
        code::Entity::insert_many(rows)
            .exec_without_returning(&unit.executor())
            .await
            .map_err(&context)?;
        unit.commit().await
    }

    /// Takes note that a code of `step` was accepted; the secret is in use
    /// from now on, if it was not. `false` when a code of this step or a
    /// later one was accepted before, or the secret is another by now.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn accept_step(&self, id: AdminId, sealed_secret: &str, step: i64) -> Result<bool> {
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

    /// Removes the second factor and its recovery codes, and ends all the
    /// admin's sessions; whether there was one in use.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn remove_second_factor(&self, id: AdminId) -> Result<bool> {
        let unit = self.db.begin().await?;
        let context = failed("remove a second factor");
        let result = Entity::update_many()
            .filter(Column::Id.eq(*id.as_uuid()))
            .filter(Column::TotpEnabledAt.is_not_null())
            .col_expr(Column::TotpSecret, Expr::value(None::<String>))
            .col_expr(Column::TotpEnabledAt, Expr::value(None::<i64>))
            .col_expr(Column::TotpLastStep, Expr::value(0i64))
            .exec(&unit.executor())
            .await
            .map_err(&context)?;
        if result.rows_affected == 0 {
            return Ok(false);
        }
        code::Entity::delete_many()
            .filter(code::Column::AdminId.eq(*id.as_uuid()))
            .exec(&unit.executor())
            .await
            .map_err(&context)?;
        unit.sessions().revoke_all(id).await?;
        unit.announce(NewChange::admin(id, ChangeKind::AdminChanged));
        unit.commit().await?;
        Ok(true)
    }

    /// Uses a recovery code up; whether it was there.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn take_recovery_code(&self, id: AdminId, hash: &Digest) -> Result<bool> {
        let result = code::Entity::delete_many()
            .filter(code::Column::AdminId.eq(*id.as_uuid()))
            .filter(code::Column::CodeHash.eq(hash.as_bytes().to_vec()))
            .exec(&self.db.write())
            .await
            .map_err(failed("use a recovery code"))?;
        Ok(result.rows_affected > 0)
    }

    /// How many recovery codes an admin has left.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn recovery_codes_left(&self, id: AdminId) -> Result<u64> {
        code::Entity::find()
            .filter(code::Column::AdminId.eq(*id.as_uuid()))
            .count(&self.db.read())
            .await
            .map_err(failed("count recovery codes"))
    }
}
