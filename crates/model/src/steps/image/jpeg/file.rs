//! The markers of a file, and what they say of the picture.

use super::colour::Space;
use super::frame::{Component, Frame};
use super::huffman::Huffman;
use super::scan;
use crate::steps::image::picture::Limits;

/// Scans of a file, so that a small one cannot keep an instance busy; encoders make ten or so.
const MAX_SCANS: usize = 64;

/// A JFIF marker that is shorter counts for none.
const JFIF_BYTES: usize = 14;
const EXIF: &[u8] = b"Exif\0\0";
const XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";

/// A file, read.
pub struct Read {
    pub frame: Frame,
    pub space: Space,
    pub exif: Vec<u8>,
    pub xmp: Vec<u8>,
}

/// What markers have said so far.
#[derive(Default)]
pub struct Tables {
    pub steps: [Option<[u16; 64]>; 4],
    pub first_codes: [Option<Huffman>; 4],
    pub other_codes: [Option<Huffman>; 4],
    /// Groups of blocks between restart markers; 0 for none.
    pub restart_every: usize,
}

/// Places of the coefficients in the order in which they are sent.
pub const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7,
    14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39,
    46, 53, 60, 61, 54, 47, 55, 62, 63,
];

pub fn read(bytes: &[u8], limits: &Limits) -> Result<Read, String> {
    let mut tables = Tables::default();
    let mut frame = None;
    let (mut is_jfif, mut adobe) = (false, None);
    let (mut exif, mut xmp) = (Vec::new(), Vec::new());
    let (mut at, mut scans) = (2, 0);
    loop {
        let (marker, content, after) = segment(bytes, at)?;
        at = after;
        match marker {
            0xd9 => break,
            0xc0..=0xc2 if frame.is_some() => return Err("it is damaged: it has two frames".to_owned()),
            0xc0..=0xc2 => frame = Some(read_frame(content, marker == 0xc2, limits)?),
            0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => return Err(unsupported(marker)),
            0xc4 => read_codes(content, &mut tables)?,
            0xdb => read_steps(content, &mut tables)?,
            0xdd => {
                tables.restart_every = content.first_chunk().map_or(0, |two| u16::from_be_bytes(*two).into());
            }
            0xda => {
                scans += 1;
                if scans > MAX_SCANS {
                    return Err(format!("it has more than {MAX_SCANS} scans"));
                }
                let frame = frame.as_mut().ok_or("it is damaged: a scan comes before the frame")?;
                at = scan::read(frame, &tables, content, bytes, at)?;
            }
            // What the colours are is settled by what comes before the first scan.
            0xe0 if scans == 0 => is_jfif |= content.starts_with(b"JFIF\0") && content.len() >= JFIF_BYTES,
            // It may be longer than one marker can hold.
            0xe1 if content.starts_with(EXIF) => exif.extend_from_slice(&content[EXIF.len()..]),
            0xe1 if content.starts_with(XMP) => xmp = content[XMP.len()..].to_vec(),
            0xee if scans == 0 && content.starts_with(b"Adobe") && content.len() >= 12 => {
                adobe = Some(content[11]);
            }
            _ => {}
        }
    }
    let frame = frame.ok_or("it has no picture")?;
    let space = space(&frame, is_jfif, adobe)?;
    Ok(Read { frame, space, exif, xmp })
}

/// The next marker from `at` on, what belongs to it, and where that ends. Other bytes before it are passed over, as libjpeg does.
fn segment(bytes: &[u8], at: usize) -> Result<(u8, &[u8], usize), String> {
    let cut = || "it is cut off: it ends before the picture does".to_owned();
    let rest = bytes.get(at..).unwrap_or_default();
    let is_marker = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0 | 0xff);
    let begin = at + rest.windows(2).position(is_marker).ok_or_else(cut)?;
    let (marker, body) = (bytes[begin + 1], begin + 2);
    if matches!(marker, 0xd0..=0xd9 | 0x01) {
        return Ok((marker, &[], body));
    }
    let length = bytes.get(body..body + 2).ok_or_else(cut)?;
    let length = usize::from(length[0]) << 8 | usize::from(length[1]);
    if length < 2 {
        return Err("it is damaged: a marker is shorter than its own length".to_owned());
    }
    let content = bytes.get(body + 2..body + length).ok_or_else(cut)?;
    Ok((marker, content, body + length))
}

fn unsupported(marker: u8) -> String {
    let kind = match marker {
        0xc9..=0xcf => "arithmetic coding",
        0xc3 => "lossless coding",
        _ => "hierarchical coding",
    };
    format!("it uses {kind}, which is not read here: save it as an ordinary JPEG")
}

fn read_frame(content: &[u8], is_progressive: bool, limits: &Limits) -> Result<Frame, String> {
    let damaged = || "it is damaged: its frame does not say what it is made of".to_owned();
    let [precision, h1, h0, w1, w0, count, own @ ..] = content else { return Err(damaged()) };
    if *precision != 8 {
        return Err(format!("it has {precision} bits a sample, and 8 are read here"));
    }
    let (width, height) =
        (usize::from(u16::from_be_bytes([*w1, *w0])), usize::from(u16::from_be_bytes([*h1, *h0])));
    limits.check(width, height)?;
    if *count == 4 {
        return Err("it has four colours (CMYK): convert it to RGB".to_owned());
    }
    if !matches!(count, 1 | 3) || own.len() != 3 * usize::from(*count) {
        return Err(damaged());
    }
    let own = own.as_chunks::<3>().0;
    let sampling = |both: u8| (usize::from(both >> 4), usize::from(both & 15));
    let factors: Vec<_> = own.iter().map(|[_, both, _]| sampling(*both)).collect();
    if factors.iter().any(|(x, y)| !(1..=4).contains(x) || !(1..=4).contains(y)) {
        return Err(damaged());
    }
    let most = factors.iter().fold((1, 1), |most, own| (most.0.max(own.0), most.1.max(own.1)));
    if factors.iter().any(|(x, y)| most.0 % x != 0 || most.1 % y != 0) {
        return Err("its colours are not a whole fraction of its size".to_owned());
    }
    let mut frame = Frame { width, height, is_progressive, components: Vec::new(), most };
    let groups = frame.groups();
    for ([id, _, quantization], sampling) in own.iter().zip(factors) {
        let grid = (groups.0 * sampling.0, groups.1 * sampling.1);
        let size = ((width * sampling.0).div_ceil(most.0), (height * sampling.1).div_ceil(most.1));
        let (id, quantization) = (*id, *quantization);
        let (blocks, sent) = (vec![[0; 64]; grid.0 * grid.1], [None; 64]);
        frame.components.push(Component {
            id,
            sampling,
            quantization,
            steps: None,
            size,
            grid,
            blocks,
            sent,
        });
    }
    Ok(frame)
}

fn read_steps(mut content: &[u8], tables: &mut Tables) -> Result<(), String> {
    while let [head, rest @ ..] = content {
        let is_wide = head >> 4 != 0;
        let length = if is_wide { 128 } else { 64 };
        let place = tables.steps.get_mut(usize::from(head & 15));
        let (Some(place), Some((values, rest))) = (place, rest.split_at_checked(length)) else {
            return Err("it is damaged: a table of steps (quantization) is not whole".to_owned());
        };
        let mut steps = [0; 64];
        for (at, place) in ZIGZAG.iter().enumerate() {
            steps[usize::from(*place)] = match is_wide {
                true => u16::from_be_bytes([values[2 * at], values[2 * at + 1]]),
                false => values[at].into(),
            };
        }
        *place = Some(steps);
        content = rest;
    }
    Ok(())
}

fn read_codes(mut content: &[u8], tables: &mut Tables) -> Result<(), String> {
    while let [head, rest @ ..] = content {
        let split = rest.split_at_checked(16).and_then(|(counts, rest)| {
            let total = counts.iter().map(|count| usize::from(*count)).sum();
            Some((counts, rest.split_at_checked(total)?))
        });
        let own = if head >> 4 == 0 { &mut tables.first_codes } else { &mut tables.other_codes };
        let (Some(place), Some((counts, (symbols, rest)))) = (own.get_mut(usize::from(head & 15)), split)
        else {
            return Err("it is damaged: a table of codes is not whole".to_owned());
        };
        *place = Some(Huffman::new(counts, symbols)?);
        content = rest;
    }
    Ok(())
}

/// What the components are, by libjpeg's rules (`jdapimin.c`, default_decompress_parms).
fn space(frame: &Frame, is_jfif: bool, adobe: Option<u8>) -> Result<Space, String> {
    let ids: Vec<u8> = frame.components.iter().map(|component| component.id).collect();
    match (is_jfif, adobe) {
        (true, _) | (false, Some(1)) => Ok(Space::YCbCr),
        (false, Some(0)) => Ok(Space::Rgb),
        (false, Some(other)) => {
            Err(format!("its colours are of the kind {other} of Adobe's, which is not known"))
        }
        (false, None) if ids == *b"RGB" => Ok(Space::Rgb),
        (false, None) => Ok(Space::YCbCr),
    }
}
