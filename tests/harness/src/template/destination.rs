//! `DestinationConfig`: where a mapping tells of records that it gave up.

use super::Template;
use super::node::Node;
use super::property::Reader;

/// A destination of records that are given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// An SQS queue, by its name.
    Queue(String),
    /// An S3 bucket, by its name.
    Bucket(String),
    /// An SNS topic, by its name; not emulated.
    Topic(String),
}

/// Reads `DestinationConfig`.
pub(super) fn read(template: &Template, node: Option<&Node>, reader: &mut Reader<'_>) -> Option<Destination> {
    let config = node?;
    if let Some(success) = config.get("OnSuccess") {
        reader.problem(success.line, "DestinationConfig has OnSuccess, which AWS does not know for event sources");
    }
    let destination = config.at(&["OnFailure", "Destination"]);
    let arn = reader.text(destination)?;
    let line = destination.map_or(config.line, |node| node.line);
    let given = reader.text(config.at(&["OnFailure", "Type"]));
    let Some(kind) = given.or_else(|| kind_of(template, &arn)) else {
        reader.problem(line, format!("OnFailure.Destination is `{arn}`, not the ARN of a queue, a topic or a bucket"));
        return None;
    };
    let name = name_of(&arn);
    let fifo = arn.rsplit(':').next().is_some_and(|last| last.ends_with(".fifo"));
    match kind.as_str() {
        _ if fifo => {
            reader.problem(line, format!("OnFailure.Destination is `{arn}`; AWS takes no FIFO queue or topic"))
        }
        "SQS" => return Some(Destination::Queue(name)),
        "S3" => return Some(Destination::Bucket(name)),
        "SNS" => {
            reader.warning(line, format!("the topic `{name}` is not emulated: what is given up is only counted"));
            return Some(Destination::Topic(name));
        }
        other => {
            reader.problem(line, format!("OnFailure.Type is `{other}`; SQS, SNS or S3 is expected of a Kinesis event"));
        }
    }
    None
}

/// By the ARN, or by what the template calls so.
fn kind_of(template: &Template, arn: &str) -> Option<String> {
    let by_arn = ["sqs", "sns", "s3"].into_iter().find(|service| arn.starts_with(&format!("arn:aws:{service}:")));
    if let Some(service) = by_arn {
        return Some(service.to_ascii_uppercase());
    }
    let id = name_of(arn);
    let kind = template.resources().find(|(found, ..)| *found == id).map(|(.., kind)| kind)?;
    let kind = match kind {
        "AWS::SQS::Queue" => "SQS",
        "AWS::SNS::Topic" => "SNS",
        "AWS::S3::Bucket" => "S3",
        _ => return None,
    };
    Some(kind.to_owned())
}

/// The last part of an ARN; the logical id of what is not emulated and so has none (`Dlq.Arn`).
fn name_of(arn: &str) -> String {
    if arn.starts_with("arn:") {
        return arn.rsplit(':').next().unwrap_or(arn).to_owned();
    }
    arn.split('.').next().unwrap_or(arn).to_owned()
}
