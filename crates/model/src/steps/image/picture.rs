//! A picture: pixels of one byte for each colour, row by row.

use modelet_core::steps::image::Colours;

/// Pixels of one value (grey) or three (red, green, blue).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    pub width: usize,
    pub height: usize,
    pub colours: Colours,
    pub pixels: Vec<u8>,
}

/// What a file was decoded to.
#[derive(Debug)]
pub struct Decoded {
    pub picture: Picture,
    /// Its EXIF block, from the TIFF header on; empty when it has none.
    pub exif: Vec<u8>,
    /// Its XMP packet; empty when it has none.
    pub xmp: Vec<u8>,
}

/// What a file may cost.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub max_pixels: u64,
}

/// Pixels of an edge: as many as JPEG and GIF can say.
const MAX_EDGE: usize = 65_535;

impl Limits {
    /// Refuses a size before anything of it is decoded.
    pub fn check(&self, width: usize, height: usize) -> Result<(), String> {
        if width == 0 || height == 0 {
            return Err("it has no pixels".to_owned());
        }
        if width.max(height) > MAX_EDGE {
            return Err(format!(
                "it has {width} × {height} pixels, and no edge may have more than {MAX_EDGE}"
            ));
        }
        if (width as u64).saturating_mul(height as u64) > self.max_pixels {
            let limit = self.max_pixels;
            return Err(format!("it has {width} × {height} pixels, more than max_pixels = {limit}"));
        }
        Ok(())
    }

    /// Bytes that a decoder may take beside those of the picture.
    pub fn bytes(&self) -> usize {
        usize::try_from(self.max_pixels.saturating_mul(8)).unwrap_or(usize::MAX)
    }
}

impl Picture {
    pub fn grey(width: usize, height: usize, pixels: Vec<u8>) -> Self {
        Self { width, height, colours: Colours::Grey, pixels }
    }

    pub fn colour(width: usize, height: usize, pixels: Vec<u8>) -> Self {
        Self { width, height, colours: Colours::Rgb, pixels }
    }

    /// Values of a pixel.
    pub fn channels(&self) -> usize {
        self.colours.channels()
    }

    /// The picture in other colours. Source of the formula: Pillow's `Convert.c` (`L24`, which is ITU-R 601-2).
    pub fn converted(self, colours: Colours) -> Self {
        let pixels = match (self.colours, colours) {
            (Colours::Grey, Colours::Rgb) => self.pixels.iter().flat_map(|grey| [*grey; 3]).collect(),
            (Colours::Rgb, Colours::Grey) => self.pixels.as_chunks().0.iter().map(grey).collect(),
            _ => return self,
        };
        Self { colours, pixels, ..self }
    }
}

fn grey([red, green, blue]: &[u8; 3]) -> u8 {
    let sum = u32::from(*red) * 19_595 + u32::from(*green) * 38_470 + u32::from(*blue) * 7_471;
    ((sum + 0x8000) >> 16) as u8
}
