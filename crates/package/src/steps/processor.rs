//! Image processors of Hugging Face's `transformers`, as `preprocessor_config.json` names them. Source of the defaults: their
//! classes in version 4.49, those that resize with Pillow.

use modelet_core::steps::image::{Filter, Normalize, Resize, ShortestEdge, Size};
use modelet_core::{Code, FunctionError};
use serde_json::Value;

use super::image::PROCESSOR;

/// What a processor does.
#[derive(Debug, Default, PartialEq)]
pub struct Processor {
    pub resize: Option<Resize>,
    pub filter: Option<Filter>,
    pub crop: Option<Size>,
    pub rescale: Option<f64>,
    pub normalize: Vec<Normalize>,
}

/// What a class does when its file does not say otherwise.
struct Class {
    /// Its name without `ImageProcessor`, or `FeatureExtractor` as it was called once.
    name: &'static str,
    size: u32,
    /// True when it makes pictures of one size, false when it keeps their shape.
    is_exact: bool,
    filter: Filter,
    crop: Crop,
    colours: [[f64; 3]; 2],
}

/// Whether a class cuts out the middle, and how large that is.
#[derive(Clone, Copy)]
enum Crop {
    /// Whatever its file says.
    Never,
    /// Where its file says so.
    Off(u32),
    /// Unless its file says otherwise.
    On(u32),
}

const HALF: [[f64; 3]; 2] = [[0.5; 3]; 2];
const OPENAI: [[f64; 3]; 2] =
    [[0.481_454_66, 0.457_827_5, 0.408_210_73], [0.268_629_54, 0.261_302_58, 0.275_777_11]];

/// Below this size `ConvNextImageProcessor` cuts out the middle; from it on it does not keep the shape.
const CONVNEXT_CROPS_BELOW: u32 = 384;
const CONVNEXT: &str = "ConvNext";
const EFFICIENT_NET: &str = "EfficientNet";

#[rustfmt::skip]
const CLASSES: &[Class] = &[
    Class { name: "Beit", size: 256, is_exact: true, filter: Filter::Bicubic, crop: Crop::On(224), colours: HALF },
    Class { name: "Bit", size: 224, is_exact: false, filter: Filter::Bicubic, crop: Crop::On(224), colours: OPENAI },
    Class { name: "CLIP", size: 224, is_exact: false, filter: Filter::Bicubic, crop: Crop::On(224), colours: OPENAI },
    Class { name: CONVNEXT, size: 384, is_exact: false, filter: Filter::Bilinear, crop: Crop::Never, colours: HALF },
    Class { name: "DeiT", size: 256, is_exact: true, filter: Filter::Bicubic, crop: Crop::On(224), colours: HALF },
    Class { name: EFFICIENT_NET, size: 346, is_exact: true, filter: Filter::Nearest, crop: Crop::Off(289), colours: HALF },
    Class { name: "MobileNetV1", size: 256, is_exact: false, filter: Filter::Bilinear, crop: Crop::On(224), colours: HALF },
    Class { name: "MobileNetV2", size: 256, is_exact: false, filter: Filter::Bilinear, crop: Crop::On(224), colours: HALF },
    Class { name: "Siglip", size: 224, is_exact: true, filter: Filter::Bicubic, crop: Crop::Never, colours: HALF },
    Class { name: "ViT", size: 224, is_exact: true, filter: Filter::Bilinear, crop: Crop::Never, colours: HALF },
];

/// What the processor of a file does.
pub fn read(file: &Value) -> Result<Processor, FunctionError> {
    let class = class(file)?;
    let mean = colours(file, "image_mean")?.unwrap_or_else(|| class.colours[0].to_vec());
    let std = colours(file, "image_std")?.unwrap_or_else(|| class.colours[1].to_vec());
    let mut processor = Processor {
        resize: if does(file, "do_resize", true)? { Some(resize(file, class)?) } else { None },
        filter: Some(filter(file, class)?),
        crop: crop(file, class)?,
        rescale: if does(file, "do_rescale", true)? { Some(factor(file)?) } else { None },
        normalize: vec![],
    };
    if does(file, "do_normalize", true)? {
        processor.normalize.push(Normalize { mean, std: std.clone() });
    }
    match class.name {
        CONVNEXT => convnext(file, &mut processor)?,
        EFFICIENT_NET => efficient_net(file, std, &mut processor)?,
        _ => {}
    }
    Ok(processor)
}

fn class(file: &Value) -> Result<&'static Class, FunctionError> {
    let named = file["image_processor_type"].as_str().or(file["feature_extractor_type"].as_str());
    let named = named.ok_or_else(|| refused("does not say which class of transformers it belongs to"))?;
    if named.ends_with("ImageProcessorFast") {
        let slow = named.trim_end_matches("Fast");
        return Err(refused(&format!(
            "names {named}, which resizes with torchvision: its numbers are others"
        ))
        .hint(format!(
            "if those of Pillow are meant, write {slow} there; else say in modelet.toml: [image] off = true"
        )));
    }
    let name = named.strip_suffix("ImageProcessor").or(named.strip_suffix("FeatureExtractor"));
    CLASSES.iter().find(|class| Some(class.name) == name).ok_or_else(|| {
        let known: Vec<&str> = CLASSES.iter().map(|class| class.name).collect();
        refused(&format!("names {named}, which is not known here (known are those of {})", known.join(", ")))
    })
}

/// A number is an edge of a square or the shorter edge, by class.
fn resize(file: &Value, class: &Class) -> Result<Resize, FunctionError> {
    let size = &file["size"];
    let edge = |shortest_edge: u32| Resize::Shortest(ShortestEdge { shortest_edge });
    let square = |edge: u32| Resize::Exact(Size { height: edge, width: edge });
    match (size, pixels(size), pixels(&size["shortest_edge"]), exact(size)) {
        (Value::Null, ..) if class.is_exact => Ok(square(class.size)),
        (Value::Null, ..) => Ok(edge(class.size)),
        (_, Some(number), ..) if class.is_exact => Ok(square(number)),
        (_, Some(number), ..) => Ok(edge(number)),
        (_, _, Some(number), _) if !class.is_exact => Ok(edge(number)),
        (.., Some(size)) if class.name != CONVNEXT => Ok(Resize::Exact(size)),
        _ => Err(refused(&format!("has the size {size}, which its class {} does not take", class.name))),
    }
}

fn crop(file: &Value, class: &Class) -> Result<Option<Size>, FunctionError> {
    let (edge, is_usual) = match class.crop {
        Crop::Never => return Ok(None),
        Crop::Off(edge) => (edge, false),
        Crop::On(edge) => (edge, true),
    };
    if !does(file, "do_center_crop", is_usual)? {
        return Ok(None);
    }
    let size = &file["crop_size"];
    let square = |edge: u32| Size { height: edge, width: edge };
    match (size, pixels(size).map(square).or(exact(size))) {
        (Value::Null, _) => Ok(Some(square(edge))),
        (_, Some(size)) => Ok(Some(size)),
        (_, None) => Err(refused(&format!("has the crop_size {size}"))),
    }
}

/// By Pillow's numbers.
fn filter(file: &Value, class: &Class) -> Result<Filter, FunctionError> {
    const FILTERS: [Filter; 6] =
        [Filter::Nearest, Filter::Lanczos, Filter::Bilinear, Filter::Bicubic, Filter::Box, Filter::Hamming];
    let number = &file["resample"];
    if number.is_null() {
        return Ok(class.filter);
    }
    let known = number.as_u64().and_then(|number| FILTERS.get(usize::try_from(number).ok()?).copied());
    known.ok_or_else(|| refused(&format!("has the filter resample = {number}")))
}

fn convnext(file: &Value, processor: &mut Processor) -> Result<(), FunctionError> {
    let Some(Resize::Shortest(ShortestEdge { shortest_edge })) = processor.resize else { return Ok(()) };
    let square = Size { height: shortest_edge, width: shortest_edge };
    if shortest_edge >= CONVNEXT_CROPS_BELOW {
        processor.resize = Some(Resize::Exact(square));
        return Ok(());
    }
    let share = file["crop_pct"].as_f64().unwrap_or(0.875);
    if !(share > 0.0 && share <= 1.0) {
        return Err(refused(&format!("has crop_pct = {share}")));
    }
    let larger = (f64::from(shortest_edge) / share) as u32;
    processor.resize = Some(Resize::Shortest(ShortestEdge { shortest_edge: larger }));
    processor.crop = Some(square);
    Ok(())
}

/// Divides by the spread of colours once more, unless told not to, also where it does not normalise otherwise.
fn efficient_net(file: &Value, std: Vec<f64>, processor: &mut Processor) -> Result<(), FunctionError> {
    if does(file, "rescale_offset", false)? {
        return Err(refused("has rescale_offset = true"));
    }
    if does(file, "include_top", true)? {
        processor.normalize.push(Normalize { mean: vec![0.0], std });
    }
    Ok(())
}

/// Whether it does something.
fn does(file: &Value, key: &str, usual: bool) -> Result<bool, FunctionError> {
    match file.get(key) {
        None => Ok(usual),
        Some(said) => said.as_bool().ok_or_else(|| refused(&format!("has {key} = {said}"))),
    }
}

fn factor(file: &Value) -> Result<f64, FunctionError> {
    match file.get("rescale_factor") {
        None => Ok(1.0 / 255.0),
        Some(said) => said.as_f64().ok_or_else(|| refused(&format!("has rescale_factor = {said}"))),
    }
}

/// A number for each colour.
fn colours(file: &Value, key: &str) -> Result<Option<Vec<f64>>, FunctionError> {
    let Some(said) = file.get(key) else { return Ok(None) };
    let numbers = said.as_array().and_then(|list| list.iter().map(Value::as_f64).collect::<Option<Vec<_>>>());
    numbers.map(Some).ok_or_else(|| refused(&format!("has {key} = {said}")))
}

fn pixels(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|number| u32::try_from(number).ok())
}

fn exact(size: &Value) -> Option<Size> {
    Some(Size { height: pixels(&size["height"])?, width: pixels(&size["width"])? })
}

fn refused(what: &str) -> FunctionError {
    FunctionError::new(Code::ModelRefused, format!("{PROCESSOR} {what}, which modelet does not do")).hint(
        "say all of it in modelet.toml: [image] alone = true with resize, filter, crop, rescale, mean and std; or [image] off = true to serve the model as it is",
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(file: &Value) -> Result<Processor, String> {
        read(file).map_err(|error| error.message)
    }

    fn edge(shortest_edge: u32) -> Option<Resize> {
        Some(Resize::Shortest(ShortestEdge { shortest_edge }))
    }

    fn square(edge: u32) -> Size {
        Size { height: edge, width: edge }
    }

    #[test]
    fn a_file_of_old_with_numbers_alone_means_what_its_class_does() {
        let vit = of(&json!({"feature_extractor_type": "ViTFeatureExtractor", "size": 384})).unwrap();
        assert_eq!((vit.resize, vit.crop), (Some(Resize::Exact(square(384))), None));
        let clip =
            of(&json!({"feature_extractor_type": "CLIPFeatureExtractor", "size": 224, "crop_size": 224}));
        let clip = clip.unwrap();
        assert_eq!((clip.resize, clip.crop), (edge(224), Some(square(224))));
        assert_eq!(clip.normalize[0].mean, OPENAI[0]);
    }

    #[test]
    fn convnext_cuts_small_pictures_and_efficient_net_divides_twice() {
        let type_of = |name: &str| json!({"image_processor_type": name, "size": {"shortest_edge": 224}});
        let small = of(&type_of("ConvNextImageProcessor")).unwrap();
        assert_eq!((small.resize, small.crop), (edge(256), Some(square(224))));
        let large = of(&json!({"image_processor_type": "ConvNextImageProcessor"})).unwrap();
        assert_eq!((large.resize, large.crop), (Some(Resize::Exact(square(384))), None));
        let net = of(&json!({"image_processor_type": "EfficientNetImageProcessor"})).unwrap();
        assert_eq!((net.normalize.len(), net.crop), (2, None));
        let bare = json!({"image_processor_type": "EfficientNetImageProcessor", "do_normalize": false, "do_center_crop": true});
        let bare = of(&bare).unwrap();
        assert_eq!((bare.normalize.len(), bare.crop), (1, Some(square(289))));
        let vit =
            of(&json!({"image_processor_type": "ViTImageProcessor", "do_center_crop": true, "crop_size": 9}));
        assert_eq!(vit.unwrap().crop, None, "it knows no such setting");
        assert_eq!(net.filter, Some(Filter::Nearest));
    }

    #[test]
    fn what_is_not_done_exactly_is_refused_by_name() {
        for (file, why) in [
            (json!({}), "which class"),
            (json!({"image_processor_type": "ViTImageProcessorFast"}), "torchvision"),
            (json!({"image_processor_type": "DetrImageProcessor"}), "DetrImageProcessor"),
            (
                json!({"image_processor_type": "ViTImageProcessor", "size": {"longest_edge": 5}}),
                "longest_edge",
            ),
            (json!({"image_processor_type": "ViTImageProcessor", "resample": 9}), "resample = 9"),
            (json!({"image_processor_type": "ViTImageProcessor", "image_mean": 0.5}), "image_mean = 0.5"),
            (json!({"image_processor_type": "ViTImageProcessor", "do_resize": "no"}), "do_resize = \"no\""),
            (
                json!({"image_processor_type": "EfficientNetImageProcessor", "rescale_offset": true}),
                "rescale_offset",
            ),
        ] {
            assert!(of(&file).unwrap_err().contains(why), "{why}");
        }
    }
}
