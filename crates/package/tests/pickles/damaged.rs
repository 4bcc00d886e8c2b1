//! Whatever the bytes, inspection ends soon, in bounded memory, with an answer.

use std::io::Write;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::{file, inspect_bytes};

const SEED: u64 = 0x6d6f_6465_6c65_7421;
const CASES: usize = 10_000;
/// A hundred times what it takes on a quiet machine: others may be slow, and busy with other tests.
const LIMIT: Duration = Duration::from_secs(300);
const MAX_GROWTH_KIB: u64 = 512 << 10;

/// xorshift64*
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit
    }
}

/// The most memory that this process has had, KiB. The kernel counts it by thread, and may tell a little less later on.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
}

fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len());
        match random.below(4) {
            0 => bytes[at] = random.below(256) as u8,
            1 => bytes[at] ^= 1 << random.below(8),
            2 => bytes.insert(at, random.below(256) as u8),
            _ => {
                bytes.remove(at);
            }
        }
    }
    if random.below(4) == 0 {
        bytes.truncate(random.below(bytes.len()) + 1);
    }
}

#[test]
fn damaged_files_never_panic_hang_or_take_memory() {
    let names = [
        "pipeline.joblib",
        "pipeline.zlib.joblib",
        "pipeline.gzip.joblib",
        "pipeline.0.pkl",
        "pipeline.2.pkl",
        "pipeline.5.pkl",
        "pipeline.skops",
        "tree.joblib",
        "frame.pkl",
        "xgboost.pkl",
    ];
    let files = names.map(|name| std::fs::read(file(name)).unwrap());
    let mut random = Random(SEED);
    let (begin, before_kib) = (Instant::now(), peak_kib());
    let mut answers = [0; 3];
    for case in 0..CASES {
        let mut bytes = files[case % files.len()].clone();
        damage(&mut bytes, &mut random);
        match inspect_bytes(&bytes) {
            Ok(Some(_)) => answers[0] += 1,
            Ok(None) => answers[1] += 1,
            Err(error) => {
                assert!(error.hint.is_some(), "seed {SEED}, case {case}: {error}");
                answers[2] += 1;
            }
        }
    }
    let grown_kib = peak_kib().saturating_sub(before_kib);
    println!("{answers:?} in {:?}, {grown_kib} KiB more", begin.elapsed());
    assert!(answers.iter().all(|count| *count > CASES / 100), "{answers:?}");
    assert!(begin.elapsed() < LIMIT, "{:?}", begin.elapsed());
    assert!(grown_kib < MAX_GROWTH_KIB, "{grown_kib} KiB more");
}

#[test]
fn a_length_that_the_file_does_not_have_takes_no_memory() {
    let before_kib = peak_kib();
    for bytes in [
        &b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f{"[..],
        b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\xffx",
        b"\x80\x04X\xff\xff\xff\xffx",
        b"\x80\x04\x8b\xff\xff\xff\xffx",
        b"\x80\x05\x96\x00\x00\x00\x00\x00\x01\x00\x00x",
        b"\x80\x04Nr\xff\xff\xff\xffj\xff\xff\xff\xfe.",
    ] {
        assert!(inspect_bytes(bytes).unwrap_err().message.contains("at byte"), "{bytes:?}");
    }
    assert!(peak_kib().saturating_sub(before_kib) < MAX_GROWTH_KIB);
}

#[test]
fn a_small_file_that_unpacks_to_much_is_stopped_by_a_limit() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(b"\x80\x04").unwrap();
    for _ in 0..64 {
        encoder.write_all(&[b'N'; 1 << 16]).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 64 << 10, "{}", bomb.len());
    assert!(inspect_bytes(&bomb).unwrap_err().message.contains("stacks more than"));
}
