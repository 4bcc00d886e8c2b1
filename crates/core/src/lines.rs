//! Lines of what a process prints, out of the bytes that were read of it.

/// Longest line kept in one piece, in bytes; a longer one is cut into several.
pub const MAX_LINE_BYTES: usize = 64 << 10;

/// Takes every complete line out of the buffer; at the end also what has no line end. Bytes that are not UTF-8 are replaced.
pub fn take_lines(buffer: &mut Vec<u8>, ended: bool) -> Vec<String> {
    let mut lines = Vec::new();
    let mut start = 0;
    loop {
        let rest = &buffer[start..];
        let cut = match rest.iter().take(MAX_LINE_BYTES).position(|byte| *byte == b'\n') {
            Some(end) => (end, end + 1),
            None if rest.len() >= MAX_LINE_BYTES => (MAX_LINE_BYTES, MAX_LINE_BYTES),
            None if ended && !rest.is_empty() => (rest.len(), rest.len()),
            None => break,
        };
        let line = rest[..cut.0].strip_suffix(b"\r").unwrap_or(&rest[..cut.0]);
        lines.push(String::from_utf8_lossy(line).into_owned());
        start += cut.1;
    }
    buffer.drain(..start);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_with_a_newline_a_limit_or_the_end() {
        let mut buffer = b"one\r\ntwo\nthr".to_vec();
        assert_eq!(take_lines(&mut buffer, false), ["one", "two"]);
        assert_eq!(buffer, b"thr");
        assert_eq!(take_lines(&mut buffer, true), ["thr"]);
        let mut long = vec![b'x'; MAX_LINE_BYTES + 1];
        assert_eq!(take_lines(&mut long, false).len(), 1);
        assert_eq!(take_lines(&mut long, true), ["x"]);
    }
}
