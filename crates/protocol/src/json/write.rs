//! Tensors to text: always valid JSON, integers exact, floats in the fewest digits that read back as the same float.

use modelet_core::manifest::NonFinite;
use modelet_core::{Code, Data, FunctionError, Tensor};

use super::index_text;
use crate::limit::response_too_large;

/// A JSON text that grows, up to a limit.
pub(crate) struct Writer {
    text: Vec<u8>,
    limit_bytes: u64,
    non_finite: NonFinite,
}

/// A number that is not finite where the function's settings forbid it, or a text over the limit.
enum Stop {
    NonFinite(f64),
    TooLarge,
}

impl Writer {
    pub(crate) fn new(limit_bytes: u64, non_finite: NonFinite) -> Self {
        Self { text: Vec::new(), limit_bytes, non_finite }
    }

    /// The finished text.
    pub(crate) fn finish(self) -> Result<Vec<u8>, FunctionError> {
        match self.check_size() {
            Ok(()) => Ok(self.text),
            Err(_) => Err(response_too_large(self.limit_bytes)),
        }
    }

    /// Punctuation, as it is.
    pub(crate) fn raw(&mut self, text: &str) {
        self.text.extend_from_slice(text.as_bytes());
    }

    /// A comma, except before the first of several.
    pub(crate) fn comma(&mut self, index: usize) {
        if index > 0 {
            self.raw(",");
        }
    }

    /// Anything small that serde writes: a text, a list of names.
    pub(crate) fn value(&mut self, value: &impl serde::Serialize) {
        // Writing into memory fails only for types that JSON cannot say, such as maps with list keys: none is passed here.
        if serde_json::to_writer(&mut self.text, value).is_err() {
            self.raw("null");
        }
    }

    /// `"key":`
    pub(crate) fn key(&mut self, key: &str) {
        self.value(&key);
        self.raw(":");
    }

    /// A tensor as nested lists; a scalar as itself. `name` is the output's, for errors.
    pub(crate) fn nested(&mut self, name: &str, tensor: &Tensor) -> Result<(), FunctionError> {
        self.block(name, tensor.data(), tensor.shape(), 0)
    }

    /// A tensor as one flat list.
    pub(crate) fn flat(&mut self, name: &str, tensor: &Tensor) -> Result<(), FunctionError> {
        self.block(name, tensor.data(), &[tensor.len()], 0)
    }

    /// Row `row` of a tensor with at least one dimension.
    pub(crate) fn row(&mut self, name: &str, tensor: &Tensor, row: usize) -> Result<(), FunctionError> {
        let shape = tensor.shape().get(1..).unwrap_or_default();
        self.block(name, tensor.data(), shape, row * shape.iter().product::<usize>())
    }

    /// The elements from `start` on, in a shape.
    fn block(&mut self, name: &str, data: &Data, shape: &[usize], start: usize) -> Result<(), FunctionError> {
        let mut at = start;
        let written = match data {
            Data::Bool(v) => self.lists(shape, &mut at, |w, i| w.serde(&v[i])),
            Data::I8(v) => self.lists(shape, &mut at, |w, i| w.serde(&v[i])),
            Data::I16(v) => self.lists(shape, &mut at, |w, i| w.serde(&v[i])),
            Data::I32(v) => self.lists(shape, &mut at, |w, i| w.serde(&v[i])),
            Data::I64(v) => self.lists(shape, &mut at, |w, i| w.serde(&v[i])),
            Data::U8(v) => self.lists(shape, &mut at, |w, i| w.serde(&v[i])),
            Data::U16(v) => self.lists(shape, &mut at, |w, i| w.serde(&v[i])),
            Data::U32(v) => self.lists(shape, &mut at, |w, i| w.serde(&v[i])),
            Data::U64(v) => self.lists(shape, &mut at, |w, i| w.serde(&v[i])),
            Data::F16(v) => self.lists(shape, &mut at, |w, i| w.float(&v[i].to_f32(), v[i].to_f64())),
            Data::BF16(v) => self.lists(shape, &mut at, |w, i| w.float(&v[i].to_f32(), v[i].to_f64())),
            Data::F32(v) => self.lists(shape, &mut at, |w, i| w.float(&v[i], v[i].into())),
            Data::F64(v) => self.lists(shape, &mut at, |w, i| w.float(&v[i], v[i])),
            Data::Str(v) => self.lists(shape, &mut at, |w, i| w.serde(&v[i])),
        };
        written.map_err(|stop| match stop {
            Stop::TooLarge => response_too_large(self.limit_bytes),
            Stop::NonFinite(x) => non_finite(name, at, x),
        })
    }

    /// Nested lists around elements; `at` is the next element's place, and the failing one's after a stop.
    fn lists<F>(&mut self, shape: &[usize], at: &mut usize, element: F) -> Result<(), Stop>
    where
        F: Fn(&mut Self, usize) -> Result<(), Stop> + Copy,
    {
        let Some((len, inner)) = shape.split_first() else {
            element(self, *at)?;
            *at += 1;
            return Ok(());
        };
        self.raw("[");
        for i in 0..*len {
            self.comma(i);
            self.lists(inner, at, element)?;
        }
        self.raw("]");
        self.check_size()
    }

    fn serde(&mut self, value: &impl serde::Serialize) -> Result<(), Stop> {
        self.value(value);
        Ok(())
    }

    fn float(&mut self, value: &impl serde::Serialize, wide: f64) -> Result<(), Stop> {
        if wide.is_finite() {
            return self.serde(value);
        }
        match self.non_finite {
            NonFinite::Null => self.raw("null"),
            NonFinite::Text if wide.is_nan() => self.raw("\"NaN\""),
            NonFinite::Text if wide > 0.0 => self.raw("\"Infinity\""),
            NonFinite::Text => self.raw("\"-Infinity\""),
            NonFinite::Error => return Err(Stop::NonFinite(wide)),
        }
        Ok(())
    }

    fn check_size(&self) -> Result<(), Stop> {
        if self.text.len() as u64 > self.limit_bytes { Err(Stop::TooLarge) } else { Ok(()) }
    }
}

/// The failure of a function whose settings forbid to answer with such a number.
pub(crate) fn non_finite(name: &str, at: usize, x: f64) -> FunctionError {
    let place = format!("outputs.{name}{}", index_text(&[at]));
    let mut error = FunctionError::new(
        Code::NonFiniteOutput,
        format!(
            "output \"{name}\" holds {x} at element {at}, and the function forbids that (non_finite = \"error\")"
        ),
    );
    error.field = Some(place);
    error.hint("check the input for missing or extreme values; or set non_finite to \"null\" or \"text\"")
}

#[cfg(test)]
mod tests {
    use half::{bf16, f16};
    use modelet_core::{DType, InputSpec};
    use proptest::prelude::*;

    use super::super::{parse, tensor_for};
    use super::*;

    fn text(tensor: &Tensor, policy: NonFinite) -> Result<String, FunctionError> {
        let mut writer = Writer::new(1 << 20, policy);
        writer.nested("y", tensor)?;
        Ok(String::from_utf8(writer.finish()?).unwrap())
    }

    #[test]
    fn floats_are_written_in_the_fewest_digits() {
        let floats = Tensor::vector(vec![0.1_f32, 1.0, -0.0, 3.4028235e38, 1e-45, 16_777_216.0]);
        assert_eq!(text(&floats, NonFinite::Null).unwrap(), "[0.1,1.0,-0.0,3.4028235e+38,1e-45,16777216.0]");
        let halves = Tensor::vector(vec![f16::from_f32(0.1), f16::MAX]);
        assert_eq!(text(&halves, NonFinite::Null).unwrap(), "[0.099975586,65504.0]");
    }

    #[test]
    fn what_json_cannot_say_follows_the_policy() {
        let odd = Tensor::new(vec![2, 2], vec![1.0_f32, f32::NAN, f32::INFINITY, f32::NEG_INFINITY]).unwrap();
        assert_eq!(text(&odd, NonFinite::Null).unwrap(), "[[1.0,null],[null,null]]");
        assert_eq!(text(&odd, NonFinite::Text).unwrap(), r#"[[1.0,"NaN"],["Infinity","-Infinity"]]"#);
        let error = text(&odd, NonFinite::Error).unwrap_err();
        assert_eq!((error.code, error.field.as_deref()), (Code::NonFiniteOutput, Some("outputs.y[1]")));
    }

    #[test]
    fn scalars_and_empty_tensors_keep_their_shape() {
        let scalar = Tensor::new(vec![], vec![7_i64]).unwrap();
        assert_eq!(text(&scalar, NonFinite::Null).unwrap(), "7");
        for (shape, json) in [(vec![0, 3], "[]"), (vec![2, 0], "[[],[]]")] {
            assert_eq!(text(&Tensor::zeros(DType::F32, shape).unwrap(), NonFinite::Null).unwrap(), json);
        }
    }

    #[test]
    fn an_answer_stops_at_the_limit() {
        let mut writer = Writer::new(100, NonFinite::Null);
        let error = writer.nested("y", &Tensor::zeros(DType::F32, vec![50, 2]).unwrap()).unwrap_err();
        assert_eq!(error.code, Code::ResponseTooLarge);
        assert!(writer.text.len() < 200, "it stops early");
    }

    fn round_trip(data: Data) {
        let tensor_in = Tensor::new(vec![1, data.len()], data).unwrap();
        let text = text(&tensor_in, NonFinite::Text).unwrap();
        let spec = InputSpec { dtype: tensor_in.dtype(), ..crate::tests::input("y", DType::F32, &[]) };
        let back = tensor_for(&parse(text.as_bytes()).unwrap(), &spec).unwrap();
        // Compared as text, so that NaN equals NaN.
        assert_eq!(format!("{back:?}"), format!("{tensor_in:?}"), "{text}");
    }

    proptest! {
        #[test]
        fn tensors_survive_json(
            bits in proptest::collection::vec(any::<u64>(), 1..20),
            words in proptest::collection::vec(any::<String>(), 1..5),
        ) {
            round_trip(Data::U64(bits.clone()));
            round_trip(Data::I64(bits.iter().map(|b| *b as i64).collect()));
            round_trip(Data::U32(bits.iter().map(|b| *b as u32).collect()));
            round_trip(Data::I32(bits.iter().map(|b| *b as i32).collect()));
            round_trip(Data::U16(bits.iter().map(|b| *b as u16).collect()));
            round_trip(Data::I16(bits.iter().map(|b| *b as i16).collect()));
            round_trip(Data::U8(bits.iter().map(|b| *b as u8).collect()));
            round_trip(Data::I8(bits.iter().map(|b| *b as i8).collect()));
            round_trip(Data::Bool(bits.iter().map(|b| b % 2 == 0).collect()));
            round_trip(Data::F64(bits.iter().map(|b| f64::from_bits(*b)).map(one_nan).collect()));
            round_trip(Data::F32(bits.iter().map(|b| f32::from_bits(*b as u32)).collect()));
            round_trip(Data::F16(bits.iter().map(|b| f16::from_bits(*b as u16)).collect()));
            round_trip(Data::BF16(bits.iter().map(|b| bf16::from_bits(*b as u16)).collect()));
            round_trip(Data::Str(words));
        }
    }

    fn one_nan(f: f64) -> f64 {
        if f.is_nan() { f64::NAN } else { f }
    }

    #[test]
    fn the_extremes_of_64_bits_survive_json() {
        round_trip(Data::I64(vec![i64::MIN, -1, 0, 9_007_199_254_740_993, i64::MAX]));
        round_trip(Data::U64(vec![0, 9_007_199_254_740_993, u64::MAX]));
    }
}
