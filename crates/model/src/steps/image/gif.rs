//! GIF: its first picture, as Pillow shows it, transparency left out.

use std::io::Cursor;

use ::gif::{ColorOutput, DecodeOptions, DecodingError, MemoryLimit};

use super::picture::{Decoded, Limits, Picture};

/// Decodes the first picture of a file.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Decoded, String> {
    let damaged = |error: DecodingError| format!("it is damaged: {error}");
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    let limit = std::num::NonZeroU64::new(limits.max_pixels);
    options.set_memory_limit(limit.map_or(MemoryLimit::Unlimited, MemoryLimit::Bytes));
    let mut decoder = options.read_info(Cursor::new(bytes)).map_err(damaged)?;
    let (width, height) = (usize::from(decoder.width()), usize::from(decoder.height()));
    limits.check(width, height)?;
    let palette = decoder.global_palette().map(<[u8]>::to_vec);
    let frame = decoder.read_next_frame().map_err(damaged)?.ok_or("it has no picture")?;
    let size = (usize::from(frame.width), usize::from(frame.height));
    if (frame.left, frame.top) != (0, 0) || size != (width, height) {
        return Err("its first picture does not fill it: save it as one picture".to_owned());
    }
    let palette = frame.palette.clone().or(palette).ok_or("it has no palette")?;
    let colours = palette.as_chunks::<3>().0;
    let colour =
        |index: &u8| colours.get(usize::from(*index)).ok_or("it is damaged: its palette lacks a colour");
    let pixels = frame.buffer.iter().map(colour).collect::<Result<Vec<_>, _>>()?;
    let pixels = pixels.into_iter().flatten().copied().collect();
    Ok(Decoded { picture: Picture::colour(width, height, pixels), exif: Vec::new(), xmp: Vec::new() })
}
