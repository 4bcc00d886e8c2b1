//! PNG, as Pillow shows it: palettes looked up, transparency left out, of 16 bits the upper 8.

use std::io::Cursor;

use ::png::{BitDepth, ColorType, Decoder, Transformations};

use super::picture::{Decoded, Limits, Picture};

/// The name of the text that holds an XMP packet.
const XMP: &str = "XML:com.adobe.xmp";

/// Decodes a whole file; of an animation its picture for those who show none.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Decoded, String> {
    let damaged = |error: ::png::DecodingError| format!("it is damaged: {error}");
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), ::png::Limits { bytes: limits.bytes() });
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    let header = decoder.read_header_info().map_err(damaged)?;
    let (width, height) = (header.width as usize, header.height as usize);
    limits.check(width, height)?;
    if (header.color_type, header.bit_depth) == (ColorType::Grayscale, BitDepth::Sixteen) {
        return Err("it is grey of 16 bits, which has no one way to be made 8: save it as 8 bits".to_owned());
    }
    let mut reader = decoder.read_info().map_err(damaged)?;
    let size = reader.output_buffer_size().ok_or("it is too large")?;
    let mut buffer = vec![0; size];
    reader.next_frame(&mut buffer).map_err(damaged)?;
    // What is said behind the pixels counts, too.
    reader.finish().map_err(damaged)?;
    let info = reader.info();
    let xmp = info.utf8_text.iter().find(|text| text.keyword == XMP).and_then(|text| text.get_text().ok());
    let exif = info.exif_metadata.as_ref().map(|exif| exif.to_vec());
    let picture = match reader.output_color_type().0 {
        ColorType::Grayscale => Picture::grey(width, height, buffer),
        ColorType::GrayscaleAlpha => Picture::grey(width, height, without_alpha::<2>(&buffer)),
        ColorType::Rgba => Picture::colour(width, height, without_alpha::<4>(&buffer)),
        // Palettes are looked up.
        ColorType::Rgb | ColorType::Indexed => Picture::colour(width, height, buffer),
    };
    Ok(Decoded { picture, exif: exif.unwrap_or_default(), xmp: xmp.unwrap_or_default().into_bytes() })
}

/// Pixels of so many values without their last one.
pub fn without_alpha<const VALUES: usize>(pixels: &[u8]) -> Vec<u8> {
    pixels.as_chunks::<VALUES>().0.iter().flat_map(|pixel| &pixel[..VALUES - 1]).copied().collect()
}

/// A file with a picture whose values are what `next` gives.
pub(crate) fn noise(width: u32, height: u32, mut next: impl FnMut() -> u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = ::png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(ColorType::Rgb);
    encoder.set_depth(BitDepth::Eight);
    let values: Vec<u8> = (0..3 * width as usize * height as usize).map(|_| next()).collect();
    // Writing to memory does not fail, and there are as many values as the picture has.
    let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(&values));
    debug_assert!(written.is_ok());
    bytes
}
