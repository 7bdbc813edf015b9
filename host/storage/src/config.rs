//! Where objects are kept: `fs:<folder>` or
//! `s3://<bucket>[/<prefix>]?endpoint=…&region=…`.

use crate::presign::UploadSigner;
use atlashub_core::{Error, Result};
use opendal::{
    Operator,
    layers::{RetryLayer, TimeoutLayer},
    services::{Fs, S3},
};
use secrecy::{ExposeSecret as _, SecretString};
use std::{collections::HashMap, fmt, path::PathBuf, str::FromStr, time::Duration};

/// What one look-up or deletion may take.
const CONTROL_TIMEOUT: Duration = Duration::from_secs(30);
/// What one step of a transfer may take: a part up, a chunk down.
const STEP_TIMEOUT: Duration = Duration::from_secs(60);
/// What it may take the store to copy an object within itself.
const COPY_TIMEOUT: Duration = Duration::from_secs(600);
const RETRIES: usize = 3;

/// A parsed `ATLASHUB_STORAGE_URL`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StorageUrl {
    /// A folder of this machine.
    Fs(PathBuf),
    /// A bucket of an S3 server.
    S3(S3Location),
}

/// A bucket of an S3 server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Location {
    /// The bucket.
    pub bucket: String,
    /// A folder in it that everything goes into; empty for none.
    pub prefix: String,
    /// The server's address; without one it is Amazon's of the region.
    /// Buckets are addressed by path on a server that is named here.
    pub endpoint: Option<String>,
    /// The address that clients reach the server by, when it is another: put
    /// into presigned links (`public_endpoint=`).
    pub public_endpoint: Option<String>,
    /// Whether clients are given links to the server itself.
    pub presign: bool,
    /// The region, `us-east-1` when none is given.
    pub region: String,
}

impl FromStr for StorageUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let refuse = |why: String| Err(Error::invalid("invalid_storage_url", why));
        if let Some(path) = text.strip_prefix("fs:") {
            // `fs:///a` and `fs:/a` are absolute, `fs:a` is not.
            let path = match path.strip_prefix("//") {
                Some(rest) if rest.starts_with('/') => rest,
                Some(_) => {
                    return refuse("write fs:<folder>, or fs:///<folder> from the root".into());
                }
                None => path,
            };
            if path.is_empty() {
                return refuse("name the folder after fs:".into());
            }
            return Ok(Self::Fs(PathBuf::from(path)));
        }
        if !text.starts_with("s3://") {
            return refuse("the storage URL must start with fs: or s3://".into());
        }
        let url = url::Url::parse(text).map_err(|error| {
            Error::invalid(
                "invalid_storage_url",
                format!("the storage URL is malformed: {error}"),
            )
        })?;
        if !url.username().is_empty() || url.password().is_some() {
            return refuse(
                "give the keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, not in the URL"
                    .into(),
            );
        }
        let Some(bucket) = url.host_str().filter(|host| !host.is_empty()) else {
            return refuse("name the bucket after s3://".into());
        };
        let mut location = S3Location {
            bucket: bucket.to_owned(),
            prefix: url.path().trim_matches('/').to_owned(),
            endpoint: None,
            public_endpoint: None,
            presign: true,
            region: "us-east-1".to_owned(),
        };
        let mut options: HashMap<_, _> = url.query_pairs().into_owned().collect();
        location.endpoint = options.remove("endpoint");
        location.public_endpoint = options.remove("public_endpoint");
        if let Some(region) = options.remove("region") {
            location.region = region;
        }
        if let Some(unknown) = options.keys().next() {
            return refuse(format!("the storage URL has an unknown option `{unknown}`"));
        }
        for endpoint in [&location.endpoint, &location.public_endpoint]
            .into_iter()
            .flatten()
        {
            if !endpoint.starts_with("http://") && !endpoint.starts_with("https://") {
                return refuse("an endpoint must start with http:// or https://".into());
            }
        }
        Ok(Self::S3(location))
    }
}

impl fmt::Display for StorageUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fs(path) => write!(f, "fs:{}", path.display()),
            Self::S3(location) => {
                write!(f, "s3://{}", location.bucket)?;
                if !location.prefix.is_empty() {
                    write!(f, "/{}", location.prefix)?;
                }
                match &location.endpoint {
                    Some(endpoint) => write!(f, " at {endpoint}"),
                    None => write!(f, " in {}", location.region),
                }
            }
        }
    }
}

/// Keys of an S3 server.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Which key.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: SecretString,
    /// With temporary keys, their token.
    pub session_token: Option<SecretString>,
}

impl Credentials {
    /// The keys of `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and
    /// `AWS_SESSION_TOKEN`; without the first two the store's client looks for
    /// others (profile, instance role).
    #[must_use]
    pub fn from_env() -> Option<Self> {
        let found: Result<_, std::convert::Infallible> =
            Self::read(|name| Ok(std::env::var(name).ok()));
        let Ok(found) = found;
        found
    }

    /// As [`from_env`](Self::from_env), with values as `lookup` finds them.
    ///
    /// # Errors
    /// Those of `lookup`.
    pub fn read<E>(lookup: impl Fn(&str) -> Result<Option<String>, E>) -> Result<Option<Self>, E> {
        let found = |name| Ok(lookup(name)?.filter(|value| !value.is_empty()));
        let keys = (found("AWS_ACCESS_KEY_ID")?, found("AWS_SECRET_ACCESS_KEY")?);
        let (Some(access_key_id), Some(secret_access_key)) = keys else {
            return Ok(None);
        };
        Ok(Some(Self {
            access_key_id,
            secret_access_key: secret_access_key.into(),
            session_token: found("AWS_SESSION_TOKEN")?.map(Into::into),
        }))
    }
}

impl StorageUrl {
    /// The same place, whose clients are never given links to it: for servers
    /// that they cannot reach.
    #[must_use]
    pub fn without_links(self) -> Self {
        match self {
            Self::Fs(path) => Self::Fs(path),
            Self::S3(location) => Self::S3(S3Location {
                presign: false,
                ..location
            }),
        }
    }

    /// A bare OpenDAL operator over the same place, to compare with in
    /// benches.
    ///
    /// # Errors
    /// When the settings make no operator.
    pub fn plain_operator(&self, credentials: Option<&Credentials>) -> Result<Operator> {
        opendal::install_default();
        match self {
            Self::Fs(path) => {
                let root = path.to_string_lossy();
                Operator::new(Fs::default().root(&root))
                    .map(layered)
                    .map_err(failed)
            }
            Self::S3(location) => s3_operators(location, credentials).map(|all| all.operator),
        }
    }
}

/// The operators over one bucket.
pub(crate) struct S3Operators {
    pub(crate) operator: Operator,
    /// Signs links with the address that clients know.
    pub(crate) signer: Option<Operator>,
    /// Has more time.
    pub(crate) copier: Operator,
    /// Signs links for uploads; only with keys that are given, since those
    /// that the client looks for itself it does not tell.
    pub(crate) uploads: Option<UploadSigner>,
}

/// Sets up what reaches a bucket.
pub(crate) fn s3_operators(
    location: &S3Location,
    credentials: Option<&Credentials>,
) -> Result<S3Operators> {
    opendal::install_default();
    let build = |endpoint: Option<&String>, patience| {
        let mut builder = S3::default()
            .bucket(&location.bucket)
            .root(&format!("/{}", location.prefix))
            .region(&location.region);
        match endpoint {
            Some(endpoint) => builder = builder.endpoint(endpoint),
            None => builder = builder.enable_virtual_host_style(),
        }
        if let Some(keys) = credentials {
            builder = builder
                .access_key_id(&keys.access_key_id)
                .secret_access_key(keys.secret_access_key.expose_secret())
                .disable_config_load()
                .disable_ec2_metadata();
            if let Some(token) = &keys.session_token {
                builder = builder.session_token(token.expose_secret());
            }
        }
        Operator::new(builder)
            .map(|operator| layered_with(operator, patience))
            .map_err(failed)
    };
    let operator = build(location.endpoint.as_ref(), CONTROL_TIMEOUT)?;
    let signer = match &location.public_endpoint {
        _ if !location.presign => None,
        Some(endpoint) => Some(build(Some(endpoint), CONTROL_TIMEOUT)?),
        None => Some(operator.clone()),
    };
    let uploads = credentials.filter(|_| location.presign);
    Ok(S3Operators {
        signer,
        copier: build(location.endpoint.as_ref(), COPY_TIMEOUT)?,
        uploads: uploads.map(|keys| UploadSigner::new(&location.region, keys)),
        operator,
    })
}

/// The time-out comes first, so that each try has its own: retrying without
/// one can hang for ever, and the other way round a time-out would break off
/// a retry in the middle.
fn layered(operator: Operator) -> Operator {
    layered_with(operator, CONTROL_TIMEOUT)
}

fn layered_with(operator: Operator, patience: Duration) -> Operator {
    operator
        .layer(
            TimeoutLayer::new()
                .with_timeout(patience)
                .with_io_timeout(STEP_TIMEOUT),
        )
        .layer(RetryLayer::new().with_max_times(RETRIES).with_jitter())
}

fn failed(error: opendal::Error) -> Error {
    Error::internal("set up the object store", error)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn urls_say_where_objects_are() {
        let fs = |text: &str| match text.parse().unwrap() {
            StorageUrl::Fs(path) => path,
            StorageUrl::S3(_) => PathBuf::new(),
        };
        assert_eq!(fs("fs:data/objects"), PathBuf::from("data/objects"));
        assert_eq!(fs("fs:/srv/objects"), PathBuf::from("/srv/objects"));
        assert_eq!(fs("fs:///srv/objects"), PathBuf::from("/srv/objects"));
        let s3: StorageUrl = "s3://hub/one/two?endpoint=http://127.0.0.1:8333&region=eu-1"
            .parse()
            .unwrap();
        assert_eq!(
            s3,
            StorageUrl::S3(S3Location {
                bucket: "hub".into(),
                prefix: "one/two".into(),
                endpoint: Some("http://127.0.0.1:8333".into()),
                public_endpoint: None,
                presign: true,
                region: "eu-1".into(),
            })
        );
        assert_eq!(s3.to_string(), "s3://hub/one/two at http://127.0.0.1:8333");
    }

    #[test]
    fn unclear_urls_are_refused() {
        for text in [
            "",
            "fs:",
            "fs://relative",
            "s3://",
            "s3:bucket",
            "/srv",
            "gs://x",
            "s3://b?regoin=x",
            "s3://key:secret@b",
            "s3://b?endpoint=127.0.0.1:1",
        ] {
            assert!(text.parse::<StorageUrl>().is_err(), "{text:?} was accepted");
        }
    }
}
