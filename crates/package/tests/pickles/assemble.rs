//! Pickles put together by hand, opcode by opcode.

/// `PROTO 4`
pub const PROTO_4: &[u8] = b"\x80\x04";

/// One after the other.
pub fn all(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// A short text.
pub fn text(text: &str) -> Vec<u8> {
    [b"\x8c", &[u8::try_from(text.len()).unwrap()][..], text.as_bytes()].concat()
}

/// An import by two texts and `STACK_GLOBAL`.
pub fn import(module: &str, name: &str) -> Vec<u8> {
    [text(module), text(name), b"\x93".to_vec()].concat()
}

/// A call with one text.
pub fn call(module: &str, name: &str, argument: &str) -> Vec<u8> {
    [import(module, name), text(argument), b"\x85R".to_vec()].concat()
}

/// A whole pickle of protocol 4 that holds what `body` leaves on the stack.
pub fn pickle(body: &[u8]) -> Vec<u8> {
    all(&[PROTO_4, body, b"."])
}

/// A key and a value for a dict that is on the stack.
pub fn item(key: &str, value: &[u8]) -> Vec<u8> {
    [&text(key)[..], value, b"s"].concat()
}
