//! Bytes on their way in: from a request to the store, with the limits that
//! apply, and deleted again when no row takes them over.

use crate::{
    BUCKET,
    access::Permission,
    account,
    contents::delete_object,
    due,
    place::{Fields, Stored},
    record::{Visibility, check_description, clean_tags},
    settings::Settings,
    sweep,
};
use atlashub_sdk::prelude::*;

/// An upload on its way. What it stored and did not hand over to a row is
/// deleted when it ends.
pub(crate) struct Intake {
    pub(crate) owner: String,
    pub(crate) settings: Settings,
    pub(crate) stored: Vec<Stored>,
    /// What the owner may still store, for refusing early.
    room: Option<u64>,
}

impl Drop for Intake {
    fn drop(&mut self) {
        for stored in &self.stored {
            delete_object(&stored.object_key);
        }
    }
}

impl Intake {
    pub(crate) fn new(owner: String, settings: Settings) -> Result<Self> {
        let room = account::room(&owner, &settings)?;
        // Bytes that a kill leaves without a row are found then.
        due::within(sweep::ORPHAN_AGE);
        Ok(Self {
            owner,
            settings,
            stored: Vec::new(),
            room,
        })
    }

    /// The bytes are to be another's, whose folder they go into.
    pub(crate) fn charge_to(&mut self, owner: String) -> Result<()> {
        if owner != self.owner {
            self.room = account::room(&owner, &self.settings)?;
            self.owner = owner;
        }
        Ok(())
    }

    /// What will be replaced and not kept makes room.
    pub(crate) fn replaces(&mut self, size: u64) {
        if self.settings.versions_keep == 0 {
            self.room = self.room.map(|room| room.saturating_add(size));
        }
    }

    /// As [`Intake::replaces`], for whatever lies at a path.
    pub(crate) fn replaces_at(&mut self, path: &str) -> Result<()> {
        if self.settings.versions_keep == 0 && self.room.is_some() {
            let there: Option<u64> = sql::query_optional(
                "SELECT size FROM files.objects WHERE owner = $1 AND path = $2 AND deleted_at IS NULL",
                params![&self.owner, path],
            )?;
            self.replaces(there.unwrap_or_default());
        }
        Ok(())
    }

    /// Stores bytes, and finds out their type.
    pub(crate) fn store(
        &mut self,
        body: Body,
        size: Option<u64>,
        filename: String,
        claimed: Option<&str>,
    ) -> Result<()> {
        if let (Some(size), Some(room)) = (size, self.room)
            && size > room
        {
            return Err(account::does_not_fit(&self.owner, size, &self.settings));
        }
        let options = blob::PutOptions {
            expected_size: size,
            max_size: [self.settings.max_file_bytes, self.room]
                .into_iter()
                .flatten()
                .min(),
            ..blob::PutOptions::default()
        };
        let object = BUCKET
            .put(body, &options)
            .map_err(|error| self.too_large(error))?;
        if let Some(room) = &mut self.room {
            *room = room.saturating_sub(object.object.size);
        }
        let mime_type = atlashub_file_types::detect(&object.head, &filename, claimed);
        let verdict = self.settings.check_type(&mime_type);
        self.stored.push(Stored {
            object_key: object.object.key,
            size: object.object.size,
            sha256: object.sha256,
            filename,
            mime_type,
            shared: false,
        });
        verdict
    }

    /// Tells a body that no file may be as large as from one for which the
    /// owner has no room.
    fn too_large(&self, error: Error) -> Error {
        match self.room {
            Some(room)
                if error.code() == "object_too_large"
                    && self.settings.max_file_bytes.is_none_or(|most| room < most) =>
            {
                account::does_not_fit(&self.owner, room.saturating_add(1), &self.settings)
            }
            _ => error,
        }
    }
}

/// The length that a request states.
pub(crate) fn stated_length(request: &Request) -> Option<u64> {
    request
        .header("content-length")
        .and_then(|length| length.parse().ok())
}

/// A header's value, percent-encoded UTF-8.
pub(crate) fn decoded(value: &str) -> Result<String> {
    percent_encoding::percent_decode_str(value)
        .decode_utf8()
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| Error::invalid("invalid_path", "`File-Path` is not UTF-8, percent-encoded"))
}

impl Fields {
    /// Takes up a field of a form, or a header.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<()> {
        match name {
            "folder_id" => self.folder_id = Some(value.to_owned()).filter(|id| !id.is_empty()),
            "visibility" => {
                let visibility = Visibility::parse(value)?;
                if visibility == Visibility::Public {
                    Permission::Share.require()?;
                }
                self.visibility = Some(visibility);
            }
            "description" => {
                check_description(value)?;
                self.description = Some(value.to_owned());
            }
            "tags" => {
                let more = match serde_json::from_str::<Vec<String>>(value) {
                    Ok(list) => clean_tags(list)?,
                    Err(_) => clean_tags(value.split(','))?,
                };
                self.tags = Some(clean_tags(
                    self.tags.take().into_iter().flatten().chain(more),
                )?);
            }
            _ => {
                return Err(Error::invalid(
                    "unknown_field",
                    format!("the form's field `{name}` means nothing here"),
                ));
            }
        }
        Ok(())
    }
}
