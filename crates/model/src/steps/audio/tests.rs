//! Files as they are written by hand, and the formulas against numbers of `soundfile`, `torchaudio` and numpy.

use modelet_core::digest;

use super::samples::Sound;
use super::*;

const LIMITS: Limits = Limits { max_seconds: 2, max_samples: 1000, max_channels: 2 };

/// A chunk of a file, filled up to an even place.
fn chunk(name: &str, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_le_bytes();
    [name.as_bytes(), &length, body, &[0][..body.len() % 2]].concat()
}

/// A format chunk of 16 bytes.
fn format(tag: u16, channels: u16, rate: u32, bits: u16) -> Vec<u8> {
    let frame = channels * (bits / 8);
    let bytes = rate.wrapping_mul(frame.into());
    let numbers = [tag.to_le_bytes(), channels.to_le_bytes()].concat();
    let ends = [frame.to_le_bytes(), bits.to_le_bytes()].concat();
    [numbers, rate.to_le_bytes().to_vec(), bytes.to_le_bytes().to_vec(), ends].concat()
}

fn file(chunks: &[Vec<u8>]) -> Vec<u8> {
    let body = [&b"WAVE"[..], &chunks.concat()].concat();
    chunk("RIFF", &body)
}

fn samples(format: &[u8], data: &[u8]) -> Result<Vec<f32>, String> {
    let bytes = file(&[chunk("fmt ", format), chunk("data", data)]);
    wav::decode(&bytes, &LIMITS).map(|sound| sound.samples)
}

#[test]
fn samples_of_every_coding_are_what_libsndfile_reads() {
    let of = |tag, bits, data: &[u8]| samples(&format(tag, 1, 8000, bits), data).unwrap();
    assert_eq!(of(1, 8, &[0, 128, 255]), [-1.0, 0.0, 127.0 / 128.0]);
    assert_eq!(of(1, 16, &[0, 0x80, 0xff, 0x7f]), [-1.0, 32_767.0 / 32_768.0]);
    assert_eq!(of(1, 24, &[0, 0, 0x80, 1, 0, 0]), [-1.0, 1.0 / 8_388_608.0]);
    assert_eq!(of(1, 32, &i32::MAX.to_le_bytes()), [1.0]);
    assert_eq!(of(3, 32, &(-1.5_f32).to_le_bytes()), [-1.5]);
    assert_eq!(of(3, 64, &0.1_f64.to_le_bytes()), [0.1]);
    // Of all 256 codes, as soundfile 0.14 (libsndfile 1.2.2) reads them.
    let codes: Vec<u8> = (0..=255).collect();
    for (tag, sha256) in [
        (6, "d4f2bd1be9bad67461eab90762a5ddd77cb74e988c585d4a3a51a7204bdd09ec"),
        (7, "34371823a5daca165d7cae3c7afa7ea7683ab9176cc8423deaa23c97199adc7f"),
    ] {
        let bytes: Vec<u8> = of(tag, 8, &codes).into_iter().flat_map(f32::to_le_bytes).collect();
        assert_eq!(digest::sha256(bytes.as_slice()).unwrap().1, sha256, "{tag}");
    }
}

#[test]
fn channels_become_their_mean_and_extensible_formats_and_other_chunks_are_read() {
    let stereo = samples(&format(1, 2, 8000, 16), &[0, 0x40, 0, 0, 0, 0x80, 0, 0x80]);
    assert_eq!(stereo, Ok(vec![0.25, -1.0]));
    let guid = [1, 0, 0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71];
    let extensible = [format(0xfffe, 1, 8000, 16), vec![22, 0, 16, 0, 4, 0, 0, 0], guid.to_vec()].concat();
    assert_eq!(samples(&extensible, &[0, 0x40]), Ok(vec![0.5]));
    let odd = file(&[
        chunk("JUNK", b"odd"),
        chunk("fmt ", &format(1, 1, 8000, 8)),
        chunk("data", &[192]),
        b"tail".to_vec(),
    ]);
    assert_eq!(wav::decode(&odd, &LIMITS), Ok(Sound { rate: 8000, samples: vec![0.5] }));
}

#[test]
fn files_that_lie_are_refused_with_the_place_and_what_they_say() {
    let pcm = format(1, 1, 8000, 16);
    let whole = |format: &[u8], data: &[u8]| file(&[chunk("fmt ", format), chunk("data", data)]);
    let mut claims = whole(&pcm, &[0; 4]);
    claims[40..44].copy_from_slice(&[0xff; 4]);
    let mut frame = pcm.clone();
    frame[12] = 4;
    let valid = [format(0xfffe, 1, 8000, 16), vec![22, 0, 12, 0], vec![0; 20]].concat();
    for (bytes, why) in [
        (claims, "its chunk \"data\" at byte 36 says that it has 4294967295 bytes, and 4 are left"),
        (whole(&pcm, &[0; 3]), "its 3 bytes of samples end within one of 2 bytes"),
        (whole(&pcm, &[]), "it has no samples"),
        (whole(&pcm[..14], &[0; 4]), "its chunk \"fmt \" has 14 bytes"),
        (whole(&frame, &[0; 4]), "the samples of 1 channels of 16 bits have 4 bytes"),
        (whole(&valid, &[0; 4]), "12 of the 16 bits"),
        (whole(&format(1, 0, 8000, 16), &[0; 4]), "it has 0 channels, and 1 to max_channels = 2"),
        (whole(&format(1, 3, 8000, 16), &[0; 6]), "it has 3 channels"),
        (whole(&format(1, 1, 0, 16), &[0; 4]), "it has 0 samples a second, and 1 to 1000000 are read"),
        (whole(&format(1, 1, 1_000_001, 16), &[0; 4]), "it has 1000001 samples a second"),
        (whole(&format(1, 1, 8000, 16), &[0; 2002]), "1001 samples, more than max_samples = 1000"),
        (whole(&format(1, 1, 1, 16), &[0; 6]), "it lasts 3.0 seconds, longer than max_seconds = 2"),
        (whole(&format(2, 1, 8000, 4), &[0; 4]), "of 4 bits in the coding 2"),
        (whole(&format(3, 1, 8000, 32), &f32::NAN.to_le_bytes()), "its sample 0 (counted from 0) is NaN"),
        (whole(&format(3, 1, 8000, 32), &1e9_f32.to_le_bytes()), "no number from -65536 to 65536"),
        (file(&[chunk("data", &[0; 4])]), "no chunk \"fmt \""),
        (file(&[chunk("fmt ", &pcm)]), "no chunk \"data\""),
        (file(&[chunk("fmt ", &pcm), chunk("fmt ", &pcm)]), "two chunks \"fmt \""),
        (file(&[chunk("fmt ", &pcm), chunk("data", &[0; 2]), chunk("data", &[0; 2])]), "two chunks \"data\""),
        (b"fLaC\0\0".to_vec(), "a FLAC file, which is not read here"),
        (vec![], "an empty file"),
        (b"hello".to_vec(), "a file of 5 bytes that begins with 68 65 6c 6c 6f"),
    ] {
        let error = wav::decode(&bytes, &LIMITS).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
    let good = whole(&pcm, &[0; 40]);
    for length in 0..good.len() {
        assert!(wav::decode(&good[..length], &LIMITS).is_err(), "cut off at {length}");
    }
}

#[test]
fn resampled_sounds_are_as_long_and_as_loud_as_those_of_torchaudio() {
    assert_eq!(resample::resample(vec![0.5, -0.5], 8000, 8000), [0.5, -0.5]);
    // torchaudio.functional.resample(torch.ones(10), 8000, 16000), to four digits as PyTorch prints it.
    let expected = [
        0.9950, 1.1263, 1.0044, 0.9448, 0.9968, 1.0255, 1.0019, 0.9912, 0.9993, 1.0033, 0.9993, 0.9912,
        1.0019, 1.0255, 0.9968, 0.9448, 1.0044, 1.1263, 0.9950, 0.5004_f32,
    ];
    let found = resample::resample(vec![1.0; 10], 8000, 16_000);
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 6e-5, "{found} {expected}");
    }
    for (samples, old, new, length) in [
        (0, 44_100, 16_000, 0),
        (1, 44_100, 16_000, 1),
        (441, 44_100, 16_000, 160),
        (442, 44_100, 16_000, 161),
        (3, 8000, 44_100, 17),
    ] {
        assert_eq!(resample::length(samples, old, new), length);
        assert_eq!(resample::resample(vec![1.0; samples], old, new).len(), length);
    }
}

#[test]
fn rates_without_a_common_divisor_cost_no_more_than_their_sound() {
    let found = resample::resample(vec![1.0; 1000], 999_983, 16_001);
    assert_eq!(found.len(), 17);
    assert!((found[8] - 1.0).abs() < 0.01, "{found:?}");
}

#[test]
fn normalised_samples_have_mean_zero_and_variance_one() {
    let mut sound: Vec<f32> = (0..1000_u16).map(|i| f32::from(i % 7) * 0.01 + 0.3).collect();
    normalize::normalize(&mut sound);
    let mean = sound.iter().sum::<f32>() / 1000.0;
    let square = sound.iter().map(|x| x * x).sum::<f32>() / 1000.0;
    assert!(mean.abs() < 1e-5 && (square - 1.0).abs() < 1e-3, "{mean} {square}");
    let mut silence = vec![0.25; 300];
    normalize::normalize(&mut silence);
    assert_eq!(silence, vec![0.0; 300]);
}
