//! Reading files that a user has named, which may be anything.

use std::io::{self, Read as _};
use std::path::Path;

/// More than any of these files has.
const MOST_BYTES: u64 = 4 << 20;

/// The text of a file, or `None` if there is none.
pub(crate) fn read(path: &Path) -> io::Result<Option<String>> {
    let bytes = read_bytes(path)?;
    let text =
        bytes.map(|bytes| String::from_utf8(bytes).map_err(|_| io::Error::other("not UTF-8")));
    text.transpose()
}

/// What a file holds, or `None` if there is none.
///
/// What is no regular file is refused: opening a FIFO would wait for its writer for ever.
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
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(io::Error::other("it is larger than 4 MiB"));
    }
    Ok(Some(bytes))
}
