//! Tables of `docs/correctness.md` that tests make, so that they stay true.

use std::path::{Path, PathBuf};

/// With this variable set tables are written; without it a page that says something else fails the test.
const WRITE: &str = "TIDEMILL_WRITE_DOCS";

/// A table in Markdown, to stand on the page between `<!-- begin NAME -->` and `<!-- end NAME -->`.
///
/// # Panics
/// If the page says something else.
pub(crate) fn check_table(name: &str, header: &str, rows: &[String]) {
    let columns = header.matches('|').count() - 1;
    let table = format!("{header}\n|{}\n{}", "---|".repeat(columns), rows.join("\n"));
    let path = page();
    let text = std::fs::read_to_string(&path).expect("the page can be read");
    let (begin, end) = (format!("<!-- begin {name} -->\n"), format!("\n<!-- end {name} -->"));
    let (before, rest) = text.split_once(&begin).expect("the page has the table's begin");
    let (found, behind) = rest.split_once(&end).expect("the page has the table's end");
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&path, format!("{before}{begin}{table}{end}{behind}")).expect("the page can be written");
        return;
    }
    let differing = table.lines().find(|line| !found.lines().any(|known| known == *line)).unwrap_or("one line less");
    assert!(
        found == table,
        "docs/correctness.md says something else of {name}: {WRITE}=1 before the test's command writes what is so now, \
         such as\n{differing}"
    );
}

/// The page, from whichever package a test is of.
fn page() -> PathBuf {
    let folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let mut pages = folders.map(|folder| folder.join("docs/correctness.md"));
    pages.find(|page| page.exists()).expect("the repository has docs/correctness.md")
}
