//! CityHash of 64 bits in its first version (G. Pike and J. Alakuijala, <https://github.com/google/cityhash>), which is how
//! CatBoost names categories.

/// Odd numbers that mix well.
const K0: u64 = 0xc3a5_c85c_97cb_3127;
const K1: u64 = 0xb492_b66f_be98_f273;
const K2: u64 = 0x9ae1_6a3b_2f90_404f;
const K3: u64 = 0xc949_d7c7_509e_6557;
/// What two numbers are multiplied by when they become one.
pub const PAIR: u64 = 0x9ddf_ea08_eb38_2d69;
/// Bytes that are mixed at once in long texts.
const BLOCK: usize = 64;

/// The number by which CatBoost knows a category: the lower half of the hash of its text, with a sign.
pub fn code(text: &str) -> i32 {
    (hash(text.as_bytes()) as u32).cast_signed()
}

/// The hash of some bytes.
pub fn hash(bytes: &[u8]) -> u64 {
    match bytes.len() {
        0..=3 => tiny(bytes),
        4..=8 => {
            let size = bytes.len() as u64;
            pair(size.wrapping_add(half(bytes, 0) << 3), half(bytes, bytes.len() - 4))
        }
        9..=16 => {
            let (first, last) = (word(bytes, 0), word(bytes, bytes.len() - 8));
            pair(first, last.wrapping_add(bytes.len() as u64).rotate_right(bytes.len() as u32)) ^ last
        }
        17..=32 => middle(bytes),
        33..=64 => long(bytes),
        _ => blocks(bytes),
    }
}

/// Eight bytes as a number.
fn word(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

/// Four bytes as a number.
fn half(bytes: &[u8], at: usize) -> u64 {
    let mut half = [0; 4];
    half.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(half).into()
}

/// The upper bits over the lower ones.
pub const fn fold(number: u64) -> u64 {
    number ^ (number >> 47)
}

/// One number of two.
fn pair(first: u64, second: u64) -> u64 {
    let mixed = fold((first ^ second).wrapping_mul(PAIR));
    fold((second ^ mixed).wrapping_mul(PAIR)).wrapping_mul(PAIR)
}

fn tiny(bytes: &[u8]) -> u64 {
    let [first, .., last] = bytes else {
        return bytes.first().map_or(K2, |only| of_three(*only, *only, *only, 1));
    };
    of_three(*first, bytes[bytes.len() >> 1], *last, bytes.len() as u32)
}

fn of_three(first: u8, middle: u8, last: u8, size: u32) -> u64 {
    let y = u32::from(first) + (u32::from(middle) << 8);
    let z = size + (u32::from(last) << 2);
    fold(u64::from(y).wrapping_mul(K2) ^ u64::from(z).wrapping_mul(K3)).wrapping_mul(K2)
}

fn middle(bytes: &[u8]) -> u64 {
    let size = bytes.len();
    let a = word(bytes, 0).wrapping_mul(K1);
    let b = word(bytes, 8);
    let c = word(bytes, size - 8).wrapping_mul(K2);
    let d = word(bytes, size - 16).wrapping_mul(K0);
    pair(
        a.wrapping_sub(b).rotate_right(43).wrapping_add(c.rotate_right(30)).wrapping_add(d),
        a.wrapping_add((b ^ K3).rotate_right(20)).wrapping_sub(c).wrapping_add(size as u64),
    )
}

/// Two numbers of 32 bytes, and of two numbers before.
fn weak(bytes: &[u8], at: usize, a: u64, b: u64) -> (u64, u64) {
    let [w, x, y, z] = [0, 8, 16, 24].map(|more| word(bytes, at + more));
    let first = a.wrapping_add(w);
    let turned = b.wrapping_add(first).wrapping_add(z).rotate_right(21);
    let sum = first.wrapping_add(x).wrapping_add(y);
    (sum.wrapping_add(z), turned.wrapping_add(sum.rotate_right(44)).wrapping_add(first))
}

/// Two numbers of 32 bytes for texts of up to 64; `extra` is added to the first word.
fn of_half(words: [u64; 4], extra: u64) -> (u64, u64) {
    let [w, x, y, z] = words;
    let mut a = w.wrapping_add(extra);
    let b = a.wrapping_add(z).rotate_right(52);
    let mut c = a.rotate_right(37);
    a = a.wrapping_add(x);
    c = c.wrapping_add(a.rotate_right(7));
    a = a.wrapping_add(y);
    (a.wrapping_add(z), b.wrapping_add(a.rotate_right(31)).wrapping_add(c))
}

fn long(bytes: &[u8]) -> u64 {
    let size = bytes.len();
    let extra = (size as u64).wrapping_add(word(bytes, size - 16)).wrapping_mul(K0);
    let (first, second) = of_half([0, 8, 16, 24].map(|at| word(bytes, at)), extra);
    let ends = [32, 24, 16, 8].map(|back| word(bytes, size - back));
    let (third, fourth) = of_half(ends, word(bytes, 16));
    let sum = first.wrapping_add(fourth).wrapping_mul(K2);
    let mixed = fold(sum.wrapping_add(third.wrapping_add(second).wrapping_mul(K0)));
    fold(mixed.wrapping_mul(K0).wrapping_add(second)).wrapping_mul(K2)
}

fn blocks(bytes: &[u8]) -> u64 {
    let size = bytes.len();
    let mut x = word(bytes, 0);
    let mut y = word(bytes, size - 16) ^ K1;
    let mut z = word(bytes, size - 56) ^ K0;
    let mut v = weak(bytes, size - 64, size as u64, y);
    let mut w = weak(bytes, size - 32, (size as u64).wrapping_mul(K1), K0);
    z = z.wrapping_add(fold(v.1).wrapping_mul(K1));
    x = z.wrapping_add(x).rotate_right(39).wrapping_mul(K1);
    y = y.rotate_right(33).wrapping_mul(K1);
    // The last block, which may be a whole one, was mixed first.
    for at in (0..(size - 1) / BLOCK).map(|block| block * BLOCK) {
        x = x.wrapping_add(y).wrapping_add(v.0).wrapping_add(word(bytes, at + 16));
        x = x.rotate_right(37).wrapping_mul(K1) ^ w.1;
        y = y.wrapping_add(v.1).wrapping_add(word(bytes, at + 48));
        y = y.rotate_right(42).wrapping_mul(K1) ^ v.0;
        z = (z ^ w.0).rotate_right(33);
        v = weak(bytes, at, v.1.wrapping_mul(K1), x.wrapping_add(w.0));
        w = weak(bytes, at + 32, z.wrapping_add(w.1), y);
        (x, z) = (z, x);
    }
    pair(
        pair(v.0, w.0).wrapping_add(fold(y).wrapping_mul(K1)).wrapping_add(z),
        pair(v.1, w.1).wrapping_add(x),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_catboost_for_texts_of_each_length() {
        // `cat_features_hash` of a model that CatBoost 1.2.10 saved as JSON with its pool.
        let long = "abcdefghij".repeat(20);
        for (length, wanted) in [
            (0, 797_982_799),
            (1, 3_489_901_818),
            (2, 4_090_249_022),
            (3, 978_243_121),
            (4, 345_588_365),
            (7, 163_411_706),
            (17, 1_357_746_779),
            (32, 1_456_696_876),
            (33, 1_519_759_389),
            (64, 1_846_877_586),
            (65, 1_037_480_648),
            (128, 881_785_306),
            (129, 439_720_440),
            (200, 1_734_888_256_u32),
        ] {
            assert_eq!(code(&long[..length]).cast_unsigned(), wanted, "{length}");
        }
        assert_eq!(code("abcdefghijkl").cast_unsigned(), 2_045_114_484);
        assert_eq!(code("Zürich").cast_unsigned(), 3_409_199_112);
    }
}
