//! A replay as one page: charts, tables and figures, without a network.
//!
//! The page is `page.html`; `page.css` and `page.js` are put into it, and uPlot, which draws the charts (`vendor/`). What
//! happened goes into it as JSON.

use serde::Serialize;
use serde_json::json;

use crate::replay::{Report, Verdict};

const PAGE: &str = include_str!("page.html");
const PARTS: [(&str, &str); 4] = [
    ("{{page.css}}", include_str!("page.css")),
    ("{{page.js}}", include_str!("page.js")),
    ("{{uplot.css}}", include_str!("vendor/uplot/uPlot.min.css")),
    ("{{uplot.js}}", include_str!("vendor/uplot/uPlot.iife.min.js")),
];

/// The page of a replay.
pub fn page(report: &Report) -> String {
    let data = json!({
        "report": report,
        "history": report.history,
        "holds": match &report.verdict {
            Verdict::Holds => Some(true),
            Verdict::Differs(_) => Some(false),
            Verdict::NotCompared(_) => None,
        },
    });
    let mut page = PAGE.replace("{{title}}", &escaped(&report.title));
    for (place, part) in PARTS {
        page = page.replacen(place, part, 1);
    }
    page.replacen("{{data}}", &in_script(&data), 1)
}

/// JSON that stands in a script element: nothing in it ends the element or begins a comment.
fn in_script(data: &impl Serialize) -> String {
    // A report is plain data, which serialises.
    serde_json::to_string(data).unwrap_or_default().replace('<', "\\u003c")
}

/// Text as HTML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_does_not_end_its_script() {
        let text = in_script(&"</script><!--");
        assert!(!text.contains('<'), "{text}");
        assert_eq!(serde_json::from_str::<String>(&text).unwrap(), "</script><!--");
        assert_eq!(escaped("a<b>&"), "a&lt;b&gt;&amp;");
    }

    #[test]
    fn every_part_has_its_place_and_nothing_is_fetched() {
        for (place, part) in PARTS {
            assert_eq!(PAGE.matches(place).count(), 1, "{place}");
            // A part that holds the place of another would be filled in itself.
            assert!(PARTS.iter().all(|(other, _)| !part.contains(other)) && !part.contains("{{data}}"), "{place}");
        }
        assert!(PAGE.contains("{{data}}") && PAGE.contains("{{title}}"));
        assert!(!PAGE.contains("http:") && !PAGE.contains("https:") && !PAGE.contains(" src="));
    }
}
