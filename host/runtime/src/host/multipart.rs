//! `atlashub:multipart/form`: form bodies taken apart without passing
//! through guest memory.

use super::transfer::next_chunk;
use crate::{
    bindings::multipart::form::{self, Error, Part},
    state::State,
};
use atlashub_core::{
    Result, UploadPace,
    upload_pace::{LONGEST_SILENCE, UploadWatch, silent},
};
use bytes::Bytes;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::{DynInputStream, InputStream, Pollable, StreamError};

/// Longest name, file name or type of a part, bytes.
const MAX_TEXT_BYTES: usize = 4096;

/// A form that is being read.
#[expect(unreachable_pub, reason = "the generated bindings export it")]
pub struct Parser(multer::Multipart<'static>);

type Answer<T> = wasmtime::Result<std::result::Result<T, Error>>;

fn refused(code: &str, message: impl Into<String>) -> Error {
    Error {
        code: code.to_owned(),
        message: message.into(),
    }
}

/// What a name in a form stands for: browsers and curl write quotes and line
/// breaks as escapes, and nothing else (WHATWG HTML, "multipart form data").
fn unescaped(name: &str) -> String {
    name.replace("%22", "\"")
        .replace("%0D", "\r")
        .replace("%0A", "\n")
}

fn failed(error: multer::Error) -> Error {
    match error {
        multer::Error::StreamReadFailed(_) => {
            refused("upload_interrupted", "the upload was interrupted")
        }
        multer::Error::LockFailure => refused(
            "multipart_invalid",
            "read or drop a part before asking for the next",
        ),
        error => refused(
            "multipart_invalid",
            format!("the form cannot be read: {error}"),
        ),
    }
}

fn open(
    source: DynInputStream,
    content_type: &str,
    pace: UploadPace,
) -> std::result::Result<Parser, Error> {
    let boundary = multer::parse_boundary(content_type).map_err(|_| {
        refused(
            "multipart_invalid",
            "the content type must be multipart/form-data with a boundary",
        )
    })?;
    let from = (source, UploadWatch::new(pace));
    let chunks = futures::stream::try_unfold(from, |(mut source, mut watch)| async {
        let chunk: Result<Option<Bytes>> = next_chunk(&mut source, &mut watch).await;
        Ok::<_, atlashub_core::Error>(chunk?.map(|chunk| (chunk, (source, watch))))
    });
    Ok(Parser(multer::Multipart::new(chunks, boundary)))
}

impl form::Host for State {}

impl form::HostParser for State {
    async fn open(
        &mut self,
        source: Resource<DynInputStream>,
        content_type: String,
    ) -> Answer<Resource<Parser>> {
        let source = self.table.delete(source)?;
        let pace = self.plugin().uploads;
        match open(source, &content_type, pace) {
            Ok(parser) => Ok(Ok(self.table.push(parser)?)),
            Err(error) => Ok(Err(error)),
        }
    }

    async fn next(&mut self, this: Resource<Parser>) -> Answer<Option<Part>> {
        let _transfer = self.meter.transfer();
        let parser = self.table.get_mut(&this)?;
        let next = match tokio::time::timeout(LONGEST_SILENCE, parser.0.next_field()).await {
            Ok(next) => next,
            Err(_) => {
                let error = silent();
                return Ok(Err(refused(error.code(), error.message())));
            }
        };
        let field = match next {
            Ok(Some(field)) => field,
            Ok(None) => return Ok(Ok(None)),
            Err(error) => return Ok(Err(failed(error))),
        };
        let name = unescaped(field.name().unwrap_or_default());
        let filename = field.file_name().map(unescaped);
        let content_type = field.content_type().map(ToString::to_string);
        let longest = [Some(&name), filename.as_ref(), content_type.as_ref()]
            .into_iter()
            .flatten()
            .map(String::len)
            .max();
        if longest > Some(MAX_TEXT_BYTES) {
            return Ok(Err(refused(
                "multipart_too_large",
                format!(
                    "the name, file name or type of a part has more than {MAX_TEXT_BYTES} bytes"
                ),
            )));
        }
        let body: DynInputStream = Box::new(FieldStream {
            field: Some(field),
            pending: None,
        });
        let body = self.table.push(body)?;
        Ok(Ok(Some(Part {
            name,
            filename,
            content_type,
            body,
        })))
    }

    async fn drop(&mut self, this: Resource<Parser>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

/// A part's bytes as a stream.
struct FieldStream {
    field: Option<multer::Field<'static>>,
    pending: Option<std::result::Result<Bytes, multer::Error>>,
}

#[async_trait::async_trait]
impl Pollable for FieldStream {
    async fn ready(&mut self) {
        if self.pending.is_some() {
            return;
        }
        if let Some(field) = &mut self.field {
            match field.chunk().await {
                Ok(Some(bytes)) => self.pending = Some(Ok(bytes)),
                Ok(None) => self.field = None,
                Err(error) => self.pending = Some(Err(error)),
            }
        }
    }
}

#[async_trait::async_trait]
impl InputStream for FieldStream {
    fn read(&mut self, size: usize) -> std::result::Result<Bytes, StreamError> {
        match self.pending.take() {
            Some(Ok(mut bytes)) => {
                if bytes.len() > size {
                    self.pending = Some(Ok(bytes.split_off(size)));
                }
                Ok(bytes)
            }
            Some(Err(error)) => {
                self.field = None;
                Err(StreamError::LastOperationFailed(wasmtime::format_err!(
                    "{error}"
                )))
            }
            None if self.field.is_none() => Err(StreamError::Closed),
            None => Ok(Bytes::new()),
        }
    }
}
