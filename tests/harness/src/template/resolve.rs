//! Intrinsic functions: `Ref`, `Fn::GetAtt`, `Fn::Sub` and `Fn::Join`, resolved to what they
//! would be in the emulated account.

use std::collections::BTreeMap;

use crate::findings::listed;

use super::node::{Node, Value};
use super::{ACCOUNT, REGION};

/// What a logical id stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Resource {
    /// A Kinesis stream, by its name.
    Stream(String),
    /// A DynamoDB table, by its name.
    Table(String),
    /// A Lambda function, by its name.
    Function(String),
    /// An SQS queue, by its name.
    Queue(String),
    /// A consumer of a stream, by its ARN.
    Consumer(String),
    /// Anything that the harness does not emulate, by its type.
    Other(String),
}

/// Everything that a template's functions may refer to.
#[derive(Debug, Default)]
pub(crate) struct Resolver {
    /// Each parameter with its default, if it has one.
    pub(crate) parameters: BTreeMap<String, Option<String>>,
    /// Each resource by its logical id.
    pub(crate) resources: BTreeMap<String, Resource>,
}

/// What a value is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Resolved {
    /// Its text.
    Text(String),
    /// A stand-in, since the value belongs to a resource that the harness does not emulate.
    StandIn(String, String),
    /// `AWS::NoValue`: the property is to be treated as absent.
    Absent,
}

/// A value that cannot be resolved, and why.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unresolved {
    pub(crate) line: usize,
    pub(crate) message: String,
}

type Outcome = Result<Resolved, Unresolved>;

impl Resolver {
    /// Resolves a value that must come out as text.
    pub(crate) fn resolve(&self, node: &Node) -> Outcome {
        match &node.value {
            Value::Scalar(text) => Ok(Resolved::Text(text.clone())),
            Value::Null => Ok(Resolved::Text(String::new())),
            Value::List(_) => Err(unresolved(node, "a list stands where text is expected")),
            Value::Map(entries) => match entries.as_slice() {
                [entry] => self.function(&entry.key, &entry.node),
                _ => Err(unresolved(node, "a mapping stands where text is expected")),
            },
        }
    }

    /// Resolves a value to text, stand-ins included; absent is empty.
    pub(crate) fn text(&self, node: &Node) -> Result<String, Unresolved> {
        Ok(match self.resolve(node)? {
            Resolved::Text(text) | Resolved::StandIn(text, _) => text,
            Resolved::Absent => String::new(),
        })
    }

    fn function(&self, name: &str, argument: &Node) -> Outcome {
        match name {
            "Ref" => self.reference(&plain(argument, "Ref")?, argument),
            "Fn::GetAtt" => self.attribute(argument),
            "Fn::Sub" => self.substitute(argument),
            "Fn::Join" => self.join(argument),
            other => Err(unresolved(
                argument,
                &format!("`{other}` is not known here: the harness resolves Ref, Fn::GetAtt, Fn::Sub and Fn::Join"),
            )),
        }
    }

    fn reference(&self, id: &str, at: &Node) -> Outcome {
        if let Some(pseudo) = pseudo_parameter(id) {
            return Ok(pseudo);
        }
        match (self.parameters.get(id), self.resources.get(id)) {
            (Some(Some(default)), _) => Ok(Resolved::Text(default.clone())),
            (Some(None), _) => {
                Err(unresolved(at, &format!("parameter `{id}` has no Default, which is what the harness takes")))
            }
            (None, Some(Resource::Stream(name) | Resource::Table(name) | Resource::Function(name))) => {
                Ok(Resolved::Text(name.clone()))
            }
            (None, Some(Resource::Queue(name))) => Ok(Resolved::Text(queue_url(name))),
            (None, Some(Resource::Consumer(arn))) => Ok(Resolved::Text(arn.clone())),
            (None, Some(Resource::Other(kind))) => Ok(Resolved::StandIn(id.to_owned(), kind.clone())),
            (None, None) => Err(self.unknown(id, at)),
        }
    }

    fn attribute(&self, argument: &Node) -> Outcome {
        let parts: Vec<String> = match (&argument.value, argument.text()) {
            (_, Some(text)) => text.splitn(2, '.').map(str::to_owned).collect(),
            (Value::List(items), _) => items.iter().map(|item| plain(item, "Fn::GetAtt")).collect::<Result<_, _>>()?,
            _ => Vec::new(),
        };
        match parts.as_slice() {
            [id, attribute] => self.attribute_of(id, attribute, argument),
            _ => Err(unresolved(argument, "Fn::GetAtt takes `LogicalId.Attribute`")),
        }
    }

    fn attribute_of(&self, id: &str, attribute: &str, at: &Node) -> Outcome {
        let arn = match (self.arn(id), self.resources.get(id)) {
            (Some(arn), _) => arn,
            (None, Some(Resource::Other(kind))) => {
                return Ok(Resolved::StandIn(format!("{id}.{attribute}"), kind.clone()));
            }
            (None, _) => return Err(self.unknown(id, at)),
        };
        let known = match self.resources.get(id) {
            Some(Resource::Consumer(_)) => "ConsumerARN",
            _ => "Arn",
        };
        if attribute == known {
            return Ok(Resolved::Text(arn));
        }
        let why = format!("`{id}.{attribute}` is not known here: of `{id}` the harness knows `{known}`");
        Err(unresolved(at, &why))
    }

    /// The ARN of a resource that is emulated.
    pub(crate) fn arn(&self, id: &str) -> Option<String> {
        match self.resources.get(id)? {
            Resource::Stream(name) => Some(stream_arn(name)),
            Resource::Table(name) => Some(table_arn(name)),
            Resource::Function(name) => Some(function_arn(name)),
            Resource::Queue(name) => Some(queue_arn(name)),
            Resource::Consumer(arn) => Some(arn.clone()),
            Resource::Other(_) => None,
        }
    }

    fn substitute(&self, argument: &Node) -> Outcome {
        let (text, own) = match (argument.text(), argument.items()) {
            (Some(text), _) => (text.to_owned(), None),
            (None, [text, own]) => (plain(text, "Fn::Sub")?, Some(own)),
            _ => return Err(unresolved(argument, "Fn::Sub takes text, or text and a mapping")),
        };
        let mut out = String::new();
        let mut rest = text.as_str();
        let mut stand_in = None;
        while let Some((before, after)) = rest.split_once("${") {
            let Some((name, after)) = after.split_once('}') else {
                return Err(unresolved(argument, "a `${` in Fn::Sub has no `}`"));
            };
            out.push_str(before);
            rest = after;
            if let Some(literal) = name.strip_prefix('!') {
                out.push_str(&format!("${{{literal}}}"));
                continue;
            }
            match self.variable(name.trim(), own, argument)? {
                Resolved::Text(value) => out.push_str(&value),
                Resolved::StandIn(value, kind) => {
                    out.push_str(&value);
                    stand_in = Some(kind);
                }
                Resolved::Absent => {}
            }
        }
        out.push_str(rest);
        Ok(match stand_in {
            Some(kind) => Resolved::StandIn(out, kind),
            None => Resolved::Text(out),
        })
    }

    fn variable(&self, name: &str, own: Option<&Node>, at: &Node) -> Outcome {
        if let Some(node) = own.and_then(|own| own.get(name)) {
            return self.resolve(node);
        }
        match name.split_once('.') {
            Some((id, attribute)) => self.attribute_of(id, attribute, at),
            None => self.reference(name, at),
        }
    }

    fn join(&self, argument: &Node) -> Outcome {
        let [separator, list] = argument.items() else {
            return Err(unresolved(argument, "Fn::Join takes a separator and a list"));
        };
        let separator = plain(separator, "Fn::Join")?;
        let parts: Vec<String> = list.items().iter().map(|item| self.text(item)).collect::<Result<_, _>>()?;
        Ok(Resolved::Text(parts.join(&separator)))
    }

    fn unknown(&self, id: &str, at: &Node) -> Unresolved {
        let known = listed(self.parameters.keys().chain(self.resources.keys()).map(String::as_str));
        let message = format!("`{id}` is no parameter or resource of this template; there are {known}");
        unresolved(at, &message)
    }
}

/// The ARN of an emulated stream.
pub(crate) fn stream_arn(name: &str) -> String {
    format!("arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{name}")
}

/// The ARN of an emulated table.
pub(crate) fn table_arn(name: &str) -> String {
    format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}")
}

/// The ARN of an emulated queue.
pub(crate) fn queue_arn(name: &str) -> String {
    format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{name}")
}

/// The URL of an emulated queue.
pub(crate) fn queue_url(name: &str) -> String {
    format!("https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{name}")
}

/// The ARN of a consumer of a stream. AWS puts the second of its creation behind its name.
pub(crate) fn consumer_arn(stream: &str, name: &str) -> String {
    format!("{stream}/consumer/{name}:1")
}

/// The ARN of a function of the template.
pub(crate) fn function_arn(name: &str) -> String {
    format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}")
}

fn pseudo_parameter(id: &str) -> Option<Resolved> {
    let text = match id {
        "AWS::NoValue" => return Some(Resolved::Absent),
        "AWS::Region" => REGION,
        "AWS::AccountId" => ACCOUNT,
        "AWS::StackName" => "local",
        "AWS::Partition" => "aws",
        "AWS::URLSuffix" => "amazonaws.com",
        _ => return None,
    };
    Some(Resolved::Text(text.to_owned()))
}

fn plain(node: &Node, function: &str) -> Result<String, Unresolved> {
    node.text().map(str::to_owned).ok_or_else(|| unresolved(node, &format!("{function} takes plain text here")))
}

fn unresolved(node: &Node, message: &str) -> Unresolved {
    Unresolved { line: node.line, message: message.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolver() -> Resolver {
        let parameters = [("Bound", Some("6h")), ("Open", None)];
        let resources = [
            ("Flights", Resource::Stream("flights".into())),
            ("Journal", Resource::Table("journal".into())),
            ("Dlq", Resource::Queue("dlq".into())),
            ("Fan", Resource::Consumer("arn:c".into())),
            ("Topic", Resource::Other("AWS::SNS::Topic".into())),
        ];
        Resolver {
            parameters: parameters.map(|(id, default)| (id.to_owned(), default.map(str::to_owned))).into(),
            resources: resources.map(|(id, resource)| (id.to_owned(), resource)).into(),
        }
    }

    fn text(value: &str) -> String {
        let root = Node::parse(&format!("v: {value}\n")).unwrap();
        resolver().text(root.get("v").unwrap()).unwrap()
    }

    fn refusal(value: &str) -> String {
        let root = Node::parse(&format!("v: {value}\n")).unwrap();
        let refused = resolver().resolve(root.get("v").unwrap());
        refused.expect_err("resolved").message
    }

    #[test]
    fn a_reference_is_a_name_a_default_or_a_pseudo_parameter() {
        assert_eq!(text("!Ref Flights"), "flights");
        assert_eq!(text("!Ref Journal"), "journal");
        assert_eq!(text("!Ref Bound"), "6h");
        assert_eq!(text("{Ref: AWS::Region}"), "us-east-1");
        assert_eq!(text("!Ref AWS::NoValue"), "");
    }

    #[test]
    fn the_arn_of_a_stream_and_of_a_table() {
        let stream = "arn:aws:kinesis:us-east-1:000000000000:stream/flights";
        assert_eq!(text("!GetAtt Flights.Arn"), stream);
        assert_eq!(text("{'Fn::GetAtt': [Flights, Arn]}"), stream);
        assert_eq!(text("!GetAtt Journal.Arn"), "arn:aws:dynamodb:us-east-1:000000000000:table/journal");
    }

    #[test]
    fn a_queue_is_its_url_and_a_consumer_its_arn() {
        assert_eq!(text("!Ref Dlq"), "https://sqs.us-east-1.amazonaws.com/000000000000/dlq");
        assert_eq!(text("!GetAtt Dlq.Arn"), "arn:aws:sqs:us-east-1:000000000000:dlq");
        assert_eq!((text("!Ref Fan"), text("!GetAtt Fan.ConsumerARN")), ("arn:c".into(), "arn:c".into()));
        assert!(refusal("!GetAtt Fan.Arn").contains("the harness knows `ConsumerARN`"));
    }

    #[test]
    fn substitution_takes_names_attributes_own_variables_and_literals() {
        assert_eq!(
            text("!Sub 'a ${Flights} ${Flights.Arn} ${AWS::StackName} ${!Literal}'"),
            "a flights arn:aws:kinesis:us-east-1:000000000000:stream/flights local ${Literal}"
        );
        assert_eq!(text("!Sub ['${x}-${Bound}', {x: !Ref Journal}]"), "journal-6h");
    }

    #[test]
    fn join_takes_a_separator_and_values() {
        assert_eq!(text("!Join ['-', [a, !Ref Flights]]"), "a-flights");
    }

    #[test]
    fn a_resource_that_is_not_emulated_has_a_stand_in() {
        let root = Node::parse("v: !GetAtt Topic.Arn\n").unwrap();
        assert_eq!(
            resolver().resolve(root.get("v").unwrap()),
            Ok(Resolved::StandIn("Topic.Arn".into(), "AWS::SNS::Topic".into()))
        );
    }

    #[test]
    fn what_cannot_be_resolved_says_why() {
        assert!(refusal("!Ref Flight").contains("there are Bound, Open, Dlq, Fan, Flights, Journal and Topic"));
        assert!(refusal("!Ref Open").contains("has no Default"));
        assert!(refusal("!GetAtt Flights.Name").contains("the harness knows `Arn`"));
        assert!(refusal("!If [a, b, c]").contains("`Fn::If` is not known here"));
        assert!(refusal("!Sub '${Flights'").contains("has no `}`"));
        assert!(refusal("[a]").contains("a list stands"));
    }
}
