//! joblib's arrays: a wrapper that lies about how many bytes follow would make code of data, or data of code.

use std::io::Write;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use modelet_package::pickle::Kind;

use crate::assemble::{PROTO_4, all, call, import, item, pickle, text};
use crate::{distrusted, inspect_bytes};

const ODD: &str = "used as joblib never uses it";
const NEVER: &str = "in a way that joblib and numpy never use";

fn class() -> Vec<u8> {
    import("joblib.numpy_pickle", "NumpyArrayWrapper")
}

/// A dtype as numpy writes it.
fn dtype(code: &str, state_size: i32, flags: u8) -> Vec<u8> {
    let size = [b"J".to_vec(), state_size.to_le_bytes().to_vec()].concat();
    let order = text("<");
    all(&[
        &import("numpy", "dtype"),
        &text(code),
        b"\x89\x88\x87R(K\x03",
        &order,
        b"NNN",
        &size,
        b"J\xff\xff\xff\xffK",
        &[flags],
        b"tb",
    ])
}

/// What a wrapper is told to be: this shape and dtype, and what more there is to say.
fn state(shape: &[u8], dtype: &[u8], more: &[u8]) -> Vec<u8> {
    let ndarray = import("numpy", "ndarray");
    let c = text("C");
    all(&[
        b"}",
        &item("subclass", &ndarray),
        &item("shape", shape),
        &item("order", &c),
        &item("dtype", dtype),
        more,
    ])
}

/// A wrapper with that state.
fn wrapper(shape: &[u8], dtype: &[u8], more: &[u8]) -> Vec<u8> {
    all(&[&class(), b")\x81", &state(shape, dtype, more), b"b"])
}

fn float() -> Vec<u8> {
    dtype("f8", -1, 0)
}

#[test]
fn array_bytes_are_passed_over_exactly() {
    // The bytes of the array would run a command if they were opcodes.
    let bytes = b"cos\nsystem\n(S'id'\ntR....";
    let array = all(&[PROTO_4, &wrapper(b"K\x03\x85", &float(), b""), &bytes[..24], b"."]);
    let found = inspect_bytes(&array).unwrap().unwrap();
    assert_eq!((found.unknown(), found.kind), (Vec::new(), Kind::Joblib { protocol: 4, compressed: None }));
    let padded = wrapper(b"K\x03\x85", &float(), &item("numpy_array_alignment_bytes", b"K\x10"));
    let array = all(&[PROTO_4, &padded, b"\x02\xff\xff", &bytes[..24], b"."]);
    assert_eq!(inspect_bytes(&array).unwrap().unwrap().unknown(), Vec::<String>::new());
    // One number less in the shape, and what was data is code.
    let array = all(&[PROTO_4, &wrapper(b"K\x00\x85", &float(), b""), bytes, b"."]);
    assert!(distrusted(&array).contains("os.system"));
}

#[test]
fn a_nested_pickle_is_looked_into() {
    let objects = dtype("O8", -1, 63);
    let nested = pickle(&call("os", "system", "id"));
    let array = all(&[PROTO_4, &wrapper(b"K\x01\x85", &objects, b""), &nested, b"."]);
    assert!(distrusted(&array).contains("os.system"));
    let array = all(&[PROTO_4, &wrapper(b"K\x01\x85", &objects, b""), &pickle(b"]"), b"."]);
    assert_eq!(inspect_bytes(&array).unwrap().unwrap().unknown(), Vec::<String>::new());
    // Within it a wrapper is an object like any other to Python: nothing is read after it.
    let nested = pickle(&wrapper(b"K\x00\x85", &float(), b""));
    let array = all(&[PROTO_4, &wrapper(b"K\x01\x85", &objects, b""), &nested, b"."]);
    assert!(distrusted(&array).contains(ODD));
}

#[test]
fn an_array_that_is_described_oddly_is_damage() {
    let one = b"K\x01\x85";
    let named = all(&[&call("numpy", "str_", "shape"), b"K\x09\x85s"]);
    for array in [
        wrapper(one, &dtype("S5", 500, 0), b""),
        wrapper(one, &dtype("f8", 4, 0), b""),
        wrapper(one, &dtype("f8", -1, 63), b""),
        wrapper(one, &dtype("O8", -1, 0), b""),
        wrapper(one, &dtype("quad", -1, 0), b""),
        wrapper(one, &call("numpy", "dtype", "f8"), b""),
        wrapper(one, &all(&[&float(), b"N", b"b"]), b""),
        wrapper(&all(&[&call("builtins", "int", "1"), b"\x85"]), &float(), b""),
        wrapper(b"J\xff\xff\xff\xff\x85", &float(), b""),
        wrapper(b"]", &float(), b""),
        // A key that equals another one only to Python.
        wrapper(one, &float(), &named),
        wrapper(one, &float(), &item("dtype_", b"N")),
        wrapper(one, &float(), &item("numpy_array_alignment_bytes", b"]")),
    ] {
        let found = distrusted(&all(&[PROTO_4, &array, &[0; 8], b"."]));
        assert!(found.contains(NEVER), "{found}");
    }
    let huge = [b"\x8a\x08".to_vec(), i64::MAX.to_le_bytes().to_vec()].concat();
    let found = distrusted(&all(&[PROTO_4, &wrapper(&all(&[&huge, b"\x85"]), &float(), b""), b"."]));
    assert!(found.contains("larger than any memory"), "{found}");
}

#[test]
fn a_wrapper_is_nothing_but_a_wrapper() {
    let made_by_helper =
        all(&[&import("copyreg", "_reconstructor"), &class(), &import("builtins", "object"), b"N\x87R"]);
    for body in [
        all(&[&class(), b")R"]),
        all(&[&class(), b"K\x01\x85\x81"]),
        all(&[&class(), b")}\x92"]),
        made_by_helper,
        // Becomes one by its class.
        all(&[&import("sklearn.pipeline", "Pipeline"), b")\x81N}", &item("__class__", &class()), b"\x86b"]),
        all(&[&import("numpy.random._pickle", "__randomstate_ctor"), b"N", &class(), b"\x86R"]),
        b"(ijoblib.numpy_pickle\nNumpyArrayWrapper\n".to_vec(),
    ] {
        assert!(distrusted(&pickle(&body)).contains(ODD), "{body:?}");
    }
    // Told twice what it is: Python would read twice.
    let empty = state(b"K\x00\x85", &float(), b"");
    let again = all(&[PROTO_4, &class(), b")\x81q\x01", &empty, b"b0h\x01", &empty, b"b."]);
    assert!(distrusted(&again).contains(NEVER));
    // Python reads the array from behind the frame, and goes on within it.
    let array = all(&[&wrapper(b"K\x00\x85", &float(), b""), b"."]);
    let frame = [b"\x95".to_vec(), (array.len() as u64).to_le_bytes().to_vec()].concat();
    assert!(distrusted(&all(&[PROTO_4, &frame, &array])).contains(ODD));
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn compression_hides_nothing() {
    let (hostile, harmless) = (pickle(&call("os", "system", "id")), pickle(b"}"));
    for pack in [zlib, gzip] {
        assert!(distrusted(&pack(&hostile)).contains("os.system"));
        assert_eq!(inspect_bytes(&pack(&harmless)).unwrap().unwrap().unknown(), Vec::<String>::new());
        let two = [pack(&harmless), pack(&hostile)].concat();
        assert!(distrusted(&two).contains("behind the compressed stream"));
        let mut cut = pack(&hostile);
        cut.truncate(cut.len() - 5);
        assert!(distrusted(&cut).contains("os.system"));
    }
}
