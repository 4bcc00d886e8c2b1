//! What a model counted of categories, in the binary form: fields of the flatbuffer say what is made of which table, and the
//! tables are a part of their own behind it, each a flatbuffer behind its size.

use crate::importer::catboost::counted::{Alike, Counted, Counts, Kind, Table};
use crate::importer::catboost::flat;
use crate::importer::catboost::saved::{Fault, Trees};

/// How the part with the tables is called.
const PART: &str = "static_provider_v1";
/// Before it is the number of tables, in 4 bytes or, behind this, in 8.
const IS_LONG: u32 = u32::MAX;
/// A key that stands for none.
const NONE: u64 = u64::MAX;
/// A key of 8 bytes, and a place of 4.
const BUCKET_BYTES: usize = 12;

/// Fields of `TCtrFeature` and of `TModelCtr`.
const MADE: usize = 0;
const BORDERS: usize = 1;
mod made {
    pub const BASE: usize = 0;
    pub const OF: usize = 1;
    /// The two parts of the prior, and how the share is moved and scaled; and what they are where they are left out.
    pub const PRIOR: [(usize, f32); 4] = [(2, 0.0), (3, 1.0), (4, 0.0), (5, 1.0)];
}

/// Fields of `TModelCtrBase` and of `TFeatureCombination`.
mod base {
    pub const ALIKE: usize = 0;
    pub const KIND: usize = 1;
    pub const CLASSES_OF: usize = 2;
    pub const CATEGORIES: usize = 0;
    pub const ABOVE: usize = 1;
    pub const IS: usize = 2;
}

/// Fields of `TCtrValueTable`.
mod table {
    pub const BASE: usize = 0;
    pub const BUCKETS: usize = 1;
    pub const COUNTS: usize = 2;
    pub const MOST: usize = 3;
    pub const CLASSES: usize = 4;
}

/// The numbers of columns, as what is counted names them.
#[derive(Debug, Default)]
pub(super) struct Features {
    pub floats: Vec<i32>,
    pub categories: Vec<i32>,
}

impl Features {
    pub(super) fn category(&self, number: i32) -> Option<usize> {
        self.categories.iter().position(|one| *one == number)
    }

    fn float(&self, number: i32) -> Option<usize> {
        self.floats.iter().position(|one| *one == number)
    }
}

/// What tells one table from the others: what rows are alike in, what is counted, and how targets became classes.
type Base = (Alike, Kind, i32);

/// The borders of each number that is made of what was counted.
pub(super) fn borders(trees: flat::Table<'_>) -> Option<Vec<Vec<f32>>> {
    trees.tables(super::trees::COUNTED)?.into_iter().map(|feature| feature.scalars(BORDERS)).collect()
}

/// Reads what is made of tables, and the tables, which lie in `parts` behind the flatbuffer.
pub(super) fn read(
    table: flat::Table<'_>,
    features: &Features,
    parts: &[&str],
    behind: &[u8],
    trees: &mut Trees,
) -> Result<(), Fault> {
    match parts {
        [PART] => {}
        [] => {
            return Err(Fault::NotBuilt(
                "has no tables of its categories (final_ctr_computation_mode=\"Skip\")".to_owned(),
            ));
        }
        _ => return Err(Fault::NotBuilt(format!("has the parts {parts:?}, where {PART:?} is known"))),
    }
    let damaged = || "what it counted of categories is cut or changed".to_owned();
    let mut bases = Vec::new();
    for bytes in each(behind).ok_or_else(damaged)? {
        let (base, table) = read_table(bytes, features).ok_or_else(damaged)?;
        bases.push(base);
        trees.tables.push(table);
    }
    for feature in table.tables(super::trees::COUNTED).ok_or_else(damaged)? {
        trees.counted.push(made(feature, features, &bases).ok_or_else(damaged)?);
    }
    Ok(())
}

/// The tables of the part, as bytes.
fn each(mut part: &[u8]) -> Option<Vec<&[u8]>> {
    let short = u32::from_le_bytes(*take(&mut part)?);
    let count = if short == IS_LONG { u64::from_le_bytes(*take(&mut part)?) } else { short.into() };
    let mut tables = Vec::new();
    for _ in 0..count {
        let size = u32::from_le_bytes(*take(&mut part)?);
        let (table, rest) = part.split_at_checked(size as usize)?;
        tables.push(table);
        part = rest;
    }
    Some(tables)
}

fn take<'a, const N: usize>(bytes: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (first, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(first)
}

fn made(feature: flat::Table<'_>, features: &Features, bases: &[Base]) -> Option<Counted> {
    let made = feature.table(MADE)??;
    let base = read_base(made.table(made::BASE)??, features)?;
    let mut prior = [0.0; 4];
    for (number, (field, default)) in prior.iter_mut().zip(made::PRIOR) {
        *number = made.scalar(field, default)?;
    }
    Some(Counted {
        table: bases.iter().position(|one| *one == base)?,
        of: usize::try_from(made.scalar(made::OF, 0_i32)?).ok()?,
        prior,
    })
}

fn read_base(base: flat::Table<'_>, features: &Features) -> Option<Base> {
    let alike = base.table(base::ALIKE)??;
    let categories = alike.scalars(base::CATEGORIES)?.into_iter().map(|number| features.category(number));
    // Two numbers of 32 bits, the first the lower.
    let above = alike.scalars::<u64>(base::ABOVE)?.into_iter().map(|both| {
        Some((features.float((both as u32).cast_signed())?, f32::from_bits((both >> 32) as u32)))
    });
    let is = alike.scalars::<u64>(base::IS)?.into_iter().map(|both| {
        Some((features.category((both as u32).cast_signed())?, ((both >> 32) as u32).cast_signed()))
    });
    let alike = Alike {
        categories: categories.collect::<Option<_>>()?,
        above: above.collect::<Option<_>>()?,
        is: is.collect::<Option<_>>()?,
    };
    Some((alike, Kind::of(base.scalar(base::KIND, 0_u8)?)?, base.scalar(base::CLASSES_OF, 0_i32)?))
}

fn read_table(bytes: &[u8], features: &Features) -> Option<(Base, Table)> {
    let table = flat::Table::root(bytes)?;
    let base = read_base(table.table(table::BASE)??, features)?;
    let (words, rest) = table.bytes(table::COUNTS)?.as_chunks::<4>();
    let integers = words.iter().map(|word| i32::from_le_bytes(*word));
    let kind = base.1;
    let counts = if kind.is_mean() {
        let (pairs, _) = words.as_chunks::<2>();
        let mean = |[sum, count]: &[[u8; 4]; 2]| (f32::from_le_bytes(*sum), i32::from_le_bytes(*count));
        Counts::Means(pairs.iter().map(mean).collect())
    } else {
        let classes = usize::try_from(table.scalar(table::CLASSES, 0_i32)?).ok()?;
        Counts::Classes(integers.collect(), if kind.is_frequency() { 1 } else { classes })
    };
    let keys = keys(table.bytes(table::BUCKETS)?).filter(|_| rest.is_empty())?;
    Some((base.clone(), Table { alike: base.0, kind, counts, most: table.scalar(table::MOST, 0_i32)?, keys }))
}

/// The keys of a table with their places, ascending. They lie so that each is found from the place that its lowest bits say, on
/// to the next that is empty; one that is not found so is none to CatBoost.
fn keys(bytes: &[u8]) -> Option<Vec<(i64, usize)>> {
    let (buckets, rest) = bytes.as_chunks::<BUCKET_BYTES>();
    if !rest.is_empty() || !buckets.len().is_power_of_two() {
        return None;
    }
    let key = |bucket: &[u8; BUCKET_BYTES]| bucket.first_chunk().map_or(NONE, |key| u64::from_le_bytes(*key));
    let place =
        |bucket: &[u8; BUCKET_BYTES]| bucket.last_chunk().map_or(0, |place| u32::from_le_bytes(*place));
    if buckets.iter().all(|bucket| key(bucket) != NONE) {
        return None;
    }
    let mut keys = Vec::new();
    for (at, bucket) in buckets.iter().enumerate().filter(|(_, bucket)| key(bucket) != NONE) {
        let start = key(bucket) as usize & (buckets.len() - 1);
        let steps = at.wrapping_sub(start) & (buckets.len() - 1);
        let before = (0..steps).map(|step| key(&buckets[(start + step) & (buckets.len() - 1)]));
        if before.into_iter().any(|other| other == NONE || other == key(bucket)) {
            return None;
        }
        keys.push((key(bucket).cast_signed(), place(bucket) as usize));
    }
    keys.sort_unstable();
    Some(keys)
}
