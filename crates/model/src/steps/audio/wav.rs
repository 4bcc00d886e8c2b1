//! WAV: a RIFF file of PCM, floats, A-law or mu-law, as libsndfile reads it into float32. What it would guess of a damaged file is
//! refused, and nothing is allocated for what a file only claims to have.

use super::samples::{Coding, Limits, Sound};

const PCM: u16 = 1;
const IEEE_FLOAT: u16 = 3;
const A_LAW: u16 = 6;
const MU_LAW: u16 = 7;
const EXTENSIBLE: u16 = 0xfffe;
/// What follows the two bytes of the coding in the GUID of an extensible format.
const GUID_END: [u8; 14] = [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71];
/// Bytes of `RIFF`, a length, and `WAVE`.
const HEADER_BYTES: usize = 12;

/// What a file says of its samples.
struct Format {
    coding: Coding,
    channels: u16,
    rate: u32,
}

/// Decodes a whole file.
///
/// # Errors
/// What the file is instead, for the `found` of an error.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Sound, String> {
    match bytes {
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..] => {
            read(bytes, limits).map_err(|why| format!("a WAV file, but {why}"))
        }
        _ => Err(foreign(bytes)),
    }
}

fn read(bytes: &[u8], limits: &Limits) -> Result<Sound, String> {
    let (mut format, mut data) = (None, None);
    let mut place = HEADER_BYTES;
    while let Some(head) = bytes.get(place..place + 8) {
        let length = u32_at(head, 4) as usize;
        let name = String::from_utf8_lossy(&head[..4]);
        let body = bytes[place + 8..].get(..length);
        match (&head[..4], body) {
            // What is damaged behind the samples is not heard.
            (_, None) if data.is_some() && &head[..4] != b"data" => break,
            (_, None) => {
                let rest = bytes.len() - place - 8;
                return Err(format!(
                    "its chunk {name:?} at byte {place} says that it has {length} bytes, and {rest} are left: it was cut off, or written where its length was not known"
                ));
            }
            (b"fmt ", Some(_)) if format.is_some() => return Err("it has two chunks \"fmt \"".to_owned()),
            (b"fmt ", Some(body)) => format = Some(read_format(body)?),
            (b"data", Some(_)) if data.is_some() => return Err("it has two chunks \"data\"".to_owned()),
            (b"data", Some(body)) => data = Some(body),
            (b"wavl", _) => return Err("its samples lie in a list of pieces (\"wavl\")".to_owned()),
            _ => {}
        }
        // A chunk begins at an even place.
        place += 8 + length + length % 2;
    }
    let format = format.ok_or("it has no chunk \"fmt \", which says how its samples are written")?;
    let data = data.ok_or("it has no chunk \"data\", where its samples would be")?;
    samples(data, &format, limits)
}

fn read_format(body: &[u8]) -> Result<Format, String> {
    if body.len() < 16 {
        return Err(format!("its chunk \"fmt \" has {} bytes, fewer than 16", body.len()));
    }
    let (tag, channels, rate) = (u16_at(body, 0), u16_at(body, 2), u32_at(body, 4));
    let (frame_bytes, bits) = (u16_at(body, 12), u16_at(body, 14));
    let tag = if tag == EXTENSIBLE { extended(body, bits)? } else { tag };
    let coding = match (tag, bits) {
        (PCM, 8) => Coding::U8,
        (PCM, 16) => Coding::I16,
        (PCM, 24) => Coding::I24,
        (PCM, 32) => Coding::I32,
        (IEEE_FLOAT, 32) => Coding::F32,
        (IEEE_FLOAT, 64) => Coding::F64,
        (A_LAW, 8) => Coding::ALaw,
        (MU_LAW, 8) => Coding::MuLaw,
        _ => {
            return Err(format!(
                "its samples are of {bits} bits in the coding {tag} (read are PCM of 8, 16, 24 and 32 bits, floats of 32 and 64, A-law and mu-law): save it as PCM of 16 bits"
            ));
        }
    };
    if usize::from(frame_bytes) != coding.bytes() * usize::from(channels) {
        return Err(format!(
            "it says that the samples of {channels} channels of {bits} bits have {frame_bytes} bytes"
        ));
    }
    Ok(Format { coding, channels, rate })
}

/// The coding of an extensible format.
fn extended(body: &[u8], bits: u16) -> Result<u16, String> {
    let guid = body.get(24..40).ok_or("its extensible format is cut off")?;
    let valid = u16_at(body, 18);
    if valid != bits {
        return Err(format!("{valid} of the {bits} bits of its samples count, which is not read here"));
    }
    match guid[2..] == GUID_END {
        true => Ok(u16_at(guid, 0)),
        false => Err("its extensible format is none of Microsoft's".to_owned()),
    }
}

fn samples(data: &[u8], format: &Format, limits: &Limits) -> Result<Sound, String> {
    let frame_bytes = format.coding.bytes() * usize::from(format.channels);
    limits.check_format(format.channels, format.rate)?;
    if !data.len().is_multiple_of(frame_bytes) {
        return Err(format!("its {} bytes of samples end within one of {frame_bytes} bytes", data.len()));
    }
    limits.check_length(data.len() / frame_bytes, format.channels, format.rate)?;
    Ok(Sound { rate: format.rate, samples: format.coding.mono(data, format.channels.into())? })
}

/// What a file is that is not read here.
fn foreign(bytes: &[u8]) -> String {
    const STARTS: &[(&[u8], &str)] = &[
        (b"RF64", "an RF64 file"),
        (b"RIFX", "a RIFX file"),
        (b"riff", "a W64 file"),
        (b"fLaC", "a FLAC file"),
        (b"OggS", "an Ogg file"),
        (b"ID3", "an MP3 file"),
        (b"\xff\xfb", "an MP3 file"),
        (b"FORM", "an AIFF file"),
        (b".snd", "an AU file"),
        (b"\x1aE\xdf\xa3", "a WebM file"),
    ];
    let name = STARTS.iter().find(|(start, _)| bytes.starts_with(start)).map(|(_, name)| *name);
    match (name, bytes) {
        (Some(name), _) => format!("{name}, which is not read here: save it as WAV"),
        (None, []) => "an empty file".to_owned(),
        (None, _) => {
            let first: Vec<String> = bytes.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            format!("a file of {} bytes that begins with {}", bytes.len(), first.join(" "))
        }
    }
}

/// A number of a file, whose bytes were counted before.
fn u16_at(bytes: &[u8], place: usize) -> u16 {
    u16::from_le_bytes([bytes[place], bytes[place + 1]])
}

fn u32_at(bytes: &[u8], place: usize) -> u32 {
    u32::from(u16_at(bytes, place)) | u32::from(u16_at(bytes, place + 2)) << 16
}
