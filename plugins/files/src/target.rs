//! A file or a folder, where it makes no difference which.

use crate::{
    access::{Permission, Role, Subject},
    folders,
    record::Record,
    tree::Folder,
};
use atlashub_sdk::prelude::*;

/// Which of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    File,
    Folder,
}

impl Kind {
    /// As the database has it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Folder => "folder",
        }
    }
}

/// One of both.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    File(Box<Record>),
    Folder(Box<Folder>),
}

impl Target {
    /// What is not in the trash, if the caller may do so much with it.
    pub(crate) fn live_for(
        kind: Kind,
        id: &str,
        caller: &Caller,
        permission: Permission,
        least: Role,
    ) -> Result<Self> {
        Ok(match kind {
            Kind::File => Self::File(Record::live_for(id, caller, permission, least)?.into()),
            Kind::Folder => Self::Folder(folders::live_for(id, caller, permission, least)?.into()),
        })
    }

    /// What is not in the trash, whoever asks.
    pub(crate) fn live(kind: Kind, id: &str) -> Result<Option<Self>> {
        Ok(match kind {
            Kind::File => Record::find(id)?
                .filter(|record| record.deleted_at.is_none())
                .map(|record| Self::File(record.into())),
            Kind::Folder => Folder::find(id)?
                .filter(|folder| folder.deleted_at.is_none())
                .map(|folder| Self::Folder(folder.into())),
        })
    }

    pub(crate) fn subject(&self) -> Subject<'_> {
        match self {
            Self::File(record) => record.subject(),
            Self::Folder(folder) => folder.subject(),
        }
    }
}
