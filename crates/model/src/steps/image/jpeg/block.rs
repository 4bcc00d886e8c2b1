//! Coefficients of a block out of codes: all at once (ITU-T T.81, F.2), or a band of them, bit by bit (G.2).

use super::bits::Bits;
use super::file::ZIGZAG;
use super::frame::Block;
use super::huffman::Huffman;

/// Components of a picture at most.
const COMPONENTS: usize = 4;

/// Which coefficients a scan has, and which of their bits.
#[derive(Debug, Clone, Copy)]
pub struct Band {
    pub from: usize,
    pub to: usize,
    /// The lowest bit that was sent before; 0 when none was.
    pub high: u8,
    /// The lowest bit that is sent now.
    pub low: u8,
    pub is_progressive: bool,
}

/// Reads the blocks of one scan.
pub struct Coder<'a> {
    bits: Bits<'a>,
    band: Band,
    /// The last block's first coefficient, by component.
    before: [i32; COMPONENTS],
    /// Blocks to come that have nothing more in this band.
    empty: u32,
}

impl<'a> Coder<'a> {
    pub fn new(bits: Bits<'a>, band: Band) -> Self {
        Self { bits, band, before: [0; COMPONENTS], empty: 0 }
    }

    /// Begins anew behind a restart marker.
    pub fn restart(&mut self, number: u8) -> Result<(), String> {
        self.bits.restart(number)?;
        (self.before, self.empty) = ([0; COMPONENTS], 0);
        Ok(())
    }

    /// Where the scan ends.
    pub fn end(&self) -> usize {
        self.bits.marker()
    }

    /// Reads what the scan has of one block of a component.
    pub fn read(
        &mut self,
        block: &mut Block,
        component: usize,
        first: Option<&Huffman>,
        other: Option<&Huffman>,
    ) -> Result<(), String> {
        let Band { from, high, is_progressive, .. } = self.band;
        match (is_progressive, from, high) {
            (false, ..) => {
                self.first(block, component, known(first)?)?;
                self.others(block, known(other)?)
            }
            (true, 0, 0) => self.first(block, component, known(first)?),
            (true, 0, _) => {
                block[0] |= (self.bits.take(1)? as i16) << self.band.low;
                Ok(())
            }
            (true, _, 0) => self.others(block, known(other)?),
            (true, ..) => self.refine(block, known(other)?),
        }
    }

    fn first(&mut self, block: &mut Block, component: usize, codes: &Huffman) -> Result<(), String> {
        let length = codes.decode(&mut self.bits)?;
        let difference = self.bits.signed(checked(length)?)?;
        let value = self.before[component].wrapping_add(difference);
        self.before[component] = value;
        block[0] = (value << self.band.low) as i16;
        Ok(())
    }

    fn others(&mut self, block: &mut Block, codes: &Huffman) -> Result<(), String> {
        if self.empty > 0 {
            self.empty -= 1;
            return Ok(());
        }
        let mut at = self.band.from.max(1);
        while at <= self.band.to {
            let code = codes.decode(&mut self.bits)?;
            let (zeros, length) = (code >> 4, code & 15);
            match (zeros, length) {
                (15, 0) => at += 16,
                (_, 0) => {
                    self.empty = self.run(zeros)?;
                    break;
                }
                _ => {
                    at += usize::from(zeros);
                    let place = ZIGZAG.get(at).filter(|_| at <= self.band.to).ok_or_else(beyond)?;
                    let value = self.bits.signed(length.into())?;
                    block[usize::from(*place)] = (value << self.band.low) as i16;
                    at += 1;
                }
            }
        }
        Ok(())
    }

    /// Blocks after this one that have nothing more, where a code says so.
    fn run(&mut self, power: u8) -> Result<u32, String> {
        if !self.band.is_progressive {
            return Ok(0);
        }
        Ok((1 << power) + self.bits.take(power.into())? - 1)
    }

    /// One more bit of each coefficient: of those that were not zero as they come, of the others where a code says so.
    fn refine(&mut self, block: &mut Block, codes: &Huffman) -> Result<(), String> {
        let mut at = self.band.from;
        while self.empty == 0 && at <= self.band.to {
            let code = codes.decode(&mut self.bits)?;
            let (zeros, length) = (code >> 4, code & 15);
            let new = match (zeros, length) {
                (15, 0) => 0,
                (_, 0) => {
                    self.empty = self.run(zeros)? + 1;
                    break;
                }
                (_, 1) => {
                    if self.bits.take(1)? == 1 {
                        1_i16 << self.band.low
                    } else {
                        -1 << self.band.low
                    }
                }
                _ => return Err(beyond()),
            };
            at = self.pass(block, at, zeros.into())?;
            if new != 0 {
                let place = ZIGZAG.get(at).filter(|_| at <= self.band.to).ok_or_else(beyond)?;
                block[usize::from(*place)] = new;
            }
            at += 1;
        }
        if self.empty > 0 {
            self.pass(block, at, usize::MAX)?;
            self.empty -= 1;
        }
        Ok(())
    }

    /// Refines what is not zero from `at` on, and stops at the zero behind so many zeros, or behind the band.
    fn pass(&mut self, block: &mut Block, mut at: usize, mut zeros: usize) -> Result<usize, String> {
        while at <= self.band.to {
            let value = &mut block[usize::from(ZIGZAG[at])];
            if *value == 0 {
                if zeros == 0 {
                    break;
                }
                zeros -= 1;
            } else if self.bits.take(1)? == 1 && *value & 1 << self.band.low == 0 {
                *value =
                    value.wrapping_add(if *value > 0 { 1 << self.band.low } else { -1 << self.band.low });
            }
            at += 1;
        }
        Ok(at)
    }
}

fn known(codes: Option<&Huffman>) -> Result<&Huffman, String> {
    codes.ok_or_else(|| "it is damaged: a table of codes is missing".to_owned())
}

/// The length of a difference, which fits 16 bits.
fn checked(length: u8) -> Result<u32, String> {
    if length > 15 { Err(beyond()) } else { Ok(length.into()) }
}

fn beyond() -> String {
    "its data are damaged: a block has more than its 64 coefficients".to_owned()
}
