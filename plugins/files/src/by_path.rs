//! `GET /files/at`, `POST /files/move` and `POST /files/copy`: what the caller
//! owns, by its path, a file or a folder alike. For those who think in paths:
//! desktops, scripts, other plugins.
//!
//! A move or a copy is one transaction: whoever looks sees all of it or
//! nothing. Bytes are never copied, see [`crate::contents`].

use crate::{
    access::{self, Permission},
    account::{self, Change},
    folders,
    happened::{self, Change as Happened},
    name,
    place::{self, Fields, Stored},
    record::{COLUMNS, Metadata, Record},
    settings::Settings,
    trash,
    tree::{self, FOLDER, Folder},
    untold,
};
use atlashub_sdk::{prelude::*, sql::Transaction};
use std::collections::HashMap;

/// Files and folders that one copy makes at most.
const MAX_COPIES: usize = 2_000;

/// What lies at a path.
enum Entry {
    File(Box<Record>),
    Folder(Box<Folder>),
}

impl Entry {
    fn find(owner: &str, path: &str) -> Result<Option<Self>> {
        let file: Option<Record> = sql::query_optional(&Self::file(), params![owner, path])?;
        if let Some(file) = file {
            return Ok(Some(Self::File(file.into())));
        }
        let folder: Option<Folder> = sql::query_optional(&Self::folder(), params![owner, path])?;
        Ok(folder.map(|folder| Self::Folder(folder.into())))
    }

    fn within(transaction: &Transaction, owner: &str, path: &str) -> Result<Option<Self>> {
        let file: Option<Record> =
            transaction.query_optional(&Self::file(), params![owner, path])?;
        if let Some(file) = file {
            return Ok(Some(Self::File(file.into())));
        }
        let folder: Option<Folder> =
            transaction.query_optional(&Self::folder(), params![owner, path])?;
        Ok(folder.map(|folder| Self::Folder(folder.into())))
    }

    fn file() -> String {
        format!(
            "SELECT {COLUMNS} FROM files.objects WHERE owner = $1 AND path = $2 AND deleted_at IS NULL"
        )
    }

    fn folder() -> String {
        format!(
            "SELECT {FOLDER} FROM files.folders WHERE owner = $1 AND path = $2 AND deleted_at IS NULL"
        )
    }

    fn id(&self) -> &str {
        match self {
            Self::File(file) => &file.id,
            Self::Folder(folder) => &folder.id,
        }
    }

    fn show(self) -> Shown {
        match self {
            Self::File(file) => Shown::File {
                file: file.metadata(&identity::public_url()),
            },
            Self::Folder(folder) => Shown::Folder {
                folder: Some(folder.metadata()),
            },
        }
    }
}

/// A file or a folder as clients see it; the top is a folder without
/// metadata.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Shown {
    File { file: Metadata },
    Folder { folder: Option<folders::Metadata> },
}

#[derive(Debug, Deserialize)]
pub(crate) struct Which {
    path: String,
    /// For those who work with everybody's files.
    owner: Option<String>,
}

/// `GET /files/at?path=`.
pub(crate) fn at(Query(which): Query<Which>, caller: Caller) -> Result<Response> {
    let owner = access::owner_named(&caller, Permission::Read, which.owner.as_deref())?;
    let path = which.path.trim_matches('/');
    if path.is_empty() {
        return Ok(Json(Shown::Folder { folder: None }).into_response());
    }
    let entry = Entry::find(&owner, &name::check_path(path)?)?;
    Ok(Json(entry.ok_or_else(missing)?.show()).into_response())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wish {
    from: String,
    to: String,
    /// Whether what lies at `to` gives way.
    #[serde(default)]
    replace: bool,
    /// Of a folder that is copied: without what lies in it.
    #[serde(default)]
    shallow: bool,
}

/// What came of a move or a copy.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    #[serde(flatten)]
    entry: Shown,
    /// Whether something lay there before.
    replaced: bool,
    /// Of a copy: the ids of what was copied, and of what was made.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    copies: Vec<(String, String)>,
}

/// What is to go where, checked as far as words go.
struct Plan {
    owner: String,
    from: String,
    to: String,
    replace: bool,
}

/// What was done, to be told of once it is certain.
#[derive(Default)]
struct Done {
    replaced: bool,
    copies: Vec<(String, String)>,
    happened: Vec<(Happened, String, String)>,
}

/// `POST /files/move`.
pub(crate) fn move_to(
    caller: Caller,
    Config(settings): Config<Settings>,
    Json(wish): Json<Wish>,
) -> Result<Json<Outcome>> {
    let plan = Plan::new(&caller, &wish)?;
    let mut spent = None;
    let (entry, done) = untold::transaction(|transaction| {
        account::lock(transaction, &plan.owner)?;
        let (source, parent, target) = plan.read(transaction)?;
        match (source, target) {
            (Entry::File(source), Some(Entry::File(target))) => {
                let given = give_bytes(transaction, &source, &target, &settings)?;
                trash::throw_file_within(transaction, &source.id)?;
                spent = Some(source);
                Ok(given)
            }
            (source, target) => {
                let mut done = plan.make_room(transaction, target.as_ref())?;
                let entry = plan.relocate(transaction, source, parent.as_ref(), &mut done)?;
                Ok((entry, done))
            }
        }
    })?;
    if let Some(spent) = spent {
        // Its bytes live on in what it replaced. What it was before stays in
        // the trash.
        if spent.version == 1 {
            trash::delete_file(&spent, &Precondition::default())?;
        }
        place::prune(entry.id(), &plan.owner, &settings);
    }
    Ok(Json(done.tell(entry)))
}

/// `POST /files/copy`.
pub(crate) fn copy(
    caller: Caller,
    Config(settings): Config<Settings>,
    Json(wish): Json<Wish>,
) -> Result<Response> {
    let plan = Plan::new(&caller, &wish)?;
    let (entry, done) = untold::transaction(|transaction| {
        account::lock(transaction, &plan.owner)?;
        let (source, parent, target) = plan.read(transaction)?;
        match (source, target) {
            (Entry::File(source), Some(Entry::File(target))) => {
                give_bytes(transaction, &source, &target, &settings)
            }
            (source, target) => {
                let mut done = plan.make_room(transaction, target.as_ref())?;
                let own = name::of_path(&plan.to);
                let entry = match source {
                    Entry::File(file) => {
                        let parent = parent.as_ref();
                        let made = copy_file(transaction, &file, parent, own, &settings)?;
                        done.copied(Happened::Uploaded, &file.id, &made.id, &made.path);
                        Entry::File(made.into())
                    }
                    Entry::Folder(folder) => {
                        let made =
                            tree::make(transaction, &plan.owner, parent.as_ref(), own, &settings)?;
                        done.copied(Happened::FolderMade, &folder.id, &made.id, &made.path);
                        if !wish.shallow {
                            copy_below(transaction, &folder, &made, &settings, &mut done)?;
                        }
                        Entry::Folder(made.into())
                    }
                };
                Ok((entry, done))
            }
        }
    })?;
    if done.replaced {
        place::prune(entry.id(), &plan.owner, &settings);
    }
    Ok((StatusCode::CREATED, Json(done.tell(entry))).into_response())
}

impl Plan {
    fn new(caller: &Caller, wish: &Wish) -> Result<Self> {
        let owner = access::owner(caller, Permission::Write)?;
        let from = name::check_path(wish.from.trim_end_matches('/'))?;
        let to = name::check_path(wish.to.trim_end_matches('/'))?;
        let holds = |outer: &str, inner: &str| {
            inner
                .strip_prefix(outer)
                .is_some_and(|rest| rest.starts_with('/'))
        };
        if from == to {
            return Err(Error::conflict(
                "same_path",
                "it lies there already, choose another path",
            ));
        }
        if holds(&from, &to) || holds(&to, &from) {
            return Err(Error::conflict(
                "folder_cycle",
                "a folder cannot lie in itself, nor take the place of one around it",
            ));
        }
        Ok(Self {
            owner,
            from,
            to,
            replace: wish.replace,
        })
    }

    /// What is to go, the folder that it goes to, and what lies there.
    fn read(&self, transaction: &Transaction) -> Result<(Entry, Option<Folder>, Option<Entry>)> {
        let source = Entry::within(transaction, &self.owner, &self.from)?.ok_or_else(missing)?;
        let above = name::split(&self.to).0;
        let parent = match above {
            "" => None,
            above => Some(Folder::at(transaction, &self.owner, above)?.ok_or_else(|| {
                Error::conflict("folder_missing", "there is no folder for it, make it first")
            })?),
        };
        let target = Entry::within(transaction, &self.owner, &self.to)?;
        if target.is_some() && !self.replace {
            return Err(tree::taken());
        }
        Ok((source, parent, target))
    }

    /// Throws away what lies at the place.
    fn make_room(&self, transaction: &Transaction, target: Option<&Entry>) -> Result<Done> {
        let Some(target) = target else {
            return Ok(Done::default());
        };
        Permission::Delete.require()?;
        let what = match target {
            Entry::File(file) => {
                trash::throw_file_within(transaction, &file.id)?;
                Happened::Trashed
            }
            Entry::Folder(folder) => {
                trash::mark_tree(transaction, folder)?;
                Happened::FolderTrashed
            }
        };
        Ok(Done {
            replaced: true,
            happened: vec![(what, target.id().to_owned(), self.to.clone())],
            ..Done::default()
        })
    }

    fn relocate(
        &self,
        transaction: &Transaction,
        source: Entry,
        parent: Option<&Folder>,
        done: &mut Done,
    ) -> Result<Entry> {
        let own = name::of_path(&self.to);
        let (what, id, entry) = match source {
            Entry::Folder(folder) => {
                let moved = tree::relocate(transaction, &folder, parent, own)?;
                (
                    Happened::FolderChanged,
                    moved.id.clone(),
                    Entry::Folder(moved.into()),
                )
            }
            Entry::File(file) => {
                untold::file(transaction, &file.id)?;
                let moved: Option<Record> = transaction.query_optional(
                    &format!(
                        "UPDATE files.objects SET filename = $2, path = $3, folder_id = $4, updated_at = $5 \
                         WHERE id = $1 RETURNING {COLUMNS}"
                    ),
                    params![
                        &file.id,
                        own,
                        &self.to,
                        parent.map(|parent| parent.id.as_str()),
                        moment::now_ms()
                    ],
                )?;
                let moved = moved.ok_or_else(missing)?;
                (
                    Happened::Changed,
                    moved.id.clone(),
                    Entry::File(moved.into()),
                )
            }
        };
        done.happened.push((what, id, self.to.clone()));
        Ok(entry)
    }
}

impl Done {
    fn copied(&mut self, what: Happened, from: &str, to: &str, path: &str) {
        self.copies.push((from.to_owned(), to.to_owned()));
        self.happened.push((what, to.to_owned(), path.to_owned()));
    }

    /// Tells of it, once it has happened.
    fn tell(self, entry: Entry) -> Outcome {
        for (what, id, path) in &self.happened {
            happened::tell(*what, id, Some(path));
        }
        Outcome {
            entry: entry.show(),
            replaced: self.replaced,
            copies: self.copies,
        }
    }
}

/// A file gets the bytes of another: who may use it, its links and its former
/// versions stay.
fn give_bytes(
    transaction: &Transaction,
    source: &Record,
    target: &Record,
    settings: &Settings,
) -> Result<(Entry, Done)> {
    let stored = Stored::of(source);
    let written = place::replace(transaction, target, &stored, &Fields::default(), settings)?;
    let happened = vec![(Happened::Replaced, written.id.clone(), written.path.clone())];
    let done = Done {
        copies: vec![(source.id.clone(), written.id.clone())],
        replaced: true,
        happened,
    };
    Ok((Entry::File(written.into()), done))
}

/// Another file with the same bytes, its owner's alone.
fn copy_file(
    transaction: &Transaction,
    file: &Record,
    parent: Option<&Folder>,
    filename: &str,
    settings: &Settings,
) -> Result<Record> {
    let path = name::check_path(&tree::path_in(parent, filename))?;
    account::charge(transaction, &file.owner, Change::file(file.size), settings)?;
    let fields = Fields {
        description: file.description.clone(),
        tags: Some(file.tags.clone()),
        ..Fields::default()
    };
    place::insert(
        transaction,
        &file.owner,
        parent,
        &path,
        &Stored::of(file),
        &fields,
    )
}

/// Copies what lies in a folder.
fn copy_below(
    transaction: &Transaction,
    folder: &Folder,
    made: &Folder,
    settings: &Settings,
    done: &mut Done,
) -> Result<()> {
    let below = |columns: &str, table: &str, order: &str| {
        format!(
            "SELECT {columns} FROM files.{table} WHERE owner = $1 AND deleted_at IS NULL \
             AND substr(path, 1, CAST($3 AS INTEGER)) = $2 AND id <> $4 ORDER BY {order} LIMIT {}",
            MAX_COPIES + 1
        )
    };
    let parameters = params![
        &folder.owner,
        format!("{}/", folder.path),
        tree::characters(&folder.path) + 1,
        // What was just made, where that is below.
        &made.id
    ];
    let folders: Vec<Folder> =
        transaction.query(&below(FOLDER, "folders", "depth, id"), parameters.clone())?;
    // In the order of digests, see `contents::Bytes`.
    let files: Vec<Record> = transaction.query(
        &below(COLUMNS, "objects", "sha256, object_key, id"),
        parameters,
    )?;
    if folders.len() + files.len() > MAX_COPIES {
        return Err(Error::conflict(
            "too_many_entries",
            format!("at most {MAX_COPIES} files and folders are copied at once, copy parts of it"),
        )
        .with_field("limit", MAX_COPIES));
    }
    let mut places: HashMap<String, Folder> = HashMap::new();
    places.insert(folder.id.clone(), made.clone());
    let gone = || Error::internal("a folder is gone under its lock");
    for old in folders {
        let parent = old.parent_id.as_ref().and_then(|id| places.get(id));
        let parent = parent.ok_or_else(gone)?;
        let new = tree::make(transaction, &old.owner, Some(parent), &old.name, settings)?;
        done.copied(Happened::FolderMade, &old.id, &new.id, &new.path);
        places.insert(old.id, new);
    }
    for old in files {
        let parent = old.folder_id.as_ref().and_then(|id| places.get(id));
        let parent = parent.ok_or_else(gone)?;
        let new = copy_file(transaction, &old, Some(parent), &old.filename, settings)?;
        done.copied(Happened::Uploaded, &old.id, &new.id, &new.path);
    }
    Ok(())
}

fn missing() -> Error {
    Error::not_found("file or folder")
}
