//! Our tensors as rten's values, and back to the types that the model declares.

use ::rten::{Value as RtenValue, ValueOrView, ValueView};
use modelet_core::{DType, Data, FunctionError, OutputKind, OutputSpec, Tensor, Value};
use rten_tensor::{Layout, Tensor as RtenTensor};

/// A tensor as the input of a call; rten computes int64 and booleans as int32.
///
/// # Errors
/// `bad-input` for an int64 that int32 cannot hold.
pub(super) fn input<'a>(name: &str, tensor: &'a Tensor) -> Result<ValueOrView<'a>, FunctionError> {
    let shape = tensor.shape();
    match tensor.data() {
        Data::F32(data) => ValueView::from_shape(shape, data).map(Into::into).map_err(|_| ()),
        Data::I32(data) => ValueView::from_shape(shape, data).map(Into::into).map_err(|_| ()),
        Data::I8(data) => ValueView::from_shape(shape, data).map(Into::into).map_err(|_| ()),
        Data::U8(data) => ValueView::from_shape(shape, data).map(Into::into).map_err(|_| ()),
        Data::Bool(data) => owned(shape, data.iter().map(|b| i32::from(*b)).collect()),
        Data::I64(data) => owned(shape, narrow(name, data)?),
        _ => Err(()),
    }
    // The shape fits its tensor, and a model with other types is refused when it is loaded.
    .map_err(|()| FunctionError::bad_input(name, "a type that rten computes", tensor.dtype().name()))
}

fn owned<'a>(shape: &[usize], data: Vec<i32>) -> Result<ValueOrView<'a>, ()> {
    RtenValue::from_shape(shape, data).map(ValueOrView::Value).map_err(|_| ())
}

fn narrow(name: &str, data: &[i64]) -> Result<Vec<i32>, FunctionError> {
    let narrow = |value: &i64| {
        i32::try_from(*value).map_err(|_| {
            let expected = format!("integers from {} to {} (engine rten)", i32::MIN, i32::MAX);
            FunctionError::bad_input(name, expected, value.to_string())
                .hint("deploy with engine = \"onnxruntime\" for larger integers")
        })
    };
    data.iter().map(narrow).collect()
}

/// What a call answered, in the declared type.
pub(super) fn output(spec: &OutputSpec, value: RtenValue) -> Result<Value, String> {
    match (&spec.kind, value) {
        (OutputKind::Tensor { dtype, shape }, value) => {
            let tensor = tensor(*dtype, value)?;
            // The sizes that a file declares are often those of its first export; the rank is not.
            match shape.as_ref().map(Vec::len) {
                Some(rank) if rank != tensor.shape().len() => {
                    Err(format!("has shape {:?}, the model declares {rank} dimensions", tensor.shape()))
                }
                _ => Ok(Value::Tensor(tensor)),
            }
        }
        (OutputKind::Sequence { dtype }, RtenValue::Sequence(items)) => items
            .iter()
            .map(|item| tensor(*dtype, item.to_owned()))
            .collect::<Result<_, _>>()
            .map(Value::Sequence),
        (kind, _) => Err(format!("is not {kind:?}")),
    }
}

fn tensor(dtype: DType, value: RtenValue) -> Result<Tensor, String> {
    let (shape, data) = match value {
        RtenValue::FloatTensor(tensor) => parts(tensor),
        RtenValue::Int32Tensor(tensor) => parts(tensor),
        RtenValue::Int8Tensor(tensor) => parts(tensor),
        RtenValue::UInt8Tensor(tensor) => parts(tensor),
        _ => return Err("is a sequence".into()),
    };
    let data = match (dtype, data) {
        (DType::I64, Data::I32(data)) => Data::I64(data.into_iter().map(i64::from).collect()),
        (DType::Bool, Data::I32(data)) => Data::Bool(data.into_iter().map(|value| value != 0).collect()),
        (dtype, data) if data.dtype() == dtype => data,
        (dtype, data) => return Err(format!("is declared {dtype}, rten computed {}", data.dtype())),
    };
    Tensor::new(shape, data).map_err(|error| error.to_string())
}

fn parts<T: Clone>(tensor: RtenTensor<T>) -> (Vec<usize>, Data)
where
    Data: From<Vec<T>>,
{
    let shape = tensor.shape().to_vec();
    (shape, tensor.into_data().into())
}
