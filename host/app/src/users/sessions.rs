//! A user's sessions: listed, ended one by one, or all.

use super::{Client, SignedInUser, deeds::who};
use crate::{Actor, App};
use atlashub_core::{
    Error, ProjectId, Result, UserId, UserSessionId, capability::channel::CallerSession,
};
use atlashub_data::platform::{EndUser, UserSession};
use serde_json::json;
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
    pub async fn sign_out_user(
        &self,
        me: &SignedInUser,
        everywhere: bool,
        client: &Client,
    ) -> Result<()> {
        if everywhere {
            self.end_all_sessions(&who(me, client), me.project, me.id(), None)
                .await
        } else {
            self.end_session(&who(me, client), me.project, me.id(), me.session)
                .await
                .map(drop)
        }
    }

    /// Ends all sessions of a user but the one of this access token.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn sign_out_others(&self, me: &SignedInUser, client: &Client) -> Result<()> {
        self.end_all_sessions(&who(me, client), me.project, me.id(), Some(me.session))
            .await
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
    pub async fn end_user_session(
        &self,
        me: &SignedInUser,
        session: UserSessionId,
        client: &Client,
    ) -> Result<()> {
        let actor = who(me, client);
        if self
            .end_session(&actor, me.project, me.id(), session)
            .await?
        {
            Ok(())
        } else {
            Err(Error::not_found("session"))
        }
    }

    /// The sessions of a user, newest first, for those who look after users.
    ///
    /// # Errors
    /// `not_found` when there is no such user.
    pub async fn sessions_of(&self, project: ProjectId, user: UserId) -> Result<Vec<UserSession>> {
        let user = self.platform().users().get(project, user).await?;
        self.platform().user_sessions().list(project, user.id).await
    }

    /// Ends one session of a user: on this node at once, on the others within
    /// a second.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn end_session_of(
        &self,
        actor: &Actor,
        project: ProjectId,
        user: UserId,
        session: UserSessionId,
    ) -> Result<()> {
        if self.end_session(actor, project, user, session).await? {
            Ok(())
        } else {
            Err(Error::not_found("session"))
        }
    }

    /// Ends all sessions of a user, and the app passwords.
    ///
    /// # Errors
    /// `not_found` when there is no such user.
    pub async fn end_sessions_of(
        &self,
        actor: &Actor,
        project: ProjectId,
        user: UserId,
    ) -> Result<()> {
        let user = self.platform().users().get(project, user).await?;
        self.end_all_sessions(actor, project, user.id, None).await
    }

    /// Ends a session of the user; whether there was one.
    async fn end_session(
        &self,
        actor: &Actor,
        project: ProjectId,
        user: UserId,
        session: UserSessionId,
    ) -> Result<bool> {
        let unit = self.platform().begin().await?;
        let ended = unit.user_sessions().revoke(project, user, session).await?;
        if ended {
            unit.audit()
                .append(actor.did(
                    "session.delete",
                    Some(project),
                    session.to_string(),
                    json!({ "user_id": user }),
                ))
                .await?;
        }
        unit.commit().await?;
        self.access().forget_session(session);
        Ok(ended)
    }

    async fn end_all_sessions(
        &self,
        actor: &Actor,
        project: ProjectId,
        user: UserId,
        keep: Option<UserSessionId>,
    ) -> Result<()> {
        let unit = self.platform().begin().await?;
        let sessions = unit.user_sessions();
        let ended = sessions.revoke_all(project, user, keep).await?;
        unit.audit()
            .append(actor.did(
                "session.delete_all",
                Some(project),
                user.to_string(),
                json!({ "ended": ended, "kept": keep }),
            ))
            .await?;
        unit.commit().await?;
        self.access().forget_user(user);
        Ok(())
    }
}
