//! `POST /storage-backends/{id}/import`: files there become files here. A
//! folder brings what is in it, as far as one call goes; the next goes on with
//! the cursor that this one answered.

use crate::{
    fault,
    files::{self, Imported},
    path::RemotePath,
    record::{self, Row},
    service::{Entry, Service},
    settings::Settings,
};
use atlashub_sdk::prelude::*;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use std::collections::VecDeque;

/// Most files of one import.
const MAX_FILES: usize = 500;
/// Most pages of folders that one import looks at: more than folders can lie in
/// each other, so that each call comes further.
const MAX_PAGES: usize = 300;
/// Most failures after which it goes on.
const MAX_FAILURES: usize = 20;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wish {
    path: String,
    /// The folder of `files` to put them into; the top without one.
    folder_id: Option<String>,
    /// Where the import before has ended.
    cursor: Option<String>,
}

/// What came of it.
#[derive(Debug, Default, Serialize)]
struct Report {
    imported: Vec<Came>,
    failed: Vec<Failure>,
    /// Whether everything was looked at.
    complete: bool,
    /// Where to go on, when it was not.
    next_cursor: Option<String>,
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
    let mut walk = Walk {
        service: service.as_ref(),
        folder,
        report: Report::default(),
    };
    if let Some(cursor) = &wish.cursor {
        walk.go_on(Step::read(cursor, &path)?)?;
        return Ok((StatusCode::OK, Json(walk.report)).into_response());
    }
    let entry = service.stat(&path)?.ok_or_else(fault::missing)?;
    if entry.is_folder() {
        let top = RemotePath::parse(&entry.name)?;
        walk.go_on(vec![Step::down(&path, &top)])?;
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

    /// Goes on until all is brought, or as far as one call goes: down into each
    /// folder as it comes.
    fn go_on(&mut self, mut steps: Vec<Step>) -> Result<()> {
        let mut pages = 0;
        while let Some(step) = steps.last_mut() {
            if step.left.is_none() {
                let listed = match pages {
                    MAX_PAGES => return self.stop(&steps),
                    _ => step.list(self.service),
                };
                pages += 1;
                match listed {
                    Ok(()) => {}
                    // What came is told first; the next call says why not.
                    Err(_) if !self.is_idle() => return self.stop(&steps),
                    Err(error) => return Err(error),
                }
            }
            let Some(entry) = step.take_next() else {
                if !step.turn_page() {
                    steps.pop();
                }
                continue;
            };
            if entry.is_folder() {
                let inside = step.inside(&entry);
                step.last = Some(entry.path.clone());
                match inside {
                    Ok(inside) => steps.push(inside),
                    Err(error) => self.failed(&entry, &error),
                }
                continue;
            }
            if self.report.imported.len() >= MAX_FILES {
                return self.stop(&steps);
            }
            let brought = step
                .place(&entry)
                .and_then(|(from, to)| self.bring(&from, &to));
            let is_end = match brought {
                Ok(file) => {
                    let from = entry.path.clone();
                    self.report.imported.push(Came { from, file });
                    false
                }
                Err(error) => {
                    self.failed(&entry, &error);
                    // No other file would come, either: this one is next.
                    if matches!(error.code(), "quota_exceeded" | "permission_needed") {
                        return self.stop(&steps);
                    }
                    self.report.failed.len() >= MAX_FAILURES
                }
            };
            step.last = Some(entry.path);
            if is_end {
                return self.stop(&steps);
            }
        }
        self.report.complete = true;
        Ok(())
    }

    fn is_idle(&self) -> bool {
        self.report.imported.is_empty() && self.report.failed.is_empty()
    }

    fn failed(&mut self, entry: &Entry, error: &Error) {
        self.report.failed.push(Failure {
            from: entry.path.clone(),
            code: error.code().to_owned(),
            message: error.detail().to_owned(),
        });
    }

    /// Leaves the rest to another call.
    fn stop(&mut self, steps: &[Step]) -> Result<()> {
        let cursor = URL_SAFE_NO_PAD.encode(serde_json::to_vec(steps)?);
        self.report.next_cursor = Some(cursor);
        Ok(())
    }
}

/// How far an import is in one folder.
#[derive(Debug, Serialize, Deserialize)]
struct Step {
    from: String,
    to: String,
    /// The page of the folder.
    page: Option<String>,
    /// What of it was dealt with last.
    last: Option<String>,
    /// What is left of it, and the page after it; none before it was listed.
    #[serde(skip)]
    left: Option<(VecDeque<Entry>, Option<String>)>,
}

impl Step {
    fn down(from: &RemotePath, to: &RemotePath) -> Self {
        Self {
            from: from.to_string(),
            to: to.to_string(),
            page: None,
            last: None,
            left: None,
        }
    }

    /// The steps of a cursor, of an import of that folder.
    fn read(cursor: &str, folder: &RemotePath) -> Result<Vec<Self>> {
        let invalid = || Error::bad_request("invalid_cursor", "`cursor` is what `next_cursor` was");
        let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| invalid())?;
        let steps: Vec<Self> = serde_json::from_slice(&bytes).map_err(|_| invalid())?;
        match steps.first() {
            Some(first) if first.from == folder.to_string() => Ok(steps),
            _ => Err(invalid()),
        }
    }

    fn list(&mut self, service: &dyn Service) -> Result<()> {
        let from = RemotePath::parse(&self.from)?;
        let page = service.list(&from, self.page.as_deref())?;
        let mut items = VecDeque::from(page.items);
        let last = self.last.as_ref();
        if let Some(at) = items.iter().position(|entry| Some(&entry.path) == last) {
            items.drain(..=at);
        }
        self.left = Some((items, page.next_cursor));
        Ok(())
    }

    fn take_next(&mut self) -> Option<Entry> {
        self.left.as_mut()?.0.pop_front()
    }

    /// Goes on to the page after this one; whether there is one.
    fn turn_page(&mut self) -> bool {
        self.page = self.left.take().and_then(|(_, next)| next);
        self.last = None;
        self.page.is_some()
    }

    /// Where something in the folder lies there, and where it comes here.
    fn place(&self, entry: &Entry) -> Result<(RemotePath, RemotePath)> {
        let to = RemotePath::parse(&self.to)?.join(&entry.name)?;
        Ok((RemotePath::parse(&entry.path)?, to))
    }

    fn inside(&self, entry: &Entry) -> Result<Self> {
        let (from, to) = self.place(entry)?;
        Ok(Self::down(&from, &to))
    }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        reason = "a failed test may panic"
    )]
    use super::*;
    use crate::{
        files::Contents,
        service::{EntryKind, Listing, paged},
    };
    use atlashub_sdk::{http::Answer, testing::TestHost};
    use std::{
        cell::{Cell, RefCell},
        collections::BTreeSet,
        rc::Rc,
    };

    /// Paths of files.
    struct Tree(Vec<String>);

    impl Tree {
        /// 700 files at the top, and 700 in folders that lie in each other.
        fn large() -> Self {
            let top = (0..700).map(|number| format!("/all/{number:03}.txt"));
            let deep = (0..700)
                .map(|number| format!("/all/{}/x/{}/{number:03}.txt", number % 7, number % 30));
            Self(top.chain(deep).collect())
        }
    }

    impl Service for Tree {
        fn list(&self, folder: &RemotePath, cursor: Option<&str>) -> Result<Listing> {
            let above = format!("{folder}/");
            let inside = self.0.iter().filter_map(|path| path.strip_prefix(&above));
            let names: BTreeSet<(&str, bool)> = inside
                .map(|rest| match rest.split_once('/') {
                    Some((name, _)) => (name, true),
                    None => (rest, false),
                })
                .collect();
            let entries = names.into_iter().map(|(name, is_folder)| Entry {
                name: name.to_owned(),
                path: format!("{above}{name}"),
                kind: if is_folder {
                    EntryKind::Folder
                } else {
                    EntryKind::File
                },
                size: None,
                modified: None,
                etag: None,
            });
            Ok(paged(entries.collect(), cursor))
        }

        fn stat(&self, _: &RemotePath) -> Result<Option<Entry>> {
            Ok(None)
        }

        fn fetch(&self, path: &RemotePath, _: Option<&str>) -> Result<Answer> {
            http::get(format!("http://cloud.example{path}")).send()
        }

        fn put(&self, _: &RemotePath, _: &Contents) -> Result<()> {
            Ok(())
        }
    }

    /// Imports the folder call by call; what each brought, and the codes of
    /// what did not come.
    fn whole(service: &Tree) -> (Vec<usize>, Vec<String>) {
        let folder = RemotePath::parse("all").unwrap();
        let (mut counts, mut codes) = (Vec::new(), Vec::new());
        let mut steps = vec![Step::down(&folder, &folder)];
        loop {
            let mut walk = Walk {
                service,
                folder: None,
                report: Report::default(),
            };
            walk.go_on(steps).unwrap();
            counts.push(walk.report.imported.len());
            codes.extend(walk.report.failed.into_iter().map(|failure| failure.code));
            let next = walk.report.next_cursor;
            assert_eq!(walk.report.complete, next.is_none());
            match next {
                Some(cursor) => steps = Step::read(&cursor, &folder).unwrap(),
                None => return (counts, codes),
            }
        }
    }

    #[test]
    fn a_large_folder_comes_in_several_calls_and_each_file_once() {
        let came = Rc::new(RefCell::new(Vec::new()));
        // Once, in between, there is no room.
        let is_full = Rc::new(Cell::new(false));
        let (stored, full) = (Rc::clone(&came), Rc::clone(&is_full));
        let _host = TestHost::new("backends")
            .with_service("cloud.example", |_| "bytes".into_response())
            .with_service("files.internal", move |request| {
                let mut stored = stored.borrow_mut();
                if stored.len() == 612 && !full.replace(true) {
                    let status = StatusCode::PAYLOAD_TOO_LARGE;
                    let problem = serde_json::json!({"code": "quota_exceeded", "detail": "full"});
                    return (status, Json(problem)).into_response();
                }
                let path = request.header("file-path").unwrap().to_owned();
                let answer = serde_json::json!({"id": "f", "path": path.as_str(), "size": 5});
                stored.push(path);
                (StatusCode::CREATED, Json(answer)).into_response()
            });
        let tree = Tree::large();
        let (counts, codes) = whole(&tree);
        assert_eq!(
            (counts, codes),
            (vec![500, 112, 500, 288], vec!["quota_exceeded".to_owned()])
        );
        let mut came = came.borrow().clone();
        came.sort();
        let mut all: Vec<_> = tree.0.iter().map(|path| path[1..].to_owned()).collect();
        all.sort();
        assert_eq!(came, all);
    }

    #[test]
    fn a_cursor_is_of_the_folder_that_is_asked_for() {
        let folder = |path: &str| RemotePath::parse(path).unwrap();
        let steps = [Step::down(&folder("a"), &folder("a"))];
        let cursor = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&steps).unwrap());
        assert_eq!(Step::read(&cursor, &folder("a")).unwrap().len(), 1);
        for (cursor, path) in [(cursor.as_str(), "b"), ("x", "a"), ("W10", "a")] {
            let refused = Step::read(cursor, &folder(path)).unwrap_err();
            assert_eq!(refused.code(), "invalid_cursor");
        }
    }
}
