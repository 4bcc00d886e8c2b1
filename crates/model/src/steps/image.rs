//! A model of numbers that takes pictures.
//!
//! - [`mod@file`]: which format a file has, and its pixels; one file a format: [`jpeg`], [`png`], [`webp`], [`gif`]
//! - [`picture`], [`orient`], [`resample`], [`fit`]: pixels, and what is done with them
//! - [`values`]: pixels to the numbers that the model takes

mod file;
mod fit;
mod gif;
mod jpeg;
mod orient;
mod picture;
mod png;
mod resample;
mod values;
mod webp;

use modelet_core::steps::ImageStep;
use modelet_core::steps::image::{IMAGE_INPUT, Layout, Resize, Size};
use modelet_core::{Code, Data, Dim, FileKind, FunctionError, InputSpec, Signature, Tensor, Value};

use super::file::{
    Limit as FileLimit, bytes as file_bytes, input as file_input, of_call as files_of_call, only_input,
};
use crate::engine::Model;
use picture::{Limits, Picture};
use values::Values;

pub(crate) use png::noise;

/// A model of numbers behind a decoder of pictures.
pub struct ImageModel {
    inner: Box<dyn Model>,
    step: ImageStep,
    /// The model's own input.
    input: InputSpec,
    layout: Layout,
    values: Values,
    signature: Signature,
}

impl ImageModel {
    /// Lays the step around a model.
    pub fn around(inner: Box<dyn Model>, step: &ImageStep) -> Result<Self, FunctionError> {
        let input = only_input(inner.signature(), "image").map_err(refused)?.clone();
        let dims = input.shape.clone().unwrap_or_else(|| vec![Dim::Dynamic; 4]);
        let layout = layout(&input, &dims, step)?;
        if let Some(size) = fixed_size(step) {
            check_size(&input, &dims, layout, size)?;
        }
        let values = Values::new(step, input.dtype).map_err(refused)?;
        let image = file_input(IMAGE_INPUT, dims[0].clone(), FileKind::Image);
        let signature = Signature::new(vec![image], inner.signature().outputs.clone());
        Ok(Self { inner, step: step.clone(), input, layout, values, signature })
    }

    /// A picture as the model takes it, out of its file in base64.
    fn prepare(&self, text: &str) -> Result<Picture, String> {
        let bytes = file_bytes(text)?;
        let limits = Limits { max_pixels: self.step.max_pixels };
        let decoded = file::decode(&bytes, &limits)?;
        let picture = if self.step.orient { orient::upright(decoded) } else { decoded.picture };
        let picture = picture.converted(self.step.colours);
        let picture = match self.step.resize {
            None => picture,
            Some(resize) => {
                let (width, height) = fit::target(picture.width, picture.height, resize);
                limits
                    .check(width, height)
                    .map_err(|why| format!("a picture that cannot be resized: {why}"))?;
                resample::resize(picture, width, height, self.step.filter)
            }
        };
        Ok(match self.step.crop {
            None => picture,
            Some(size) => fit::center_crop(&picture, size),
        })
    }

    /// All pictures of a call as one tensor.
    fn tensor(&self, texts: &[String]) -> Result<Tensor, FunctionError> {
        let mut data = Data::empty(self.input.dtype);
        let size_of = |picture: &Picture| Size { height: picture.height as u32, width: picture.width as u32 };
        let mut size = fixed_size(&self.step);
        let (mut pixels, max_pixels) = (0, self.step.max_pixels);
        for (place, text) in texts.iter().enumerate() {
            let place = format!("{IMAGE_INPUT}[{place}]");
            let picture = self
                .prepare(text)
                .map_err(|found| FunctionError::bad_input(&place, FileKind::Image.description(), found))?;
            pixels += picture.width as u64 * picture.height as u64;
            if pixels > max_pixels {
                let expected = format!(
                    "at most max_pixels = {max_pixels} in all pictures of a call, when they are resized"
                );
                return Err(FunctionError::bad_input(&place, expected, format!("{pixels} with this one"))
                    .hint("send them in several calls"));
            }
            let own = size_of(&picture);
            let first = *size.get_or_insert(own);
            if first != own {
                let expected = format!("a picture that is {first} when it is resized, as those before it");
                return Err(FunctionError::bad_input(&place, expected, own.to_string())
                    .hint("send pictures of different shapes one by one"));
            }
            self.values.append(&picture, self.layout, &mut data);
        }
        let Size { height, width } = size.unwrap_or(Size { height: 0, width: 0 });
        let (count, height, width) = (texts.len(), height as usize, width as usize);
        let channels = self.step.colours.channels();
        let shape = match self.layout {
            Layout::Nchw => vec![count, channels, height, width],
            Layout::Nhwc => vec![count, height, width, channels],
        };
        Tensor::new(shape, data)
            .map_err(|error| FunctionError::new(Code::PredictionFailed, error.to_string()))
    }
}

impl Model for ImageModel {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn predict(
        &mut self,
        inputs: Vec<(String, Tensor)>,
        outputs: Option<&[String]>,
    ) -> Result<Vec<(String, Value)>, FunctionError> {
        let limit = FileLimit { name: "max_images", most: self.step.max_images, files: "pictures" };
        let texts = files_of_call(&self.signature, &inputs, &limit)?;
        let tensor = self.tensor(texts)?;
        self.inner.predict(vec![(self.input.name.clone(), tensor)], outputs)
    }
}

/// The size of every picture, where it is one.
fn fixed_size(step: &ImageStep) -> Option<Size> {
    match (step.crop, step.resize) {
        (Some(size), _) | (None, Some(Resize::Exact(size))) => Some(size),
        (None, _) => None,
    }
}

/// Where the colours stand: as the step says, else as the shape does, else before the rows, as in most frameworks.
fn layout(input: &InputSpec, dims: &[Dim], step: &ImageStep) -> Result<Layout, FunctionError> {
    let channels = step.colours.channels();
    let misfit = |why: String| {
        let (name, shape) = (&input.name, input.shape_text());
        refused(format!("the model takes {name} {} {shape}: {why}", input.dtype))
            .hint("[image] colours = \"rgb\" or \"grey\" and layout = \"nchw\" or \"nhwc\" say how the pictures are laid out")
    };
    let [_, second, _, last] = dims else {
        return Err(misfit("pictures are tensors of four axes".to_owned()));
    };
    let fits = |layout: Layout| match layout {
        Layout::Nchw => second.accepts(channels),
        Layout::Nhwc => last.accepts(channels),
    };
    let named = last.fixed() == Some(channels) && second.fixed() != Some(channels);
    let layout = step.layout.unwrap_or(if named { Layout::Nhwc } else { Layout::Nchw });
    if fits(layout) {
        return Ok(layout);
    }
    Err(misfit(format!("neither its second nor its last axis is {channels}, the values of a pixel")))
}

fn check_size(input: &InputSpec, dims: &[Dim], layout: Layout, size: Size) -> Result<(), FunctionError> {
    let (height, width) = match layout {
        Layout::Nchw => (&dims[2], &dims[3]),
        Layout::Nhwc => (&dims[1], &dims[2]),
    };
    if height.accepts(size.height as usize) && width.accepts(size.width as usize) {
        return Ok(());
    }
    let (name, shape) = (&input.name, input.shape_text());
    Err(refused(format!("the model takes {name} of the shape {shape}, and pictures are made {size}")))
}

fn refused(message: String) -> FunctionError {
    FunctionError::new(Code::ModelRefused, message)
        .hint("[image] in modelet.toml says what is done with pictures; [image] off = true serves the model as it is")
}

#[cfg(test)]
mod tests;
