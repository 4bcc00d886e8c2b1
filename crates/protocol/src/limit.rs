//! Limits that several formats share, and sentences about sizes, said once.

use modelet_core::{Code, FunctionError};

/// Most texts in one body; objects and irregular lists count as several. Each takes about a hundred bytes in memory and as
/// few as one in the body, so without a limit a small body would become a large tree. This one keeps trees below 512 MiB.
pub(crate) const NODE_LIMIT: usize = 4 << 20;

/// Refuses more texts than the limit.
pub(crate) fn check_texts(count: usize) -> Result<(), FunctionError> {
    if count <= NODE_LIMIT {
        return Ok(());
    }
    let message = format!("the body holds {count} texts; at most {NODE_LIMIT} are taken at once");
    Err(FunctionError::new(Code::BodyTooLarge, message).hint("send it in parts"))
}

/// The failure for an answer over the limit.
pub(crate) fn response_too_large(limit_bytes: u64) -> FunctionError {
    FunctionError::new(
        Code::ResponseTooLarge,
        format!(
            "the answer is larger than the {} that this function may answer with",
            size_text(limit_bytes)
        ),
    )
    .hint("send fewer rows at a time, ask for fewer outputs, or raise response_limit_mib")
}

/// The failure for a body over the limit; `size` says how large it is, as far as that is known.
pub(crate) fn body_too_large(size: &str, limit_bytes: u64) -> FunctionError {
    let mut error = FunctionError::new(
        Code::BodyTooLarge,
        format!("the body is {size}, and this function takes at most {}", size_text(limit_bytes)),
    );
    error.expected = Some(format!("at most {limit_bytes} bytes"));
    error.found = Some(size.to_owned());
    error.hint(
        "send numbers in binary (npy is a fifth of JSON), fewer rows at a time, or raise body_limit_mib",
    )
}

/// A size for people: `4.0 MiB`.
pub(crate) fn size_text(bytes: u64) -> String {
    match bytes {
        0..=9_999 => format!("{bytes} bytes"),
        10_000..=1_048_575 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_well() {
        assert_eq!(size_text(1), "1 bytes");
        assert_eq!(size_text(20 << 10), "20.0 KiB");
        assert_eq!(size_text(4 << 20), "4.0 MiB");
    }
}
