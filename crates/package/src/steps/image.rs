//! What is done with pictures: what the manifest says, and what Hugging Face's `preprocessor_config.json` beside the model does.

use modelet_core::manifest::ImageNotes;
use modelet_core::steps::ImageStep;
use modelet_core::steps::image::{Colours, Filter, Layout, Normalize, Resize, Size};
use modelet_core::{Code, DType, Dim, FunctionError, InputSpec, Signature};

use super::Said;
use super::processor::{self, Processor};

/// The file of an image processor.
pub const PROCESSOR: &str = "preprocessor_config.json";
/// Pixels of one picture when nobody says: a camera of 40 megapixels, which takes half a gigabyte while it is decoded.
const DEFAULT_MAX_PIXELS: u64 = 40_000_000;
/// Pictures of one call when nobody says.
const DEFAULT_MAX_IMAGES: u32 = 64;
/// What makes fractions of one of the values of a pixel.
const UNIT: f64 = 1.0 / 255.0;

/// The step of a model, if it has one.
pub fn find(
    notes: Option<&ImageNotes>,
    said: &Said<'_>,
    signature: &Signature,
) -> Result<Option<ImageStep>, FunctionError> {
    let input = picture_input(signature);
    let own = notes.cloned().unwrap_or_default();
    if own.off || (notes.is_none() && (input.is_none() || !said.has(PROCESSOR))) {
        return Ok(None);
    }
    let processor = match said.has(PROCESSOR) && !own.alone {
        true => processor::read(&said.json(PROCESSOR))?,
        false => Processor::default(),
    };
    let is_said = said.has(PROCESSOR) && !own.alone;
    let layout = own.layout;
    let resize = own.resize.or(processor.resize).or_else(|| {
        // A model of one size says by that what size pictures are made.
        (!is_said).then(|| input.and_then(|input| model_size(input, layout)).map(Resize::Exact)).flatten()
    });
    let is_whole = input.is_some_and(|input| input.dtype == DType::U8);
    let rescale = own.rescale.or(if is_said || is_whole { processor.rescale } else { Some(UNIT) });
    let normalize = match (own.mean, own.std) {
        (None, None) => processor.normalize,
        (Some(mean), Some(std)) => vec![Normalize { mean, std }],
        _ => {
            return Err(FunctionError::new(
                Code::BadManifest,
                "[image] has only one of mean and std: give both",
            ));
        }
    };
    Ok(Some(ImageStep {
        orient: own.orient.unwrap_or(true),
        colours: own.colours.unwrap_or(Colours::Rgb),
        resize,
        filter: own.filter.or(processor.filter).unwrap_or(Filter::Bicubic),
        crop: own.crop.or(processor.crop),
        rescale,
        normalize,
        layout,
        max_pixels: own.max_pixels.unwrap_or(DEFAULT_MAX_PIXELS),
        max_images: own.max_images.unwrap_or(DEFAULT_MAX_IMAGES),
    }))
}

/// The one input of a model, when it may take pictures: a tensor of four axes.
fn picture_input(signature: &Signature) -> Option<&InputSpec> {
    let mut required = signature.inputs.iter().filter(|input| !input.optional);
    let only = required.next().filter(|_| required.next().is_none())?;
    only.shape.as_ref().is_some_and(|shape| shape.len() == 4).then_some(only)
}

/// The size that a model takes, where it is one.
fn model_size(input: &InputSpec, layout: Option<Layout>) -> Option<Size> {
    let sizes: Vec<Option<usize>> = input.shape.iter().flatten().map(Dim::fixed).collect();
    let [_, second, third, last] = sizes.as_slice() else { return None };
    let is_last = |channels: &Option<usize>| matches!(channels, Some(1 | 3));
    let layout =
        layout.unwrap_or(if is_last(last) && !is_last(second) { Layout::Nhwc } else { Layout::Nchw });
    let (height, width) = if layout == Layout::Nhwc { (second, third) } else { (third, last) };
    Some(Size { height: u32::try_from((*height)?).ok()?, width: u32::try_from((*width)?).ok()? })
}
