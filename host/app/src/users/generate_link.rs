//! Links that others send: made for who looks after users, in place of a mail
//! of ours.

use super::{AddUser, MailKind, Onward, mails};
use crate::{Actor, App};
use atlashub_core::{Error, ProjectId, Result, token};
use atlashub_data::platform::EndUser;
use serde_json::json;

/// A link that somebody wants.
pub struct GenerateLink {
    /// For what.
    pub kind: MailKind,
    /// For whom. A sign-up and an invitation make the user, who is not there
    /// yet; the others are for who is.
    pub user: AddUser,
    /// Where it leads.
    pub onward: Onward,
}

/// A link that was made. Whoever has it has what a mail would have given.
pub struct GeneratedLink {
    /// Whose.
    pub user: EndUser,
    /// The token in it.
    pub token: String,
    /// The link.
    pub link: String,
    /// Where it leads in the end.
    pub redirect: Option<String>,
}

impl App {
    /// Makes a link as a mail would have it, and sends none.
    ///
    /// # Errors
    /// `not_found`, `redirect_not_allowed`; for a new user what
    /// [`App::add_user`] says, and `already_joined` for an invitation of who
    /// has a password.
    pub async fn generate_link(
        &self,
        actor: &Actor,
        project: ProjectId,
        wanted: GenerateLink,
    ) -> Result<GeneratedLink> {
        let auth = self.access().project(project).await?;
        let onward = wanted.onward.checked(&auth.settings)?;
        let entry = self.platform().projects().find(project).await?;
        let entry = entry.ok_or_else(|| Error::not_found("project"))?;
        let known = self
            .platform()
            .users()
            .find_by_email(project, &wanted.user.email)
            .await?;
        let user = match (wanted.kind, known) {
            (MailKind::VerifyEmail, None) if wanted.user.password.is_none() => {
                return Err(Error::invalid("weak_password", "send a `password`"));
            }
            (MailKind::VerifyEmail, _) | (MailKind::Invite, None) => {
                self.add_user(actor, project, wanted.user).await?
            }
            (MailKind::Invite, Some(user)) if user.password_hash.is_some() => {
                return Err(Error::conflict(
                    "already_joined",
                    "the user has a password already",
                ));
            }
            (_, Some(user)) => user,
            (_, None) => return Err(Error::not_found("user")),
        };
        let token = token::generate(mails::PREFIX)?;
        let (kind, lifetime) = mails::one_time(wanted.kind);
        let unit = self.platform().begin().await?;
        unit.one_time_tokens()
            .create(user.id, kind, &user.email, &token::hash(&token), lifetime)
            .await?;
        unit.audit()
            .append(actor.did(
                "user.generate_link",
                Some(project),
                user.id.to_string(),
                json!({ "kind": wanted.kind.as_str() }),
            ))
            .await?;
        unit.commit().await?;
        let base = self.directory().public_url(&entry.slug);
        Ok(GeneratedLink {
            link: mails::link(&base, wanted.kind, &token, &onward),
            redirect: onward.redirect(),
            user,
            token,
        })
    }
}
