//! Pixels to the numbers that a model takes. As `transformers/image_transforms.py` (rescale, normalize): multiplied in float64 and
//! rounded to float32, then normalised in float32. A pixel has one of 256 values, so that is done once for each.

use half::f16;
use modelet_core::steps::ImageStep;
use modelet_core::steps::image::{Layout, Normalize};
use modelet_core::{DType, Data};

use super::picture::Picture;

/// The number of each value of a pixel, for each colour.
pub struct Values {
    tables: Vec<[f32; 256]>,
}

impl Values {
    /// `dtype`: what the model takes. An error says why it cannot be given that.
    pub fn new(step: &ImageStep, dtype: DType) -> Result<Self, String> {
        let channels = step.colours.channels();
        let is_whole = step.rescale.is_none() && step.normalize.is_empty();
        match dtype {
            DType::F32 | DType::F16 => {}
            DType::U8 if is_whole => {}
            DType::U8 => {
                return Err("the model takes uint8, and rescale, mean and std make fractions".to_owned());
            }
            other => {
                return Err(format!(
                    "the model takes {other}, and pictures become float32, float16 or uint8"
                ));
            }
        }
        if step.rescale.is_some_and(|scale| !scale.is_finite()) {
            return Err("rescale is no number".to_owned());
        }
        step.normalize.iter().try_for_each(|one| check(one, channels))?;
        Ok(Self { tables: (0..channels).map(|channel| table(step, channel)).collect() })
    }

    /// Adds a picture to a tensor of the type that the model takes.
    pub fn append(&self, picture: &Picture, layout: Layout, data: &mut Data) {
        match data {
            Data::U8(values) => each(picture, layout, |_, value| values.push(value)),
            Data::F16(values) => {
                each(picture, layout, |channel, value| {
                    values.push(f16::from_f32(self.number(channel, value)));
                });
            }
            Data::F32(values) => {
                each(picture, layout, |channel, value| values.push(self.number(channel, value)));
            }
            // `new` lets no other type pass.
            _ => {}
        }
    }

    fn number(&self, channel: usize, value: u8) -> f32 {
        self.tables[channel][usize::from(value)]
    }
}

fn check(one: &Normalize, channels: usize) -> Result<(), String> {
    for (name, numbers) in [("mean", &one.mean), ("std", &one.std)] {
        if numbers.len() != 1 && numbers.len() != channels {
            let count = numbers.len();
            return Err(format!("{name} has {count} numbers, and a pixel has {channels} values"));
        }
        if numbers.iter().any(|number| !number.is_finite() || (name == "std" && *number as f32 == 0.0)) {
            return Err(format!("{name} = {numbers:?} cannot be computed with"));
        }
    }
    Ok(())
}

fn table(step: &ImageStep, channel: usize) -> [f32; 256] {
    let own = |numbers: &[f64]| numbers[if numbers.len() == 1 { 0 } else { channel }] as f32;
    std::array::from_fn(|value| {
        let rescaled = step.rescale.map_or(value as f32, |scale| (value as f64 * scale) as f32);
        step.normalize.iter().fold(rescaled, |number, one| (number - own(&one.mean)) / own(&one.std))
    })
}

/// Every value of a picture with its colour, in the order of a layout.
fn each(picture: &Picture, layout: Layout, mut take: impl FnMut(usize, u8)) {
    let channels = picture.channels();
    match layout {
        Layout::Nhwc => {
            for pixel in picture.pixels.chunks_exact(channels) {
                pixel.iter().enumerate().for_each(|(channel, value)| take(channel, *value));
            }
        }
        Layout::Nchw => {
            for channel in 0..channels {
                picture.pixels.iter().skip(channel).step_by(channels).for_each(|value| take(channel, *value));
            }
        }
    }
}
