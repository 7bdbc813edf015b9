//! `POST /storage-backends/{id}/import`: files there become files here. A
//! folder brings what is in it, as far as one call goes.

use crate::{
    fault,
    files::{self, Imported},
    path::RemotePath,
    record::{self, Row},
    service::{Entry, Service},
    settings::Settings,
};
use atlashub_sdk::prelude::*;
use std::collections::VecDeque;

/// Most files of one import.
const MAX_FILES: usize = 500;
/// Most folders of one import.
const MAX_FOLDERS: usize = 200;
/// Most failures after which it goes on.
const MAX_FAILURES: usize = 20;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wish {
    path: String,
    /// The folder of `files` to put them into; the top without one.
    folder_id: Option<String>,
}

/// What came of it.
#[derive(Debug, Default, Serialize)]
struct Report {
    imported: Vec<Came>,
    failed: Vec<Failure>,
    /// Whether everything was looked at.
    complete: bool,
}

/// A file that came.
#[derive(Debug, Serialize)]
struct Came {
    /// Where it lies there.
    from: String,
    #[serde(flatten)]
    file: Imported,
}

/// A file that did not come.
#[derive(Debug, Serialize)]
struct Failure {
    from: String,
    code: String,
    message: String,
}

pub(crate) fn import(
    Path(id): Path<String>,
    caller: Caller,
    Config(settings): Config<Settings>,
    Json(wish): Json<Wish>,
) -> Result<Response> {
    let me = record::me(&caller)?;
    let service = Row::of(&me, &id)?.service(&settings)?;
    let path = RemotePath::parse(&wish.path)?;
    let folder = wish.folder_id.as_deref();
    if let Some(folder) = folder {
        files::require_folder(folder)?;
    }
    let entry = service.stat(&path)?.ok_or_else(fault::missing)?;
    let mut walk = Walk {
        service: service.as_ref(),
        folder,
        report: Report::default(),
    };
    if entry.is_folder() {
        let top = RemotePath::parse(&entry.name)?;
        walk.bring_folder(path, top)?;
        return Ok((StatusCode::OK, Json(walk.report)).into_response());
    }
    let to = RemotePath::default().join(&entry.name)?;
    let file = walk.bring(&path, &to)?;
    walk.report.imported.push(Came {
        from: path.to_string(),
        file,
    });
    walk.report.complete = true;
    Ok((StatusCode::CREATED, Json(walk.report)).into_response())
}

/// An import on its way.
struct Walk<'a> {
    service: &'a dyn Service,
    folder: Option<&'a str>,
    report: Report,
}

impl Walk<'_> {
    /// Brings one file.
    fn bring(&self, from: &RemotePath, to: &RemotePath) -> Result<Imported> {
        let answer = self.service.fetch(from, None)?;
        files::import(to, self.folder, answer)
    }

    /// Brings what is in a folder, the nearest first: into a folder of its
    /// name.
    fn bring_folder(&mut self, from: RemotePath, to: RemotePath) -> Result<()> {
        let mut waiting = VecDeque::from([(from, to)]);
        let mut left = MAX_FOLDERS;
        let mut is_whole = true;
        while let Some((from, to)) = waiting.pop_front() {
            let mut cursor = None;
            loop {
                let page = self.service.list(&from, cursor.as_deref())?;
                for entry in page.items {
                    let there = RemotePath::parse(&entry.path)?;
                    let here = to.join(&entry.name)?;
                    if !entry.is_folder() {
                        if !self.take(&entry, &there, &here) {
                            return Ok(());
                        }
                    } else if left == 0 {
                        is_whole = false;
                    } else {
                        left -= 1;
                        waiting.push_back((there, here));
                    }
                }
                cursor = page.next_cursor;
                if cursor.is_none() {
                    break;
                }
            }
        }
        self.report.complete = is_whole;
        Ok(())
    }

    /// Brings a file of a folder and notes what came of it; whether to go on.
    fn take(&mut self, entry: &Entry, from: &RemotePath, to: &RemotePath) -> bool {
        if self.report.imported.len() >= MAX_FILES {
            return false;
        }
        let from_text = entry.path.clone();
        match self.bring(from, to) {
            Ok(file) => {
                self.report.imported.push(Came {
                    from: from_text,
                    file,
                });
                true
            }
            Err(error) => {
                // No other file would come, either.
                let is_end = matches!(error.code(), "quota_exceeded" | "permission_needed");
                self.report.failed.push(Failure {
                    from: from_text,
                    code: error.code().to_owned(),
                    message: error.detail().to_owned(),
                });
                !is_end && self.report.failed.len() < MAX_FAILURES
            }
        }
    }
}
