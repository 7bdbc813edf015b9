//! One image: its type told from its first bytes, its size checked before
//! its pixels are decoded, cut, scaled and written anew.

use atlashub_sdk::prelude::*;
use image::{
    DynamicImage, GenericImageView as _, ImageDecoder, ImageError, ImageFormat, ImageReader,
    Limits, RgbaImage, codecs::jpeg::JpegEncoder, error::LimitErrorKind, imageops,
    metadata::Orientation,
};
use std::io::Cursor;

/// Most pixels of an image that is decoded.
const MAX_PIXELS: u64 = 25_000_000;
/// Longest side of an image that is decoded.
const MAX_SIDE: u32 = 16_384;
/// Longest side of what is made.
const MAX_RESULT: u32 = 2_048;
/// The most that a decoder may set aside, bytes.
const MAX_ALLOCATION: u64 = 208 * 1024 * 1024;
/// Of JPEG, from 1 to 100.
const QUALITY: u8 = 85;

/// How an image is brought to a size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fit {
    /// Fills it; what is beyond is cut off on both sides alike.
    #[default]
    Cover,
    /// Lies within it, whole, and is never made larger.
    Contain,
}

/// Width and height, pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) width: u32,
    pub(crate) height: u32,
}

/// An image, written anew.
#[derive(Debug)]
pub(crate) struct Picture {
    pub(crate) bytes: Vec<u8>,
    pub(crate) content_type: &'static str,
    pub(crate) size: Size,
}

/// A part of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    x: u32,
    y: u32,
    size: Size,
}

impl Size {
    /// A size that may be asked for.
    pub(crate) fn new(width: u32, height: u32) -> Result<Self> {
        let sides = 1..=MAX_RESULT;
        if sides.contains(&width) && sides.contains(&height) {
            return Ok(Self { width, height });
        }
        Err(Error::invalid(
            "invalid_size",
            format!("width and height have 1 to {MAX_RESULT} pixels"),
        ))
    }

    const fn turned(self) -> Self {
        Self {
            width: self.height,
            height: self.width,
        }
    }
}

/// Cuts an image to size.
///
/// # Errors
/// 415 `unsupported_image` for what is not PNG, JPEG, WebP or GIF, of
/// which the first picture is taken; 413
/// `image_too_large` for too many pixels; 422 `broken_image`.
pub(crate) fn cut(bytes: &[u8], wanted: Size, fit: Fit) -> Result<Picture> {
    let format = format(bytes)?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_ALLOCATION);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(failed)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(too_large());
    }
    // What an unreadable note says about the image is not worth a refusal.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let image = DynamicImage::from_decoder(decoder).map_err(failed)?;
    let wanted = if is_on_its_side(orientation) {
        wanted.turned()
    } else {
        wanted
    };
    let (width, height) = image.dimensions();
    let size = Size { width, height };
    let (part, target) = match fit {
        Fit::Cover => (middle(size, wanted), wanted),
        Fit::Contain => (Part { x: 0, y: 0, size }, within(size, wanted)),
    };
    let mut small = DynamicImage::ImageRgba8(scale(&image, part, target));
    drop(image);
    small.apply_orientation(orientation);
    write(&small.into_rgba8())
}

fn format(bytes: &[u8]) -> Result<ImageFormat> {
    match image::guess_format(bytes) {
        Ok(
            format @ (ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::WebP | ImageFormat::Gif),
        ) => Ok(format),
        _ => Err(Error::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_image",
            "send a PNG, JPEG, WebP or GIF image",
        )),
    }
}

const fn is_on_its_side(orientation: Orientation) -> bool {
    matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    )
}

/// `value * by / of`, at least 1.
fn share(value: u32, by: u32, of: u32) -> u32 {
    let share = u64::from(value) * u64::from(by) / u64::from(of.max(1));
    u32::try_from(share).unwrap_or(u32::MAX).max(1)
}

/// The largest part in the middle of an image that has the form of `wanted`.
fn middle(size: Size, wanted: Size) -> Part {
    let is_wider = u64::from(size.width) * u64::from(wanted.height)
        > u64::from(wanted.width) * u64::from(size.height);
    let part = if is_wider {
        Size {
            width: share(size.height, wanted.width, wanted.height).min(size.width),
            height: size.height,
        }
    } else {
        Size {
            width: size.width,
            height: share(size.width, wanted.height, wanted.width).min(size.height),
        }
    };
    Part {
        x: (size.width - part.width) / 2,
        y: (size.height - part.height) / 2,
        size: part,
    }
}

/// The size that an image has within `wanted`.
fn within(size: Size, wanted: Size) -> Size {
    if size.width <= wanted.width && size.height <= wanted.height {
        return size;
    }
    let is_wider = u64::from(size.width) * u64::from(wanted.height)
        > u64::from(wanted.width) * u64::from(size.height);
    if is_wider {
        Size {
            width: wanted.width,
            height: share(size.height, wanted.width, size.width),
        }
    } else {
        Size {
            width: share(size.width, wanted.height, size.height),
            height: wanted.height,
        }
    }
}

/// Scales a part: by averages down to twice the size at most, which needs no
/// copy of the image, and from there smoothly.
fn scale(image: &DynamicImage, part: Part, target: Size) -> RgbaImage {
    let view = image.view(part.x, part.y, part.size.width, part.size.height);
    let near = Size {
        width: part.size.width.min(2 * target.width),
        height: part.size.height.min(2 * target.height),
    };
    let near = imageops::thumbnail(&*view, near.width, near.height);
    imageops::resize(
        &near,
        target.width,
        target.height,
        imageops::FilterType::CatmullRom,
    )
}

/// JPEG for what covers all that is behind it, PNG for the rest.
fn write(image: &RgbaImage) -> Result<Picture> {
    let size = Size {
        width: image.width(),
        height: image.height(),
    };
    let mut bytes = Vec::new();
    let is_opaque = image.pixels().all(|pixel| {
        let [.., alpha] = pixel.0;
        alpha == u8::MAX
    });
    let (written, content_type) = if is_opaque {
        let pixels = DynamicImage::from(image.clone()).into_rgb8();
        let encoder = JpegEncoder::new_with_quality(&mut bytes, QUALITY);
        (pixels.write_with_encoder(encoder), "image/jpeg")
    } else {
        let into = &mut Cursor::new(&mut bytes);
        (image.write_to(into, ImageFormat::Png), "image/png")
    };
    written.map_err(|error| Error::internal(error.to_string()))?;
    Ok(Picture {
        bytes,
        content_type,
        size,
    })
}

fn failed(error: ImageError) -> Error {
    match error {
        ImageError::Limits(limit)
            if !matches!(limit.kind(), LimitErrorKind::Unsupported { .. }) =>
        {
            too_large()
        }
        other => Error::invalid("broken_image", "the image cannot be decoded").with_cause(other),
    }
}

fn too_large() -> Error {
    Error::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "image_too_large",
        format!(
            "the image has too many pixels: at most {} million, and {MAX_SIDE} on a side",
            MAX_PIXELS / 1_000_000
        ),
    )
    .with_field("limit_pixels", MAX_PIXELS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn size(width: u32, height: u32) -> Size {
        Size { width, height }
    }

    #[test]
    fn the_middle_of_an_image_is_taken() {
        let part = |of, wanted| {
            let Part { x, y, size } = middle(of, wanted);
            (x, y, size.width, size.height)
        };
        assert_eq!(part(size(100, 50), size(10, 10)), (25, 0, 50, 50));
        assert_eq!(part(size(50, 100), size(10, 10)), (0, 25, 50, 50));
        assert_eq!(part(size(100, 50), size(20, 10)), (0, 0, 100, 50));
        assert_eq!(part(size(1, 16_384), size(2_048, 1)), (0, 8_191, 1, 1));
        assert_eq!(part(size(16_384, 1), size(1, 2_048)), (8_191, 0, 1, 1));
    }

    #[test]
    fn an_image_lies_within_and_is_not_made_larger() {
        assert_eq!(within(size(100, 50), size(10, 10)), size(10, 5));
        assert_eq!(within(size(50, 100), size(10, 10)), size(5, 10));
        assert_eq!(within(size(5, 3), size(10, 10)), size(5, 3));
        assert_eq!(within(size(16_384, 1), size(64, 64)), size(64, 1));
    }
}
