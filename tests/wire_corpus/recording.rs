//! Finds and reads recordings.

use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The recordings to test: the one that the variable names, or else the defaults that exist.
pub fn paths(variable: &str, defaults: &[&str]) -> Vec<PathBuf> {
    if let Some(path) = std::env::var_os(variable) {
        return vec![PathBuf::from(path)];
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let paths = defaults.iter().map(|path| root.join(path));
    paths.filter(|path| path.exists()).collect()
}

/// The lines of a recording, unpacked if it is gzipped.
pub fn lines(path: &Path) -> Vec<String> {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let text = if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut text = String::new();
        let mut unpacked = flate2::read::MultiGzDecoder::new(bytes.as_slice());
        unpacked.read_to_string(&mut text).expect("gzipped text");
        text
    } else {
        String::from_utf8(bytes).expect("text")
    };
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .map(str::to_owned)
        .collect()
}
