//! The samples of a file as float32, and its channels as one. As libsndfile's `pcm.c`, `float32.c`, `double64.c`, `ulaw.c` and `alaw.c`
//! read them: whole numbers become fractions of the largest one, floats stay what they are.

use modelet_core::steps::AudioStep;
use modelet_core::steps::audio::RATES;

/// Larger samples are none: float files may go beyond 1, and those of whole numbers of 16 bits kept as floats reach half of this.
const MAX_VALUE: f32 = 65_536.0;

/// One channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Sound {
    /// Samples a second.
    pub rate: u32,
    pub samples: Vec<f32>,
}

/// What a file may have.
pub struct Limits {
    pub max_seconds: u32,
    pub max_samples: u64,
    pub max_channels: u16,
}

impl Limits {
    /// The limits of a step.
    pub fn of(step: &AudioStep) -> Self {
        let AudioStep { max_seconds, max_samples, max_channels, .. } = *step;
        Self { max_seconds, max_samples, max_channels }
    }

    pub fn check_format(&self, channels: u16, rate: u32) -> Result<(), String> {
        if channels == 0 || channels > self.max_channels {
            return Err(format!(
                "it has {channels} channels, and 1 to max_channels = {} are read",
                self.max_channels
            ));
        }
        if !RATES.contains(&rate) {
            let (least, most) = (RATES.start(), RATES.end());
            return Err(format!("it has {rate} samples a second, and {least} to {most} are read"));
        }
        Ok(())
    }

    /// `frames`: samples of one channel.
    pub fn check_length(&self, frames: usize, channels: u16, rate: u32) -> Result<(), String> {
        if frames == 0 {
            return Err("it has no samples".to_owned());
        }
        let samples = frames as u64 * u64::from(channels);
        if samples > self.max_samples {
            return Err(format!("it has {samples} samples, more than max_samples = {}", self.max_samples));
        }
        if frames as u64 > u64::from(self.max_seconds) * u64::from(rate) {
            let seconds = frames as f64 / f64::from(rate);
            return Err(format!(
                "it lasts {seconds:.1} seconds, longer than max_seconds = {}",
                self.max_seconds
            ));
        }
        Ok(())
    }
}

/// How samples are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    U8,
    I16,
    I24,
    I32,
    F32,
    F64,
    ALaw,
    MuLaw,
}

impl Coding {
    /// Bytes of one sample.
    pub const fn bytes(self) -> usize {
        match self {
            Self::U8 | Self::ALaw | Self::MuLaw => 1,
            Self::I16 => 2,
            Self::I24 => 3,
            Self::I32 | Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    /// Whole frames as the mean of their channels: added in their order in float32, as numpy's `mean` of arrays does.
    pub fn mono(self, data: &[u8], channels: usize) -> Result<Vec<f32>, String> {
        let frames = data.chunks_exact(self.bytes() * channels);
        let mono: Vec<f32> = frames
            .map(|frame| {
                let mut samples = frame.chunks_exact(self.bytes()).map(|bytes| self.sample(bytes));
                let first = samples.next().unwrap_or_default();
                samples.fold(first, |sum, sample| sum + sample) / channels as f32
            })
            .collect();
        match mono.iter().position(|sample| sample.is_nan() || sample.abs() > MAX_VALUE) {
            Some(place) => Err(format!(
                "its sample {place} (counted from 0) is {}: no number from -{MAX_VALUE} to {MAX_VALUE}",
                mono[place]
            )),
            None => Ok(mono),
        }
    }

    /// One sample, of as many bytes as it has.
    fn sample(self, bytes: &[u8]) -> f32 {
        match (self, bytes) {
            (Self::U8, [byte]) => (f32::from(*byte) - 128.0) / 128.0,
            (Self::I16, [a, b]) => f32::from(i16::from_le_bytes([*a, *b])) / 32_768.0,
            (Self::I24, [a, b, c]) => whole(i32::from_le_bytes([0, *a, *b, *c])),
            (Self::I32, [a, b, c, d]) => whole(i32::from_le_bytes([*a, *b, *c, *d])),
            (Self::F32, [a, b, c, d]) => f32::from_le_bytes([*a, *b, *c, *d]),
            (Self::F64, bytes) => bytes.try_into().map(f64::from_le_bytes).unwrap_or_default() as f32,
            (Self::ALaw, [byte]) => f32::from(a_law(*byte)) / 32_768.0,
            (Self::MuLaw, [byte]) => f32::from(mu_law(*byte)) / 32_768.0,
            // `mono` gives it as many bytes as it has.
            _ => 0.0,
        }
    }
}

/// A fraction of the largest number of 32 bits.
fn whole(number: i32) -> f32 {
    number as f32 / 2_147_483_648.0
}

/// ITU-T G.711: every other bit is turned, then a sign, an exponent and a mantissa.
fn a_law(byte: u8) -> i16 {
    let code = byte ^ 0x55;
    let (exponent, mantissa) = (code >> 4 & 7, i16::from(code & 15) << 4 | 8);
    let value = if exponent == 0 { mantissa } else { (mantissa | 0x100) << (exponent - 1) };
    if code & 0x80 == 0 { -value } else { value }
}

/// ITU-T G.711: all bits are turned, then a sign, an exponent and a mantissa above a bias of 132.
fn mu_law(byte: u8) -> i16 {
    let code = !byte;
    let value = ((i16::from(code & 15) << 3 | 0x84) << (code >> 4 & 7)) - 0x84;
    if code & 0x80 == 0 { value } else { -value }
}
