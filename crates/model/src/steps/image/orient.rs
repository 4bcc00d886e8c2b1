//! How a picture is to be turned, as its camera or its editor wrote it, and the turning itself. As Pillow's
//! `ImageOps.exif_transpose`.

use super::picture::{Decoded, Picture};

/// The tag of the orientation in EXIF.
const ORIENTATION: u16 = 0x0112;
/// What stands before it in XMP.
const XMP_NAME: &[u8] = b"tiff:Orientation";

/// The picture as it is to be looked at.
pub fn upright(decoded: Decoded) -> Picture {
    let orientation = exif(&decoded.exif).or_else(|| xmp(&decoded.xmp)).unwrap_or(1);
    turned(decoded.picture, orientation)
}

/// The orientation in a block of EXIF, which is a TIFF file without pictures.
fn exif(block: &[u8]) -> Option<u32> {
    // What stands before it in a JPEG, and for some writers in other files too.
    let block = block.strip_prefix(b"Exif\0\0").unwrap_or(block);
    let is_little = match block.get(..2)? {
        b"II" => true,
        b"MM" => false,
        _ => return None,
    };
    let short = |at: usize| {
        let two = *block.get(at..)?.first_chunk()?;
        Some(if is_little { u16::from_le_bytes(two) } else { u16::from_be_bytes(two) })
    };
    let long = |at: usize| {
        let four = *block.get(at..)?.first_chunk()?;
        Some(if is_little { u32::from_le_bytes(four) } else { u32::from_be_bytes(four) })
    };
    let directory = long(4)? as usize;
    let entries = short(directory)?;
    let entry = |number: u16| directory + 2 + 12 * usize::from(number);
    let own = (0..entries).map(entry).find(|at| short(*at) == Some(ORIENTATION))?;
    match (short(own + 2)?, long(own + 4)?) {
        (1 | 6, 1) => block.get(own + 8).copied().map(u32::from),
        (3 | 8, 1) => short(own + 8).map(u32::from),
        (4 | 9, 1) => long(own + 8),
        _ => None,
    }
}

/// The orientation in a packet of XMP: `tiff:Orientation="6"`, or as an element.
fn xmp(packet: &[u8]) -> Option<u32> {
    let places = packet.windows(XMP_NAME.len()).enumerate().filter(|(_, found)| *found == XMP_NAME);
    places.into_iter().find_map(|(at, _)| {
        let rest = &packet[at + XMP_NAME.len()..];
        let value = rest.strip_prefix(b"=\"").or_else(|| rest.strip_prefix(b">"))?;
        value.first().filter(|digit| digit.is_ascii_digit()).map(|digit| u32::from(digit - b'0'))
    })
}

/// A picture turned and mirrored by a number of EXIF's, 1 to 8; others leave it as it is.
fn turned(picture: Picture, orientation: u32) -> Picture {
    let (width, height) = (picture.width, picture.height);
    let (right, bottom) = (width.wrapping_sub(1), height.wrapping_sub(1));
    // Where the pixel of a new place comes from.
    let source: fn(usize, usize, usize, usize) -> (usize, usize) = match orientation {
        2 => |x, y, right, _| (right - x, y),
        3 => |x, y, right, bottom| (right - x, bottom - y),
        4 => |x, y, _, bottom| (x, bottom - y),
        5 => |x, y, _, _| (y, x),
        6 => |x, y, _, bottom| (y, bottom - x),
        7 => |x, y, right, bottom| (right - y, bottom - x),
        8 => |x, y, right, _| (right - y, x),
        _ => return picture,
    };
    let (new_width, new_height) = if orientation >= 5 { (height, width) } else { (width, height) };
    let channels = picture.channels();
    let mut pixels = Vec::with_capacity(picture.pixels.len());
    for y in 0..new_height {
        for x in 0..new_width {
            let (x, y) = source(x, y, right, bottom);
            let first = (y * width + x) * channels;
            pixels.extend_from_slice(&picture.pixels[first..first + channels]);
        }
    }
    Picture { width: new_width, height: new_height, pixels, ..picture }
}
