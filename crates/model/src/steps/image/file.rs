//! Which format a file has, by its first bytes, and its pixels.

use super::picture::{Decoded, Limits};
use super::{gif, jpeg, png, webp};

/// Decodes a file of any format that is read.
///
/// # Errors
/// What the file is instead, for the `found` of an error.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Decoded, String> {
    let (name, decoded) = match bytes {
        [0xff, 0xd8, 0xff, ..] => ("JPEG", jpeg::decode(bytes, limits)),
        [0x89, b'P', b'N', b'G', ..] => ("PNG", png::decode(bytes, limits)),
        [b'G', b'I', b'F', b'8', ..] => ("GIF", gif::decode(bytes, limits)),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => {
            ("WebP", webp::decode(bytes, limits))
        }
        _ => return Err(foreign(bytes)),
    };
    decoded.map_err(|why| format!("a {name} file, but {why}"))
}

/// What a file is that is not read here.
fn foreign(bytes: &[u8]) -> String {
    let begins = |magic: &[u8]| bytes.starts_with(magic);
    let brand = bytes.get(4..12).unwrap_or_default();
    let name = match brand {
        b"ftypheic" | b"ftypheix" | b"ftypmif1" | b"ftypmsf1" => Some("HEIC"),
        b"ftypavif" | b"ftypavis" => Some("AVIF"),
        _ if begins(b"BM") => Some("BMP"),
        _ if begins(b"II*\0") || begins(b"MM\0*") => Some("TIFF"),
        _ if begins(b"%PDF") => Some("PDF"),
        _ if begins(b"<svg") || begins(b"<?xml") => Some("SVG"),
        _ => None,
    };
    match (name, bytes) {
        (Some(name), _) => format!("a {name} file, which is not read here"),
        (None, []) => "an empty file".to_owned(),
        (None, _) => {
            let first: Vec<String> = bytes.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            format!("a file of {} bytes that begins with {}", bytes.len(), first.join(" "))
        }
    }
}
