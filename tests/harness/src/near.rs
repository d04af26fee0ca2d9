//! The name that was meant, where one is not there.

/// How alike two names must be, as Jaro sees it: what clap takes for its own suggestions.
const ALIKE: f64 = 0.7;

/// The name most like `written`, if any is like it.
pub(crate) fn near<'a>(written: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let written = written.to_lowercase();
    let alike = |name: &&str| strsim::jaro(&written, &name.to_lowercase());
    let all = names.into_iter().map(|name| (alike(&name), name)).filter(|(alike, _)| *alike > ALIKE);
    all.max_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, name)| name)
}

/// "; did you mean `x`?", or nothing.
pub(crate) fn did_you_mean<'a>(written: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    near(written, names).map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_told_from_another_name() {
        let names = ["departures", "rotations", "DeparturesFunction"];
        assert_eq!(near("departuers", names), Some("departures"));
        assert_eq!(near("rotation", names), Some("rotations"));
        assert_eq!(near("departuresfunction", names), Some("DeparturesFunction"));
        assert_eq!(near("zzz", names), None);
        assert_eq!(did_you_mean("zzz", names), "");
    }
}
