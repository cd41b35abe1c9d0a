//! The paths of the repository and of a Python with the daemon's dependencies.

use std::path::{Path, PathBuf};

pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..").canonicalize().expect("the repository")
}

/// `ASTER_PYTHON`, otherwise the Python of the checkout's `.venv`.
pub fn python() -> PathBuf {
    std::env::var_os("ASTER_PYTHON").map_or_else(|| repository().join(".venv/bin/python"), PathBuf::from)
}
