//! Rows that the user gives: a CSV file with a header or without, or an npy file with a matrix.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use modelet_core::numbers::truth;
use modelet_core::{Code, DType, Data, Dim, FunctionError, InputSpec, Signature, Tensor, digest};
use modelet_model::rows::Inputs;
use sha2::{Digest, Sha256};

use super::npy;

/// Largest sample, in bytes.
const MAX_SAMPLE_BYTES: u64 = 256 << 20;

/// Rows, and the file that they come from.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The rows, by input.
    pub inputs: Inputs,
    /// SHA-256 of the file, hexadecimal.
    pub sha256: String,
}

impl Sample {
    /// Reads a sample for a model.
    ///
    /// # Errors
    /// `bad-input` with what does not fit.
    pub fn read(path: &Path, signature: &Signature) -> Result<Self, FunctionError> {
        let wrong = |why: String| {
            FunctionError::new(Code::BadInput, format!("{}: {why}", path.display()))
                .hint("give a .csv file with the columns of the model, or a .npy file with a matrix")
        };
        let bytes = bytes(path).map_err(wrong)?;
        let inputs = if bytes.starts_with(npy::MAGIC) {
            matrix(signature, npy::read(&bytes).map_err(wrong)?)
        } else if bytes.starts_with(b"PAR1") {
            Err("Parquet is not read: write it as CSV (pandas: to_csv(\"sample.csv\", index=False))"
                .to_owned())
        } else {
            table(signature, &bytes)
        };
        Ok(Self { inputs: inputs.map_err(wrong)?, sha256: digest::hex(&Sha256::digest(&bytes)) })
    }
}

fn bytes(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| format!("it cannot be read: {error}"))?;
    file.take(MAX_SAMPLE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("it cannot be read: {error}"))?;
    if bytes.len() as u64 > MAX_SAMPLE_BYTES {
        return Err(format!("it has more than {MAX_SAMPLE_BYTES} bytes"));
    }
    Ok(bytes)
}

/// The one input of a model that takes a matrix.
fn matrix(signature: &Signature, (shape, numbers): (Vec<usize>, Vec<f64>)) -> Result<Inputs, String> {
    let [input] = &signature.inputs[..] else {
        return Err(format!("a matrix cannot be given to a model with {} inputs", signature.inputs.len()));
    };
    if !input.accepts_shape(&shape) {
        return Err(format!("it has the shape {shape:?}, the model takes {}", input.shape_text()));
    }
    let data = match input.dtype {
        DType::F32 => Data::F32(numbers.into_iter().map(|number| number as f32).collect()),
        DType::F64 => Data::F64(numbers),
        other => return Err(format!("the model takes {other}, the file has numbers")),
    };
    Ok(vec![(input.name.clone(), Tensor::new(shape, data).map_err(|error| error.to_string())?)])
}

/// A column of the model: its name, and of which input it is.
struct Place<'a> {
    name: String,
    input: &'a InputSpec,
}

fn places(signature: &Signature) -> Result<Vec<Place<'_>>, String> {
    let mut places = Vec::new();
    for input in signature.inputs.iter().filter(|input| !input.optional) {
        let width = match input.shape.as_deref() {
            Some([_]) => 1,
            Some([_, Dim::Fixed(width)]) => *width,
            _ => return Err(format!("the input {} of the model is no table", input.name)),
        };
        let own = |at: usize| input.columns.as_ref().and_then(|columns| columns.get(at));
        places.extend((0..width).map(|at| {
            Place {
                name: own(at)
                    .cloned()
                    .unwrap_or_else(|| if width == 1 { input.name.clone() } else { at.to_string() }),
                input,
            }
        }));
    }
    Ok(places)
}

fn table(signature: &Signature, bytes: &[u8]) -> Result<Inputs, String> {
    let places = places(signature)?;
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(bytes);
    let records = reader.records().collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
    let first = records.first().ok_or("it has no rows")?;
    let header: Option<Vec<usize>> =
        places.iter().map(|place| first.iter().position(|name| name.trim() == place.name)).collect();
    let (columns, rows) = match header {
        Some(columns) => (columns, &records[1..]),
        None if first.len() == places.len()
            && first.iter().all(|cell| cell.trim().is_empty() || cell.trim().parse::<f64>().is_ok()) =>
        {
            ((0..places.len()).collect(), &records[..])
        }
        None => {
            let names: Vec<_> = places.iter().map(|place| &*place.name).collect();
            return Err(format!(
                "its first line does not name the columns of the model: {}",
                names.join(", ")
            ));
        }
    };
    let mut inputs = Inputs::new();
    let mut from = 0;
    for input in signature.inputs.iter().filter(|input| !input.optional) {
        let width = places.iter().filter(|place| place.input.name == input.name).count();
        let own = &columns[from..from + width];
        let cells = rows.iter().flat_map(|row| own.iter().map(|at| row.get(*at).unwrap_or_default().trim()));
        let shape = if input.shape.as_ref().is_some_and(|shape| shape.len() == 1) {
            vec![rows.len()]
        } else {
            vec![rows.len(), width]
        };
        inputs.push((
            input.name.clone(),
            Tensor::new(shape, data(input, cells)?).map_err(|error| error.to_string())?,
        ));
        from += width;
    }
    Ok(inputs)
}

fn data<'a>(input: &InputSpec, cells: impl Iterator<Item = &'a str>) -> Result<Data, String> {
    let number = |cell: &str| match cell {
        "" | "NA" | "null" => Ok(f64::NAN),
        text => (truth(text).map(|flag| f64::from(u8::from(flag))))
            .or_else(|| text.parse().ok())
            .ok_or_else(|| format!("{text:?} is not a number, as the input {} takes", input.name)),
    };
    let integer = |cell: &str| {
        (truth(cell).map(i64::from))
            .or_else(|| cell.parse().ok())
            .ok_or_else(|| format!("{cell:?} is not an integer, as the input {} takes", input.name))
    };
    let narrow = |cell: &str| {
        let number = integer(cell)?;
        i32::try_from(number)
            .map_err(|_| format!("{cell:?} is beyond 32 bits, which the input {} takes", input.name))
    };
    let flag = |cell: &str| match integer(cell)? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(format!("{cell:?} is neither true nor false, as the input {} takes", input.name)),
    };
    Ok(match input.dtype {
        DType::F32 => {
            Data::F32(cells.map(|cell| number(cell).map(|number| number as f32)).collect::<Result<_, _>>()?)
        }
        DType::F64 => Data::F64(cells.map(number).collect::<Result<_, _>>()?),
        DType::I64 => Data::I64(cells.map(integer).collect::<Result<_, _>>()?),
        DType::I32 => Data::I32(cells.map(narrow).collect::<Result<_, _>>()?),
        DType::Bool => Data::Bool(cells.map(flag).collect::<Result<_, _>>()?),
        DType::Str => Data::Str(cells.map(str::to_owned).collect()),
        other => {
            return Err(format!("the input {} takes {other}, which no sample can be read as", input.name));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, content: &[u8]) -> Result<Inputs, FunctionError> {
        let input = InputSpec {
            name: "X".into(),
            dtype: DType::F32,
            shape: Some(vec![Dim::Dynamic, Dim::Fixed(2)]),
            optional: false,
            columns: Some(vec!["age".into(), "income".into()]),
            categories: None,
            numbers: None,
            table_rows: None,
            takes_integers: false,
            rules: vec![],
            file: None,
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        Sample::read(&path, &Signature::new(vec![input], vec![])).map(|sample| sample.inputs)
    }

    #[test]
    fn columns_are_found_by_name_in_any_order_or_stand_as_they_are() {
        let named = read("a.csv", b"income,other,age\n2,x,1\n,y,3\n").unwrap();
        assert_eq!(named[0].1.shape(), [2, 2]);
        let Data::F32(numbers) = named[0].1.data() else { panic!() };
        assert_eq!(numbers[..3], [1.0, 2.0, 3.0]);
        assert!(numbers[3].is_nan(), "nothing there is missing");
        let truths = read("c.csv", b"income,age\nTrue,false\n").unwrap();
        assert_eq!(truths[0].1.data(), &Data::F32(vec![0.0, 1.0]), "as the protocols take them");
        assert_eq!(read("b.csv", b"1,2\n").unwrap()[0].1.data(), &Data::F32(vec![1.0, 2.0]));
    }

    #[test]
    fn what_does_not_fit_is_refused_with_the_reason() {
        for (content, says) in [
            (&b"a,b\n1,2\n"[..], "age, income"),
            (b"age,income\nold,2\n", "\"old\" is not a number"),
            (b"PAR1....", "to_csv"),
            (b"", "no rows"),
        ] {
            let error = read("x.csv", content).unwrap_err();
            assert!(error.message.contains(says), "{error}");
            assert_eq!(error.code, Code::BadInput);
        }
    }

    #[test]
    fn a_matrix_is_read_as_numpy_writes_it() {
        let mut file = b"\x93NUMPY\x01\x00".to_vec();
        let header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2), }\n";
        file.extend((header.len() as u16).to_le_bytes());
        file.extend(header);
        file.extend([3.0_f64.to_le_bytes(), 4.0_f64.to_le_bytes()].concat());
        assert_eq!(read("x.npy", &file).unwrap()[0].1.data(), &Data::F32(vec![3.0, 4.0]));
        file.pop();
        assert!(read("x.npy", &file).unwrap_err().message.contains("bytes"));
    }
}
