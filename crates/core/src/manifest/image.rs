//! What a manifest says of pictures.

use serde::{Deserialize, Serialize};

use crate::steps::image::{Colours, Filter, Layout, Resize, Size};

/// What a manifest says of pictures; what is absent is read from the model's folder.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImageNotes {
    /// True when the model takes numbers all the same.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub off: bool,
    /// True when the folder's `preprocessor_config.json` is passed over: only what is said here counts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub alone: bool,
    /// True when a picture is turned as its camera says; true unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orient: Option<bool>,
    /// The colours that it is converted to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub colours: Option<Colours>,
    /// The size that it is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resize: Option<Resize>,
    /// How new pixels are made of old ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Filter>,
    /// What is cut out of its middle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crop: Option<Size>,
    /// What each value from 0 to 255 is multiplied with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rescale: Option<f64>,
    /// What is then subtracted, for each colour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<Vec<f64>>,
    /// What the rest is divided by, for each colour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub std: Option<Vec<f64>>,
    /// Where the colours stand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layout: Option<Layout>,
    /// A picture of more pixels is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_pixels: Option<u64>,
    /// Pictures that one call may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_images: Option<u32>,
}
