//! Which size a picture is made, and what is cut out of it. Source of the formulas: `transformers/image_transforms.py`
//! (get_resize_output_image_size, center_crop).

use modelet_core::steps::image::{Resize, ShortestEdge, Size};

use super::picture::Picture;

/// The width and height that a picture is made.
pub fn target(width: usize, height: usize, resize: Resize) -> (usize, usize) {
    match resize {
        Resize::Exact(size) => (size.width as usize, size.height as usize),
        Resize::Shortest(ShortestEdge { shortest_edge }) => {
            let shorter = width.min(height);
            // As Python divides: the product is exact, its quotient a float64.
            let long = |longer: usize| (u64::from(shortest_edge) * longer as u64) as f64 / shorter as f64;
            if width <= height {
                (shortest_edge as usize, long(height) as usize)
            } else {
                (long(width) as usize, shortest_edge as usize)
            }
        }
    }
}

/// The middle of a picture. Where it is smaller, it lies in the middle of black, or a pixel below and right of it.
pub fn center_crop(picture: &Picture, size: Size) -> Picture {
    let (width, height) = (size.width as usize, size.height as usize);
    let channels = picture.channels();
    let (left, into_left) = margins(picture.width, width);
    let (top, into_top) = margins(picture.height, height);
    let (columns, rows) = (width.min(picture.width), height.min(picture.height));
    let mut pixels = vec![0; width * height * channels];
    for row in 0..rows {
        let from = ((top + row) * picture.width + left) * channels;
        let to = ((into_top + row) * width + into_left) * channels;
        let length = columns * channels;
        pixels[to..to + length].copy_from_slice(&picture.pixels[from..from + length]);
    }
    Picture { width, height, pixels, colours: picture.colours }
}

/// How much is left out before, and how much is put before.
fn margins(old: usize, new: usize) -> (usize, usize) {
    (old.saturating_sub(new) / 2, new.saturating_sub(old).div_ceil(2))
}
