//! The JSON forms that `POST /fn/NAME` takes.
//!
//! | form | example |
//! |---|---|
//! | inputs by name, whole | `{"inputs": {"ids": [[1, 2]], "mask": [[1, 1]]}}` |
//! | rows of the one input | `{"inputs": [[5.1, 3.5], [4.9, 3.0]]}`, or the list alone, or one row alone |
//! | one row by column | `{"age": 41, "plan": "pro"}` |
//! | rows by column | `[{"age": 41, "plan": "pro"}, …]` |
//! | columns | `{"age": [41, 35], "plan": ["pro", "free"]}` |
//! | rows by position, for a table | `[[41, "pro"], [35, "free"]]` |
//! | V2 inputs | `{"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [5, 3]}]}` |
//! | rows, answered row by row | `{"instances": …}` with any list above |
//! | MLflow | `{"dataframe_split": {"columns": …, "data": …}}`, `{"dataframe_records": [{…}]}` |
//! | MLflow in Azure, answered by a list | `{"input_data": …}` with the split above, columns or any list |
//!
//! Beside an envelope key (`inputs`, `instances`, `dataframe_…`, `input_data`) only `"outputs": [names]` may stand, and
//! `"parameters"` that say nothing. What other hosts' clients wrap around each row is in `hosted`.
//!
//! What could be read in two ways is decided by the signature, never by the values:
//! - an object is an envelope when its keys are envelope words; one with other keys is read by column and input names. So a
//!   table with columns called `inputs` and `age` is read by column; one whose only column is called `inputs` takes
//!   `{"inputs": {"inputs": …}}`;
//! - a name that is both an input and a column is the input;
//! - a flat list is one row, unless the function takes one value a row: then it is as many rows;
//! - an empty list is no rows;
//! - whatever comes under `instances` is a list of rows, even when there is only one.

use modelet_core::{FunctionError, Signature};

use super::bind::{self, Named, Place};
use super::hosted;
use crate::Inputs;
use crate::json::{Json, index_text, tensor_for};
use crate::layout::{self, Names};
use crate::text::{listed, quoted};

/// In which form the outputs go back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Form {
    /// `{"outputs": {…}}`, whole tensors by name.
    Outputs,
    /// `{"predictions": […]}`, row by row.
    Predictions,
    /// The list of those alone.
    Rows,
}

/// A body, read.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) inputs: Inputs,
    /// The outputs that the body asks for.
    pub(super) outputs: Option<Vec<String>>,
    pub(super) form: Form,
}

impl Read {
    /// What comes without words of its own: CSV, npy, raw.
    pub(super) fn table(inputs: Inputs) -> Result<Self, FunctionError> {
        Ok(Self { inputs, outputs: None, form: Form::Outputs })
    }
}

const ENVELOPES: &[&str] = &["inputs", "instances", "dataframe_split", "dataframe_records", "input_data"];

/// Reads any form.
pub(super) fn read(json: Json, signature: &Signature) -> Result<Read, FunctionError> {
    match json {
        Json::Object(pairs) if is_envelope(&pairs, signature) => envelope(pairs, signature),
        other => Read::table(value(other, signature, "", false)?),
    }
}

/// Reads what stands for rows without any key.
pub(super) fn read_array(json: Json, signature: &Signature) -> Result<Read, FunctionError> {
    Read::table(value(json, signature, "", false)?)
}

/// True for the keys that an envelope may have.
pub(super) fn is_envelope_word(key: &str) -> bool {
    ENVELOPES.contains(&key) || matches!(key, "outputs" | "parameters")
}

fn is_envelope(pairs: &[(String, Json)], signature: &Signature) -> bool {
    let names = Names::of(signature);
    let any = pairs.iter().any(|(key, _)| ENVELOPES.contains(&key.as_str()));
    any && (pairs.iter().all(|(key, _)| is_envelope_word(key))
        || !pairs.iter().all(|(key, _)| names.get(key).is_some()))
}

fn envelope(pairs: Vec<(String, Json)>, signature: &Signature) -> Result<Read, FunctionError> {
    let mut outputs = None;
    let mut content = None;
    for (key, json) in pairs {
        match key.as_str() {
            "outputs" => outputs = Some(output_names(&json)?),
            "parameters" => hosted::check_parameters(&json)?,
            word if ENVELOPES.contains(&word) => {
                if let Some((first, _)) = content.replace((key.clone(), json)) {
                    let both = format!("both {} and {}", quoted(&first), quoted(&key));
                    return Err(FunctionError::bad_input(
                        "body",
                        format!("one of {}", ENVELOPES.join(", ")),
                        both,
                    ));
                }
            }
            _ => {
                return Err(FunctionError::bad_input(
                    quoted(&key),
                    "no other key than \"outputs\" beside the inputs",
                    format!("the unknown key {}", quoted(&key)),
                ));
            }
        }
    }
    // `is_envelope` saw one.
    let (key, json) = content.unwrap_or(("inputs".to_owned(), Json::Null));
    let (inputs, form) = match key.as_str() {
        "inputs" => (value(json, signature, "inputs", false)?, Form::Outputs),
        "dataframe_split" => (dataframe_split(json, signature, "dataframe_split")?, Form::Predictions),
        "input_data" => (input_data(json, signature)?, Form::Rows),
        list if json.list_len().is_none() => {
            return Err(FunctionError::bad_input(list, "a list with one element a row", json.what()));
        }
        list => (value(hosted::unwrapped(json, signature), signature, list, true)?, Form::Predictions),
    };
    Ok(Read { inputs, outputs, form })
}

fn output_names(json: &Json) -> Result<Vec<String>, FunctionError> {
    let bad = |json: &Json| FunctionError::bad_input("outputs", "a list of output names", json.what());
    let Json::List(list) = json else { return Err(bad(json)) };
    list.iter()
        .map(|name| match name {
            Json::Text(name) => Ok(name.clone()),
            other => Err(bad(other)),
        })
        .collect()
}

/// What stands for the inputs, in whichever form. `as_rows`: the outer list counts rows.
fn value(json: Json, signature: &Signature, path: &str, as_rows: bool) -> Result<Inputs, FunctionError> {
    match json {
        Json::Object(pairs) => {
            let named = pairs.into_iter().map(|(name, value)| {
                let place = Place::At(if path.is_empty() { name.clone() } else { format!("{path}.{name}") });
                Named { name, value, place }
            });
            bind::bind(named.collect(), signature, false)
        }
        Json::List(list) if matches!(list.first(), Some(Json::Object(_))) => {
            if is_v2(&list, signature) {
                return crate::kserve_v2::read_inputs(list, signature);
            }
            bind::bind(records(list, signature, path)?, signature, true)
        }
        other => match signature.inputs.as_slice() {
            [only] => {
                let place = if path.is_empty() { "body" } else { path };
                let tensor =
                    tensor_for(&other, only).map_err(|m| bind::misplaced(&Place::At(path.to_owned()), m))?;
                Ok(vec![(only.name.clone(), layout::fitted(tensor, only, as_rows, place)?)])
            }
            _ => by_position(other, signature, path, as_rows),
        },
    }
}

/// True for a list of V2 input objects, which no table can look like.
fn is_v2(list: &[Json], signature: &Signature) -> bool {
    let names = Names::of(signature);
    let has = |pairs: &[(String, Json)], key: &str| pairs.iter().any(|(k, _)| k == key);
    list.iter().all(|input| match input {
        Json::Object(pairs) => {
            ["name", "shape", "datatype"].iter().all(|k| has(pairs, k) && names.get(k).is_none())
        }
        _ => false,
    })
}

/// Rows as objects, turned into columns.
fn records(list: Vec<Json>, signature: &Signature, path: &str) -> Result<Vec<Named>, FunctionError> {
    let names = Names::of(signature);
    let mut columns: Vec<(String, Vec<Json>)> = Vec::new();
    for (row, record) in list.into_iter().enumerate() {
        let place = || format!("{path}{}", index_text(&[row]));
        let Json::Object(pairs) = record else {
            return Err(FunctionError::bad_input(
                place(),
                "an object, as in the rows before it",
                record.what(),
            ));
        };
        for (at, (name, value)) in pairs.into_iter().enumerate() {
            // Rows mostly have one order, so the first look is mostly right.
            let same_place = columns.get(at).is_some_and(|(n, _)| *n == name).then_some(at);
            let found = same_place.or_else(|| columns.iter().position(|(n, _)| *n == name));
            match found {
                Some(at) => columns[at].1.push(value),
                None if names.get(&name).is_none() => {
                    return Err(names.unknown(&format!("{}.{name}", place()), &name));
                }
                None if row == 0 => columns.push((name, vec![value])),
                None => {
                    return Err(FunctionError::bad_input(
                        place(),
                        "the same names as in the rows before it",
                        format!("{} beside them", quoted(&name)),
                    ));
                }
            }
        }
        if let Some((missing, _)) = columns.iter().find(|(_, column)| column.len() <= row) {
            let expected = format!("a value for {}, as in the rows before it", quoted(missing));
            return Err(FunctionError::bad_input(place(), expected, "none"));
        }
    }
    let named = columns.into_iter().map(|(name, column)| {
        let place = Place::Row { before: path.to_owned(), after: format!(".{name}") };
        Named { name, value: Json::List(column), place }
    });
    Ok(named.collect())
}

/// Rows as lists, for a function of several inputs that reads as a table.
fn by_position(
    json: Json,
    signature: &Signature,
    path: &str,
    as_rows: bool,
) -> Result<Inputs, FunctionError> {
    if layout::positions(signature).is_none() {
        let inputs = signature.inputs.iter().map(|spec| spec.name.as_str());
        return Err(FunctionError::bad_input(
            if path.is_empty() { "body" } else { path },
            format!("an object with the inputs {}", listed(inputs)),
            json.what(),
        ));
    }
    let names = |width| layout::positions_of(signature, width).unwrap_or_default();
    bind::bind(rows(json, names, path, as_rows)?, signature, true)
}

/// Rows as lists, turned into columns. `names`: those of the cells of a row, by how many there are.
fn rows<'a>(
    json: Json,
    names: impl FnOnce(usize) -> Vec<&'a str>,
    path: &str,
    as_rows: bool,
) -> Result<Vec<Named>, FunctionError> {
    let place = |row: &[usize]| match format!("{path}{}", index_text(row)) {
        empty if empty.is_empty() => "body".to_owned(),
        place => place,
    };
    let what = json.what();
    let Some(list) = json.into_list() else {
        return Err(FunctionError::bad_input(place(&[]), "a list of rows", what));
    };
    let lone = !as_rows && !list.is_empty() && list.iter().all(|cell| cell.scalar().is_some());
    let list = if lone { vec![Json::List(list)] } else { list };
    let names = names(list.first().and_then(Json::list_len).unwrap_or_default());
    let expected = || format!("a list of {} values: {}", names.len(), listed(names.iter().copied()));
    let mut columns: Vec<Vec<Json>> = names.iter().map(|_| Vec::with_capacity(list.len())).collect();
    for (at, row) in list.into_iter().enumerate() {
        let what = row.what();
        let cells = row.into_list().filter(|cells| cells.len() == names.len());
        let cells = cells.ok_or_else(|| {
            FunctionError::bad_input(
                place(if lone { &[] } else { std::slice::from_ref(&at) }),
                expected(),
                what,
            )
        })?;
        columns.iter_mut().zip(cells).for_each(|(column, cell)| column.push(cell));
    }
    let named = names.iter().zip(columns).enumerate().map(|(at, (name, column))| {
        let place = match lone {
            true => Place::Lone(format!("{path}{}", index_text(&[at]))),
            false => Place::Row { before: path.to_owned(), after: index_text(&[at]) },
        };
        Named { name: (*name).to_owned(), value: Json::List(column), place }
    });
    Ok(named.collect())
}

/// A split frame, or whatever stands for rows.
fn input_data(json: Json, signature: &Signature) -> Result<Inputs, FunctionError> {
    const PATH: &str = "input_data";
    let names = Names::of(signature);
    let is_split = matches!(&json, Json::Object(pairs)
        if pairs.iter().any(|(key, _)| matches!(key.as_str(), "columns" | "data") && names.get(key).is_none()));
    match is_split {
        true => dataframe_split(json, signature, PATH),
        false => value(json, signature, PATH, true),
    }
}

/// MLflow's `{"columns": […], "data": [[…]]}`; an `index` is taken and not used. `path`: where it stands.
fn dataframe_split(json: Json, signature: &Signature, path: &str) -> Result<Inputs, FunctionError> {
    let Json::Object(pairs) = json else {
        return Err(FunctionError::bad_input(path, "an object with \"columns\" and \"data\"", json.what()));
    };
    let (mut columns, mut data) = (None, None);
    for (key, json) in pairs {
        match key.as_str() {
            "columns" => columns = Some(column_names(json, path)?),
            "data" => data = Some(json),
            "index" => {}
            _ => {
                return Err(FunctionError::bad_input(
                    path,
                    "columns, data or index",
                    format!("the key {}", quoted(&key)),
                ));
            }
        }
    }
    let data = data.ok_or_else(|| FunctionError::bad_input(path, "\"data\" with the rows", "no \"data\""))?;
    let path = format!("{path}.data");
    match columns {
        // A function whose columns have no names takes them by position, whatever the client calls them.
        Some(columns) if layout::positions(signature).is_some() => {
            let names = |_| columns.iter().map(String::as_str).collect();
            bind::bind(rows(data, names, &path, true)?, signature, true)
        }
        _ => value(data, signature, &path, true),
    }
}

fn column_names(json: Json, path: &str) -> Result<Vec<String>, FunctionError> {
    let place = format!("{path}.columns");
    let what = json.what();
    let list =
        json.into_list().ok_or_else(|| FunctionError::bad_input(&place, "a list of column names", what))?;
    let names = list.into_iter().enumerate().map(|(at, name)| match name {
        Json::Text(name) => Ok(name),
        // pandas calls columns without names 0, 1, 2, …
        Json::Number(number) => Ok(crate::cast::Scalar::Number(number).what()),
        other => Err(FunctionError::bad_input(
            format!("{place}{}", index_text(&[at])),
            "the name of a column",
            other.what(),
        )),
    });
    names.collect()
}
