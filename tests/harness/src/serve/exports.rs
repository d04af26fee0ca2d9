//! The environment that a client of the served account needs.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::error::Error;
use crate::findings::{Findings, listed};
use crate::template::{Given, REGION, Template};

/// Variables, in groups with a heading each, as a shell takes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exports {
    groups: Vec<(String, Vec<(String, String)>)>,
}

impl Exports {
    /// The variables of the functions, or of `only` one. Functions that want different values of one
    /// variable get a warning, and the first one's value.
    pub(super) fn of(
        template: &Template,
        functions: &[Given],
        only: Option<&str>,
        findings: &mut Findings,
    ) -> Result<Self, Error> {
        let wanted = |given: &&Given| only.is_none_or(|only| given.id == only || given.binary.as_deref() == Some(only));
        let chosen: Vec<&Given> = functions.iter().filter(wanted).collect();
        if let (Some(only), true) = (only, chosen.is_empty()) {
            let there = listed(functions.iter().map(|given| given.id.as_str()));
            return Err(Error::Option(format!(
                "--function: `{only}` is no function of the template; there are {there}"
            )));
        }
        let mut set: BTreeMap<&str, (&str, &Given)> = BTreeMap::new();
        let mut groups = Vec::new();
        for given in chosen {
            let mut group = Vec::new();
            for (name, value) in &given.variables {
                match set.get(name.as_str()) {
                    None => {
                        set.insert(name, (value, given));
                        group.push((name.clone(), value.clone()));
                    }
                    Some((first, by)) if *first != value => {
                        let message = format!(
                            "{name} is `{first}` for {} and `{value}` for {}; exported is the first: \
                             --function {} exports the other",
                            by.id, given.id, given.id
                        );
                        findings.warning(&template.path, None, message);
                    }
                    Some(_) => {}
                }
            }
            groups.push((given.id.clone(), group));
        }
        Ok(Self { groups })
    }

    /// With the way to the account at `address` in front.
    pub(super) fn at(mut self, address: SocketAddr) -> Self {
        let endpoint = format!("http://{address}");
        let account = [
            ("AWS_ENDPOINT_URL_DYNAMODB", endpoint.as_str()),
            ("AWS_ENDPOINT_URL_KINESIS", &endpoint),
            ("AWS_ENDPOINT_URL_SQS", &endpoint),
            ("AWS_REGION", REGION),
            // The AWS CLI and Python read this one.
            ("AWS_DEFAULT_REGION", REGION),
            ("AWS_ACCESS_KEY_ID", "local"),
            ("AWS_SECRET_ACCESS_KEY", "local"),
        ];
        let mut account: Vec<(String, String)> = account.map(|(name, value)| (name.into(), value.into())).into();
        account.extend(past_a_proxy(&address.ip().to_string(), |name| std::env::var(name).ok()));
        self.groups.insert(0, (String::from("the account"), account));
        self
    }

    /// Lines that a shell takes.
    pub fn script(&self) -> String {
        let mut script = String::new();
        for (heading, variables) in self.groups.iter().filter(|(_, variables)| !variables.is_empty()) {
            script.push_str(&format!("# {heading}\n"));
            for (name, value) in variables {
                script.push_str(&format!("export {name}={}\n", quoted(value)));
            }
        }
        script
    }
}

/// `NO_PROXY` with the host, where a proxy is set: SDKs would send requests to it.
fn past_a_proxy(host: &str, variable: impl Fn(&str) -> Option<String>) -> Option<(String, String)> {
    ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"].into_iter().find_map(&variable)?;
    let already = variable("NO_PROXY").or_else(|| variable("no_proxy")).unwrap_or_default();
    let hosts = [already.as_str(), host].into_iter().filter(|part| !part.is_empty());
    Some((String::from("NO_PROXY"), hosts.collect::<Vec<_>>().join(",")))
}

/// A value as one word of a POSIX shell.
fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,@%+=".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "
Globals: {Function: {Environment: {Variables: {LEVEL: it's high}}}}
Resources:
  F: {Type: AWS::Serverless::Function, Properties: {Environment: {Variables: {TIDEMILL_STREAM_OUT: a}}}}
  G: {Type: AWS::Serverless::Function, Properties: {Environment: {Variables: {TIDEMILL_STREAM_OUT: b}}}}
";

    fn exports(only: Option<&str>) -> (Result<String, String>, Vec<String>) {
        let mut findings = Findings::default();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), TEXT).unwrap();
        let template = Template::load(file.path(), &mut findings).unwrap().unwrap();
        let functions = template.given(&mut findings);
        let exports = Exports::of(&template, &functions, only, &mut findings);
        let warnings = findings.into_warnings().unwrap().into_iter().map(|warning| warning.message).collect();
        (exports.map(|exports| exports.script()).map_err(|error| error.to_string()), warnings)
    }

    #[test]
    fn each_function_has_its_variables_and_those_that_differ_a_warning() {
        let (script, warnings) = exports(None);
        assert_eq!(script.unwrap(), "# F\nexport LEVEL='it'\\''s high'\nexport TIDEMILL_STREAM_OUT=a\n");
        assert_eq!(warnings.len(), 1);
        assert!(
            warnings[0].contains("`a` for F and `b` for G") && warnings[0].contains("--function G"),
            "{warnings:?}"
        );
    }

    #[test]
    fn one_function_alone_can_be_asked_for() {
        let (script, warnings) = exports(Some("G"));
        assert!(script.unwrap().contains("export TIDEMILL_STREAM_OUT=b\n"));
        assert_eq!(warnings, [""; 0]);
        assert!(exports(Some("H")).0.unwrap_err().ends_with("there are F and G"));
    }

    #[test]
    fn a_proxy_is_passed_by() {
        let set = |name: &str| match name {
            "http_proxy" => Some(String::from("http://proxy")),
            "NO_PROXY" => Some(String::from("intranet")),
            _ => None,
        };
        assert_eq!(
            past_a_proxy("127.0.0.1", set),
            Some((String::from("NO_PROXY"), String::from("intranet,127.0.0.1")))
        );
        assert_eq!(past_a_proxy("127.0.0.1", |_| None), None);
    }

    #[test]
    fn the_account_comes_first() {
        let address = "127.0.0.1:4600".parse().unwrap();
        let script = Exports { groups: vec![(String::from("F"), vec![(String::from("A"), String::new())])] }
            .at(address)
            .script();
        assert!(script.starts_with("# the account\nexport AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:4600\n"));
        assert!(script.ends_with("# F\nexport A=''\n"));
    }
}
