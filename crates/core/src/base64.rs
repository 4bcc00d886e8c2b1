//! Bytes as text, as RFC 4648 writes them: what a file is among the texts of a call.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Bytes as text.
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        let sextet = |i: u32| char::from(ALPHABET[(bits >> (18 - 6 * i) & 63) as usize]);
        // A chunk of n bytes fills n + 1 characters.
        text.extend((0..4).map(|i| if i as usize <= chunk.len() { sextet(i) } else { '=' }));
    }
    text
}

/// The bytes of a text. Line breaks are passed over, the alphabet of URLs (`-` and `_`) is taken, and the `=` at the end may be left
/// out. An error says which character is none of them.
pub fn decode(text: &str) -> Result<Vec<u8>, String> {
    let text = text.trim_end().trim_end_matches('=');
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 3);
    let (mut held, mut count) = (0_u32, 0);
    for (place, byte) in text.bytes().enumerate() {
        let sextet = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            b'\r' | b'\n' => continue,
            _ => return Err(format!("its character {place} (counted from 0) is none of base64's")),
        };
        held = held << 6 | u32::from(sextet);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((held >> count) as u8);
            held &= (1 << count) - 1;
        }
    }
    // A lone character at the end is no byte, and bits that no byte needs are zero.
    if count == 6 || held != 0 {
        return Err("its end is missing".to_owned());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_text_and_back() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
        {
            assert_eq!(encode(bytes.as_bytes()), text);
            assert_eq!(decode(text).as_deref(), Ok(bytes.as_bytes()));
            assert_eq!(decode(text.trim_end_matches('=')).as_deref(), Ok(bytes.as_bytes()));
        }
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(decode(&encode(&all)), Ok(all.clone()));
        assert_eq!(decode(&encode(&all).replace('+', "-").replace('/', "_")), Ok(all));
        assert_eq!(decode("Zm9v\r\nYg==\n").as_deref(), Ok(b"foob".as_slice()));
    }

    #[test]
    fn what_is_no_base64_is_refused_with_its_place() {
        assert!(decode("Zm9v*").unwrap_err().contains("character 4"));
        assert!(decode("a file").unwrap_err().contains("character 1"));
        for cut in ["Z", "Zm9vY", "Zh", "Zm9"] {
            assert_eq!(decode(cut).unwrap_err(), "its end is missing", "{cut}");
        }
    }
}
