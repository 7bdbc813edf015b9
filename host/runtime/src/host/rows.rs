//! `reader` and `writer` of `atlashub:database/client`: rows of the project's
//! own tables, many at once.

use super::database::{Answer, answer};
use crate::{bindings::database::client, state::State};
use atlashub_core::{
    Error,
    capability::bulk::{MAX_LINES_BYTES, RowReader, RowWriter},
};
use wasmtime::component::Resource;

/// Rows that a guest reads; with the rights of the caller for whom it began.
#[expect(unreachable_pub, reason = "the generated bindings export it")]
pub struct Reader(Box<dyn RowReader>);

/// Rows that a guest writes; likewise.
#[expect(unreachable_pub, reason = "the generated bindings export it")]
pub struct Writer(Box<dyn RowWriter>);

impl client::HostReader for State {
    async fn open(&mut self, sql: String) -> Answer<Resource<Reader>> {
        let opened = match self.database() {
            Ok((database, access)) => database.read_rows(&access, &sql).await,
            Err(error) => Err(error),
        };
        match opened {
            Ok(reader) => {
                let handle = self.table.push(Reader(reader))?;
                self.open_handles += 1;
                Ok(Ok(handle))
            }
            Err(error) => answer(Err(error)),
        }
    }

    async fn read(&mut self, this: Resource<Reader>) -> Answer<Option<Vec<u8>>> {
        let reader = self.table.get_mut(&this)?;
        answer(reader.0.read().await)
    }

    fn drop(&mut self, this: Resource<Reader>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        self.open_handles = self.open_handles.saturating_sub(1);
        Ok(())
    }
}

impl client::HostWriter for State {
    async fn begin(&mut self, table: String, columns: Vec<String>) -> Answer<Resource<Writer>> {
        let begun = match self.database() {
            Ok((database, access)) => database.write_rows(&access, &table, &columns).await,
            Err(error) => Err(error),
        };
        match begun {
            Ok(writer) => {
                let handle = self.table.push(Writer(writer))?;
                self.open_handles += 1;
                Ok(Ok(handle))
            }
            Err(error) => answer(Err(error)),
        }
    }

    async fn write(&mut self, this: Resource<Writer>, lines: Vec<u8>) -> Answer<()> {
        let writer = self.table.get_mut(&this)?;
        if lines.len() > MAX_LINES_BYTES {
            return answer(Err(Error::invalid(
                "sql_failed",
                format!("{MAX_LINES_BYTES} bytes of lines are the most at once"),
            )));
        }
        answer(writer.0.write(lines).await)
    }

    async fn finish(&mut self, this: Resource<Writer>) -> Answer<u64> {
        let writer = self.table.get_mut(&this)?;
        answer(writer.0.finish().await)
    }

    async fn identify(&mut self, this: Resource<Writer>) -> Answer<String> {
        let writer = self.table.get_mut(&this)?;
        answer(writer.0.identify().await)
    }

    async fn commit(&mut self, this: Resource<Writer>) -> Answer<()> {
        let writer = self.table.delete(this)?;
        self.open_handles = self.open_handles.saturating_sub(1);
        answer(writer.0.commit().await)
    }

    fn drop(&mut self, this: Resource<Writer>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        self.open_handles = self.open_handles.saturating_sub(1);
        Ok(())
    }
}
