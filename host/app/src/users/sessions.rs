//! A user's sessions: listed, ended one by one, or all.

use super::SignedInUser;
use crate::App;
use atlashub_core::{Error, ProjectId, Result, UserSessionId, capability::channel::CallerSession};
use atlashub_data::platform::{EndUser, UserSession};
use std::sync::Arc;

impl App {
    /// The user whose access token this is, in this project. A session that
    /// [awaits the second factor](SignedInUser::awaits_factor) is found, too:
    /// nothing but showing it may be done with one.
    ///
    /// # Errors
    /// 401 `invalid_token`: not valid here, over, or its session has ended.
    pub async fn authenticate_user(
        &self,
        project: ProjectId,
        token: &str,
    ) -> Result<Arc<SignedInUser>> {
        let (user, _) = self.access().authenticate(project, token).await?;
        Ok(user)
    }

    /// As [`authenticate_user`](Self::authenticate_user), with the session
    /// and when the token ends.
    ///
    /// # Errors
    /// As there.
    pub async fn authenticate_session(
        &self,
        project: ProjectId,
        token: &str,
    ) -> Result<(Arc<SignedInUser>, CallerSession)> {
        let (user, until) = self.access().authenticate(project, token).await?;
        let id = user.session;
        Ok((user, CallerSession { id, until }))
    }

    /// Whether a bearer token says that this host issued it. It may be
    /// forged all the same.
    #[must_use]
    pub fn is_access_token(&self, token: &str) -> bool {
        self.access().is_ours(token)
    }

    /// The user behind an access token, as stored.
    ///
    /// # Errors
    /// `not_found` when the user is gone.
    pub async fn signed_in_user(&self, me: &SignedInUser) -> Result<EndUser> {
        self.platform().users().get(me.project, me.id()).await
    }

    /// Ends the session of an access token, or all of its user: on this node
    /// at once, on the others within a second.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn sign_out_user(&self, me: &SignedInUser, everywhere: bool) -> Result<()> {
        let sessions = self.platform().user_sessions();
        if everywhere {
            sessions.revoke_all(me.project, me.id(), None).await?;
            self.access().forget_user(me.id());
        } else {
            sessions.revoke(me.project, me.id(), me.session).await?;
            self.access().forget_session(me.session);
        }
        Ok(())
    }

    /// Ends all sessions of a user but the one of this access token.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn sign_out_others(&self, me: &SignedInUser) -> Result<()> {
        let sessions = self.platform().user_sessions();
        let keep = Some(me.session);
        sessions.revoke_all(me.project, me.id(), keep).await?;
        self.access().forget_user(me.id());
        Ok(())
    }

    /// A user's sessions, newest first.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn user_sessions(&self, me: &SignedInUser) -> Result<Vec<UserSession>> {
        self.platform()
            .user_sessions()
            .list(me.project, me.id())
            .await
    }

    /// Ends one session of a user.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn end_user_session(&self, me: &SignedInUser, session: UserSessionId) -> Result<()> {
        let sessions = self.platform().user_sessions();
        if !sessions.revoke(me.project, me.id(), session).await? {
            return Err(Error::not_found("session"));
        }
        self.access().forget_session(session);
        Ok(())
    }
}
