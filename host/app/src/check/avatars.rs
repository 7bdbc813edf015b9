//! The objects that the host keeps for itself: pictures of users.

use crate::{App, users::avatar};
use atlashub_core::{
    BucketName, ProjectId, Result, UserId,
    capability::{
        blob::ObjectKey,
        check::{Reference, ReferencePage},
    },
};
use atlashub_data::platform::{EndUser, UserFilter};

/// Users that are looked at in one go.
const PAGE: u64 = 200;

/// Those of the objects that are users' present pictures.
pub(super) async fn known(
    app: &App,
    project: ProjectId,
    keys: &[ObjectKey],
) -> Result<Vec<Reference>> {
    let mut known = Vec::new();
    for key in keys {
        let Some(id) = avatar::user_of(key) else {
            continue;
        };
        let user = app.platform().users().find(project, id).await?;
        known.extend(
            user.as_ref()
                .and_then(reference)
                .filter(|one| one.key == *key),
        );
    }
    Ok(known)
}

/// Pictures of users, a page of users at a time.
pub(super) async fn references(
    app: &App,
    project: ProjectId,
    bucket: &BucketName,
    cursor: Option<String>,
) -> Result<ReferencePage> {
    if bucket.as_str() != avatar::BUCKET {
        return Ok(ReferencePage::default());
    }
    let after: Option<UserId> = cursor.as_deref().and_then(|id| id.parse().ok());
    let users = app.platform().users();
    let page = users
        .list(project, &UserFilter::default(), after, PAGE)
        .await?;
    Ok(ReferencePage {
        references: page.items.iter().filter_map(reference).collect(),
        next: page.next.map(|id| id.to_string()),
    })
}

fn reference(user: &EndUser) -> Option<Reference> {
    let (key, size) = avatar::object_of(user)?;
    Some(Reference {
        key,
        size: Some(size),
        required: true,
        subject: format!("the picture of user {}", user.id),
    })
}
