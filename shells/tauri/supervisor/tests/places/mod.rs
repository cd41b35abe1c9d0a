//! Where the repository is, and the Python that has the daemon.

use std::path::{Path, PathBuf};

pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..").canonicalize().expect("the repository")
}

/// `ASTER_PYTHON`, else that of the checkout.
pub fn python() -> PathBuf {
    std::env::var_os("ASTER_PYTHON").map_or_else(|| repository().join(".venv/bin/python"), PathBuf::from)
}
