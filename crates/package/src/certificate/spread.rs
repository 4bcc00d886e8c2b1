//! Values for inputs that are no tables, row by row: ordinary ones as an example has them, shares from 0 to 1, bytes from 0 to 255,
//! one from far among ordinary ones, and the same everywhere.

use modelet_core::{Data, Tensor};
use modelet_model::examples::Random;

/// Rows whose kinds come in turn: of these the last are other than ordinary.
const TURN: usize = 10;
/// From far: the end itself, and so many powers of ten below it.
const POWERS: u64 = 4;
/// Integers of the last tenth of the rows, which an original may refuse: a byte's …
const BYTES: u64 = 256;
/// … or as far below zero.
const BELOW: u64 = 3;
/// Integers of the two tenths before them.
const SMALL: u64 = 10;

/// Spreads the values of a tensor whose first axis counts rows. Floating-point numbers from far lie within `reach`.
pub(super) fn spread(tensor: Tensor, reach: Option<f64>, random: &mut Random) -> Tensor {
    let shape = tensor.shape().to_vec();
    let width = shape.iter().skip(1).product::<usize>().max(1);
    let (_, mut data) = tensor.into_parts();
    match &mut data {
        Data::F32(v) => floats(v, width, reach, random, |number| number as f32),
        Data::F64(v) => floats(v, width, reach, random, |number| number),
        Data::I32(v) => integers(v, width, random, |number| number as i32),
        Data::I64(v) => integers(v, width, random, |number| number),
        Data::U8(v) => v.chunks_mut(width).skip(1).step_by(2).for_each(|row| {
            row.fill_with(|| random.in_range(0..BYTES) as u8);
        }),
        // What others hold is spread as far as they go.
        _ => {}
    }
    Tensor::new(shape, data).expect("as many values as there were")
}

fn floats<T: Copy>(
    values: &mut [T],
    width: usize,
    reach: Option<f64>,
    random: &mut Random,
    number: impl Fn(f64) -> T,
) {
    for (row, cells) in values.chunks_mut(width).enumerate() {
        match row % TURN {
            6 => cells.fill_with(|| number((random.float() + 2.0) / 4.0)),
            7 => cells.fill_with(|| number(random.in_range(0..BYTES) as f64)),
            8 => {
                let at = random.in_range(0..cells.len() as u64) as usize;
                let size = reach.unwrap_or(1.0) / 10_f64.powi(random.in_range(0..POWERS) as i32);
                cells[at] = number(if random.in_range(0..2) == 0 { size } else { -size });
            }
            9 => cells.fill(number([0.0, 1.0, -1.0][row / TURN % 3])),
            _ => {}
        }
    }
}

/// Those that an original may refuse, since it looks them up in a table, stand behind the rest.
fn integers<T: Copy>(values: &mut [T], width: usize, random: &mut Random, number: impl Fn(i64) -> T) {
    let rows = values.len() / width;
    for (row, cells) in values.chunks_mut(width).enumerate() {
        match row * 10 / rows {
            7 | 8 => cells.fill_with(|| number(random.in_range(0..SMALL) as i64)),
            9 if row % 2 == 0 => cells.fill_with(|| number(random.in_range(0..BYTES) as i64)),
            9 => {
                let at = random.in_range(0..cells.len() as u64) as usize;
                cells[at] = number(-1 - random.in_range(0..BELOW) as i64);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread_of(data: Data, width: usize) -> Data {
        let shape = vec![data.len() / width, width];
        spread(Tensor::new(shape, data).unwrap(), Some(1e3), &mut Random(1)).into_parts().1
    }

    #[test]
    fn floats_are_ordinary_shares_bytes_far_and_all_alike() {
        let Data::F32(found) = spread_of(Data::F32(vec![0.5; 1_000]), 5) else { panic!("float32") };
        let rows: Vec<&[f32]> = found.chunks(5).collect();
        assert!(rows.iter().filter(|row| row.iter().all(|x| *x == 0.5)).count() >= 120, "most are ordinary");
        let bytes = |row: &&[f32]| row.iter().all(|x| (0.0..256.0).contains(x) && x.fract() == 0.0);
        assert!(rows.iter().filter(|row| bytes(row)).any(|row| row.iter().any(|x| *x > 200.0)));
        let far = |end: f32| rows.iter().any(|row| row.iter().filter(|x| **x == end).count() == 1);
        assert!(far(1e3) && far(-1e3) && far(10.0) && !found.iter().any(|x| x.abs() > 1e3));
        for all in [0.0, 1.0, -1.0] {
            assert!(rows.iter().any(|row| row.iter().all(|x| *x == all)), "{all}");
        }
    }

    #[test]
    fn integers_that_may_be_refused_stand_behind_the_rest() {
        let Data::I64(found) = spread_of(Data::I64(vec![1; 1_000]), 5) else { panic!("int64") };
        assert!(found[..700].iter().all(|x| *x == 1) && found[700..900].iter().all(|x| (0..10).contains(x)));
        assert!(found[900..].iter().any(|x| *x > 200) && found[900..].iter().any(|x| *x < 0));
        let Data::U8(bytes) = spread_of(Data::U8(vec![1; 100]), 5) else { panic!("uint8") };
        assert!(bytes.iter().any(|x| *x > 200));
    }
}
