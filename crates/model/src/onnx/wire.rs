//! Protocol buffers as they lie in a file: fields that are copied, dropped or replaced while the rest stays as it is, byte for
//! byte. Source: the encoding guide of Protocol Buffers.

/// One field of a message.
#[derive(Debug)]
pub struct Field<'a> {
    /// Its number.
    pub number: u32,
    /// The content of a field with a length; empty for numbers.
    pub content: &'a [u8],
    /// Key, length and content as they lie in the message.
    pub(super) whole: &'a [u8],
}

/// The fields of a message; `None` once, and then the end, where the bytes are not one.
#[derive(Debug)]
pub struct Fields<'a>(pub &'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Option<Field<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.0 = &[];
        }
        Some(field)
    }
}

impl<'a> Fields<'a> {
    fn field(&mut self) -> Option<Field<'a>> {
        let start = self.0;
        let (key, mut rest) = varint(start)?;
        let mut content = &b""[..];
        match key & 7 {
            0 => rest = varint(rest)?.1,
            1 => rest = rest.get(8..)?,
            2 => {
                let (length, after) = varint(rest)?;
                (content, rest) = after.split_at_checked(usize::try_from(length).ok()?)?;
            }
            5 => rest = rest.get(4..)?,
            _ => return None,
        }
        self.0 = rest;
        let whole = &start[..start.len() - rest.len()];
        Some(Field { number: u32::try_from(key >> 3).ok()?, content, whole })
    }
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    for (index, byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[index + 1..]));
        }
    }
    None
}

/// Writes a field with a length.
pub(super) fn put(message: &mut Vec<u8>, field: u32, content: &[u8]) {
    put_varint(message, u64::from(field) << 3 | 2);
    put_varint(message, content.len() as u64);
    message.extend_from_slice(content);
}

/// Writes a number as its key and content have it.
pub(super) fn put_varint(message: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        message.push(value as u8 | 0x80);
        value >>= 7;
    }
    message.push(value as u8);
}
