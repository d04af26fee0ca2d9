//! What a function's role allows: the statements of its own policies and of the managed policies of the template that it
//! has.

use std::collections::BTreeSet;

use crate::findings::Findings;
use crate::permission::Permission;

use super::Template;
use super::node::Node;
use super::property::Reader;

impl Template {
    /// What the role of the function `id` allows, each action on each resource. A function without a role of the template
    /// is allowed nothing that can be told from here. Reads what SAM makes of a template too, where the function is an
    /// `AWS::Lambda::Function`.
    pub fn grants(&self, id: &str, findings: &mut Findings) -> BTreeSet<Permission> {
        let mut reader = Reader { path: &self.path, resolver: &self.resolver, findings };
        let role = self.resource(id).and_then(|function| function.at(&["Properties", "Role"])).and_then(attribute_of);
        let Some(role) = role.and_then(|role| self.resource_of("AWS::IAM::Role", role)) else { return BTreeSet::new() };
        let own = role.at(&["Properties", "Policies"]).map_or(&[][..], Node::items);
        let managed = role.at(&["Properties", "ManagedPolicyArns"]).map_or(&[][..], Node::items);
        let mut documents: Vec<&Node> = own.iter().filter_map(|policy| policy.get("PolicyDocument")).collect();
        for arn in managed {
            let policy = arn.get("Ref").and_then(Node::text);
            match policy.and_then(|policy| self.resource_of("AWS::IAM::ManagedPolicy", policy)) {
                Some(policy) => documents.extend(policy.at(&["Properties", "PolicyDocument"])),
                None => {
                    reader.warning(arn.line, "not a managed policy of this template: what it allows is not known here")
                }
            }
        }
        let statements = documents.iter().filter_map(|document| document.get("Statement")).flat_map(each);
        statements.flat_map(|statement| allowed(statement, &mut reader)).collect()
    }

    fn resource_of(&self, kind: &str, id: &str) -> Option<&Node> {
        self.resources().find(|(found, _, of)| *found == id && *of == kind).map(|(_, node, _)| node)
    }
}

/// The logical id in `!GetAtt Id.Arn`.
fn attribute_of(node: &Node) -> Option<&str> {
    let argument = node.get("Fn::GetAtt")?;
    match argument.items() {
        [id, _] => id.text(),
        _ => argument.text()?.split('.').next(),
    }
}

/// A list's items; of one value that one.
fn each(node: &Node) -> impl Iterator<Item = &Node> {
    let alone = node.items().is_empty().then_some(node);
    node.items().iter().chain(alone)
}

fn allowed(statement: &Node, reader: &mut Reader<'_>) -> Vec<Permission> {
    let line = statement.line;
    let known = |key: &str| ["Sid", "Effect", "Action", "Resource"].contains(&key);
    if let Some(other) = statement.entries().iter().find(|entry| !known(&entry.key)) {
        reader.warning(
            other.line,
            format!("`{}` of a statement is not known here: the statement counts for nothing", other.key),
        );
        return Vec::new();
    }
    let (Some(actions), Some(resources)) = (statement.get("Action"), statement.get("Resource")) else {
        reader.problem(line, "a statement has Action and Resource");
        return Vec::new();
    };
    if statement.get("Effect").and_then(Node::text) != Some("Allow") {
        reader.warning(line, "only statements that allow are known here");
        return Vec::new();
    }
    let mut texts = |nodes: &Node| -> Vec<String> { each(nodes).filter_map(|node| reader.text(Some(node))).collect() };
    let (actions, resources) = (texts(actions), texts(resources));
    let on = |action: &String| {
        let each = resources.iter().map(|resource| Permission { action: action.clone(), resource: resource.clone() });
        each.collect::<Vec<_>>()
    };
    actions.iter().flat_map(on).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const TEMPLATE: &str = "
Resources:
  Out: {Type: AWS::Kinesis::Stream}
  Journal:
    Type: AWS::DynamoDB::Table
    Properties:
      AttributeDefinitions: [{AttributeName: pk, AttributeType: S}]
      KeySchema: [{AttributeName: pk, KeyType: HASH}]
  Logs: {Type: AWS::Logs::LogGroup}
  KeepJournal:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      PolicyDocument:
        Statement:
          Effect: Allow
          Action: [dynamodb:GetItem, dynamodb:Query]
          Resource: !GetAtt Journal.Arn
  Role:
    Type: AWS::IAM::Role
    Properties:
      ManagedPolicyArns: [!Ref KeepJournal]
      Policies:
        - PolicyName: own
          PolicyDocument:
            Statement:
              - {Effect: Allow, Action: kinesis:PutRecords, Resource: !GetAtt Out.Arn}
              - {Effect: Allow, Action: logs:PutLogEvents, Resource: !GetAtt Logs.Arn}
  F: {Type: AWS::Serverless::Function, Properties: {Role: !GetAtt Role.Arn}}
  Bare: {Type: AWS::Serverless::Function}
";

    fn grants(text: &str, id: &str) -> (Vec<String>, Vec<String>) {
        let mut findings = Findings::default();
        let template = Template::parse(Path::new("t.yaml"), text, &mut findings).expect("a template");
        let grants = template.grants(id, &mut findings).iter().map(ToString::to_string).collect();
        let found = findings.into_warnings().map(|found| found.iter().map(ToString::to_string).collect());
        (grants, found.unwrap_or_else(|error| vec![error.to_string()]))
    }

    #[test]
    fn own_and_managed_policies_count() {
        let (allowed, warnings) = grants(TEMPLATE, "F");
        assert_eq!(
            allowed,
            [
                "dynamodb:GetItem on arn:aws:dynamodb:us-east-1:000000000000:table/Journal",
                "dynamodb:Query on arn:aws:dynamodb:us-east-1:000000000000:table/Journal",
                "kinesis:PutRecords on arn:aws:kinesis:us-east-1:000000000000:stream/Out",
                "logs:PutLogEvents on Logs.Arn",
            ]
        );
        assert_eq!(warnings, [""; 0]);
        assert_eq!(grants(TEMPLATE, "Bare").0, [""; 0]);
    }

    #[test]
    fn what_sam_makes_of_it_is_read_too() {
        let translated = r#"{"Resources": {
            "Out": {"Type": "AWS::Kinesis::Stream"},
            "Put": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": {"Statement": [
                {"Effect": "Allow", "Action": ["kinesis:PutRecords"], "Resource": [{"Fn::GetAtt": ["Out", "Arn"]}]}]}}},
            "Role": {"Type": "AWS::IAM::Role", "Properties": {"ManagedPolicyArns": [{"Ref": "Put"}]}},
            "F": {"Type": "AWS::Lambda::Function", "Properties": {"Role": {"Fn::GetAtt": ["Role", "Arn"]}}}
        }}"#;
        let out = String::from("kinesis:PutRecords on arn:aws:kinesis:us-east-1:000000000000:stream/Out");
        assert_eq!(grants(translated, "F"), (vec![out], vec![]));
    }

    #[test]
    fn what_cannot_be_told_counts_for_nothing_and_is_a_warning() {
        let denied = TEMPLATE.replace("Effect: Allow, Action: kinesis", "Effect: Deny, Action: kinesis");
        let (allowed, warnings) = grants(&denied, "F");
        assert_eq!((allowed.len(), warnings.len()), (3, 1), "{warnings:?}");
        let foreign = TEMPLATE.replace("[!Ref KeepJournal]", "['arn:aws:iam::aws:policy/X']");
        let (allowed, warnings) = grants(&foreign, "F");
        assert_eq!((allowed.len(), warnings.len()), (2, 1), "{warnings:?}");
        let limited = TEMPLATE.replace("Action: kinesis:PutRecords,", "Action: kinesis:PutRecords, Condition: {},");
        assert_eq!(grants(&limited, "F").0.len(), 3);
    }
}
