//! Writing a new project: one function, its template, a scenario and tests.
//!
//! It stands on the tidemill of a checkout by path, with the versions of that one's `Cargo.lock`, so that it builds
//! without network once the checkout has.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// The checkout that this program was built from.
const OWN_CHECKOUT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// The project's files: where they go, and what stands in them. `{{…}}` is filled in by [`Names::fill_in`].
const FILES: [(&str, &str); 13] = [
    ("Cargo.toml", include_str!("project/Cargo.toml.in")),
    ("README.md", include_str!("project/README.md.in")),
    ("template.yaml", include_str!("project/template.yaml.in")),
    (".gitignore", include_str!("project/gitignore.in")),
    (".cargo/config.toml", include_str!("project/config.toml.in")),
    ("functions/{{name}}/Cargo.toml", include_str!("project/function/Cargo.toml.in")),
    ("functions/{{name}}/src/lib.rs", include_str!("project/function/lib.rs.in")),
    ("functions/{{name}}/src/main.rs", include_str!("project/function/main.rs.in")),
    ("functions/{{name}}/tests/pipeline.rs", include_str!("project/function/pipeline.rs.in")),
    ("events/{{name}}/scenario.toml", include_str!("project/events/scenario.toml.in")),
    ("events/{{name}}/input.jsonl", include_str!("project/events/input.jsonl")),
    ("events/{{name}}/expected.jsonl", include_str!("project/events/expected.jsonl")),
    ("events/{{name}}/expected-late.jsonl", include_str!("project/events/expected-late.jsonl")),
];

/// The longest name: a template makes a logical id and Cargo a file of it.
const MAX_NAME: usize = 48;

/// Names that Cargo or Rust would misread: crates that are there already, and keywords.
const TAKEN: &str = "alloc async build core crate deps dyn examples fn incremental main match mod proc-macro self serde serde-json std test \
                     tidemill tokio use";

/// Writes the project `name` into a folder of that name in `folder`, on the tidemill in `checkout`; its own, if that is
/// `None`. Says where it is.
///
/// # Errors
/// A name that is none for a function, a folder that is not empty, a checkout that is none, files that cannot be written.
pub fn create(folder: &Path, name: &str, checkout: Option<&Path>) -> Result<PathBuf, Error> {
    let names = Names::of(name)?;
    let checkout = find_checkout(checkout)?;
    let project = folder.join(name);
    if fs::read_dir(&project).is_ok_and(|mut entries| entries.next().is_some()) || project.is_file() {
        return Err(Error::Option(format!("`{name}` is there already, and not empty: take another name or folder")));
    }
    for (path, text) in FILES {
        write(&project.join(names.fill_in(path, &checkout)), &names.fill_in(text, &checkout))?;
    }
    for copied in ["Cargo.lock", "rust-toolchain.toml", "rustfmt.toml"] {
        let from = checkout.join(copied);
        let text = fs::read_to_string(&from).map_err(|source| Error::reading(&from, source))?;
        write(&project.join(copied), &text)?;
    }
    Ok(project)
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(path, text));
    written.map_err(|source| Error::writing(path, source))
}

/// The checkout's folder, whole.
fn find_checkout(given: Option<&Path>) -> Result<PathBuf, Error> {
    let path = given.unwrap_or(Path::new(OWN_CHECKOUT));
    let whole = path.canonicalize().ok().filter(|path| path.join("shared/tidemill/Cargo.toml").is_file());
    whole.ok_or_else(|| {
        let what = match given {
            Some(_) => "is no checkout of tidemill: there is no shared/tidemill in it",
            None => "has gone, the checkout that this program was built from: give another one by --checkout",
        };
        Error::NotFound(format!("{} {what}", path.display()))
    })
}

/// A project's name in its several forms.
struct Names<'a> {
    /// `page-views`: package, binary, pipeline, scenario.
    name: &'a str,
    /// `page_views`: crate, function.
    in_code: String,
    /// `PageViews`: logical ids.
    in_template: String,
}

impl<'a> Names<'a> {
    fn of(name: &'a str) -> Result<Self, Error> {
        let fits = name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.split('-').all(|word| !word.is_empty())
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            && name.len() <= MAX_NAME;
        if !fits {
            return Err(Error::Option(format!(
                "`{name}` is no name for a project: small letters, digits and single hyphens between them, \
                 {MAX_NAME} at most, such as page-views"
            )));
        }
        if TAKEN.split(' ').any(|taken| taken == name) {
            return Err(Error::Option(format!("`{name}` is taken in Rust or by Cargo: take another name")));
        }
        let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
        Ok(Self { name, in_code: name.replace('-', "_"), in_template: name.split('-').map(capital).collect() })
    }

    fn fill_in(&self, text: &str, checkout: &Path) -> String {
        // A backslash would be an escape in TOML.
        let checkout = checkout.display().to_string().replace('\\', "/");
        let filled = text.replace("{{name}}", self.name).replace("{{crate}}", &self.in_code);
        filled.replace("{{Name}}", &self.in_template).replace("{{checkout}}", &checkout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_cargo_or_a_template_would_not_take_are_refused() {
        for name in ["", "Demo", "1st", "a_b", "a--b", "a-", "-a", "a/b", "..", "test", "tokio", &"a".repeat(49)] {
            assert!(Names::of(name).is_err(), "{name}");
        }
        let names = Names::of("page-views-2").unwrap();
        assert_eq!((names.in_code.as_str(), names.in_template.as_str()), ("page_views_2", "PageViews2"));
    }

    #[test]
    fn nothing_is_left_to_fill_in_and_no_other_project_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let project = create(folder.path(), "page-views", None).unwrap();
        for (path, _) in FILES {
            let path = project.join(path.replace("{{name}}", "page-views"));
            let text = fs::read_to_string(&path).unwrap();
            assert!(!text.is_empty() && !text.contains("{{"), "{}", path.display());
        }
        let again = create(folder.path(), "page-views", None).unwrap_err().to_string();
        assert!(again.contains("there already"), "{again}");
    }

    #[test]
    fn what_is_no_checkout_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let error = create(folder.path(), "demo", Some(folder.path())).unwrap_err().to_string();
        assert!(error.contains("no shared/tidemill"), "{error}");
        assert!(!folder.path().join("demo").exists());
    }

    /// Packages are built once for the checkout and for projects beside it only if they are built alike.
    #[test]
    fn profiles_are_those_of_the_checkout() {
        let read = |text: &str| text.parse::<toml::Table>().unwrap();
        let own = read(&fs::read_to_string(Path::new(OWN_CHECKOUT).join("Cargo.toml")).unwrap());
        let new = read(FILES[0].1);
        assert_eq!(new["profile"]["release"], own["profile"]["release"]);
        for (package, settings) in new["profile"]["dev"]["package"].as_table().unwrap() {
            assert_eq!(*settings, own["profile"]["dev"]["package"][package], "{package}");
        }
    }
}
