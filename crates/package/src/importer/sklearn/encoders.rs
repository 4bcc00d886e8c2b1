//! Encoders: what makes numbers of categories.

use modelet_core::{Data, Tensor};
use modelet_model::onnx::write::Attribute;

use super::categories::Categories;
use super::fitted::Fitted;
use super::frame::Frame;
use super::table::{Column, Table};
use crate::pickle::{Asked, Item};

/// Number types that encoders may make: whole numbers and float64 are the same numbers to what follows.
const EXACT_TYPES: &[&str] = &[
    "numpy.float64",
    "numpy.int64",
    "numpy.int32",
    "numpy.int16",
    "numpy.int8",
    "numpy.uint8",
    "numpy.uint16",
    "numpy.uint32",
    "numpy.bool",
    "builtins.float",
    "builtins.int",
    "builtins.bool",
];
/// Most columns that one encoder makes.
const MAX_WIDTH: usize = 1 << 16;

/// `OneHotEncoder`: a column for each category; those that are rare may share one, and one may have none.
pub(super) fn one_hot(fitted: &Fitted, table: &Table, frame: &mut Frame) -> Asked<Table> {
    check_type(fitted)?;
    let unknown = Unknown::read(&fitted.item)?;
    let mut made = Table::default();
    for (place, categories) in categories(fitted)?.iter().enumerate() {
        let (tensor, column) = table.column(place, frame)?;
        categories.note(&column, frame)?;
        let places = Places::read(fitted, place, categories, &unknown)?;
        if unknown == Unknown::Refused {
            categories.only(&column, frame)?;
        }
        if places.width == 0 {
            continue;
        }
        if made.width() + places.width > MAX_WIDTH {
            return Err(format!("its encoder makes more than {MAX_WIDTH} columns"));
        }
        let code = categories.look_up((&tensor, &column), &Data::I64(places.of_each), frame)?;
        let one_hot = ones(&code, places.width, frame);
        made.append(Table::of(one_hot, vec![Column::within(1.0); places.width]));
    }
    Ok(made)
}

/// Writes a column for each place; a code beyond them is in none.
pub(super) fn ones(code: &str, width: usize, frame: &mut Frame) -> String {
    let [depth, values, spread, to] =
        ["width", "off and on", "spread", "one hot"].map(|what| frame.fresh(what));
    frame.graph.constant(&depth, &Tensor::vector(vec![width as i64]));
    frame.graph.constant(&values, &Tensor::vector(vec![0.0, 1.0]));
    frame.graph.node(("", "OneHot"), &[code, &depth, &values], &spread, vec![("axis", Attribute::Int(-1))]);
    frame.graph.node(("", "Flatten"), &[&spread], &to, vec![("axis", Attribute::Int(1))]);
    to
}

/// `OrdinalEncoder`: the place of each category.
pub(super) fn ordinal(fitted: &Fitted, table: &Table, frame: &mut Frame) -> Asked<Table> {
    check_type(fitted)?;
    let item = &fitted.item;
    let unknown = match item.get("handle_unknown")?.text()? {
        "error" => None,
        "use_encoded_value" => Some(item.get("unknown_value")?.number()?),
        _ => return Err(item.get("handle_unknown")?.not("a way with unknown categories that is known")),
    };
    let kind = item.get("dtype")?.named()?;
    let missing = item.find("encoded_missing_value")?.map_or(Ok(f64::NAN), |value| value.number())?;
    let mut made = Table::default();
    for (place, categories) in categories(fitted)?.iter().enumerate() {
        let (tensor, column) = table.column(place, frame)?;
        categories.note(&column, frame)?;
        if unknown.is_none() {
            categories.only(&column, frame)?;
        }
        let grouped = grouped(fitted, place)?;
        let group = |at: usize| match &grouped {
            Some(grouped) => grouped.get(at).copied().ok_or("its groups of categories do not fit"),
            None => Ok(at as i64),
        };
        let mut codes = Vec::new();
        for (at, value) in categories.values.iter().enumerate() {
            codes.push(if value.is_missing() { missing } else { group(at)? as f64 });
        }
        if codes.iter().chain(&unknown).any(|code| !fits(*code, &kind)) {
            return Err(item.get("dtype")?.not("a type that has all of its codes"));
        }
        let largest = codes.iter().chain(&unknown).fold(0.0, |most: f64, code| most.max(code.abs()));
        // Those that are refused never get so far.
        codes.push(unknown.unwrap_or(0.0));
        let code = categories.look_up((&tensor, &column), &Data::F64(codes), frame)?;
        let may_be_missing = categories.has_missing() && missing.is_nan();
        made.append(Table::of(
            code,
            vec![column.coded(largest, may_be_missing, unknown.is_some_and(f64::is_nan))],
        ));
    }
    Ok(made)
}

/// `TargetEncoder`: what the target was, about, in each category; for several classes a column for each.
pub(super) fn target(fitted: &Fitted, table: &Table, frame: &mut Frame) -> Asked<Table> {
    let item = &fitted.item;
    let mean = item.get("target_mean_")?;
    let means = if mean.array().is_ok_and(|array| !array.shape.is_empty()) {
        mean.numbers()?
    } else {
        vec![mean.number()?]
    };
    let encodings = item.get("encodings_")?;
    let encodings = encodings.items()?.iter().map(Item::numbers).collect::<Asked<Vec<_>>>()?;
    let all = categories(fitted)?;
    if encodings.len() != all.len() * means.len() {
        return Err(item.get("encodings_")?.not("numbers for each column and class"));
    }
    let mut made = Table::default();
    for (place, categories) in all.iter().enumerate() {
        let (tensor, column) = table.column(place, frame)?;
        categories.note(&column, frame)?;
        for (mean, encoding) in means.iter().zip(&encodings[place * means.len()..]) {
            if encoding.len() != categories.values.len() {
                return Err(item.get("encodings_")?.not("a number for each category"));
            }
            let mut becomes = encoding.clone();
            // Of what is unknown, the mean of all.
            becomes.push(*mean);
            let largest = becomes.iter().fold(0.0, |most: f64, number| most.max(number.abs()));
            let code = categories.look_up((&tensor, &column), &Data::F64(becomes), frame)?;
            made.append(Table::of(code, vec![Column::within(largest)]));
        }
    }
    Ok(made)
}

fn check_type(fitted: &Fitted) -> Asked<()> {
    let item = fitted.item.get("dtype")?;
    let name = item.named()?;
    if EXACT_TYPES.contains(&&*name) { Ok(()) } else { Err(item.not("float64 or of whole numbers")) }
}

/// False for a code that a type has not, and which numpy makes another number of.
fn fits(code: f64, kind: &str) -> bool {
    match kind.rsplit('.').next().unwrap_or(kind) {
        "int8" => (-128.0..=127.0).contains(&code),
        "uint8" => (0.0..=255.0).contains(&code),
        "int16" => (-32_768.0..=32_767.0).contains(&code),
        "uint16" => (0.0..=65_535.0).contains(&code),
        "uint32" => code >= 0.0,
        "bool" => code == 0.0 || code == 1.0,
        "float64" | "float" => true,
        // Whole numbers, of which a missing one is none.
        _ => !code.is_nan(),
    }
}

fn categories(fitted: &Fitted) -> Asked<Vec<Categories>> {
    let item = fitted.item.get("categories_")?;
    let all = item.items()?.iter().map(Categories::read).collect::<Asked<Vec<_>>>()?;
    if all.len() == fitted.features { Ok(all) } else { Err(item.not("categories for each column")) }
}

/// The place of each category of a column after rare ones were put together; `None` where none are.
fn grouped(fitted: &Fitted, column: usize) -> Asked<Option<Vec<i64>>> {
    let item = &fitted.item;
    if !item.find("_infrequent_enabled")?.map_or(Ok(false), |flag| flag.flag())? {
        return Ok(None);
    }
    let mappings = item.get("_default_to_infrequent_mappings")?;
    let own =
        mappings.items()?.into_iter().nth(column).ok_or_else(|| mappings.not("a list for each column"))?;
    if own.is_none() {
        return Ok(None);
    }
    own.array()?.integers().map(Some).ok_or_else(|| own.not("an array of places"))
}

/// What `OneHotEncoder` does with unknown categories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unknown {
    Refused,
    InNoColumn,
    Rare,
}

impl Unknown {
    fn read(item: &Item) -> Asked<Self> {
        let said = item.get("handle_unknown")?;
        match said.text()? {
            "error" => Ok(Self::Refused),
            "ignore" => Ok(Self::InNoColumn),
            "infrequent_if_exist" | "warn" => Ok(Self::Rare),
            _ => Err(said.not("a way with unknown categories that is known")),
        }
    }
}

/// The columns that one column becomes.
struct Places {
    width: usize,
    /// Of each category, and of unknown ones; those in no column lie behind the last.
    of_each: Vec<i64>,
}

impl Places {
    fn read(fitted: &Fitted, column: usize, categories: &Categories, unknown: &Unknown) -> Asked<Self> {
        let count = categories.values.len();
        let grouped = grouped(fitted, column)?;
        let dropped = dropped(&fitted.item, column)?;
        let rare = grouped.as_ref().and_then(|places| places.iter().max().copied());
        let mut places = grouped.unwrap_or_else(|| (0..count as i64).collect());
        if places.len() != count || places.iter().any(|place| !(0..count as i64).contains(place)) {
            return Err("its groups of categories do not fit".to_owned());
        }
        let width = places.iter().max().map_or(0, |place| place + 1);
        let width = if dropped.is_some() { width - 1 } else { width };
        places.push(rare.filter(|_| *unknown == Unknown::Rare).unwrap_or(i64::MAX));
        let place = |place: i64| match dropped {
            _ if place == i64::MAX => width,
            Some(dropped) if place == dropped => width,
            Some(dropped) if place > dropped => place - 1,
            _ => place,
        };
        Ok(Self {
            width: usize::try_from(width).unwrap_or(0),
            of_each: places.into_iter().map(place).collect(),
        })
    }
}

/// The group of a column that gets no column of its own.
fn dropped(item: &Item, column: usize) -> Asked<Option<i64>> {
    // Before version 1.2 there is one list, of groups.
    let all = item.find("_drop_idx_after_grouping")?.map_or_else(|| item.get("drop_idx_"), Ok)?;
    if all.is_none() {
        return Ok(None);
    }
    if let Some(places) = all.array()?.integers() {
        return places.get(column).copied().map(Some).ok_or_else(|| all.not("a place for each column"));
    }
    let own = all.items()?.into_iter().nth(column).ok_or_else(|| all.not("a place for each column"))?;
    if own.is_none() { Ok(None) } else { own.integer().map(Some) }
}
