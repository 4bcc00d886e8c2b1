//! A scan: some coefficients of some components, of the whole picture.

use super::bits::Bits;
use super::block::{Band, Coder};
use super::file::Tables;
use super::frame::Frame;
use super::huffman::Huffman;

/// One component of a scan: its place in the frame, and its codes.
struct Part<'a> {
    place: usize,
    first: Option<&'a Huffman>,
    other: Option<&'a Huffman>,
}

/// Reads the scan whose header is `header` and whose data begin at `at`; where they end.
pub fn read(
    frame: &mut Frame,
    tables: &Tables,
    header: &[u8],
    bytes: &[u8],
    at: usize,
) -> Result<usize, String> {
    let (parts, band) = parse(frame, tables, header)?;
    for part in &parts {
        let component = &mut frame.components[part.place];
        let steps = tables.steps.get(usize::from(component.quantization)).copied().flatten();
        component.steps = component.steps.or(steps);
        component.sent[band.from..=band.to].fill(Some(band.low));
    }
    let mut coder = Coder::new(Bits::new(bytes, at), band);
    let blocks = match parts.as_slice() {
        // A component alone is sent block by block, without those that only fill up groups.
        [part] => {
            let size = frame.components[part.place].size;
            (size.0.div_ceil(8), size.1.div_ceil(8))
        }
        _ => frame.groups(),
    };
    let mut number = 0;
    for group in 0..blocks.0 * blocks.1 {
        if tables.restart_every > 0 && group > 0 && group % tables.restart_every == 0 {
            coder.restart(number)?;
            number = (number + 1) % 8;
        }
        let (row, column) = (group / blocks.0, group % blocks.0);
        for (own, part) in parts.iter().enumerate() {
            let component = &mut frame.components[part.place];
            let (across, down) = if parts.len() == 1 { (1, 1) } else { component.sampling };
            for inner in 0..across * down {
                let (y, x) = (row * down + inner / across, column * across + inner % across);
                let block = &mut component.blocks[y * component.grid.0 + x];
                coder.read(block, own, part.first, part.other)?;
            }
        }
    }
    Ok(coder.end())
}

fn parse<'a>(frame: &Frame, tables: &'a Tables, header: &[u8]) -> Result<(Vec<Part<'a>>, Band), String> {
    let damaged = || "it is damaged: a scan does not say what it has".to_owned();
    let [count, rest @ ..] = header else { return Err(damaged()) };
    let (own, rest) = rest.split_at_checked(2 * usize::from(*count)).ok_or_else(damaged)?;
    let [from, to, bits] = rest else { return Err(damaged()) };
    let mut parts: Vec<Part<'_>> = Vec::new();
    for [id, codes] in own.as_chunks::<2>().0 {
        let place = frame.components.iter().position(|component| component.id == *id).ok_or_else(damaged)?;
        let table =
            |all: &'a [Option<Huffman>; 4], number: u8| all.get(usize::from(number)).and_then(Option::as_ref);
        let (first, other) = (table(&tables.first_codes, codes >> 4), table(&tables.other_codes, codes & 15));
        if parts.iter().any(|part| part.place == place) {
            return Err(damaged());
        }
        parts.push(Part { place, first, other });
    }
    let band = match frame.is_progressive {
        false => Band { from: 0, to: 63, high: 0, low: 0, is_progressive: false },
        true => Band {
            from: (*from).into(),
            to: (*to).into(),
            high: bits >> 4,
            low: bits & 15,
            is_progressive: true,
        },
    };
    let is_whole = band.from <= band.to && band.to < 64 && band.low <= 13 && band.high <= 13;
    // The first coefficient comes alone in progressive pictures, the others of one component at a time.
    let is_legal = !band.is_progressive || if band.from == 0 { band.to == 0 } else { parts.len() == 1 };
    match is_whole && is_legal && !parts.is_empty() {
        true => Ok((parts, band)),
        false => Err(damaged()),
    }
}
