//! Reads files that the user has named, which may be of any kind.

use std::io::{self, Read as _};
use std::path::Path;

/// The maximum size of a file in bytes, more than any file of settings or certificates has.
const MAX_BYTES: u64 = 4 << 20;

/// Reads the text of a file, or `None` if there is no such file.
pub(crate) fn read(path: &Path) -> io::Result<Option<String>> {
    let bytes = read_bytes(path)?;
    let text =
        bytes.map(|bytes| String::from_utf8(bytes).map_err(|_| io::Error::other("not UTF-8")));
    text.transpose()
}

/// Reads the bytes of a file, or `None` if there is no such file.
///
/// Anything but a regular file is refused: opening a FIFO would wait for its writer for ever.
pub(crate) fn read_bytes(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let metadata = match path.metadata() {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Ok(None),
        Err(error) => return Err(error),
    };
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path)?;
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(io::Error::other("it is larger than 4 MiB"));
    }
    Ok(Some(bytes))
}
