//! Every route inside a project, and what it asks of its caller.

use super::{Access, ROUTES};

/// What a route inside a project asks of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asks {
    /// Nothing.
    Nothing,
    /// To be somebody, and of users leave to read; a table without policies
    /// is not told of.
    Tables,
    /// The same, of this very table.
    Table,
    /// To be a server of the project, or an admin.
    Description,
    /// Who it is, for what belongs to the caller.
    Name,
    /// The same, and leave to change something.
    NameToWrite,
    /// To own the object, or to be trusted with everybody's; here it is
    /// somebody else's.
    Object,
    /// The same, and leave to change something.
    ObjectToWrite,
    /// Who it is; who looks after the project sees what everybody's are called.
    Overview,
    /// A password; here it is a wrong one.
    Password,
    /// Who it is, told by a token or a secret key.
    TokenToWrite,
    /// The same, and to have something there; here a secret key has it.
    TokenObject,
    /// Row policies; here there is none that gives a row.
    Rows,
    /// The same, and leave to change something.
    RowsToWrite,
    /// To look after the project: its users, its buckets.
    Users,
    /// The same, and leave to change something.
    UsersToWrite,
    /// To be an end user.
    SignIn,
    /// The same, of a plugin, which knows who else there is.
    Themselves,
    /// To be an end user who may change something, for what only users have.
    Own,
    /// The same, and that it is the caller's; here it is nobody's.
    OwnObject,
    /// A word that was given to one user; here it is nobody's.
    Word,
    /// Who it is, for a drive of the caller's own; nothing is in it here.
    Drive,
    /// The same, and leave to change something.
    DriveToWrite,
    /// Leave to ask somebody for money; here nothing is set up.
    Pay,
    /// Leave to look after all money; here nothing is set up.
    Treasury,
    /// To own the payment, or to look after all; here it is nobody's.
    Payment,
    /// The same, and leave to ask for money.
    PaymentToWrite,
    /// Leave to settle payments by hand; here it is nobody's.
    Reviewed,
    /// To be a server of the project, or an admin, whoever it is about.
    Server,
    /// The same, and leave to change something.
    ServerToWrite,
    /// The same as either; here it is about what there is not.
    ServerThing,
    ServerThingToWrite,
    /// What there is not, for anybody.
    Absent,
}

/// Every route of a built-in plugin and what it asks.
pub(super) const PLUGIN_ROUTES: &[(&str, &str, Asks)] = &[
    ("GET", "/hello", Asks::Nothing),
    ("GET", "/hello/{name}", Asks::Nothing),
    ("GET", "/drive/settings", Asks::Nothing),
    ("GET", "/files", Asks::Overview),
    ("GET", "/users/me/files", Asks::Name),
    ("GET", "/files/trash", Asks::Name),
    ("POST", "/files/upload", Asks::NameToWrite),
    ("GET", "/files/{id}", Asks::Object),
    ("PATCH", "/files/{id}", Asks::ObjectToWrite),
    ("DELETE", "/files/{id}", Asks::ObjectToWrite),
    ("POST", "/files/{id}/restore", Asks::ObjectToWrite),
    ("GET", "/files/{id}/download", Asks::Object),
    ("PUT", "/files/{id}/content", Asks::ObjectToWrite),
    ("GET", "/files/{id}/versions", Asks::Object),
    (
        "POST",
        "/files/{id}/versions/{n}/restore",
        Asks::ObjectToWrite,
    ),
    ("GET", "/files/{id}/activity", Asks::Object),
    ("GET", "/files/shared-with-me", Asks::Name),
    ("GET", "/files/{id}/permissions", Asks::Object),
    ("POST", "/files/{id}/permissions", Asks::ObjectToWrite),
    (
        "DELETE",
        "/files/{id}/permissions/{whose}",
        Asks::ObjectToWrite,
    ),
    ("GET", "/files/{id}/share", Asks::ObjectToWrite),
    ("POST", "/files/{id}/share", Asks::ObjectToWrite),
    ("DELETE", "/files/{id}/share/{token}", Asks::ObjectToWrite),
    ("GET", "/files/{id}/thumbnail", Asks::Object),
    ("POST", "/files/lookup", Asks::Name),
    ("POST", "/files/zip", Asks::Object),
    ("POST", "/files/upload-url", Asks::NameToWrite),
    ("POST", "/files/{id}/confirm", Asks::Absent),
    ("OPTIONS", "/files/tus", Asks::Nothing),
    ("POST", "/files/tus", Asks::NameToWrite),
    // The upload's id is what they ask for; here it is nobody's.
    ("GET", "/files/tus/{id}", Asks::Absent),
    ("POST", "/files/tus/{id}", Asks::Absent),
    ("PATCH", "/files/tus/{id}", Asks::Absent),
    ("DELETE", "/files/tus/{id}", Asks::Absent),
    ("GET", "/files/at", Asks::Name),
    ("POST", "/files/move", Asks::NameToWrite),
    ("POST", "/files/copy", Asks::NameToWrite),
    ("POST", "/files/sweep", Asks::UsersToWrite),
    ("GET", "/users/me/quota", Asks::Name),
    ("GET", "/folders", Asks::Name),
    ("POST", "/folders", Asks::NameToWrite),
    ("GET", "/folders/trash", Asks::Name),
    ("GET", "/folders/{id}", Asks::Object),
    ("PATCH", "/folders/{id}", Asks::ObjectToWrite),
    ("DELETE", "/folders/{id}", Asks::ObjectToWrite),
    ("POST", "/folders/{id}/move", Asks::ObjectToWrite),
    ("POST", "/folders/{id}/restore", Asks::ObjectToWrite),
    ("GET", "/folders/shared-with-me", Asks::Name),
    ("GET", "/folders/{id}/activity", Asks::Object),
    ("GET", "/folders/{id}/permissions", Asks::Object),
    ("POST", "/folders/{id}/permissions", Asks::ObjectToWrite),
    (
        "DELETE",
        "/folders/{id}/permissions/{whose}",
        Asks::ObjectToWrite,
    ),
    ("GET", "/folders/{id}/share", Asks::ObjectToWrite),
    ("POST", "/folders/{id}/share", Asks::ObjectToWrite),
    ("DELETE", "/folders/{id}/share/{token}", Asks::ObjectToWrite),
    // The token is what they ask for; here it is nobody's.
    ("GET", "/share/{token}", Asks::Absent),
    ("GET", "/share/{token}/files", Asks::Absent),
    ("GET", "/share/{token}/download", Asks::Absent),
    ("POST", "/share/{token}/download", Asks::Absent),
    ("POST", "/share/{token}/upload", Asks::Absent),
    ("GET", "/files/search", Asks::Name),
    ("POST", "/files/search/rebuild", Asks::UsersToWrite),
    ("POST", "/files/search/follow", Asks::Name),
    ("POST", "/files/{id}/tags", Asks::ObjectToWrite),
    ("DELETE", "/files/{id}/tags/{tag_id}", Asks::ObjectToWrite),
    ("GET", "/tags", Asks::Name),
    ("PATCH", "/tags/{tag_id}", Asks::ObjectToWrite),
    // Of `files`, which only plugins call.
    ("GET", "/readable", Asks::Absent),
    ("POST", "/retell", Asks::Absent),
    // Of `search`, which only `documents` calls.
    ("PUT", "/index/{id}/content", Asks::Absent),
    ("GET", "/documents", Asks::Name),
    ("POST", "/documents/process", Asks::NameToWrite),
    ("GET", "/documents/shared-with-me", Asks::Name),
    ("POST", "/documents/upload-url", Asks::NameToWrite),
    ("POST", "/documents/{id}/confirm", Asks::Absent),
    ("GET", "/documents/{id}", Asks::Object),
    ("GET", "/documents/{id}/text", Asks::Object),
    ("GET", "/documents/{id}/download", Asks::Object),
    ("POST", "/documents/{id}/process", Asks::ObjectToWrite),
    ("POST", "/documents/{id}/reclassify", Asks::ObjectToWrite),
    ("GET", "/topics", Asks::Name),
    ("POST", "/topics", Asks::NameToWrite),
    ("DELETE", "/topics/{id}", Asks::ObjectToWrite),
    ("GET", "/notifications", Asks::Themselves),
    ("POST", "/notifications", Asks::UsersToWrite),
    ("POST", "/notifications/mark-read", Asks::Themselves),
    ("GET", "/notifications/stream", Asks::Themselves),
    ("GET", "/notifications/preferences", Asks::Themselves),
    ("PUT", "/notifications/preferences", Asks::Themselves),
    ("GET", "/storage-backends", Asks::Own),
    ("POST", "/storage-backends", Asks::Own),
    ("POST", "/storage-backends/connect", Asks::Own),
    ("GET", "/storage-backends/callback", Asks::Word),
    ("POST", "/storage-backends/callback", Asks::OwnObject),
    ("GET", "/storage-backends/{id}", Asks::OwnObject),
    ("PATCH", "/storage-backends/{id}", Asks::OwnObject),
    ("DELETE", "/storage-backends/{id}", Asks::OwnObject),
    ("POST", "/storage-backends/{id}/default", Asks::OwnObject),
    ("POST", "/storage-backends/{id}/test", Asks::OwnObject),
    ("GET", "/storage-backends/{id}/browse", Asks::OwnObject),
    ("GET", "/storage-backends/{id}/download", Asks::OwnObject),
    ("POST", "/storage-backends/{id}/import", Asks::OwnObject),
    ("POST", "/storage-backends/{id}/store", Asks::OwnObject),
    ("OPTIONS", "/dav/{*path}", Asks::Nothing),
    ("PROPFIND", "/dav/{*path}", Asks::Drive),
    ("PROPPATCH", "/dav/{*path}", Asks::DriveToWrite),
    ("GET", "/dav/{*path}", Asks::Drive),
    ("PUT", "/dav/{*path}", Asks::DriveToWrite),
    ("MKCOL", "/dav/{*path}", Asks::DriveToWrite),
    ("DELETE", "/dav/{*path}", Asks::DriveToWrite),
    ("COPY", "/dav/{*path}", Asks::DriveToWrite),
    ("MOVE", "/dav/{*path}", Asks::DriveToWrite),
    ("LOCK", "/dav/{*path}", Asks::DriveToWrite),
    ("UNLOCK", "/dav/{*path}", Asks::DriveToWrite),
    ("OPTIONS", "/dav", Asks::Nothing),
    ("PROPFIND", "/dav", Asks::Drive),
    ("PROPPATCH", "/dav", Asks::DriveToWrite),
    ("LOCK", "/dav", Asks::DriveToWrite),
    ("UNLOCK", "/dav", Asks::DriveToWrite),
    ("OPTIONS", "/dav/", Asks::Nothing),
    ("PROPFIND", "/dav/", Asks::Drive),
    ("PROPPATCH", "/dav/", Asks::DriveToWrite),
    ("LOCK", "/dav/", Asks::DriveToWrite),
    ("UNLOCK", "/dav/", Asks::DriveToWrite),
    ("GET", "/v1/db/tables", Asks::Tables),
    ("GET", "/v1/db/tables/{table}/columns", Asks::Table),
    ("GET", "/v1/db/{table}", Asks::Rows),
    ("POST", "/v1/db/{table}", Asks::RowsToWrite),
    ("PATCH", "/v1/db/{table}", Asks::RowsToWrite),
    ("DELETE", "/v1/db/{table}", Asks::RowsToWrite),
    ("GET", "/rest/v1/{table}", Asks::Rows),
    ("POST", "/rest/v1/{table}", Asks::RowsToWrite),
    ("PUT", "/rest/v1/{table}", Asks::RowsToWrite),
    ("PATCH", "/rest/v1/{table}", Asks::RowsToWrite),
    ("DELETE", "/rest/v1/{table}", Asks::RowsToWrite),
    ("GET", "/rest/v1/rpc/{function}", Asks::Absent),
    ("POST", "/rest/v1/rpc/{function}", Asks::Absent),
    ("GET", "/v1/storage/buckets", Asks::Users),
    ("POST", "/v1/storage/buckets", Asks::UsersToWrite),
    ("PATCH", "/v1/storage/buckets/{bucket}", Asks::UsersToWrite),
    ("DELETE", "/v1/storage/buckets/{bucket}", Asks::UsersToWrite),
    ("POST", "/v1/storage/signed-upload", Asks::UsersToWrite),
    ("GET", "/v1/storage/signed-download", Asks::Object),
    ("GET", "/v1/storage/public/{bucket}/{*path}", Asks::Absent),
    ("GET", "/v1/storage/list", Asks::Users),
    ("DELETE", "/v1/storage/object", Asks::ObjectToWrite),
    ("POST", "/transfer/export", Asks::ServerToWrite),
    ("POST", "/transfer/folder", Asks::ServerThingToWrite),
    ("POST", "/transfer/uploads", Asks::ServerToWrite),
    ("POST", "/transfer/uploads/link", Asks::ServerToWrite),
    ("POST", "/transfer/preview", Asks::ServerThingToWrite),
    ("POST", "/transfer/import", Asks::ServerThingToWrite),
    ("GET", "/transfer/jobs", Asks::Server),
    ("GET", "/transfer/jobs/{id}", Asks::ServerThing),
    ("DELETE", "/transfer/jobs/{id}", Asks::ServerThingToWrite),
    (
        "POST",
        "/transfer/jobs/{id}/cancel",
        Asks::ServerThingToWrite,
    ),
    ("GET", "/cron/jobs", Asks::Users),
    ("POST", "/cron/jobs", Asks::UsersToWrite),
    ("GET", "/cron/jobs/{id}", Asks::Users),
    ("PATCH", "/cron/jobs/{id}", Asks::UsersToWrite),
    ("DELETE", "/cron/jobs/{id}", Asks::UsersToWrite),
    ("POST", "/cron/jobs/{id}/run", Asks::UsersToWrite),
    ("GET", "/cron/jobs/{id}/runs", Asks::Users),
    ("GET", "/cron/runs/{id}/log", Asks::Users),
    ("POST", "/cron/explain", Asks::Users),
    ("POST", "/rpc/login", Asks::Password),
    ("POST", "/rpc/store_file", Asks::TokenToWrite),
    ("GET", "/rpc/retrieve_file", Asks::TokenObject),
    ("GET", "/api/v1/files", Asks::Name),
    ("GET", "/api/v1/files/", Asks::Name),
    ("POST", "/api/v1/files", Asks::NameToWrite),
    ("POST", "/api/v1/files/", Asks::NameToWrite),
    ("GET", "/api/v1/files/{id}", Asks::Object),
    ("DELETE", "/api/v1/files/{id}", Asks::ObjectToWrite),
    ("GET", "/api/v1/files/{id}/Download", Asks::Object),
    // The upload's id is what they ask for; here it is nobody's.
    ("POST", "/api/v1/files/{id}/Confirm", Asks::Absent),
    ("GET", "/api/v1/permissions", Asks::Object),
    ("POST", "/api/v1/permissions", Asks::ObjectToWrite),
    ("POST", "/api/v1/credentials", Asks::NameToWrite),
    ("POST", "/mpesa/stkpush", Asks::Pay),
    // The token is what they ask for; here it is nobody's.
    ("POST", "/mpesa/callback", Asks::Absent),
    ("POST", "/mpesa/callback/{token}", Asks::Absent),
    ("POST", "/mpesa/c2b/validation/{token}", Asks::Absent),
    ("POST", "/mpesa/c2b/confirmation/{token}", Asks::Absent),
    ("POST", "/lipa/validation/{token}", Asks::Absent),
    ("POST", "/lipa/confirmation/{token}", Asks::Absent),
    ("POST", "/lipa/result/{token}", Asks::Absent),
    ("POST", "/lipa/timeout/{token}", Asks::Absent),
    ("GET", "/mpesa/transactions", Asks::Name),
    ("GET", "/mpesa/transactions/{id}", Asks::Payment),
    ("GET", "/mpesa/transactions/{id}/history", Asks::Payment),
    (
        "POST",
        "/mpesa/transactions/{id}/query",
        Asks::PaymentToWrite,
    ),
    ("POST", "/mpesa/transactions/{id}/review", Asks::Reviewed),
    ("POST", "/mpesa/check", Asks::Treasury),
    ("POST", "/mpesa/c2b/register", Asks::Treasury),
    ("POST", "/mpesa/pull/register", Asks::Treasury),
    ("POST", "/mpesa/pull", Asks::Treasury),
    ("GET", "/mpesa/pull", Asks::Users),
    ("POST", "/lipa/pulled/{token}", Asks::Absent),
    ("POST", "/mpesa/b2c", Asks::Treasury),
    ("POST", "/mpesa/reversals", Asks::Treasury),
    ("POST", "/mpesa/status", Asks::Treasury),
    ("POST", "/mpesa/balance", Asks::Treasury),
    ("GET", "/mpesa/reconciliation", Asks::Users),
    ("POST", "/mpesa/reconciliation", Asks::UsersToWrite),
    ("GET", "/mpesa/export", Asks::Users),
    // Of `images`, which only the host and plugins call.
    ("POST", "/thumbnail", Asks::Absent),
    // Of `extract`, which only plugins call.
    ("POST", "/text", Asks::Absent),
];

/// Every route of supabase's dialect, `/auth/v1`, that asks for more than an
/// address and what one knows.
pub(super) const DIALECT: &[(&str, &str, Asks)] = &[
    ("POST", "/logout", Asks::SignIn),
    ("GET", "/user", Asks::SignIn),
    ("PUT", "/user", Asks::SignIn),
    ("GET", "/user/identities/authorize", Asks::SignIn),
    ("DELETE", "/user/identities/{id}", Asks::SignIn),
    ("POST", "/factors", Asks::SignIn),
    ("DELETE", "/factors/{id}", Asks::SignIn),
    ("POST", "/factors/{id}/challenge", Asks::SignIn),
    ("POST", "/factors/{id}/verify", Asks::SignIn),
    ("POST", "/invite", Asks::UsersToWrite),
    ("POST", "/admin/generate_link", Asks::UsersToWrite),
    ("GET", "/admin/users", Asks::Users),
    ("POST", "/admin/users", Asks::UsersToWrite),
    ("GET", "/admin/users/{id}", Asks::Users),
    ("PUT", "/admin/users/{id}", Asks::UsersToWrite),
    ("DELETE", "/admin/users/{id}", Asks::UsersToWrite),
    ("GET", "/admin/users/{id}/factors", Asks::Users),
    (
        "DELETE",
        "/admin/users/{id}/factors/{factor}",
        Asks::UsersToWrite,
    ),
    ("GET", "/settings", Asks::Nothing),
    ("GET", "/.well-known/jwks.json", Asks::Nothing),
];

/// Those that anybody may call: what they ask for is in the request. Tests
/// of their own call them with and without it.
pub(super) const OPEN_IN_DIALECT: &[(&str, &str)] = &[
    ("POST", "/signup"),
    ("POST", "/token"),
    ("POST", "/otp"),
    ("POST", "/recover"),
    ("POST", "/resend"),
    ("GET", "/verify"),
    ("POST", "/verify"),
    ("GET", "/authorize"),
];

/// What the host answers inside a project to its users, and to those who
/// look after them. The calls of [`ROUTES`] about users and roles are
/// answered here, too.
pub(super) fn host_routes() -> Vec<(&'static str, String, Asks)> {
    let mut routes = Vec::new();
    for (method, path, access) in ROUTES {
        if *access == Access::User {
            routes.push((*method, (*path).to_owned(), Asks::SignIn));
        }
        let rest = path.strip_prefix("/admin/v1/projects/{project}");
        let Some(rest) = rest.filter(|rest| {
            ["/users", "/roles", "/permissions"]
                .iter()
                .any(|start| rest.starts_with(start))
        }) else {
            continue;
        };
        let asks = if *method == "GET" {
            Asks::Users
        } else {
            Asks::UsersToWrite
        };
        routes.push((*method, format!("/v1/auth/admin{rest}"), asks));
    }
    routes
}

/// The other names of [`host_routes`]: all of `/v1/auth` is below `/auth` and
/// `/users`, too.
pub(super) fn aliases() -> Vec<(&'static str, String, Asks)> {
    let mut aliases = Vec::new();
    for (method, path, asks) in host_routes() {
        let rest = path.strip_prefix("/v1/auth");
        let Some(rest) = rest.or_else(|| path.strip_prefix("/users")) else {
            continue;
        };
        let names = ["/v1/auth", "/auth", "/users"].map(|mount| format!("{mount}{rest}"));
        for name in names.into_iter().filter(|name| *name != path) {
            aliases.push((method, name, asks));
        }
    }
    // What everybody may see of a user.
    for mount in ["/v1/auth/users", "/auth/users", "/users"] {
        aliases.push(("GET", format!("{mount}/{{id}}"), Asks::Nothing));
    }
    aliases
}

/// The same in supabase's dialect.
pub(super) fn dialect_routes() -> Vec<(&'static str, String, Asks)> {
    DIALECT
        .iter()
        .map(|(method, path, asks)| (*method, format!("/auth/v1{path}"), *asks))
        .collect()
}

/// What the gateway itself answers inside a project.
pub(super) const GATEWAY_ROUTES: &[(&str, &str, Asks)] =
    &[("GET", "/openapi.json", Asks::Description)];
