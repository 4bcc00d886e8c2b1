//! JPEG, decoded to the bit as libjpeg-turbo does with its defaults, which is what Pillow shows: the accurate integer transform,
//! the triangle filter for colours of half the size, and colours in fixed point. Damaged files are refused, where libjpeg guesses.
//!
//! - [`mod@file`]: the markers, and what they say of the picture
//! - [`bits`], [`huffman`]: codes out of bytes
//! - [`scan`], [`block`]: coefficients out of codes, all at once or in refinements (progressive)
//! - [`transform`]: samples out of coefficients
//! - [`upsample`], [`colour`]: pixels out of samples
//!
//! Left out, and refused with words: arithmetic coding, lossless and 12-bit pictures, pictures of four colours (CMYK).

mod bits;
mod block;
mod colour;
mod file;
mod frame;
mod huffman;
mod scan;
mod transform;
mod upsample;

use super::picture::{Decoded, Limits, Picture};

/// Decodes a whole file.
///
/// # Errors
/// One sentence that says what is wrong with it.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Decoded, String> {
    let read = file::read(bytes, limits)?;
    let (exif, xmp) = (read.exif, read.xmp);
    let frame = read.frame;
    let (width, height) = (frame.width, frame.height);
    let space = read.space;
    let full_size = |plane| upsample::full_size(&plane, width, height);
    let mut planes: Vec<Vec<u8>> = frame.into_planes()?.into_iter().map(full_size).collect();
    let picture = match planes.len() {
        1 => Picture::grey(width, height, planes.swap_remove(0)),
        _ => Picture::colour(width, height, colour::rgb(&planes, space)),
    };
    Ok(Decoded { picture, exif, xmp })
}
