//! End users of projects: signing up and in, sessions, second factors, mails,
//! profiles, roles, signing in with others, passwords for programs. Platform admins are not users; they stand in `admins`.

pub(crate) mod access;
mod accounts;
mod app_passwords;
pub(crate) mod avatar;
mod client;
mod deeds;
mod generate_link;
mod jwt;
mod magic_link;
mod mailed_link;
pub(crate) mod mails;
pub(crate) mod oauth;
mod password;
mod permissions;
pub(crate) mod profile;
mod refresh;
mod reset;
pub(crate) mod roles;
pub(crate) mod second_factor;
mod sessions;
mod settings;
mod sign_in;
mod sign_up;
pub(crate) mod signing;
mod verify;

pub use crate::mail::escape as escape_html;
pub use access::SignedInUser;
pub use accounts::{AccountPatch, AddUser};
pub use avatar::{AVATAR_SIZES, Avatar, MAX_AVATAR_BYTES};
pub use client::Client;
pub use generate_link::{GenerateLink, GeneratedLink};
pub use mailed_link::MailedLink;
pub use mails::Onward;
pub use oauth::{
    BeginOAuth, ConfigureProvider, OAuthBegun, OAuthReturn, ProjectAddress, provider_tag,
};
pub use permissions::PermissionView;
pub use profile::ProfilePatch;
pub use refresh::Tokens;
pub use roles::{RoleView, foremost as foremost_role};
pub use second_factor::{Factor, totp_required};
pub use settings::{AuthSettings, MailKind, MailTemplate, SignUpPolicy};
pub use sign_in::SignIn;
pub use sign_up::{SignUp, SignedUp};
