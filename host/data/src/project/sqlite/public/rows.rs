//! Rows many at once: read by a cursor, written by one statement that stays
//! prepared, a chunk of lines at a time on a thread for blocking work.

use super::super::{SqliteProjects, Target, transaction::SqliteTransaction};
use crate::project::lines::{self, Cell};
use async_trait::async_trait;
use atlashub_core::{
    Result,
    capability::{
        bulk::{RowReader, RowWriter},
        database::Access,
        sql::{MAX_ROWS, SqlCursor, SqlTransaction as _},
    },
};

struct Reader(Box<dyn SqlCursor>);

#[async_trait]
impl RowReader for Reader {
    async fn read(&mut self) -> Result<Option<Vec<u8>>> {
        let rows = self.0.next(MAX_ROWS).await?;
        Ok((!rows.rows.is_empty()).then(|| lines::write(&rows)))
    }
}

struct Writer {
    transaction: Box<SqliteTransaction>,
    sql: String,
    cells: Vec<Cell>,
    rows: u64,
}

#[async_trait]
impl RowWriter for Writer {
    async fn write(&mut self, lines: Vec<u8>) -> Result<()> {
        let (sql, cells) = (self.sql.clone(), self.cells.clone());
        let rows = self
            .transaction
            .run(move |connection| {
                let mut rows = 0;
                lines::read(&lines, &cells, |row| {
                    rows += 1;
                    connection.execute(&sql, &row).map(drop)
                })?;
                Ok(rows)
            })
            .await?;
        self.rows += rows;
        Ok(())
    }

    async fn finish(&mut self) -> Result<u64> {
        Ok(self.rows)
    }

    async fn identify(&mut self) -> Result<String> {
        self.transaction.identify().await
    }

    async fn commit(self: Box<Self>) -> Result<()> {
        self.transaction.commit().await
    }
}

impl SqliteProjects {
    pub(in crate::project) async fn lines_out(
        &self,
        access: &Access,
        sql: &str,
    ) -> Result<Box<dyn RowReader>> {
        crate::project::check_call(sql, &[])?;
        let cursor = self.cursor(&access.into(), sql, Vec::new()).await?;
        Ok(Box::new(Reader(cursor)))
    }

    pub(in crate::project) async fn lines_in(
        &self,
        access: &Access,
        table: &str,
        columns: &[(String, Cell)],
    ) -> Result<Box<dyn RowWriter>> {
        let target = Target::from(access);
        let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
        let names: Vec<String> = columns.iter().map(|(name, _)| quoted(name)).collect();
        let places: Vec<String> = (1..=columns.len()).map(|at| format!("${at}")).collect();
        let sql = format!(
            "INSERT INTO public.{} ({}) VALUES ({})",
            quoted(table),
            names.join(", "),
            places.join(", ")
        );
        Ok(Box::new(Writer {
            transaction: Box::new(self.begin_at(&target).await?),
            sql,
            cells: columns.iter().map(|(_, cell)| *cell).collect(),
            rows: 0,
        }))
    }
}
