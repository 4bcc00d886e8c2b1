//! What a picture is made of before it is one: components, each a grid of blocks of 64 coefficients.

use super::transform;

/// Coefficients of one block, row by row.
pub type Block = [i16; 64];

/// The picture as its file has it.
pub struct Frame {
    pub width: usize,
    pub height: usize,
    pub is_progressive: bool,
    pub components: Vec<Component>,
    /// The largest sampling factors of all components.
    pub most: (usize, usize),
}

/// One component: brightness, or a colour.
pub struct Component {
    pub id: u8,
    /// Samples for each `most` pixels, across and down.
    pub sampling: (usize, usize),
    /// The number of its table of steps.
    pub quantization: u8,
    /// That table as it was when the first scan of the component began.
    pub steps: Option<[u16; 64]>,
    /// Samples across and down, without those that only fill up blocks.
    pub size: (usize, usize),
    /// Blocks across and down, with those that fill up the last group.
    pub grid: (usize, usize),
    pub blocks: Vec<Block>,
    /// For each coefficient the lowest of its bits that was sent; `None` when none was.
    pub sent: [Option<u8>; 64],
}

/// Samples of one component.
pub struct Plane {
    pub samples: Vec<u8>,
    /// From one row to the next.
    pub stride: usize,
    /// Samples across and down that belong to the picture.
    pub size: (usize, usize),
    /// Pixels of a sample, across and down.
    pub scale: (usize, usize),
}

impl Frame {
    /// Groups of blocks across and down, when all components are sent together.
    pub fn groups(&self) -> (usize, usize) {
        (self.width.div_ceil(8 * self.most.0), self.height.div_ceil(8 * self.most.1))
    }

    /// Samples out of coefficients.
    pub fn into_planes(self) -> Result<Vec<Plane>, String> {
        let most = self.most;
        self.components.into_iter().map(|component| component.into_plane(most)).collect()
    }
}

impl Component {
    fn into_plane(self, most: (usize, usize)) -> Result<Plane, String> {
        if self.sent.iter().any(|lowest| *lowest != Some(0)) {
            // libjpeg smooths such a picture over.
            return Err("it is not complete: scans of a progressive picture are missing".to_owned());
        }
        let steps = self.steps.ok_or("it is damaged: it has no table of steps (quantization)")?;
        let (across, _) = self.grid;
        let stride = across * 8;
        let mut samples = vec![0; stride * self.grid.1 * 8];
        for (place, block) in self.blocks.iter().enumerate() {
            let first = place / across * 8 * stride + place % across * 8;
            transform::inverse(block, &steps, &mut samples[first..], stride);
        }
        let scale = (most.0 / self.sampling.0, most.1 / self.sampling.1);
        Ok(Plane { samples, stride, size: self.size, scale })
    }
}
