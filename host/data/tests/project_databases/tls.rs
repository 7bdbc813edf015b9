//! The road to Postgres, encrypted: `sslmode=verify-full` refuses a road that
//! is not.

use crate::harness::{Credentials, World};
use atlashub_data::project::{Options, ProjectDatabases};
use std::{path::Path, sync::Arc};

/// The certificate of the server, in PEM.
const CERTIFICATE: &str = "ATLASHUB_TEST_POSTGRES_CERTIFICATE";

fn databases(root: &Path) -> Option<(ProjectDatabases, Arc<Credentials>)> {
    let url = std::env::var("ATLASHUB_TEST_POSTGRES_URL").ok()?;
    let base = url.split_once('?').map_or(url.as_str(), |(base, _)| base);
    let url = format!("{base}?sslmode=verify-full&sslrootcert={}", root.display());
    let credentials: Arc<Credentials> = Arc::default();
    let databases =
        ProjectDatabases::postgres(&url, credentials.clone(), Options::default()).unwrap();
    Some((databases, credentials))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_with_the_right_certificate_is_trusted() {
    let Ok(certificate) = std::env::var(CERTIFICATE) else {
        return;
    };
    let Some((databases, credentials)) = databases(Path::new(&certificate)) else {
        return;
    };
    // A plugin's own connections follow the same rule as the admin's.
    let world = World::provisioned(databases, credentials, None).await;
    let one = world.value("SELECT 1").await;
    assert_eq!(one, atlashub_core::capability::sql::SqlValue::Integer(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_with_another_certificate_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("other.crt");
    std::fs::write(&other, OTHER_CERTIFICATE).unwrap();
    let Some((databases, _)) = databases(&other) else {
        return;
    };
    let error = databases
        .provision(atlashub_core::ProjectId::new())
        .await
        .unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("certificate"), "{cause}");
}

/// Signed by itself, for `other`, by a key that nobody has.
const OTHER_CERTIFICATE: &str = "\
-----BEGIN CERTIFICATE-----
MIIBZTCCAQugAwIBAgIUeuO9QYXqlTlJ1pQhNgomqiDakkEwCgYIKoZIzj0EAwIw
EDEOMAwGA1UEAwwFb3RoZXIwIBcNMjYxMTIxMDcxMDQ1WhgPMjEyNjEwMjgwNzEw
NDVaMBAxDjAMBgNVBAMMBW90aGVyMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE
qwj+L0JYVTBCae6xWvsPn8RrPqBWSE2CUNLzSMA6+udS8Y0J+qZ0GtS2wB8KhMmb
dk8qix6u1SNjVcz+eprSwqNBMD8wDAYDVR0TAQH/BAIwADAQBgNVHREECTAHggVv
dGhlcjAdBgNVHQ4EFgQU/Bhzm0eUvwGz0Yd4GRFotyY3yMswCgYIKoZIzj0EAwID
SAAwRQIhAN3P+3zN2BfQ4D4iPO9aG8mx3+vbG4O9yUsSsrXsKoqDAiAuOghMdbS/
DaeSEbydwg+6zmrEUsCecAecSQDaBYBWog==
-----END CERTIFICATE-----
";
