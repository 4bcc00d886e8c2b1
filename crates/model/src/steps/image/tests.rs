//! Against Pillow: `tests/pictures` has files, and what it makes of them.

use std::path::PathBuf;

use modelet_core::digest;
use modelet_core::steps::image::{Colours, Filter, ShortestEdge};

use super::*;
use crate::examples::Random;

const LIMITS: Limits = Limits { max_pixels: 1 << 16 };

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pictures"))
}

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).unwrap()
}

#[test]
fn files_become_the_pixels_that_pillow_shows_and_resizes() {
    let expected = std::fs::read_to_string(folder().join("expected.txt")).unwrap();
    assert!(expected.lines().count() > 100);
    for line in expected.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [name, mode, width, height, filter, sha256] = words.as_slice() else { panic!("{line}") };
        let colours = if *mode == "L" { Colours::Grey } else { Colours::Rgb };
        let filter: Filter = serde_json::from_value((*filter).into()).unwrap();
        let picture = orient::upright(file::decode(&bytes(name), &LIMITS).unwrap()).converted(colours);
        let made = resample::resize(picture, width.parse().unwrap(), height.parse().unwrap(), filter);
        let found = digest::sha256(made.pixels.as_slice()).unwrap().1;
        assert_eq!(found, *sha256, "{line}");
    }
}

#[test]
fn what_has_no_one_answer_is_refused_with_its_format() {
    for (name, why) in [("cmyk.jpg", "four colours (CMYK)"), ("grey-16.png", "grey of 16 bits")] {
        let error = file::decode(&bytes(name), &LIMITS).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
    for (bytes, why) in [
        (&b""[..], "an empty file"),
        (b"BM0000", "a BMP file, which is not read here"),
        (b"\0\0\0\x18ftypheic", "a HEIC file"),
        (b"hello world", "a file of 11 bytes that begins with 68 65 6c 6c 6f 20 77 6f"),
    ] {
        let error = file::decode(bytes, &LIMITS).unwrap_err();
        assert!(error.starts_with(why), "{error}");
    }
}

#[test]
fn a_file_that_was_cut_off_is_refused_at_every_length() {
    for name in ["photo-420.jpg", "photo-progressive.jpg", "grey.png", "lossy.webp", "first.gif"] {
        let whole = bytes(name);
        // A GIF may end behind its first picture.
        let end = if name == "first.gif" { whole.len() / 3 } else { whole.len() - 20 };
        for length in (0..end).step_by(7) {
            assert!(file::decode(&whole[..length], &LIMITS).is_err(), "{name}: {length} bytes");
        }
    }
}

#[test]
fn damaged_files_take_nothing_down() {
    let mut random = Random(7);
    let names: Vec<PathBuf> =
        std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    let mut refused = 0;
    for path in names.iter().filter(|path| !path.ends_with("expected.txt") && !path.ends_with("make.py")) {
        let whole = std::fs::read(path).unwrap();
        for _ in 0..150 {
            let mut damaged = whole.clone();
            for _ in 0..random.in_range(1..6) {
                let place = random.in_range(0..damaged.len() as u64) as usize;
                damaged[place] = random.in_range(0..256) as u8;
            }
            let read = file::decode(&damaged, &LIMITS);
            refused += usize::from(read.is_err());
            read.map(orient::upright).ok();
        }
    }
    assert!(refused > 500, "{refused}");
}

#[test]
fn a_bomb_is_refused_before_it_is_unpacked() {
    let mut jpeg = bytes("photo-420.jpg");
    let frame = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 9].fill(0xff);
    let mut png = bytes("grey.png");
    png[16..24].copy_from_slice(&[0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff]);
    let sum = crc(&png[12..29]);
    png[29..33].copy_from_slice(&sum.to_be_bytes());
    let mut gif = bytes("first.gif");
    gif[6..10].fill(0xff);
    for (bytes, size) in [(jpeg, "65535 × 65535"), (png, "65535 × 65535"), (gif, "65535 × 65535")] {
        let error = file::decode(&bytes, &LIMITS).unwrap_err();
        assert!(error.contains(&format!("it has {size} pixels, more than max_pixels = 65536")), "{error}");
    }
}

/// The check sum of PNG, bit by bit.
fn crc(bytes: &[u8]) -> u32 {
    let step = |sum: u32, _| if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 };
    !bytes.iter().fold(u32::MAX, |sum, byte| (0..8).fold(sum ^ u32::from(*byte), step))
}

#[test]
fn sizes_and_middles_are_those_of_transformers() {
    let shortest = |shortest_edge| Resize::Shortest(ShortestEdge { shortest_edge });
    for (width, height, edge, target) in
        [(640, 427, 224, (335, 224)), (427, 640, 224, (224, 335)), (3, 2, 100, (150, 100)), (7, 7, 3, (3, 3))]
    {
        assert_eq!(fit::target(width, height, shortest(edge)), target);
    }
    let row = Picture::grey(5, 1, vec![1, 2, 3, 4, 5]);
    let cut = |width, height| fit::center_crop(&row, Size { height, width }).pixels;
    assert_eq!(cut(2, 1), [2, 3]);
    assert_eq!(cut(8, 1), [0, 0, 1, 2, 3, 4, 5, 0]);
    assert_eq!(cut(1, 4), [0, 0, 3, 0]);
}
