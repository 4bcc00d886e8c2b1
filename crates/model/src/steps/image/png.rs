//! PNG, as Pillow shows it: palettes looked up, transparency left out, of 16 bits the upper 8.

use std::io::Cursor;

use ::png::{BitDepth, ColorType, Decoder, Info, Transformations};

use super::picture::{Decoded, Limits, Picture};

/// The name of the text that holds an XMP packet, and of the one in which ImageMagick once kept EXIF.
const XMP: &str = "XML:com.adobe.xmp";
const RAW_EXIF: &str = "Raw profile type exif";
/// Most bytes that such a text may have, when it is no longer compressed.
const MAX_TEXT_BYTES: usize = 1 << 20;

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
    let xmp = xmp(info)?;
    let exif = match &info.exif_metadata {
        Some(exif) => exif.to_vec(),
        None => raw_exif(info)?.unwrap_or_default(),
    };
    let picture = match reader.output_color_type().0 {
        ColorType::Grayscale => Picture::grey(width, height, buffer),
        ColorType::GrayscaleAlpha => Picture::grey(width, height, without_alpha::<2>(&buffer)),
        ColorType::Rgba => Picture::colour(width, height, without_alpha::<4>(&buffer)),
        // Palettes are looked up.
        ColorType::Rgb | ColorType::Indexed => Picture::colour(width, height, buffer),
    };
    Ok(Decoded { picture, exif, xmp: xmp.into_bytes() })
}

fn xmp(info: &Info<'_>) -> Result<String, String> {
    let Some(text) = info.utf8_text.iter().find(|text| text.keyword == XMP) else {
        return Ok(String::new());
    };
    let mut text = text.clone();
    text.decompress_text_with_limit(MAX_TEXT_BYTES).map_err(|_| no_text(XMP))?;
    text.get_text().map_err(|_| no_text(XMP))
}

/// Two lines and a length, then hexadecimal numbers.
fn raw_exif(info: &Info<'_>) -> Result<Option<Vec<u8>>, String> {
    let plain = info.uncompressed_latin1_text.iter().find(|text| text.keyword == RAW_EXIF);
    let text = match (plain, info.compressed_latin1_text.iter().find(|text| text.keyword == RAW_EXIF)) {
        (Some(plain), _) => plain.text.clone(),
        (None, Some(compressed)) => {
            let mut text = compressed.clone();
            text.decompress_text_with_limit(MAX_TEXT_BYTES).map_err(|_| no_text(RAW_EXIF))?;
            text.get_text().map_err(|_| no_text(RAW_EXIF))?
        }
        (None, None) => return Ok(None),
    };
    let digits: Vec<u8> = text.split('\n').skip(3).flat_map(str::bytes).collect();
    let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let (pairs, rest) = digits.as_chunks::<2>();
    let bytes = pairs.iter().map(byte).collect::<Option<Vec<_>>>().filter(|_| rest.is_empty());
    bytes.map(Some).ok_or_else(|| no_text(RAW_EXIF))
}

fn no_text(name: &str) -> String {
    format!("its text {name:?} is damaged, or has more than {MAX_TEXT_BYTES} bytes")
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

#[cfg(test)]
mod tests {
    use super::super::orient;
    use super::*;

    /// A picture of 2 × 1 with a compressed text of ImageMagick's.
    fn with_raw_exif(text: &str) -> Result<Decoded, String> {
        let mut bytes = Vec::new();
        let mut encoder = ::png::Encoder::new(&mut bytes, 2, 1);
        encoder.add_ztxt_chunk(RAW_EXIF.to_owned(), text.to_owned()).unwrap();
        encoder.write_header().unwrap().write_image_data(&[1, 2]).unwrap();
        decode(&bytes, &Limits { max_pixels: 1 << 20 })
    }

    #[test]
    fn exif_that_is_kept_as_a_text_turns_the_picture() {
        let tiff = "49492a0008000000010012010300010000000600000000000000";
        for exif in [format!("\nexif\n      32\n457869660000{tiff}\n"), format!("\nexif\n 26\n{tiff}")] {
            let picture = orient::upright(with_raw_exif(&exif).unwrap());
            assert_eq!((picture.width, picture.height), (1, 2), "{exif}");
        }
        assert!(with_raw_exif("\nexif\n 1\nno hex").is_err_and(|why| why.contains(RAW_EXIF)));
    }

    #[test]
    fn a_text_is_not_made_larger_than_its_limit() {
        let bomb = with_raw_exif(&"0".repeat(MAX_TEXT_BYTES + 1));
        assert!(bomb.is_err_and(|why| why.contains("more than 1048576 bytes")));
    }
}
