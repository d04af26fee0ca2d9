//! A function: which binary it is, what it is given, and which stream plays which role.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use crate::findings::Findings;

use super::code::Code;
use super::event_source::EventSource;
use super::node::Node;
use super::property::Reader;
use super::resolve::{Resolved, Resource, stream_arn};
use super::schedule::Schedule;
use super::{FUNCTION, Template};

/// A function of the template.
#[derive(Debug, Clone)]
pub struct Function {
    /// Its logical id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it runs.
    pub code: Code,
    /// `Handler`, which a program may choose by what it does.
    pub handler: String,
    /// `MemorySize` in MB.
    pub memory: u32,
    /// `Timeout`.
    pub timeout: Duration,
    /// `Environment.Variables`, the globals' included.
    pub variables: BTreeMap<String, String>,
    /// What feeds it.
    pub source: EventSource,
    /// What else invokes it, and when.
    pub schedule: Option<Schedule>,
    /// What it writes to.
    pub roles: Roles,
}

/// An environment variable's value, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// The value.
    pub value: String,
    /// The file that sets it.
    pub file: PathBuf,
    /// The line there, counted from 1.
    pub line: usize,
}

/// What a function writes to, learnt from its variables' names alone. Names are logical ones, as
/// pipelines write them: `TIDEMILL_STREAM_LATE_FLIGHTS` is `late-flights`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roles {
    /// Every `TIDEMILL_STREAM_<NAME>`: name and stream.
    pub streams: BTreeMap<String, String>,
    /// Every `TIDEMILL_TABLE_<NAME>`: name and table.
    pub tables: BTreeMap<String, String>,
    /// `TIDEMILL_QUARANTINE`.
    pub quarantine: Option<String>,
}

impl Roles {
    /// The streams that it sends to, the quarantine apart.
    pub fn sinks(&self) -> BTreeSet<&str> {
        self.streams.values().map(String::as_str).collect()
    }

    /// All streams that it sends to.
    pub fn all_streams(&self) -> BTreeSet<&str> {
        self.streams.values().chain(&self.quarantine).map(String::as_str).collect()
    }
}

/// The logical name that a pipeline has for a variable's stream or table.
pub fn logical_name(suffix: &str) -> String {
    suffix.to_ascii_lowercase().replace('_', "-")
}

const STREAM_PREFIX: &str = "TIDEMILL_STREAM_";
const TABLE_PREFIX: &str = "TIDEMILL_TABLE_";
const SOURCE: &str = "TIDEMILL_SOURCE";
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
            variables: values(variables(template, node, &mut reader)),
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
    /// Reads a function, with `overrides` in place of variables that the template sets.
    pub(super) fn read(
        template: &Template,
        id: &str,
        overrides: &BTreeMap<String, Variable>,
        findings: &mut Findings,
    ) -> Option<Self> {
        let mut reader = Reader { path: &template.path, resolver: &template.resolver, findings };
        let (_, node, kind) = template.resources().find(|(found, ..)| *found == id)?;
        if kind != FUNCTION {
            reader.problem(node.line, format!("`{id}` is a {kind}, not a {FUNCTION}"));
            return None;
        }
        let code = Code::read(template, id, node, &mut reader);
        let setting = |name| setting(template, node, name);
        let memory = reader.whole_or(setting("MemorySize"), "MemorySize", 128..=10_240, DEFAULT_MEMORY);
        let timeout = reader.whole_or(setting("Timeout"), "Timeout", 1..=900, DEFAULT_TIMEOUT);
        let mut variables = variables(template, node, &mut reader);
        variables.extend(overrides.clone());
        let source = EventSource::read(template, id, node, &mut reader);
        let schedule = Schedule::read(id, node, &mut reader);
        let roles = roles(template, source.as_ref(), &variables, &mut reader);
        if let Some(source) = source.as_ref().filter(|_| variables.keys().any(|name| is_of_tidemill(name))) {
            source.check_tidemill(node, &mut reader);
        }
        Some(Self {
            id: id.to_owned(),
            name: match template.resolver.resources.get(id) {
                Some(Resource::Function(name)) => name.clone(),
                _ => id.to_owned(),
            },
            code: code?,
            handler: reader.text(setting("Handler")).unwrap_or_default(),
            memory,
            timeout: Duration::from_secs(timeout.into()),
            variables: values(variables),
            source: source?,
            schedule,
            roles,
        })
    }

    /// The table of its journals. One without is stateless and takes no end of its input.
    pub fn journal_table(&self) -> Option<&str> {
        self.variables.get(JOURNAL).map(String::as_str)
    }

    /// Whether it is a pipeline of tidemill's, as its variables' names tell.
    pub fn is_pipeline(&self) -> bool {
        self.variables.keys().any(|name| is_of_tidemill(name))
    }
}

fn is_of_tidemill(variable: &str) -> bool {
    Role::of(variable).is_some()
}

fn setting<'a>(template: &'a Template, node: &'a Node, name: &str) -> Option<&'a Node> {
    node.at(&["Properties", name]).or_else(|| template.root.at(&["Globals", "Function", name]))
}

fn variables(template: &Template, node: &Node, reader: &mut Reader<'_>) -> BTreeMap<String, Variable> {
    let of = |node: Option<&Node>| node.map_or(Vec::new(), |node| node.entries().to_vec());
    let global = of(template.root.at(&["Globals", "Function", "Environment", "Variables"]));
    let own = of(node.at(&["Properties", "Environment", "Variables"]));
    let mut variables = BTreeMap::new();
    for entry in global.into_iter().chain(own) {
        let (name, file, line) = (entry.key, template.path.clone(), entry.line);
        match reader.resolver.resolve(&entry.node) {
            Ok(Resolved::Text(value)) => {
                variables.insert(name, Variable { value, file, line });
            }
            Ok(Resolved::StandIn(value, kind)) => {
                reader.warning(line, format!("{name} is `{value}` here: {kind} is not emulated"));
                variables.insert(name, Variable { value, file, line });
            }
            Ok(Resolved::Absent) => {}
            Err(refused) => reader.problem(refused.line, refused.message),
        }
    }
    variables
}

fn values(variables: BTreeMap<String, Variable>) -> BTreeMap<String, String> {
    variables.into_iter().map(|(name, variable)| (name, variable.value)).collect()
}

/// What a variable's name makes of its value.
enum Role {
    Stream(String),
    Table(String),
    Quarantine,
    Journal,
    Source,
}

impl Role {
    fn of(name: &str) -> Option<Self> {
        match name {
            QUARANTINE => Some(Self::Quarantine),
            JOURNAL => Some(Self::Journal),
            SOURCE => Some(Self::Source),
            _ => {
                let stream = name.strip_prefix(STREAM_PREFIX).map(|name| Self::Stream(logical_name(name)));
                stream.or_else(|| Some(Self::Table(logical_name(name.strip_prefix(TABLE_PREFIX)?))))
            }
        }
    }
}

fn roles(
    template: &Template,
    source: Option<&EventSource>,
    variables: &BTreeMap<String, Variable>,
    reader: &mut Reader<'_>,
) -> Roles {
    let mut roles = Roles::default();
    for (name, variable) in variables {
        let Some(role) = Role::of(name) else { continue };
        if let Err(why) = check_role(template, source, &role, &variable.value) {
            reader.findings.problem(&variable.file, Some(variable.line), format!("{name} is {why}"));
            continue;
        }
        let value = variable.value.clone();
        match role {
            Role::Stream(name) => drop(roles.streams.insert(name, value)),
            Role::Table(name) => drop(roles.tables.insert(name, value)),
            Role::Quarantine => roles.quarantine = Some(value),
            Role::Journal | Role::Source => {}
        }
    }
    roles
}

/// Whether a stream or a table can play a role, or why not.
fn check_role(template: &Template, source: Option<&EventSource>, role: &Role, value: &str) -> Result<(), String> {
    match role {
        Role::Journal | Role::Table(_) if !template.has_table(value) => {
            Err(format!("`{value}`, no table of this template (`!Ref X`)"))
        }
        Role::Journal | Role::Table(_) => Ok(()),
        Role::Source => match source.map(|source| source.stream.as_str()) {
            Some(stream) if value != stream && value != stream_arn(stream) => {
                Err(format!("`{value}`, but `{stream}` feeds the function (`!GetAtt X.Arn` of that one)"))
            }
            _ => Ok(()),
        },
        Role::Stream(_) | Role::Quarantine if template.stream(value).is_none() => {
            let names = template.stream_names();
            Err(format!("`{value}`, no stream of this template (`!Ref X`); its streams are {names}"))
        }
        _ if source.is_some_and(|source| source.stream == value) => {
            Err(format!("the function's own source `{value}`: it would read what it wrote"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
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
  Topic: {Type: AWS::SNS::Topic}
  Days: {Type: AWS::Serverless::SimpleTable}
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
        assert_eq!(function.code, Code::Binary(String::from("f-bin")));
        assert_eq!(function.roles.streams, [(String::from("out"), String::from("out"))].into());
        assert_eq!(function.roles.quarantine.as_deref(), Some("Bad"));
        assert_eq!(function.journal_table(), None);
    }

    #[test]
    fn sinks_have_the_names_that_pipelines_write() {
        let (function, messages) = with_variables(
            "TIDEMILL_STREAM_LATE_FLIGHTS: !Ref Out, TIDEMILL_STREAM_ALL: !Ref Out, TIDEMILL_TABLE_BY_DAY: !Ref Days",
        );
        assert_eq!(messages, [""; 0]);
        let roles = function.unwrap().roles;
        assert_eq!(roles.streams.keys().collect::<Vec<_>>(), ["all", "late-flights"]);
        assert_eq!(roles.sinks(), ["out"].into());
        assert_eq!(roles.tables, [(String::from("by-day"), String::from("Days"))].into());
    }

    #[test]
    fn overrides_stand_in_place_of_what_the_template_sets() {
        let text = format!("{HEAD}      Environment: {{Variables: {{LEVEL: 2, TIDEMILL_STREAM_OUT: !Ref Out}}}}\n");
        let set = |name: &str, value: &str| {
            let (file, value) = (PathBuf::from("scenario.toml"), value.to_owned());
            (name.to_owned(), Variable { value, file, line: 7 })
        };
        let overrides = [set("LEVEL", "3"), set("TIDEMILL_TABLE_X", "out"), set("TIDEMILL_STREAM_OUT", "Bad")].into();
        let mut findings = Findings::default();
        let template = Template::parse(Path::new("t.yaml"), &text, &mut findings).unwrap();
        let function = template.function("F", &overrides, &mut findings).unwrap();
        assert_eq!(function.variables["LEVEL"], "3");
        assert_eq!(function.roles.sinks(), ["Bad"].into());
        let problems = findings.into_warnings().unwrap_err().to_string();
        assert_eq!(problems, "scenario.toml:7: TIDEMILL_TABLE_X is `out`, no table of this template (`!Ref X`)");
    }

    #[test]
    fn a_role_without_its_stream_or_table_is_a_problem() {
        let (_, messages) = with_variables("TIDEMILL_STREAM_OUT: nowhere, TIDEMILL_JOURNAL_TABLE: journal");
        assert_eq!(
            messages,
            [
                "t.yaml:19: TIDEMILL_JOURNAL_TABLE is `journal`, no table of this template (`!Ref X`)",
                "t.yaml:19: TIDEMILL_STREAM_OUT is `nowhere`, no stream of this template (`!Ref X`); its streams are Flights, out and Bad",
            ]
        );
    }

    #[test]
    fn the_source_has_a_name_or_an_arn_and_is_nothing_that_is_written_to() {
        for given in ["!Ref Flights", "!GetAtt Flights.Arn"] {
            let (function, messages) =
                with_variables(&format!("TIDEMILL_SOURCE: {given}, TIDEMILL_STREAM_OUT: !Ref Out"));
            assert_eq!(messages, [""; 0]);
            let function = function.unwrap();
            assert!(function.variables["TIDEMILL_SOURCE"].ends_with("Flights"));
            assert_eq!(function.roles.all_streams(), ["out"].into());
        }
        let (_, messages) = with_variables("TIDEMILL_SOURCE: !GetAtt Out.Arn");
        assert_eq!(
            messages,
            [
                "t.yaml:19: TIDEMILL_SOURCE is `arn:aws:kinesis:us-east-1:000000000000:stream/out`, but `Flights` feeds the \
              function (`!GetAtt X.Arn` of that one)"
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
        let (function, messages) = with_variables("TOPIC: !Ref Topic");
        assert_eq!(messages, ["t.yaml:19: TOPIC is `Topic` here: AWS::SNS::Topic is not emulated"]);
        assert_eq!(function.unwrap().variables["TOPIC"], "Topic");
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
