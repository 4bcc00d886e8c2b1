//! Samples out of coefficients: the accurate integer transform of libjpeg (`jidctint.c`, after Loeffler, Ligtenberg and
//! Moschytz), with 16-bit numbers where its vector code has them.

use std::num::Wrapping;

use super::frame::Block;

/// Fraction bits of the constants, and those that the columns keep for the rows.
const CONST_BITS: usize = 13;
const PASS_BITS: usize = 2;

type Number = Wrapping<i32>;

/// A constant with 13 fraction bits, rounded as libjpeg's FIX does.
const fn fixed(constant: f64) -> Number {
    Wrapping((constant * (1 << CONST_BITS) as f64 + 0.5) as i32)
}

/// Eight samples out of eight coefficients, with the fraction bits of the constants on top.
fn eight(c: [Number; 8]) -> [Number; 8] {
    let z1 = (c[2] + c[6]) * fixed(0.541_196_100);
    let low = z1 - c[6] * fixed(1.847_759_065);
    let high = z1 + c[2] * fixed(0.765_366_865);
    let (sum, difference) = ((c[0] + c[4]) << CONST_BITS, (c[0] - c[4]) << CONST_BITS);
    let even = [sum + high, difference + low, difference - low, sum - high];

    let z5 = (c[7] + c[3] + c[5] + c[1]) * fixed(1.175_875_602);
    let z1 = -(c[7] + c[1]) * fixed(0.899_976_223);
    let z2 = -(c[5] + c[3]) * fixed(2.562_915_447);
    let z3 = z5 - (c[7] + c[3]) * fixed(1.961_570_560);
    let z4 = z5 - (c[5] + c[1]) * fixed(0.390_180_644);
    let odd = [
        c[1] * fixed(1.501_321_110) + z1 + z4,
        c[3] * fixed(3.072_711_026) + z2 + z3,
        c[5] * fixed(2.053_119_869) + z2 + z4,
        c[7] * fixed(0.298_631_336) + z1 + z3,
    ];
    std::array::from_fn(|at| match at {
        0..4 => even[at] + odd[at],
        _ => even[7 - at] - odd[7 - at],
    })
}

/// Rounded to the nearest without its last bits.
fn descaled(number: Number, bits: usize) -> i32 {
    ((number + Wrapping(1 << (bits - 1))) >> bits).0
}

/// Puts the samples of a block where they belong; `stride` is from one row of `samples` to the next.
pub fn inverse(block: &Block, steps: &[u16; 64], samples: &mut [u8], stride: usize) {
    let mut between = [Wrapping(0); 64];
    for column in 0..8 {
        let coefficient = |row: usize| {
            let place = row * 8 + column;
            Wrapping(i32::from(block[place].wrapping_mul(steps[place] as i16)))
        };
        for (row, number) in eight(std::array::from_fn(coefficient)).into_iter().enumerate() {
            let kept = descaled(number, CONST_BITS - PASS_BITS).clamp(i16::MIN.into(), i16::MAX.into());
            between[row * 8 + column] = Wrapping(kept);
        }
    }
    for (row, numbers) in between.as_chunks::<8>().0.iter().enumerate() {
        let out = samples[row * stride..].iter_mut();
        for (sample, number) in out.zip(eight(*numbers)) {
            *sample = (descaled(number, CONST_BITS + PASS_BITS + 3) + 128).clamp(0, 255) as u8;
        }
    }
}
