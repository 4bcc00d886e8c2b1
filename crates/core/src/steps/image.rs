//! A picture's file to the numbers that a model takes: decoded, turned, resized, cut, and its pixels made numbers.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The name of the input that takes pictures.
pub const IMAGE_INPUT: &str = "image";

/// What is done with each picture, in this order. As Hugging Face's image processors of `transformers` do it with Pillow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ImageStep {
    /// True when a picture is turned as its camera says (EXIF, as Pillow's `ImageOps.exif_transpose`).
    pub orient: bool,
    /// The colours that it is converted to.
    pub colours: Colours,
    /// The size that it is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resize: Option<Resize>,
    /// How new pixels are made of old ones.
    pub filter: Filter,
    /// What is cut out of its middle; where it is smaller, it is surrounded by black.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crop: Option<Size>,
    /// What each value from 0 to 255 is multiplied with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rescale: Option<f64>,
    /// What is then subtracted and divided by, one after the other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub normalize: Vec<Normalize>,
    /// Where the colours stand; absent: as the shape of the model's input says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layout: Option<Layout>,
    /// A picture of more pixels is refused, before it is decoded.
    pub max_pixels: u64,
    /// Pictures that one call may have.
    pub max_images: u32,
}

/// Height and width in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Size {
    /// Rows of pixels.
    pub height: u32,
    /// Pixels of a row.
    pub width: u32,
}

/// How large a picture is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum Resize {
    /// This size, whatever its shape was.
    Exact(Size),
    /// Its shorter edge this long, the longer one in proportion, rounded down.
    Shortest(ShortestEdge),
}

/// The length of the shorter edge, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShortestEdge {
    /// That length.
    pub shortest_edge: u32,
}

/// Filters by Pillow's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Filter {
    /// The nearest pixel.
    Nearest,
    /// The mean of all that it covers.
    Box,
    /// A triangle.
    Bilinear,
    /// Hamming's window.
    Hamming,
    /// Cubic, with a = -0.5.
    Bicubic,
    /// Lanczos' window of three lobes.
    Lanczos,
}

/// The colours of a picture as the model takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Colours {
    /// Red, green, blue.
    Rgb,
    /// Brightness alone (Pillow's mode `L`).
    Grey,
}

impl Colours {
    /// Values of a pixel.
    pub const fn channels(self) -> usize {
        match self {
            Self::Rgb => 3,
            Self::Grey => 1,
        }
    }
}

/// What is subtracted from the values of each colour, and what they are divided by then, in float32.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Normalize {
    /// One number for each colour, or one for all.
    pub mean: Vec<f64>,
    /// One number for each colour, or one for all.
    pub std: Vec<f64>,
}

/// Where the colours stand in the shape of the model's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// Pictures, colours, rows, columns.
    Nchw,
    /// Pictures, rows, columns, colours.
    Nhwc,
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} × {}", self.width, self.height)
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nearest => "nearest",
            Self::Box => "box",
            Self::Bilinear => "bilinear",
            Self::Hamming => "hamming",
            Self::Bicubic => "bicubic",
            Self::Lanczos => "lanczos",
        })
    }
}

impl fmt::Display for ImageStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.colours {
            Colours::Rgb => "as RGB",
            Colours::Grey => "as grey",
        })?;
        f.write_str(if self.orient { ", turned as its camera says" } else { "" })?;
        match self.resize {
            Some(Resize::Exact(size)) => write!(f, ", made {size} ({})", self.filter)?,
            Some(Resize::Shortest(ShortestEdge { shortest_edge })) => {
                write!(f, ", its shorter edge made {shortest_edge} ({})", self.filter)?;
            }
            None => {}
        }
        if let Some(crop) = self.crop {
            write!(f, ", its middle {crop}")?;
        }
        if let Some(rescale) = self.rescale {
            write!(f, ", times {rescale}")?;
        }
        for Normalize { mean, std } in &self.normalize {
            write!(f, ", less {mean:?}, divided by {std:?}")?;
        }
        Ok(())
    }
}
