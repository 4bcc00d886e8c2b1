//! A matrix of numbers as numpy writes it (`numpy.save`), read as float64.

/// How every such file begins.
pub(super) const MAGIC: &[u8] = b"\x93NUMPY";

/// Shape and numbers.
pub(super) fn read(bytes: &[u8]) -> Result<(Vec<usize>, Vec<f64>), String> {
    let (header, body) = split(bytes).ok_or("the header of the npy file is damaged")?;
    let value = |key: &str| {
        let rest = header.split_once(&format!("'{key}':"))?.1.trim_start();
        Some(rest)
    };
    if value("fortran_order").is_none_or(|rest| !rest.starts_with("False")) {
        return Err("it is written column by column: save numpy.ascontiguousarray(x)".to_owned());
    }
    let shape = value("shape").and_then(|rest| rest.strip_prefix('(')?.split_once(')'));
    let (sizes, _) = shape.ok_or("it has no shape")?;
    let sizes = sizes.split(',').map(str::trim).filter(|size| !size.is_empty());
    let shape = sizes.map(|size| size.parse::<usize>().map_err(|_| format!("its shape has {size:?}")));
    let shape = shape.collect::<Result<Vec<_>, _>>()?;
    let descr = value("descr").and_then(|rest| rest.strip_prefix('\'')?.split_once('\''));
    let numbers = numbers(descr.map_or("of several types", |(descr, _)| descr), body)?;
    let needed = shape.iter().try_fold(1_usize, |size, dim| size.checked_mul(*dim));
    if needed != Some(numbers.len()) {
        return Err(format!("it has bytes for {} numbers, its shape is {shape:?}", numbers.len()));
    }
    Ok((shape, numbers))
}

fn split(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let (version, rest) = rest.split_first_chunk::<2>()?;
    let (length, rest) = match version[0] {
        1 => rest.split_first_chunk::<2>().map(|(n, rest)| (u16::from_le_bytes(*n).into(), rest))?,
        _ => rest.split_first_chunk::<4>().map(|(n, rest)| (u32::from_le_bytes(*n) as usize, rest))?,
    };
    let (header, body) = rest.split_at_checked(length)?;
    Some((std::str::from_utf8(header).ok()?, body))
}

fn numbers(descr: &str, body: &[u8]) -> Result<Vec<f64>, String> {
    macro_rules! read {
        ($ty:ty, $to:expr) => {{
            let (numbers, rest) = body.as_chunks::<{ size_of::<$ty>() }>();
            if !rest.is_empty() {
                return Err("its bytes end within a number".to_owned());
            }
            let to: fn($ty) -> f64 = $to;
            Ok(numbers.iter().map(|bytes| to(<$ty>::from_le_bytes(*bytes))).collect())
        }};
    }
    match descr {
        "<f8" => read!(f64, |number| number),
        "<f4" => read!(f32, f64::from),
        "<i8" => read!(i64, |number| number as f64),
        "<i4" => read!(i32, f64::from),
        "|u1" => read!(u8, f64::from),
        other => Err(format!("its numbers are {other}: save them as float64 or float32")),
    }
}
