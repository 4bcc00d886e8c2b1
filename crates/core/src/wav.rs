//! The smallest WAV file of a sound: what examples and sample requests of functions that take sounds are made of.

/// Samples a second of such a file.
const RATE: u32 = 16_000;

/// A file of one channel of 8 bits a sample, 16,000 samples a second; 128 is silence. An odd number of samples is filled up.
pub fn of(samples: &[u8]) -> Vec<u8> {
    const HEADER_BYTES: u32 = 36;
    // More samples than a file can say are none that an example has.
    let length = u32::try_from(samples.len()).unwrap_or(u32::MAX - HEADER_BYTES - 1);
    let padding = length % 2;
    let mut bytes = Vec::with_capacity(samples.len() + 45);
    bytes.extend(b"RIFF");
    bytes.extend((HEADER_BYTES + length + padding).to_le_bytes());
    bytes.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    bytes.extend(RATE.to_le_bytes());
    bytes.extend(RATE.to_le_bytes());
    bytes.extend(b"\x01\0\x08\0data");
    bytes.extend(length.to_le_bytes());
    bytes.extend(samples);
    bytes.extend((padding == 1).then_some(0));
    bytes
}
