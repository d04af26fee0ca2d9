//! The SAM template: the one description of streams, tables, functions and event sources, for
//! AWS and for the harness alike.
//!
//! Read here is what a replay needs: `AWS::Kinesis::Stream` and its consumers, `AWS::SQS::Queue`, `AWS::DynamoDB::Table`,
//! `AWS::Serverless::SimpleTable` and `AWS::Serverless::Function` with its Kinesis event and its schedule. What
//! would make a run differ from AWS is a warning, what makes it impossible a problem, and all of
//! them are reported together.

mod code;
mod destination;
mod event_source;
mod filter;
mod function;
mod grants;
mod node;
mod property;
mod resolve;
mod schedule;
mod storage;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use code::Code;
pub use destination::Destination;
pub use event_source::{EventSource, Position};
pub use filter::Filter;
pub use function::{Function, Given, Roles, Variable, logical_name};
pub use schedule::{Schedule, Scheduler};
pub use storage::{Stream, Table};

use crate::error::Error;
use crate::findings::{Findings, listed};
use crate::near::did_you_mean;
use resolve::{Resolver, consumer_arn};

pub(crate) use code::is_executable;
pub(crate) use node::{Entry, Node};
pub(crate) use resolve::{Resource, function_arn, queue_arn, queue_url, stream_arn, table_arn};

/// The region that everything emulated lies in.
pub(crate) const REGION: &str = "us-east-1";
/// The account that everything emulated belongs to.
pub(crate) const ACCOUNT: &str = "000000000000";

const FUNCTION: &str = "AWS::Serverless::Function";
const CONSUMER: &str = "AWS::Kinesis::StreamConsumer";

/// A template, read and resolved.
#[derive(Debug)]
pub struct Template {
    /// The file.
    pub path: PathBuf,
    /// Its Kinesis streams.
    pub streams: Vec<Stream>,
    /// Its DynamoDB tables.
    pub tables: Vec<Table>,
    root: Node,
    resolver: Resolver,
}

impl Template {
    /// The template to use: the one given, or the nearest `template.yaml` (or `.yml`) at or above
    /// the folder `from`.
    pub fn locate(given: Option<&Path>, from: &Path) -> Result<PathBuf, Error> {
        if let Some(path) = given {
            return std::path::absolute(path).map_err(|source| Error::reading(path, source));
        }
        from.ancestors()
            .flat_map(|folder| ["template.yaml", "template.yml"].map(|name| folder.join(name)))
            .find(|path| path.is_file())
            .ok_or_else(|| Error::NoTemplate(from.to_path_buf()))
    }

    /// Reads a template. `None` if it is no template at all; what is wrong in it stands in
    /// `findings`.
    pub fn load(path: &Path, findings: &mut Findings) -> Result<Option<Self>, Error> {
        let text = std::fs::read_to_string(path).map_err(|source| Error::reading(path, source))?;
        Ok(Self::parse(path, &text, findings))
    }

    fn parse(path: &Path, text: &str, findings: &mut Findings) -> Option<Self> {
        let root = match Node::parse(text) {
            Ok(root) => root,
            Err(faults) => {
                for fault in faults {
                    findings.problem(path, Some(fault.line), fault.message);
                }
                return None;
            }
        };
        let mut template = Self {
            path: path.to_path_buf(),
            streams: Vec::new(),
            tables: Vec::new(),
            root,
            resolver: Resolver::default(),
        };
        template.resolver.parameters = parameters(&template.root);
        template.read_resources(findings);
        Some(template)
    }

    /// The folder that paths in the template, and scenarios, are relative to.
    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }

    /// Reads the function with the logical id `id`, with `overrides` in place of variables that the
    /// template sets.
    pub fn function(
        &self,
        id: &str,
        overrides: &BTreeMap<String, Variable>,
        findings: &mut Findings,
    ) -> Option<Function> {
        Function::read(self, id, overrides, findings)
    }

    /// What each function is given.
    pub fn given(&self, findings: &mut Findings) -> Vec<Given> {
        Given::read(self, findings)
    }

    /// Whether there is a resource with the logical id `id`.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.resolver.resources.contains_key(id)
    }

    /// The logical ids of the functions, in words.
    pub(crate) fn functions(&self) -> String {
        listed(self.function_nodes().map(|(id, _)| id))
    }

    /// The functions, by their logical ids.
    pub(crate) fn function_nodes(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.resources().filter(|(_, _, kind)| *kind == FUNCTION).map(|(id, node, _)| (id, node))
    }

    /// A resource, by its logical id.
    pub(crate) fn resource(&self, id: &str) -> Option<&Node> {
        self.resources().find(|(found, ..)| *found == id).map(|(_, node, _)| node)
    }

    /// What all functions share of a property.
    pub(crate) fn global(&self, property: &str) -> Option<&Node> {
        self.root.at(&["Globals", "Function", property])
    }

    /// A value's text; `None` if it cannot be resolved.
    pub(crate) fn text(&self, node: &Node) -> Option<String> {
        self.resolver.text(node).ok()
    }

    /// The logical id and the ARN of the first stream or table that `wanted` picks.
    pub(crate) fn arn_of(&self, wanted: impl Fn(&Resource) -> bool) -> Option<(String, String)> {
        let (id, _) = self.resolver.resources.iter().find(|(_, resource)| wanted(resource))?;
        Some((id.clone(), self.resolver.arn(id)?))
    }

    /// Whether a function has a Kinesis event.
    pub(crate) fn is_fed(&self, id: &str) -> bool {
        let function = self.function_nodes().find(|(found, _)| *found == id);
        let events = function.and_then(|(_, node)| node.at(&["Properties", "Events"]));
        let kinds = events.map_or(&[][..], Node::entries).iter().map(|event| event.node.get("Type"));
        kinds.flatten().any(|kind| kind.text() == Some("Kinesis"))
    }

    /// "; did you mean `F`?" of a function with nearly that logical id, or nothing.
    pub(crate) fn function_like(&self, id: &str) -> String {
        did_you_mean(id, self.function_nodes().map(|(id, _)| id))
    }

    /// The stream of that name.
    pub fn stream(&self, name: &str) -> Option<&Stream> {
        self.streams.iter().find(|stream| stream.name == name)
    }

    /// Whether there is a table of that name.
    pub(crate) fn has_table(&self, name: &str) -> bool {
        self.tables.iter().any(|table| table.name == name)
    }

    /// The queues: logical ids and names.
    pub(crate) fn queues(&self) -> impl Iterator<Item = (&str, &str)> {
        self.resolver.resources.iter().filter_map(|(id, resource)| match resource {
            Resource::Queue(name) => Some((id.as_str(), name.as_str())),
            _ => None,
        })
    }

    /// The names of the streams, in words.
    pub(crate) fn stream_names(&self) -> String {
        listed(self.streams.iter().map(|stream| stream.name.as_str()))
    }

    fn resources(&self) -> impl Iterator<Item = (&str, &Node, &str)> {
        let resources = self.root.get("Resources").map_or(&[][..], Node::entries);
        resources.iter().map(|entry| {
            let kind = entry.node.get("Type").and_then(Node::text);
            (entry.key.as_str(), &entry.node, kind.unwrap_or_default())
        })
    }

    /// Names first, since any value may refer to any resource.
    fn read_resources(&mut self, findings: &mut Findings) {
        if self.root.get("Resources").is_none() {
            findings.problem(&self.path, Some(1), "the template has no `Resources`");
        }
        let named: BTreeMap<String, Resource> =
            self.resources().map(|(id, node, kind)| (id.to_owned(), self.name_of(id, node, kind, findings))).collect();
        self.resolver.resources = named;
        let consumers: Vec<(String, Resource)> = self
            .resources()
            .filter(|(.., kind)| *kind == CONSUMER)
            .map(|(id, node, _)| self.consumer(id, node))
            .collect();
        self.resolver.resources.extend(consumers);
        let (streams, tables) = storage::read(self, findings);
        self.streams = streams;
        self.tables = tables;
    }

    /// A consumer, whose stream may have any name of the template.
    fn consumer(&self, id: &str, node: &Node) -> (String, Resource) {
        let property = |name| node.at(&["Properties", name]).and_then(|node| self.resolver.text(node).ok());
        let name = property("ConsumerName").unwrap_or_else(|| id.to_owned());
        let arn = consumer_arn(&property("StreamARN").unwrap_or_default(), &name);
        (id.to_owned(), Resource::Consumer(arn))
    }

    fn name_of(&self, id: &str, node: &Node, kind: &str, findings: &mut Findings) -> Resource {
        let (property, resource): (_, fn(String) -> Resource) = match kind {
            "AWS::Kinesis::Stream" => ("Name", Resource::Stream),
            "AWS::DynamoDB::Table" | "AWS::Serverless::SimpleTable" => ("TableName", Resource::Table),
            "AWS::SQS::Queue" => ("QueueName", Resource::Queue),
            FUNCTION => ("FunctionName", Resource::Function),
            other => return Resource::Other(other.to_owned()),
        };
        let name = match node.at(&["Properties", property]) {
            None => id.to_owned(),
            Some(node) => self.resolver.text(node).unwrap_or_else(|refused| {
                findings.problem(&self.path, Some(refused.line), refused.message);
                id.to_owned()
            }),
        };
        resource(name)
    }
}

fn parameters(root: &Node) -> BTreeMap<String, Option<String>> {
    let entries = root.get("Parameters").map_or(&[][..], Node::entries);
    let default = |node: &Node| node.get("Default").and_then(Node::text).map(str::to_owned);
    entries.iter().map(|entry| (entry.key.clone(), default(&entry.node))).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A template's text, read, and its problems and warnings as `line: message`.
    pub(crate) fn read(text: &str, function: &str) -> (Option<Function>, Vec<String>) {
        let mut findings = Findings::default();
        let function = Template::parse(Path::new("t.yaml"), text, &mut findings)
            .and_then(|template| template.function(function, &BTreeMap::new(), &mut findings));
        let messages = match findings.into_warnings() {
            Ok(warnings) => warnings.iter().map(ToString::to_string).collect(),
            Err(error) => error.to_string().lines().map(str::to_owned).collect(),
        };
        (function, messages)
    }

    #[test]
    fn the_nearest_template_above_is_taken() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join("functions/x/src");
        std::fs::create_dir_all(&deep).unwrap();
        std::fs::write(root.path().join("template.yaml"), "").unwrap();
        assert_eq!(Template::locate(None, &deep).unwrap(), root.path().join("template.yaml"));
    }
}
