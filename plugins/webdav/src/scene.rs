//! What every call begins with: whose tree it is about, where in it, which
//! locks there are, and whether the sender's conditions hold.

use crate::{
    address::{Address, Place, holds},
    conditions::Conditions,
    locks::{self, Barred, Lock},
    remote::{self, Node},
};
use atlashub_sdk::{identity::CallerKind, prelude::*};

/// What `files` lets users do who have them.
pub(crate) const READ: &str = "files:read";
pub(crate) const WRITE: &str = "files:write";
pub(crate) const DELETE: &str = "files:delete";

/// How far down a request reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    Zero,
    One,
    Infinity,
}

pub(crate) struct Scene {
    pub(crate) owner: String,
    pub(crate) address: Address,
    pub(crate) locks: Vec<Lock>,
    /// Tokens of locks that the sender holds.
    pub(crate) shown: Vec<String>,
}

impl Scene {
    /// Sets it, for who may do so much with files.
    ///
    /// # Errors
    /// 401, 403; 400 for an address or a condition that cannot be read; 412
    /// when no condition holds.
    pub(crate) fn enter(request: &Request, caller: &Caller, permission: &str) -> Result<Self> {
        // As `files` names owners.
        let owner = match caller.kind {
            CallerKind::Admin => caller.id.clone().unwrap_or_default(),
            _ => caller.require_id()?.to_owned(),
        };
        users::require_of_users(permission)?;
        let address = Address::of(request)?;
        let conditions = Conditions::of(request, &address)?;
        let locks = locks::of(&owner)?;
        conditions.check(
            &address.place,
            |token, path| {
                locks
                    .iter()
                    .any(|lock| lock.token == token && lock.covers(path))
            },
            |path| Ok(remote::at(path)?.and_then(|node| node.etag())),
        )?;
        Ok(Self {
            shown: conditions.tokens().map(str::to_owned).collect(),
            owner,
            address,
            locks,
        })
    }

    pub(crate) fn place(&self) -> &Place {
        &self.address.place
    }

    /// What lies there.
    ///
    /// # Errors
    /// 404.
    pub(crate) fn node(&self) -> Result<Node> {
        self.find()?
            .ok_or_else(|| Error::not_found("file or folder"))
    }

    /// What lies there, if anything does. A file is not found under an address
    /// of a folder.
    pub(crate) fn find(&self) -> Result<Option<Node>> {
        let node = remote::at(&self.place().path)?;
        Ok(node.filter(|node| node.is_folder() || !self.place().as_folder))
    }

    /// Refuses to change what is locked, or what lies in a locked folder.
    pub(crate) fn may_change(&self, paths: &[&str], trees: &[&str]) -> Result<()> {
        match locks::closed(&self.locks, &self.shown, paths, trees) {
            None => Ok(()),
            Some(lock) => {
                let touched: Vec<&str> = paths.iter().chain(trees).copied().collect();
                Err(self.locked(Barred::Change, lock, &touched))
            }
        }
    }

    /// 423, because of a lock, for what somebody wanted with these.
    pub(crate) fn locked(&self, from: Barred, lock: &Lock, touched: &[&str]) -> Error {
        // Only a folder has something below it.
        let is_folder = touched.iter().any(|path| holds(&lock.path, path));
        locks::locked(from, self.address.href(&lock.path, is_folder))
    }
}

/// What the header `Depth` says.
///
/// # Errors
/// 400 `invalid_depth`.
pub(crate) fn depth(request: &Request) -> Result<Depth> {
    match request.header("depth").map(str::trim) {
        None => Ok(Depth::Infinity),
        Some("0") => Ok(Depth::Zero),
        Some("1") => Ok(Depth::One),
        Some(text) if text.eq_ignore_ascii_case("infinity") => Ok(Depth::Infinity),
        Some(_) => Err(Error::bad_request(
            "invalid_depth",
            "the header `Depth` is `0`, `1` or `infinity`",
        )),
    }
}

/// Whether what lies at a destination gives way.
pub(crate) fn overwrites(request: &Request) -> bool {
    request
        .header("overwrite")
        .is_none_or(|text| !text.trim().eq_ignore_ascii_case("f"))
}
