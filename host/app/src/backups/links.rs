//! Links to archives: whoever has one reads that archive until it runs out.
//! An archive is sealed, so that without the key it says nothing.

use super::Backups;
use crate::Actor;
use atlashub_core::{Error, ErrorKind, ProjectId, Result};
use atlashub_storage::{ObjectMeta, ObjectPath, ReadObject, links};
use serde_json::json;
use std::{ops::Range, time::Duration};
use uuid::Uuid;

/// How long a link is good.
const VALID: Duration = Duration::from_secs(3_600);

/// Where an archive can be fetched.
#[derive(Clone, Debug)]
pub struct BackupDownload {
    /// The address.
    pub url: String,
    /// How long it is good.
    pub valid: Duration,
    /// What the file should be called.
    pub filename: String,
    /// Bytes of the archive.
    pub bytes: u64,
    /// Its SHA-256 in hexadecimal digits.
    pub sha256: Option<String>,
}

impl Backups {
    /// A link to a backup's archive.
    ///
    /// # Errors
    /// `not_found`, `backup_not_ready`.
    pub async fn download(
        &self,
        actor: &Actor,
        project: Option<ProjectId>,
        id: Uuid,
    ) -> Result<BackupDownload> {
        let backup = self.ready(project, id).await?;
        let path = ObjectPath::backup(project, &id)?;
        let named = backup.slug.as_deref().unwrap_or("platform");
        let filename = file_name(named, &id);
        let disposition = format!("attachment; filename=\"{filename}\"");
        let archives = &self.parts().archives;
        let straight = archives
            .presign_read(&path, VALID, Some(&disposition), None)
            .await?;
        let url = match straight {
            Some(url) => url,
            None => {
                let key = self.parts().link_keys.first();
                let key = key.ok_or_else(|| Error::internal("sign a link", "there is no key"))?;
                let subject = format!("{}/{id}/{named}", whose(project));
                let clock = self.parts().clock.as_ref();
                let token = links::sign_subject(key, PURPOSE, &subject, VALID, clock)?;
                format!("{}/_/backup/{token}", self.parts().public_url)
            }
        };
        let event = actor.did("backup.download", project, id.to_string(), json!({}));
        self.platform().audit().append(event).await?;
        Ok(BackupDownload {
            url,
            valid: VALID,
            filename,
            bytes: backup.bytes,
            sha256: backup.sha256,
        })
    }

    /// The archive that a link leads to, and what it should be called.
    ///
    /// # Errors
    /// `invalid_link`, `expired_link`.
    pub fn of_link(&self, token: &str) -> Result<(ObjectPath, String)> {
        let mut refused = None;
        for key in &self.parts().link_keys {
            let clock = self.parts().clock.as_ref();
            match links::verify_subject(key, PURPOSE, token, clock) {
                Ok(subject) => return found(&subject).ok_or_else(invalid),
                Err(error) if error.code() == "expired_link" => return Err(error),
                Err(error) => refused = Some(error),
            }
        }
        Err(refused.unwrap_or_else(invalid))
    }

    /// What is known of an archive.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn stat_archive(&self, path: &ObjectPath) -> Result<ObjectMeta> {
        let found = self.parts().archives.stat(path).await?;
        found.ok_or_else(|| Error::not_found("backup"))
    }

    /// The bytes of an archive, or a part of them.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn read_archive(
        &self,
        path: &ObjectPath,
        range: Option<Range<u64>>,
    ) -> Result<ReadObject> {
        self.parts().archives.read(path, range).await
    }
}

/// What such a token is for.
const PURPOSE: &str = "backup";

fn whose(project: Option<ProjectId>) -> String {
    project.map_or_else(|| "platform".to_owned(), |project| project.to_string())
}

/// What an archive is called where it is saved: by whose it is.
fn file_name(slug: &str, id: &Uuid) -> String {
    format!("{slug}-{id}.ahb")
}

fn found(subject: &str) -> Option<(ObjectPath, String)> {
    let (project, rest) = subject.split_once('/')?;
    let (id, slug) = rest.split_once('/')?;
    let project: Option<ProjectId> = match project {
        "platform" => None,
        project => Some(project.parse().ok()?),
    };
    let id: Uuid = id.parse().ok()?;
    Some((ObjectPath::backup(project, &id).ok()?, file_name(slug, &id)))
}

fn invalid() -> Error {
    Error::new(
        ErrorKind::Forbidden,
        "invalid_link",
        "the link is not valid, ask for a new one",
    )
}
