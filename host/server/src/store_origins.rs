//! Where clients are sent for objects: what a page's policy has to let it
//! reach.

use crate::config::StorageConfig;
use atlashub_storage::{S3Location, StorageUrl};
use url::Url;

/// The origins of the object store that clients are sent to, each after a
/// blank.
pub(crate) fn of(storage: &StorageConfig) -> String {
    match storage.url.as_deref().map(str::parse) {
        Some(Ok(StorageUrl::S3(location))) => origins(&location),
        _ => String::new(),
    }
}

fn origins(location: &S3Location) -> String {
    let named = location
        .public_endpoint
        .as_ref()
        .or(location.endpoint.as_ref());
    match named {
        Some(endpoint) => Url::parse(endpoint)
            .map(|url| format!(" {}", url.origin().ascii_serialization()))
            .unwrap_or_default(),
        None => {
            let server = format!("s3.{}.amazonaws.com", location.region);
            format!(" https://{server} https://{}.{server}", location.bucket)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_store_is_reached_by_the_address_of_its_links() {
        let origins = |text: &str| match text.parse().unwrap() {
            StorageUrl::S3(location) => origins(&location),
            StorageUrl::Fs(_) => panic!("a bucket"),
        };
        assert_eq!(
            origins(
                "s3://b?endpoint=http://store:8333&public_endpoint=https://files.example.com/x"
            ),
            " https://files.example.com"
        );
        assert_eq!(
            origins("s3://b?region=eu-west-1"),
            " https://s3.eu-west-1.amazonaws.com https://b.s3.eu-west-1.amazonaws.com"
        );
    }
}
