//! WebP, as Pillow shows it: transparency left out.

use std::io::Cursor;

use image_webp::{DecodingError, WebPDecoder};

use super::picture::{Decoded, Limits, Picture};
use super::png::without_alpha;

/// Decodes a whole file.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Decoded, String> {
    let damaged = |error: DecodingError| format!("it is damaged: {error}");
    let mut decoder = WebPDecoder::new(Cursor::new(bytes)).map_err(damaged)?;
    decoder.set_memory_limit(limits.bytes());
    let (width, height) = decoder.dimensions();
    let (width, height) = (width as usize, height as usize);
    limits.check(width, height)?;
    if decoder.is_animated() {
        return Err("it is an animation, of which no picture is the one: save one of them".to_owned());
    }
    let mut pixels = vec![0; decoder.output_buffer_size().ok_or("it is too large")?];
    decoder.read_image(&mut pixels).map_err(damaged)?;
    let exif = decoder.exif_metadata().map_err(damaged)?.unwrap_or_default();
    let xmp = decoder.xmp_metadata().map_err(damaged)?.unwrap_or_default();
    let pixels = if decoder.has_alpha() { without_alpha::<4>(&pixels) } else { pixels };
    Ok(Decoded { picture: Picture::colour(width, height, pixels), exif, xmp })
}
