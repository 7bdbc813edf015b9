//! Images from strangers, decoded where they can do no harm: a component
//! without grants, an instance for each image. `POST /thumbnail` takes an
//! image and answers it cut to size.
//!
//! What comes out was written anew from pixels: metadata is gone, and an
//! orientation that stood there has been applied.

mod picture;

use atlashub_sdk::prelude::*;
use picture::{Fit, Size};

/// Largest image that is read, bytes.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// What is wanted of an image.
#[derive(Debug, Deserialize)]
struct Wish {
    /// Pixels.
    width: u32,
    /// Pixels.
    height: u32,
    /// `cover` fills the size and cuts off what is beyond, `contain` shows
    /// all of it within the size, and never larger than it is.
    #[serde(default)]
    fit: Fit,
}

/// The plugin's routes.
#[must_use]
pub fn routes() -> Router {
    Router::new().post("/thumbnail", thumbnail)
}

fn thumbnail(Query(wish): Query<Wish>, body: Body) -> Result<Response> {
    let size = Size::new(wish.width, wish.height)?;
    let picture = picture::cut(&body.bytes(MAX_BYTES)?, size, wish.fit)?;
    Ok(Response::new(StatusCode::OK)
        .with_header("content-type", picture.content_type)
        .with_header("image-width", picture.size.width.to_string())
        .with_header("image-height", picture.size.height.to_string())
        .with_body(picture.bytes))
}

atlashub_sdk::plugin!(routes);

#[cfg(test)]
mod tests;
