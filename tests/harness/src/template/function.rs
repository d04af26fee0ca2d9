//! A function: which binary it is, what it is given, and which stream plays which role.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::findings::Findings;

use super::event_source::EventSource;
use super::node::Node;
use super::property::Reader;
use super::resolve::{Resolved, Resource};
use super::{FUNCTION, Template};

/// A function of the template.
#[derive(Debug, Clone)]
pub struct Function {
    /// Its logical id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The Cargo binary that it is.
    pub binary: String,
    /// `MemorySize` in MB.
    pub memory: u32,
    /// `Timeout`.
    pub timeout: Duration,
    /// `Environment.Variables`, the globals' included.
    pub variables: BTreeMap<String, String>,
    /// What feeds it.
    pub source: EventSource,
    /// Which streams it writes to.
    pub roles: Roles,
}

/// The streams that a function writes to, learnt from its variables' names alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roles {
    /// Every `TIDEMILL_STREAM_<NAME>`.
    pub sinks: Vec<String>,
    /// `TIDEMILL_QUARANTINE`.
    pub quarantine: Option<String>,
}

const STREAM_PREFIX: &str = "TIDEMILL_STREAM_";
const QUARANTINE: &str = "TIDEMILL_QUARANTINE";
const JOURNAL: &str = tidemill_aws::TABLE_VARIABLE;

/// What a function is given, whatever feeds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// Its logical id.
    pub id: String,
    /// The Cargo binary that it is, if the template says so.
    pub binary: Option<String>,
    /// `Environment.Variables`, the globals' included.
    pub variables: BTreeMap<String, String>,
}

impl Given {
    /// What each function of a template is given.
    pub(super) fn read(template: &Template, findings: &mut Findings) -> Vec<Self> {
        let mut reader = Reader { path: &template.path, resolver: &template.resolver, findings };
        let functions = template.resources().filter(|(_, _, kind)| *kind == FUNCTION);
        let given = functions.map(|(id, node, _)| Self {
            id: id.to_owned(),
            binary: node.at(&["Metadata", "BuildProperties", "Binary"]).and_then(Node::text).map(str::to_owned),
            variables: variables(template, node, &mut reader)
                .into_iter()
                .map(|(name, set)| (name, set.value))
                .collect(),
        });
        given.collect()
    }

    /// The table of its journals.
    pub fn journal_table(&self) -> Option<&str> {
        self.variables.get(JOURNAL).map(String::as_str)
    }
}

/// Lambda's own defaults.
const DEFAULT_MEMORY: u32 = 128;
const DEFAULT_TIMEOUT: u32 = 3;

impl Function {
    pub(super) fn read(template: &Template, id: &str, findings: &mut Findings) -> Option<Self> {
        let mut reader = Reader { path: &template.path, resolver: &template.resolver, findings };
        let (_, node, kind) = template.resources().find(|(found, ..)| *found == id)?;
        if kind != FUNCTION {
            reader.problem(node.line, format!("`{id}` is a {kind}, not a {FUNCTION}"));
            return None;
        }
        let binary = binary(id, node, &mut reader);
        let setting = |name| setting(template, node, name);
        let memory = reader.whole_or(setting("MemorySize"), "MemorySize", 128..=10_240, DEFAULT_MEMORY);
        let timeout = reader.whole_or(setting("Timeout"), "Timeout", 1..=900, DEFAULT_TIMEOUT);
        let variables = variables(template, node, &mut reader);
        let source = EventSource::read(template, id, node, &mut reader);
        let roles = roles(template, source.as_ref(), &variables, &mut reader);
        Some(Self {
            id: id.to_owned(),
            name: match template.resolver.resources.get(id) {
                Some(Resource::Function(name)) => name.clone(),
                _ => id.to_owned(),
            },
            binary: binary?,
            memory,
            timeout: Duration::from_secs(timeout.into()),
            variables: variables.into_iter().map(|(name, set)| (name, set.value)).collect(),
            source: source?,
            roles,
        })
    }
}

/// The value of an environment variable, and where it stands.
struct Set {
    value: String,
    line: usize,
}

fn setting<'a>(template: &'a Template, node: &'a Node, name: &str) -> Option<&'a Node> {
    node.at(&["Properties", name]).or_else(|| template.root.at(&["Globals", "Function", name]))
}

fn binary(id: &str, node: &Node, reader: &mut Reader<'_>) -> Option<String> {
    let binary = node.at(&["Metadata", "BuildProperties", "Binary"]);
    if binary.is_none() {
        reader
            .problem(node.line, format!("`{id}` has no Metadata.BuildProperties.Binary, the Cargo binary that it is"));
    }
    reader.text(binary)
}

fn variables(template: &Template, node: &Node, reader: &mut Reader<'_>) -> BTreeMap<String, Set> {
    let of = |node: Option<&Node>| node.map_or(Vec::new(), |node| node.entries().to_vec());
    let global = of(template.root.at(&["Globals", "Function", "Environment", "Variables"]));
    let own = of(node.at(&["Properties", "Environment", "Variables"]));
    let mut variables = BTreeMap::new();
    for entry in global.into_iter().chain(own) {
        let (name, line) = (entry.key, entry.line);
        match reader.resolver.resolve(&entry.node) {
            Ok(Resolved::Text(value)) => {
                variables.insert(name, Set { value, line });
            }
            Ok(Resolved::StandIn(value, kind)) => {
                reader.warning(line, format!("{name} is `{value}` here: {kind} is not emulated"));
                variables.insert(name, Set { value, line });
            }
            Ok(Resolved::Absent) => {}
            Err(refused) => reader.problem(refused.line, refused.message),
        }
    }
    variables
}

fn roles(
    template: &Template,
    source: Option<&EventSource>,
    variables: &BTreeMap<String, Set>,
    reader: &mut Reader<'_>,
) -> Roles {
    let mut roles = Roles::default();
    for (name, Set { value, line }) in variables {
        if name == JOURNAL && !template.tables.iter().any(|table| table.name == *value) {
            reader.problem(*line, format!("{name} is `{value}`, no table of this template (`!Ref X`)"));
        }
        let sink = name.starts_with(STREAM_PREFIX);
        if !sink && name != QUARANTINE {
            continue;
        }
        if template.stream(value).is_none() {
            let names = template.stream_names();
            reader.problem(
                *line,
                format!("{name} is `{value}`, no stream of this template (`!Ref X`); its streams are {names}"),
            );
        } else if source.is_some_and(|source| source.stream == *value) {
            reader
                .problem(*line, format!("{name} is the function's own source `{value}`: it would read what it wrote"));
        } else if sink && !roles.sinks.contains(value) {
            roles.sinks.push(value.clone());
        } else if !sink {
            roles.quarantine = Some(value.clone());
        }
    }
    roles
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::tests::read;
    use super::*;

    const HEAD: &str = "
Globals:
  Function:
    Timeout: 60
    MemorySize: 512
    Environment: {Variables: {TIDEMILL_LOG: info, LEVEL: 1}}
Resources:
  Flights: {Type: AWS::Kinesis::Stream}
  Out: {Type: AWS::Kinesis::Stream, Properties: {Name: out}}
  Bad: {Type: AWS::Kinesis::Stream}
  Queue: {Type: AWS::SQS::Queue}
  F:
    Type: AWS::Serverless::Function
    Metadata: {BuildProperties: {Binary: f-bin}}
    Properties:
      MemorySize: 1769
      Events: {In: {Type: Kinesis, Properties: {Stream: !GetAtt Flights.Arn, StartingPosition: LATEST}}}
";

    fn with_variables(variables: &str) -> (Option<Function>, Vec<String>) {
        read(&format!("{HEAD}      Environment: {{Variables: {{{variables}}}}}\n"), "F")
    }

    #[test]
    fn globals_are_merged_and_overridden() {
        let (function, messages) =
            with_variables("LEVEL: 2, TIDEMILL_STREAM_OUT: !Ref Out, TIDEMILL_QUARANTINE: !Ref Bad");
        assert_eq!(messages, [""; 0]);
        let function = function.unwrap();
        assert_eq!((function.memory, function.timeout), (1769, Duration::from_secs(60)));
        assert_eq!(function.variables["LEVEL"], "2");
        assert_eq!(function.variables["TIDEMILL_LOG"], "info");
        assert_eq!(function.binary, "f-bin");
        let quarantine = Some(String::from("Bad"));
        let sinks = vec![String::from("out")];
        assert_eq!(function.roles, Roles { sinks, quarantine });
    }

    #[test]
    fn a_role_without_its_stream_or_table_is_a_problem() {
        let (_, messages) = with_variables("TIDEMILL_STREAM_OUT: nowhere, TIDEMILL_JOURNAL_TABLE: journal");
        assert_eq!(
            messages,
            [
                "t.yaml:18: TIDEMILL_JOURNAL_TABLE is `journal`, no table of this template (`!Ref X`)",
                "t.yaml:18: TIDEMILL_STREAM_OUT is `nowhere`, no stream of this template (`!Ref X`); its streams are Flights, out and Bad",
            ]
        );
    }

    #[test]
    fn a_function_must_not_write_to_its_source() {
        let (_, messages) = with_variables("TIDEMILL_STREAM_OUT: !Ref Flights");
        assert!(messages[0].contains("own source"), "{messages:?}");
    }

    #[test]
    fn a_variable_of_something_not_emulated_is_a_warning() {
        let (function, messages) = with_variables("QUEUE: !Ref Queue");
        assert_eq!(messages, ["t.yaml:18: QUEUE is `Queue` here: AWS::SQS::Queue is not emulated"]);
        assert_eq!(function.unwrap().variables["QUEUE"], "Queue");
    }

    #[test]
    fn what_functions_are_given_is_read_whatever_feeds_them() {
        let text = "
Globals: {Function: {Environment: {Variables: {LEVEL: 1}}}}
Resources:
  Journal: {Type: AWS::Serverless::SimpleTable}
  F: {Type: AWS::Serverless::Function, Metadata: {BuildProperties: {Binary: f-bin}}}
  G:
    Type: AWS::Serverless::Function
    Properties: {Environment: {Variables: {TIDEMILL_JOURNAL_TABLE: !Ref Journal}}}
";
        let mut findings = Findings::default();
        let template = Template::parse(std::path::Path::new("t.yaml"), text, &mut findings).unwrap();
        let given = template.given(&mut findings);
        assert!(findings.into_warnings().unwrap().is_empty());
        assert_eq!(given.iter().map(|given| given.id.as_str()).collect::<Vec<_>>(), ["F", "G"]);
        assert_eq!((given[0].binary.as_deref(), given[0].journal_table()), (Some("f-bin"), None));
        assert_eq!((given[1].variables["LEVEL"].as_str(), given[1].journal_table()), ("1", Some("Journal")));
    }

    #[test]
    fn another_kind_of_resource_is_no_function() {
        let (_, messages) = read(HEAD, "Out");
        assert_eq!(messages, ["t.yaml:9: `Out` is a AWS::Kinesis::Stream, not a AWS::Serverless::Function"]);
    }
}
