//! Other sizes of a picture, to the bit as Pillow 13 makes them. Source of the formulas: Pillow's `Resample.c`, for bytes:
//! across and down, each value rounded in between, with weights of 22 fraction bits; `Geometry.c` for the nearest pixel.

use std::f64::consts::PI;

use modelet_core::steps::image::Filter;

use super::picture::Picture;

/// Fraction bits of a weight: what 32 bits leave beside 8 of a value and 2 of the sum of weights beyond one.
const WEIGHT_BITS: u32 = 32 - 8 - 2;

/// The picture in another size.
pub fn resize(picture: Picture, width: usize, height: usize, filter: Filter) -> Picture {
    if (picture.width, picture.height) == (width, height) {
        return picture;
    }
    if filter == Filter::Nearest {
        return nearest(&picture, width, height);
    }
    // As Pillow 13: what loses many more rows than columns loses rows first.
    let lost = |old: usize, new: usize| old as i64 - new as i64;
    let (rows, columns) = (lost(picture.height, height), lost(picture.width, width));
    let wide = |picture: Picture| if columns == 0 { picture } else { across(&picture, width, filter) };
    let tall = |picture: Picture| if rows == 0 { picture } else { down(&picture, height, filter) };
    if rows > 0 && rows > 2 * columns { wide(tall(picture)) } else { tall(wide(picture)) }
}

/// Which old values make a new one, and what each counts.
struct Weights {
    first: usize,
    weights: Vec<i32>,
}

/// The weights of each new place.
fn weights(old: usize, new: usize, filter: Filter) -> Vec<Weights> {
    let (shape, reach) = shape(filter);
    let scale = old as f64 / new as f64;
    // Of a smaller picture the filter covers all of the larger one.
    let stretch = scale.max(1.0);
    let support = reach * stretch;
    let place = |at: usize| {
        let center = (at as f64 + 0.5) * scale;
        let first = ((center - support + 0.5) as i64).max(0) as usize;
        let end = ((center + support + 0.5) as i64).clamp(0, old as i64) as usize;
        let weight = |from: usize| shape((from as f64 - center + 0.5) * (1.0 / stretch));
        let mut exact: Vec<f64> = (first..end).map(weight).collect();
        let sum: f64 = exact.iter().fold(0.0, |sum, weight| sum + weight);
        if sum != 0.0 {
            exact.iter_mut().for_each(|weight| *weight /= sum);
        }
        Weights { first, weights: exact.into_iter().map(rounded).collect() }
    };
    (0..new).map(place).collect()
}

fn rounded(weight: f64) -> i32 {
    let scaled = weight * f64::from(1 << WEIGHT_BITS);
    (if weight < 0.0 { scaled - 0.5 } else { scaled + 0.5 }) as i32
}

/// A filter, and how far it reaches.
fn shape(filter: Filter) -> (fn(f64) -> f64, f64) {
    match filter {
        Filter::Nearest | Filter::Box => (|x| if x > -0.5 && x <= 0.5 { 1.0 } else { 0.0 }, 0.5),
        Filter::Bilinear => (|x| (1.0 - x.abs()).max(0.0), 1.0),
        Filter::Hamming => (hamming, 1.0),
        Filter::Bicubic => (bicubic, 2.0),
        Filter::Lanczos => (|x| if (-3.0..3.0).contains(&x) { sinc(x) * sinc(x / 3.0) } else { 0.0 }, 3.0),
    }
}

fn hamming(x: f64) -> f64 {
    match x.abs() {
        0.0 => 1.0,
        x if x >= 1.0 => 0.0,
        x => {
            let x = x * PI;
            // As there: constants of single precision.
            x.sin() / x * (f64::from(0.54_f32) + f64::from(0.46_f32) * x.cos())
        }
    }
}

fn bicubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    match x.abs() {
        x if x < 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
        x if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * A,
        _ => 0.0,
    }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 {
        return 1.0;
    }
    let x = x * PI;
    x.sin() / x
}

fn value(sum: i32) -> u8 {
    (sum >> WEIGHT_BITS).clamp(0, 255) as u8
}

const HALF: i32 = 1 << (WEIGHT_BITS - 1);

fn across(picture: &Picture, width: usize, filter: Filter) -> Picture {
    let channels = picture.channels();
    let weights = weights(picture.width, width, filter);
    let mut pixels = Vec::with_capacity(width * picture.height * channels);
    for row in picture.pixels.chunks_exact(picture.width * channels) {
        for Weights { first, weights } in &weights {
            let own = &row[first * channels..][..weights.len() * channels];
            for channel in 0..channels {
                let values = own.iter().skip(channel).step_by(channels);
                let sum =
                    values.zip(weights).fold(HALF, |sum, (value, weight)| sum + i32::from(*value) * weight);
                pixels.push(value(sum));
            }
        }
    }
    Picture { width, pixels, ..*picture }
}

fn down(picture: &Picture, height: usize, filter: Filter) -> Picture {
    let length = picture.width * picture.channels();
    let mut pixels = Vec::with_capacity(length * height);
    let mut sums = vec![HALF; length];
    for Weights { first, weights } in weights(picture.height, height, filter) {
        sums.fill(HALF);
        let rows = picture.pixels[first * length..].chunks_exact(length);
        for (row, weight) in rows.zip(weights) {
            sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += i32::from(*value) * weight);
        }
        pixels.extend(sums.iter().map(|sum| value(*sum)));
    }
    Picture { height, pixels, ..*picture }
}

fn nearest(picture: &Picture, width: usize, height: usize) -> Picture {
    let channels = picture.channels();
    let (columns, rows) = (places(picture.width, width), places(picture.height, height));
    let mut pixels = Vec::with_capacity(width * height * channels);
    for row in rows {
        for column in &columns {
            let first = (row * picture.width + column) * channels;
            pixels.extend_from_slice(&picture.pixels[first..first + channels]);
        }
    }
    Picture { width, height, pixels, colours: picture.colours }
}

/// The old place of each new one, added up step by step as Pillow does.
fn places(old: usize, new: usize) -> Vec<usize> {
    let step = old as f64 / new as f64;
    let mut at = step * 0.5;
    let next = |_| {
        let place = (at as usize).min(old - 1);
        at += step;
        place
    };
    (0..new).map(next).collect()
}
