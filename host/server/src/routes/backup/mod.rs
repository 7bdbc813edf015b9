//! `/_/backup/{token}`: signed links to archives. The token is the credential.

pub(crate) mod get;
