//! Files of records and expectations, as they are or gzipped.

use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use crate::error::Error;

/// How the name of a gzipped file ends.
const GZIP: &str = "gz";

/// The bytes of a file; of one that is named `*.gz`, what is compressed in it.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::reading(path, source);
    let bytes = std::fs::read(path).map_err(failed)?;
    if path.extension().is_none_or(|extension| extension != GZIP) {
        return Ok(bytes);
    }
    let mut plain = Vec::new();
    MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut plain).map_err(failed)?;
    Ok(plain)
}

/// The file `name` of a folder, or `name.gz` if that one alone is there.
pub(crate) fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    let plain = folder.join(name);
    [plain.clone(), plain.with_added_extension(GZIP)].into_iter().find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzipped(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_name_says_whether_a_file_is_gzipped() {
        let folder = tempfile::tempdir().unwrap();
        let written = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            read(&path)
        };
        assert_eq!(written("a.jsonl", b"1\n").unwrap(), b"1\n");
        // What `cat a.gz b.gz` gives is one file to gzip.
        let two = [gzipped("1\n"), gzipped("2\n")].concat();
        assert_eq!(written("a.jsonl.gz", &two).unwrap(), b"1\n2\n");
        assert!(written("b.jsonl.gz", b"1\n").unwrap_err().to_string().contains("cannot read"));
    }

    #[test]
    fn a_file_is_found_under_either_name_the_plain_one_first() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(find(folder.path(), "a.jsonl"), None);
        for name in ["a.jsonl.gz", "a.jsonl"] {
            std::fs::write(folder.path().join(name), "").unwrap();
            assert_eq!(find(folder.path(), "a.jsonl"), Some(folder.path().join(name)));
        }
    }
}
