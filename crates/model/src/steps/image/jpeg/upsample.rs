//! A component of half the size made as large as the picture: libjpeg's triangle filter (`jdsample.c`, "fancy upsampling"),
//! whose nearer sample counts three times the farther one; samples are repeated where libjpeg repeats them.

use super::frame::Plane;

/// The samples of a component for each pixel.
pub fn full_size(plane: &Plane, width: usize, height: usize) -> Vec<u8> {
    let mut pixels = Vec::with_capacity(width * height);
    // Fewer samples than three across are repeated.
    let is_wide = plane.size.0 > 2;
    match plane.scale {
        (2, 1) if is_wide => {
            for row in 0..height {
                push(&mut pixels, width, across(samples(plane, row).iter().map(|one| u32::from(*one)), 2));
            }
        }
        (1, 2) => {
            for row in 0..height {
                let (near, far) = neighbours(plane, row);
                let bias = if row.is_multiple_of(2) { 1 } else { 2 };
                let mixed = near.iter().zip(far).map(|(near, far)| mixed(*near, *far) + bias);
                pixels.extend(mixed.take(width).map(|sum| (sum >> 2) as u8));
            }
        }
        (2, 2) if is_wide => {
            for row in 0..height {
                let (near, far) = neighbours(plane, row);
                push(&mut pixels, width, across(near.iter().zip(far).map(|(a, b)| mixed(*a, *b)), 4));
            }
        }
        (x, y) => {
            for row in 0..height {
                let own = samples(plane, row / y);
                pixels.extend((0..width).map(|column| own[column / x]));
            }
        }
    }
    pixels
}

fn samples(plane: &Plane, row: usize) -> &[u8] {
    &plane.samples[row * plane.stride..][..plane.size.0]
}

/// The row of samples that a row of pixels lies in, and the other one that it lies near to; at the edge they are the same.
fn neighbours(plane: &Plane, row: usize) -> (&[u8], &[u8]) {
    let near = row / 2;
    let far = if row.is_multiple_of(2) { near.saturating_sub(1) } else { (near + 1).min(plane.size.1 - 1) };
    (samples(plane, near), samples(plane, far))
}

fn mixed(near: u8, far: u8) -> u32 {
    3 * u32::from(near) + u32::from(far)
}

/// Two values for each of a row, with two bits more; `bits` is by how many they are too large then. What is rounded down in one is
/// rounded up in the next, as libjpeg does.
fn across(row: impl Iterator<Item = u32>, bits: u32) -> impl Iterator<Item = u8> {
    let (down, up) = if bits == 2 { (1, 2) } else { (8, 7) };
    let row: Vec<u32> = row.collect();
    let last = row.len() - 1;
    (0..row.len()).flat_map(move |at| {
        let (own, before, after) = (row[at], row[at.saturating_sub(1)], row[(at + 1).min(last)]);
        let left = (3 * own + before + down) >> bits;
        let right = (3 * own + after + up) >> bits;
        [left as u8, right as u8]
    })
}

fn push(pixels: &mut Vec<u8>, width: usize, row: impl Iterator<Item = u8>) {
    pixels.extend(row.take(width));
}
