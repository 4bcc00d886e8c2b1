//! Flatbuffers: tables whose fields are found by offsets (<https://flatbuffers.dev/internals/>). Every step is checked against the
//! end of the bytes, so that damage is found as such.

/// A table within a buffer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// What is read of a field.
pub(super) trait Scalar: Sized {
    /// How many bytes it has.
    const SIZE: usize;
    /// Of so many bytes.
    fn of(bytes: &[u8]) -> Self;
}

macro_rules! scalars {
    ($($kind:ty),*) => {$(
        impl Scalar for $kind {
            const SIZE: usize = size_of::<$kind>();
            fn of(bytes: &[u8]) -> Self {
                let mut array = [0; size_of::<$kind>()];
                array.copy_from_slice(bytes);
                Self::from_le_bytes(array)
            }
        }
    )*};
}
scalars!(u8, u16, i32, u32, u64, f32, f64);

/// A number at a place; `None` beyond the end.
fn number<T: Scalar>(bytes: &[u8], at: usize) -> Option<T> {
    Some(T::of(bytes.get(at..at.checked_add(T::SIZE)?)?))
}

/// Where an offset leads to.
fn follow(bytes: &[u8], at: usize) -> Option<usize> {
    at.checked_add(number::<u32>(bytes, at)? as usize)
}

impl<'a> Table<'a> {
    /// The table that a buffer is about.
    pub fn root(bytes: &'a [u8]) -> Option<Self> {
        Some(Self { bytes, at: follow(bytes, 0)? })
    }

    /// Where a field is; `Some(None)` when it is left out.
    fn place(self, field: usize) -> Option<Option<usize>> {
        let back = number::<i32>(self.bytes, self.at)?;
        let fields = usize::try_from(i64::try_from(self.at).ok()? - i64::from(back)).ok()?;
        let size = usize::from(number::<u16>(self.bytes, fields)?);
        let entry = 4 + 2 * field;
        if entry + 2 > size {
            return Some(None);
        }
        let offset = usize::from(number::<u16>(self.bytes, fields.checked_add(entry)?)?);
        Some((offset > 0).then_some(self.at.checked_add(offset)?))
    }

    /// A number, or what it is when it is left out.
    pub fn scalar<T: Scalar>(self, field: usize, default: T) -> Option<T> {
        match self.place(field)? {
            Some(at) => number(self.bytes, at),
            None => Some(default),
        }
    }

    /// A list of numbers; empty when it is left out.
    pub fn scalars<T: Scalar>(self, field: usize) -> Option<Vec<T>> {
        let Some((at, length)) = self.list(field)? else { return Some(Vec::new()) };
        let bytes = self.bytes.get(at..at.checked_add(length.checked_mul(T::SIZE)?)?)?;
        Some(bytes.chunks_exact(T::SIZE).map(T::of).collect())
    }

    /// A list of bytes; empty when it is left out.
    pub fn bytes(self, field: usize) -> Option<&'a [u8]> {
        let Some((at, length)) = self.list(field)? else { return Some(&[]) };
        self.bytes.get(at..at.checked_add(length)?)
    }

    /// A text; empty when it is left out.
    pub fn text(self, field: usize) -> Option<&'a str> {
        str::from_utf8(self.bytes(field)?).ok()
    }

    /// A list of texts; empty when it is left out.
    pub fn texts(self, field: usize) -> Option<Vec<&'a str>> {
        let text = |place: Self| {
            let length = number::<u32>(place.bytes, place.at)? as usize;
            let at = place.at.checked_add(4)?;
            str::from_utf8(place.bytes.get(at..at.checked_add(length)?)?).ok()
        };
        // A text lies where a table would.
        self.tables(field)?.into_iter().map(text).collect()
    }

    /// Another table; `Some(None)` when it is left out.
    pub fn table(self, field: usize) -> Option<Option<Self>> {
        let Some(at) = self.place(field)? else { return Some(None) };
        Some(Some(Self { at: follow(self.bytes, at)?, ..self }))
    }

    /// A list of tables; empty when it is left out.
    pub fn tables(self, field: usize) -> Option<Vec<Self>> {
        let Some((at, length)) = self.list(field)? else { return Some(Vec::new()) };
        // Offsets that cannot all be there are not counted out first.
        self.bytes.get(at..at.checked_add(length.checked_mul(4)?)?)?;
        (0..length).map(|one| Some(Self { at: follow(self.bytes, at + 4 * one)?, ..self })).collect()
    }

    /// Where a list begins, and how many it has.
    fn list(self, field: usize) -> Option<Option<(usize, usize)>> {
        let Some(at) = self.place(field)? else { return Some(None) };
        let at = follow(self.bytes, at)?;
        let length = number::<u32>(self.bytes, at)? as usize;
        Some(Some((at.checked_add(4)?, length)))
    }
}
