//! Codes of Huffman's as JPEG writes them: how many there are of each length, and their symbols in order (ITU-T T.81, annex C).

use super::bits::Bits;

/// Codes up to this length are looked up at once.
const QUICK: u32 = 9;
/// The longest code.
const LONGEST: usize = 16;

/// A table of codes.
#[derive(Clone)]
pub struct Huffman {
    /// By the next bits: a code's length and symbol; a length of 0 for longer codes.
    quick: Vec<(u8, u8)>,
    /// By length: what to add to a code to have its place among the symbols.
    offset: [i32; LONGEST + 1],
    /// By length: the first number that is no code of it, of all lengths up to it.
    end: [i32; LONGEST + 1],
    symbols: Vec<u8>,
}

impl Huffman {
    /// `counts`: of each length from 1 on.
    pub fn new(counts: &[u8], symbols: &[u8]) -> Result<Self, String> {
        let mut table = Self {
            quick: vec![(0, 0); 1 << QUICK],
            offset: [0; LONGEST + 1],
            end: [0; LONGEST + 1],
            symbols: symbols.to_vec(),
        };
        let (mut code, mut place) = (0_i32, 0_usize);
        for (length, count) in (1..).zip(counts) {
            table.offset[length] = place as i32 - code;
            for _ in 0..*count {
                table.note(code, length as u32, symbols[place]);
                (code, place) = (code + 1, place + 1);
            }
            // No code is all ones.
            if *count > 0 && code >= 1 << length {
                return Err("its table of codes is damaged".to_owned());
            }
            table.end[length] = code;
            code <<= 1;
        }
        Ok(table)
    }

    fn note(&mut self, code: i32, length: u32, symbol: u8) {
        if let Some(free) = QUICK.checked_sub(length) {
            let first = (code as usize) << free;
            let own = self.quick.iter_mut().skip(first).take(1 << free);
            own.for_each(|entry| *entry = (length as u8, symbol));
        }
    }

    /// The next symbol.
    pub fn decode(&self, bits: &mut Bits<'_>) -> Result<u8, String> {
        let (length, symbol) = self.quick[bits.peek(QUICK) as usize];
        if length > 0 {
            bits.skip(length.into())?;
            return Ok(symbol);
        }
        let ahead = bits.peek(LONGEST as u32) as i32;
        for length in QUICK as usize + 1..=LONGEST {
            let code = ahead >> (LONGEST - length);
            if code < self.end[length] {
                bits.skip(length as u32)?;
                return Ok(self.symbols[(code + self.offset[length]) as usize]);
            }
        }
        Err("its data are damaged: a code is none of its table".to_owned())
    }
}
