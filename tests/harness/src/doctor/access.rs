//! What the function's role may do.

use crate::findings::{Findings, listed};
use crate::permission::Permission;
use crate::template::{Node, Resource};

use super::{Diagnosis, Subject};

pub(super) const JOURNAL: [&str; 5] = ["GetItem", "Query", "PutItem", "DeleteItem", "ConditionCheckItem"];
pub(super) const SOURCE: [&str; 3] = ["GetShardIterator", "GetRecords", "ListShards"];
/// The function looks at its sinks when it starts, if it may.
pub(super) const SINK: [&str; 2] = ["PutRecords", "DescribeStreamSummary"];
pub(super) const TABLE: [&str; 2] = ["UpdateItem", "DescribeTable"];

/// Actions that a policy allows, and on what.
struct Allowed {
    actions: Vec<String>,
    resources: Vec<String>,
}

pub(super) fn examine(subject: &Subject<'_>, found: &mut Vec<Diagnosis>) {
    if let Some(role) = subject.setting("Role") {
        match of_role(subject) {
            Some(statements) => missing(subject, role.line, &statements, found),
            None => {
                found.push(unseen(subject, role.line, "its Role is not of this template, or has policies that are not"))
            }
        }
        return;
    }
    let policies = subject.setting("Policies");
    let statements = policies.map_or(Ok(Vec::new()), |policies| allowed(subject, policies));
    let line = policies.map_or(subject.node.line, |policies| policies.line);
    match statements {
        Ok(statements) => missing(subject, line, &statements, found),
        Err(line) => found.push(unseen(subject, line, "a policy is none with statements of its own")),
    }
}

/// What the function's own role allows, if all of it stands in the template.
fn of_role(subject: &Subject<'_>) -> Option<Vec<Allowed>> {
    let mut findings = Findings::default();
    let grants = subject.template.grants(subject.id, &mut findings);
    let read = findings.into_warnings().is_ok_and(|warnings| warnings.is_empty());
    let allowed = |Permission { action, resource }| Allowed { actions: vec![action], resources: vec![resource] };
    (read && !grants.is_empty()).then(|| grants.into_iter().map(allowed).collect())
}

fn unseen(subject: &Subject<'_>, line: usize, why: &str) -> Diagnosis {
    let needs = "a permission that is missing shows when the function starts, or first needs it";
    let fix = format!(
        "compare: on the journal's table dynamodb:{}, on the source kinesis:{}, on sinks kinesis:{}, on tables for results \
         dynamodb:{}",
        listed(JOURNAL),
        listed(SOURCE),
        listed(SINK),
        listed(TABLE)
    );
    subject.warning(line, format!("its permissions are not looked at: {why}"), needs, fix)
}

/// What the statements allow; the line of what is no statement.
fn allowed(subject: &Subject<'_>, policies: &Node) -> Result<Vec<Allowed>, usize> {
    let texts = |node: Option<&Node>| -> Vec<String> {
        let Some(node) = node else { return Vec::new() };
        let items = if node.items().is_empty() { std::slice::from_ref(node) } else { node.items() };
        items.iter().filter_map(|item| subject.template.text(item)).collect()
    };
    let mut all = Vec::new();
    for policy in one_or_many(policies) {
        let statements = policy.get("Statement").ok_or(policy.line)?;
        for statement in one_or_many(statements) {
            if statement.get("Effect").and_then(Node::text) == Some("Allow") {
                let (actions, resources) = (texts(statement.get("Action")), texts(statement.get("Resource")));
                all.push(Allowed { actions, resources });
            }
        }
    }
    Ok(all)
}

fn one_or_many(node: &Node) -> &[Node] {
    if node.items().is_empty() { std::slice::from_ref(node) } else { node.items() }
}

fn missing(subject: &Subject<'_>, line: usize, statements: &[Allowed], found: &mut Vec<Diagnosis>) {
    for (service, resource, actions) in needed(subject) {
        let Some((id, arn)) = arn(subject, service, &resource) else { continue };
        let refused =
            |action: &&&str| !statements.iter().any(|statement| statement.allows(&format!("{service}:{action}"), &arn));
        let refused: Vec<String> = actions.iter().filter(refused).map(|action| format!("{service}:{action}")).collect();
        if !refused.is_empty() {
            let actions = listed(refused.iter().map(String::as_str));
            found.push(subject.error(
                line,
                format!("the role may not {actions} on {id}"),
                "the function would be refused",
                format!("allow it: Action: [{}], Resource: !GetAtt {id}.Arn", refused.join(", ")),
            ));
        }
    }
}

/// What the function must be allowed: service, name or ARN, actions.
fn needed(subject: &Subject<'_>) -> Vec<(&'static str, String, &'static [&'static str])> {
    let mut needed: Vec<(_, _, &'static [&'static str])> = Vec::new();
    if let Some(journal) = subject.variable("TIDEMILL_JOURNAL_TABLE") {
        needed.push(("dynamodb", journal, &JOURNAL));
        let streams = subject
            .events("Kinesis")
            .into_iter()
            .filter_map(|(_, event, _)| subject.template.text(event.get("Stream")?));
        needed.extend(streams.map(|stream| ("kinesis", stream, &SOURCE[..])));
    }
    for (name, value, _) in subject.variables() {
        let Some(value) = value.filter(|value| !value.is_empty()) else { continue };
        if name.starts_with("TIDEMILL_STREAM_") || name == "TIDEMILL_QUARANTINE" {
            needed.push(("kinesis", value, &SINK));
        } else if name.starts_with("TIDEMILL_TABLE_") {
            needed.push(("dynamodb", value, &TABLE));
        }
    }
    needed
}

/// The logical id and the ARN of a stream or table of the template; what is not of it, is not looked at.
fn arn(subject: &Subject<'_>, service: &str, name: &str) -> Option<(String, String)> {
    let name = name.rsplit('/').next()?;
    let kind = |resource: &Resource| match resource {
        Resource::Stream(found) => service == "kinesis" && found == name,
        Resource::Table(found) => service == "dynamodb" && found == name,
        _ => false,
    };
    subject.template.arn_of(kind)
}

impl Allowed {
    fn allows(&self, action: &str, arn: &str) -> bool {
        let action_fits = self.actions.iter().any(|pattern| fits(&pattern.to_lowercase(), &action.to_lowercase()));
        action_fits && self.resources.iter().any(|pattern| fits(pattern, arn))
    }
}

/// Whether a text fits a pattern of IAM's, in which `*` is anything.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, rest)) => {
            let Some(behind) = text.strip_prefix(head) else { return false };
            (0..=behind.len()).any(|at| behind.get(at..).is_some_and(|behind| fits(rest, behind)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_are_anything() {
        for (pattern, text) in [("*", ""), ("a*", "abc"), ("a*c", "abc"), ("dynamodb:*Item", "dynamodb:GetItem")] {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("a", "ab"), ("a*c", "abd"), ("", "a")] {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
    }
}
