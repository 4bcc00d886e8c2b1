//! Colours out of components. Source of the formula: libjpeg's `jdcolor.c` (JFIF's, in 16 bits of fraction).

/// What the three components of a picture are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Space {
    /// Brightness and two differences of colour.
    YCbCr,
    /// The colours themselves.
    Rgb,
}

const BITS: u32 = 16;
const HALF: i32 = 1 << (BITS - 1);

const fn fixed(constant: f64) -> i32 {
    (constant * (1 << BITS) as f64 + 0.5) as i32
}

/// Red, green and blue of each pixel out of three components of the picture's size.
pub fn rgb(planes: &[Vec<u8>], space: Space) -> Vec<u8> {
    let [first, second, third] = planes else { return Vec::new() };
    let pixels = first.iter().zip(second).zip(third);
    match space {
        Space::Rgb => pixels.flat_map(|((red, green), blue)| [*red, *green, *blue]).collect(),
        Space::YCbCr => pixels.flat_map(|((y, cb), cr)| converted(*y, *cb, *cr)).collect(),
    }
}

fn converted(y: u8, cb: u8, cr: u8) -> [u8; 3] {
    let (y, cb, cr) = (i32::from(y), i32::from(cb) - 128, i32::from(cr) - 128);
    let red = y + ((fixed(1.402) * cr + HALF) >> BITS);
    let green = y + ((-fixed(0.34414) * cb - fixed(0.71414) * cr + HALF) >> BITS);
    let blue = y + ((fixed(1.772) * cb + HALF) >> BITS);
    [red, green, blue].map(|value| value.clamp(0, 255) as u8)
}
