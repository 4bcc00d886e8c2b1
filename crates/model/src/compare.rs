//! Whether two answers agree: two engines about the same rows, or an engine and a framework.

use modelet_core::{Data, Tensor, Value};

/// How close two answers are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Agreement {
    /// The largest absolute difference of two numbers.
    pub largest_difference: f64,
}

/// Compares two answers, output by output in order. Text, integers and booleans must be equal; floats may differ by
/// `absolute + relative × |b|`, so `b` is the reference. NaN equals NaN, an infinity equals itself.
///
/// # Errors
/// What differs first, and where: `probabilities[3, 1]: 0.25 against 0.5`.
pub fn compare(
    a: &[(String, Value)],
    b: &[(String, Value)],
    relative: f64,
    absolute: f64,
) -> Result<Agreement, String> {
    if a.len() != b.len() {
        return Err(format!("{} outputs against {}", a.len(), b.len()));
    }
    let mut comparison = Comparison { relative, absolute, largest: 0.0 };
    for ((name, a), (other, b)) in a.iter().zip(b) {
        if name != other {
            return Err(format!("output {name} against {other}"));
        }
        comparison.values(name, a, b)?;
    }
    Ok(Agreement { largest_difference: comparison.largest })
}

struct Comparison {
    relative: f64,
    absolute: f64,
    largest: f64,
}

impl Comparison {
    fn values(&mut self, name: &str, a: &Value, b: &Value) -> Result<(), String> {
        match (a, b) {
            (Value::Tensor(a), Value::Tensor(b)) => self.tensors(name, a, b),
            (Value::Map { keys: a, values: x }, Value::Map { keys: b, values: y }) => {
                self.tensors(&format!("{name}.keys"), a, b)?;
                self.tensors(name, x, y)
            }
            (Value::Sequence(a), Value::Sequence(b)) if a.len() == b.len() => {
                let mut pairs = a.iter().zip(b).enumerate();
                pairs.try_for_each(|(i, (a, b))| self.tensors(&format!("{name}[{i}]"), a, b))
            }
            (Value::Sequence(a), Value::Sequence(b)) => {
                Err(format!("{name}: a sequence of {} against one of {}", a.len(), b.len()))
            }
            (Value::Absent, Value::Absent) => Ok(()),
            _ => Err(format!("{name}: {} against {}", kind(a), kind(b))),
        }
    }

    fn tensors(&mut self, name: &str, a: &Tensor, b: &Tensor) -> Result<(), String> {
        if (a.dtype(), a.shape()) != (b.dtype(), b.shape()) {
            let text = |t: &Tensor| format!("{} {:?}", t.dtype(), t.shape());
            return Err(format!("{name}: {} against {}", text(a), text(b)));
        }
        let differing = match (a.data(), b.data()) {
            (Data::F64(a), Data::F64(b)) => self.floats(a, b, |x| *x),
            (Data::F32(a), Data::F32(b)) => self.floats(a, b, |x| f64::from(*x)),
            (Data::F16(a), Data::F16(b)) => self.floats(a, b, |x| f64::from(*x)),
            (Data::BF16(a), Data::BF16(b)) => self.floats(a, b, |x| f64::from(*x)),
            (a, b) if a == b => None,
            (a, b) => (0..a.len()).find(|i| a.slice(*i..i + 1) != b.slice(*i..i + 1)),
        };
        let Some(index) = differing else { return Ok(()) };
        let text = |t: &Tensor| element(t.data(), index);
        Err(format!("{name}{:?}: {} against {}", position(a.shape(), index), text(a), text(b)))
    }

    /// The index of the first pair that differs by too much.
    fn floats<T>(&mut self, a: &[T], b: &[T], number: impl Fn(&T) -> f64) -> Option<usize> {
        for (index, (a, b)) in a.iter().zip(b).enumerate() {
            let (a, b) = (number(a), number(b));
            if a == b || a.is_nan() && b.is_nan() {
                continue;
            }
            let difference = (a - b).abs();
            // Written so that NaN and infinities do not pass; an infinite reference allows nothing.
            let close = difference <= self.absolute + self.relative * b.abs() && b.is_finite();
            if !close {
                return Some(index);
            }
            self.largest = self.largest.max(difference);
        }
        None
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Tensor(_) => "a tensor",
        Value::Map { .. } => "a map",
        Value::Sequence(_) => "a sequence",
        Value::Absent => "nothing",
    }
}

/// The index in every dimension of an element.
fn position(shape: &[usize], mut index: usize) -> Vec<usize> {
    let mut position = vec![0; shape.len()];
    for (at, size) in position.iter_mut().zip(shape).rev() {
        (*at, index) = (index % size, index / size);
    }
    position
}

fn element(data: &Data, index: usize) -> String {
    let text = format!("{:?}", data.slice(index..index + 1));
    let inner = text.split_once('[').map(|(_, rest)| rest.trim_end_matches([']', ')']).to_owned());
    inner.unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(data: impl Into<Data>, shape: &[usize]) -> Vec<(String, Value)> {
        vec![("y".into(), Value::Tensor(Tensor::new(shape.to_vec(), data).unwrap()))]
    }

    #[test]
    fn floats_agree_within_the_tolerance_and_nan_with_nan() {
        let a = answer(vec![1.0_f32, f32::NAN, f32::INFINITY], &[3]);
        let b = answer(vec![1.000_01_f32, f32::NAN, f32::INFINITY], &[3]);
        let agreement = compare(&a, &b, 1e-4, 0.0).unwrap();
        assert!((9e-6..1.1e-5).contains(&agreement.largest_difference));
        assert_eq!(compare(&a, &b, 1e-6, 0.0).unwrap_err(), "y[0]: 1.0 against 1.00001");
        for (x, y) in
            [(f32::NAN, 1.0), (1.0, f32::NAN), (1.0, f32::INFINITY), (f32::INFINITY, -f32::INFINITY)]
        {
            assert!(compare(&answer(vec![x], &[1]), &answer(vec![y], &[1]), 1e9, 1e9).is_err(), "{x} {y}");
        }
    }

    #[test]
    fn what_must_be_equal_is_named_with_its_place() {
        let a = answer(vec![1_i64, 2, 3, 4], &[2, 2]);
        let b = answer(vec![1_i64, 2, 3, 5], &[2, 2]);
        assert_eq!(compare(&a, &b, 1.0, 1.0).unwrap_err(), "y[1, 1]: 4 against 5");
        let c = answer(vec!["a".to_owned()], &[1]);
        assert_eq!(compare(&a, &c, 0.0, 0.0).unwrap_err(), "y: int64 [2, 2] against string [1]");
        let maps = |value: f32| {
            let (keys, values) = (Tensor::vector(vec!["no".to_owned()]), Tensor::vector(vec![value]));
            vec![("p".to_owned(), Value::Map { keys, values })]
        };
        assert_eq!(compare(&maps(0.5), &maps(0.25), 0.1, 0.0).unwrap_err(), "p[0]: 0.5 against 0.25");
        assert!(compare(&a, &[], 0.0, 0.0).is_err());
    }
}
