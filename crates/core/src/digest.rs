//! SHA-256 of content, as artifacts and their files are named by.

use std::io::{self, Read};

use sha2::{Digest, Sha256};

/// Reads to the end; gives the number of bytes and their SHA-256, hexadecimal.
pub fn sha256(mut content: impl Read) -> io::Result<(u64, String)> {
    let mut hasher = Sha256::new();
    let mut chunk = vec![0; 256 << 10];
    let mut size = 0;
    loop {
        match content.read(&mut chunk)? {
            0 => return Ok((size, hex(&hasher.finalize()))),
            read => {
                size += read as u64;
                hasher.update(&chunk[..read]);
            }
        }
    }
}

/// The SHA-256 of bytes, hexadecimal.
pub fn of(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Bytes as hexadecimal text.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_sha256() {
        // FIPS 180-2, appendix B.1.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(&b"abc"[..]).unwrap(), (3, expected.to_owned()));
        assert_eq!(of(b"abc"), expected);
    }
}
