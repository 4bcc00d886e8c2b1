//! Content-Encoding: a compressed body is unpacked here, never beyond the function's limit.

use std::borrow::Cow;
use std::io::Read;

use bytes::Bytes;
use flate2::bufread::{MultiGzDecoder, ZlibDecoder};
use http::{HeaderMap, header};
use modelet_core::{Code, FunctionError};

use crate::limit::{body_too_large, size_text};

/// The body as it was before compression.
pub(crate) fn unpack(headers: &HeaderMap, body: Bytes, limit_bytes: u64) -> Result<Bytes, FunctionError> {
    if body.len() as u64 > limit_bytes {
        return Err(body_too_large(&size_text(body.len() as u64), limit_bytes));
    }
    let encoding = headers
        .get(header::CONTENT_ENCODING)
        .map_or(Cow::Borrowed("identity"), |value| String::from_utf8_lossy(value.as_bytes()));
    match encoding.trim().to_ascii_lowercase().as_str() {
        "identity" | "" => Ok(body),
        "gzip" | "x-gzip" => read(MultiGzDecoder::new(&*body), "gzip", &body, limit_bytes),
        "deflate" => read(ZlibDecoder::new(&*body), "deflate", &body, limit_bytes),
        other => Err(FunctionError::new(
            Code::UnsupportedMediaType,
            format!(
                "the Content-Encoding {:?} is not known here",
                other.chars().take(40).collect::<String>()
            ),
        )
        .hint("send the body as it is, or compressed with gzip or deflate")),
    }
}

fn read(decoder: impl Read, encoding: &str, body: &[u8], limit_bytes: u64) -> Result<Bytes, FunctionError> {
    let mut unpacked = Vec::new();
    let outcome = decoder.take(limit_bytes.saturating_add(1)).read_to_end(&mut unpacked);
    if unpacked.len() as u64 > limit_bytes {
        let size = format!("larger than {} once unpacked", size_text(limit_bytes));
        return Err(body_too_large(&size, limit_bytes));
    }
    match outcome {
        Ok(_) => Ok(unpacked.into()),
        Err(error) => {
            let found = looks_like(body).unwrap_or("something else, or is damaged");
            let mut failure = FunctionError::new(
                Code::BadBody,
                format!(
                    "the Content-Encoding is {encoding}, but the body cannot be unpacked ({error}): it is {found}"
                ),
            );
            (failure.expected, failure.found) =
                (Some(format!("a body packed with {encoding}")), Some(found.to_owned()));
            Err(failure)
        }
    }
}

/// What a body is by its first bytes, where that is known.
pub(crate) fn looks_like(body: &[u8]) -> Option<&'static str> {
    const STARTS: &[(&[u8], &str)] = &[
        (b"\x1f\x8b", "gzip (send the header Content-Encoding: gzip)"),
        (b"PK\x03\x04", "a zip archive"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"\x93NUMPY", "an npy array (send it as application/x-npy)"),
        (b"\x89PNG", "a PNG image"),
        (b"\xff\xd8\xff", "a JPEG image"),
        (b"%PDF", "a PDF document"),
        (b"\x80\x04\x95", "a Python pickle"),
        (b"\xff\xfe", "UTF-16 text (send UTF-8)"),
        (b"\xfe\xff", "UTF-16 text (send UTF-8)"),
        (b"{", "plain JSON"),
        (b"[", "plain JSON"),
    ];
    STARTS.iter().find(|(start, _)| body.starts_with(start)).map(|(_, what)| *what)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{GzEncoder, ZlibEncoder};

    use super::*;

    fn gzip(body: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    }

    fn unpack_as(encoding: &str, body: Vec<u8>, limit_bytes: u64) -> Result<Bytes, FunctionError> {
        let headers = HeaderMap::from_iter([(header::CONTENT_ENCODING, encoding.parse().unwrap())]);
        unpack(&headers, body.into(), limit_bytes)
    }

    #[test]
    fn gzip_and_deflate_bodies_are_unpacked() {
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
        zlib.write_all(b"[[1,2]]").unwrap();
        assert_eq!(unpack_as("deflate", zlib.finish().unwrap(), 100).unwrap(), "[[1,2]]");
        assert_eq!(unpack_as("GZIP", gzip(b"[[1,2]]"), 100).unwrap(), "[[1,2]]");
        assert_eq!(unpack_as("identity", b"[1]".to_vec(), 100).unwrap(), "[1]");
    }

    #[test]
    fn a_body_that_is_not_what_its_header_says_is_named() {
        for (encoding, body, says) in [
            ("gzip", b"PK\x03\x04....".to_vec(), "a zip archive"),
            ("gzip", b"{\"inputs\": []}".to_vec(), "plain JSON"),
            ("gzip", gzip(b"[[1,2]]")[..12].to_vec(), "gzip"),
            ("deflate", b"abc".to_vec(), "damaged"),
        ] {
            let error = unpack_as(encoding, body, 100).unwrap_err();
            assert_eq!(error.code, Code::BadBody);
            assert!(error.message.contains(says), "{error}");
        }
        for (encoding, body) in [("zstd", b"abc".to_vec()), ("gzip, gzip", gzip(b"1"))] {
            let error = unpack_as(encoding, body, 100).unwrap_err();
            assert_eq!(error.code, Code::UnsupportedMediaType, "RFC 9110, 8.4");
            let quoted = format!("{encoding:?} is not known here");
            assert!(error.message.contains(&quoted) && error.hint.unwrap().contains("gzip or deflate"));
        }
    }

    #[test]
    fn a_bomb_stops_at_the_limit() {
        let bomb = gzip(&vec![b'0'; 50 << 20]);
        assert!(bomb.len() < 100 << 10);
        let error = unpack_as("gzip", bomb, 1 << 20).unwrap_err();
        assert_eq!(error.code, Code::BodyTooLarge);
        assert!(error.message.contains("1.0 MiB"), "{error}");
        assert_eq!(unpack_as("identity", vec![b'0'; 101], 100).unwrap_err().code, Code::BodyTooLarge);
        assert_eq!(unpack_as("identity", vec![b'0'; 100], 100).unwrap().len(), 100);
    }
}
