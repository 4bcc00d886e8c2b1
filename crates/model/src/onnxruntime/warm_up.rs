//! The smallest model there is. The first session of a process makes things that later ones share (operator registries, the
//! allocator, pages of the library), and the first run of it more: a few milliseconds that can be spent ahead.

/// An ONNX file: IR version 8, opset 13, `y = Identity(x)`, both float32 of shape 1. Encoded as protocol buffers, each line a
/// field: its number and kind, its length, its content.
#[rustfmt::skip]
pub(super) const MODEL: &[u8] = &[
    0x08, 8,                                              // ir_version
    0x3a, 55,                                             // graph
        0x0a, 16,                                         //   node
            0x0a, 1, b'x',                                //     input
            0x12, 1, b'y',                                //     output
            0x22, 8, b'I', b'd', b'e', b'n', b't', b'i', b't', b'y',
        0x12, 1, b'g',                                    //   name
        0x5a, 15,                                         //   input
            0x0a, 1, b'x',                                //     name
            0x12, 10,                                     //     type
                0x0a, 8, 0x08, 1,                         //       tensor of float
                    0x12, 4, 0x0a, 2, 0x08, 1,            //         shape: one dimension, 1
        0x62, 15,                                         //   output
            0x0a, 1, b'y',
            0x12, 10,
                0x0a, 8, 0x08, 1,
                    0x12, 4, 0x0a, 2, 0x08, 1,
    0x42, 2, 0x10, 13,                                    // opset_import: version
];
