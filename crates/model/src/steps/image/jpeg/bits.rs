//! Bits out of the bytes of a scan: a byte of 255 is followed by a zero, or is the beginning of a marker, which ends the bits.

/// Reads bits, the highest of a byte first.
pub struct Bits<'a> {
    bytes: &'a [u8],
    /// The next byte that is looked at.
    at: usize,
    held: u64,
    count: u32,
}

impl<'a> Bits<'a> {
    pub fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at, held: 0, count: 0 }
    }

    fn fill(&mut self) {
        while self.count <= 48 {
            let byte = match (self.bytes.get(self.at), self.bytes.get(self.at + 1)) {
                (Some(0xff), Some(0)) => {
                    self.at += 2;
                    0xff
                }
                (Some(0xff) | None, _) => return,
                (Some(byte), _) => {
                    self.at += 1;
                    *byte
                }
            };
            self.held = self.held << 8 | u64::from(byte);
            self.count += 8;
        }
    }

    /// The next bits without taking them, zeros where there are no more; `wanted` is at most 16.
    pub fn peek(&mut self, wanted: u32) -> u32 {
        if self.count < wanted {
            self.fill();
        }
        let held = match self.count < wanted {
            true => self.held << (wanted - self.count),
            false => self.held >> (self.count - wanted),
        };
        held as u32 & ((1 << wanted) - 1)
    }

    /// Takes bits that were looked at.
    pub fn skip(&mut self, wanted: u32) -> Result<(), String> {
        self.count = self.count.checked_sub(wanted).ok_or("its data end in the middle of the picture")?;
        self.held &= (1 << self.count) - 1;
        Ok(())
    }

    /// The next bits as a number; at most 16.
    pub fn take(&mut self, wanted: u32) -> Result<u32, String> {
        let bits = self.peek(wanted);
        self.skip(wanted)?;
        Ok(bits)
    }

    /// A number of so many bits as JPEG writes it: those that begin with 0 are negative (ITU-T T.81, F.2.2.1, EXTEND).
    pub fn signed(&mut self, wanted: u32) -> Result<i32, String> {
        if wanted == 0 {
            return Ok(0);
        }
        let bits = self.take(wanted)? as i32;
        Ok(if bits < 1 << (wanted - 1) { bits - (1 << wanted) + 1 } else { bits })
    }

    /// Passes the restart marker of a number, which the rest of a byte comes before.
    pub fn restart(&mut self, number: u8) -> Result<(), String> {
        let mut at = self.marker();
        while self.bytes.get(at + 1) == Some(&0xff) {
            at += 1;
        }
        if self.bytes.get(at..at + 2) != Some(&[0xff, 0xd0 + number]) {
            return Err("its data are damaged: a restart marker is missing".to_owned());
        }
        *self = Self::new(self.bytes, at + 2);
        Ok(())
    }

    /// Where the next marker begins; the end of the file if there is none.
    pub fn marker(&self) -> usize {
        // What is held is of bytes before `at`, none of which is a marker.
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let found = rest.windows(2).position(|pair| pair[0] == 0xff && pair[1] != 0);
        found.map_or(self.bytes.len(), |place| self.at + place)
    }
}
