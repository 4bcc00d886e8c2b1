//! Where libraries keep what they would rather not make again.

/// Variables that say it, and places for an instance whose own /tmp is the only place that can be written to. All of it is there, and a
/// library that is new to this list finds a HOME that works. Only for a /tmp of one's own: in a shared one, others could plant what it
/// reads.
pub const CACHES: &[(&str, &str)] = &[
    (HOME, "/tmp"),
    ("XDG_CACHE_HOME", "/tmp/.cache"),
    ("XDG_CONFIG_HOME", "/tmp/.config"),
    ("XDG_DATA_HOME", "/tmp/.local/share"),
    ("HF_HOME", "/tmp/.cache/huggingface"),
    ("KERAS_HOME", "/tmp/.keras"),
    ("MPLCONFIGDIR", "/tmp/.config/matplotlib"),
    ("NUMBA_CACHE_DIR", "/tmp/.cache/numba"),
    ("TORCH_HOME", "/tmp/.cache/torch"),
    ("TORCHINDUCTOR_CACHE_DIR", "/tmp/.cache/torchinductor"),
    ("TRITON_CACHE_DIR", "/tmp/.cache/triton"),
];

/// The variable that names the user's own folder.
pub const HOME: &str = "HOME";
