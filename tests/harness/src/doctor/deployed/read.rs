//! Reading what is deployed.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::doctor::access;
use crate::error::Error;
use crate::findings::listed;

use super::signed::{Account, Refused};

/// A function as it is deployed, with all that it rests on.
#[derive(Debug)]
pub struct Deployed {
    /// Its name.
    pub name: String,
    /// Its configuration, as Lambda tells it.
    pub(super) configuration: Value,
    /// Its variables.
    pub(super) variables: BTreeMap<String, String>,
    /// Its event source mappings of Kinesis.
    pub(super) mappings: Vec<Value>,
    /// How many invocations at once are reserved for it, if any are.
    pub(super) reserved: Option<u64>,
    /// How many invocations at once the account has that are not reserved.
    pub(super) unreserved: Option<u64>,
    /// The streams that it reads or writes, by ARN: their summaries, or why there is none.
    pub(super) streams: BTreeMap<String, Result<Value, Unread>>,
    /// The tables, by name, likewise.
    pub(super) tables: BTreeMap<String, Result<Value, Unread>>,
    /// Of tables of journals: whether items expire.
    pub(super) expires: BTreeMap<String, bool>,
    /// What its role may not do; why that is not known.
    pub(super) denied: Result<Vec<(String, String)>, String>,
}

/// Why something could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unread {
    /// It is not there.
    Absent,
    /// AWS does not tell.
    Refused(String),
}

impl From<Refused> for Unread {
    fn from(refused: Refused) -> Self {
        if refused.is_absent() {
            return Self::Absent;
        }
        Self::Refused(refused.to_error("this").to_string())
    }
}

impl Deployed {
    /// The stream of a mapping, whose ARN may be that of a consumer.
    pub(super) fn source(mapping: &Value) -> &str {
        let arn = mapping["EventSourceArn"].as_str().unwrap_or_default();
        arn.split("/consumer/").next().unwrap_or(arn)
    }

    /// The ARN of a stream or table that a variable names, in the function's own region and account.
    pub(super) fn arn(&self, service: &str, kind: &str, name: &str) -> String {
        if name.starts_with("arn:") {
            return name.to_owned();
        }
        let own = self.configuration["FunctionArn"].as_str().unwrap_or_default();
        let mut parts = own.split(':').skip(1);
        let (partition, region) = (parts.next().unwrap_or("aws"), parts.nth(1).unwrap_or_default());
        let account = parts.next().unwrap_or_default();
        format!("arn:{partition}:{service}:{region}:{account}:{kind}/{name}")
    }

    /// The variables that name a stream to write to, each with its ARN.
    pub(super) fn sinks(&self) -> impl Iterator<Item = (&str, String)> {
        let is_sink = |name: &str| name.starts_with("TIDEMILL_STREAM_") || name == "TIDEMILL_QUARANTINE";
        let set = self.variables.iter().filter(move |(name, value)| is_sink(name) && !value.is_empty());
        set.map(|(name, value)| (name.as_str(), self.arn("kinesis", "stream", value)))
    }

    /// The tables, each with whether it holds journals.
    pub(super) fn all_tables(&self) -> impl Iterator<Item = (&str, bool)> {
        let set = self.variables.iter().filter(|(_, value)| !value.is_empty());
        set.filter_map(|(name, value)| match name.as_str() {
            "TIDEMILL_JOURNAL_TABLE" => Some((value.as_str(), true)),
            _ if name.starts_with("TIDEMILL_TABLE_") => Some((value.as_str(), false)),
            _ => None,
        })
    }

    /// What its role must allow: actions, and on what.
    fn needed(&self) -> Vec<(String, String)> {
        let mut needed = Vec::new();
        let mut need = |service: &str, actions: &[&str], arn: String| {
            needed.extend(actions.iter().map(|action| (format!("{service}:{action}"), arn.clone())));
        };
        for (table, journal) in self.all_tables() {
            let actions: &[&str] = if journal { &access::JOURNAL } else { &access::TABLE };
            need("dynamodb", actions, self.arn("dynamodb", "table", table));
        }
        if self.variables.contains_key("TIDEMILL_JOURNAL_TABLE") {
            self.mappings.iter().for_each(|mapping| need("kinesis", &access::SOURCE, Self::source(mapping).to_owned()));
        }
        self.sinks().for_each(|(_, arn)| need("kinesis", &access::SINK, arn));
        needed
    }
}

/// The functions with a variable of tidemill's, those alone that are `named` if any are.
pub(super) async fn functions(account: &Account, named: &[String]) -> Result<Vec<Deployed>, Error> {
    let mut found = Vec::new();
    let mut others = Vec::new();
    let mut marker = String::new();
    loop {
        let page = account.lambda(format!("/2015-03-31/functions/{marker}")).await;
        let page = page.map_err(|refused| refused.to_error("its functions (lambda:ListFunctions)"))?;
        for configuration in page["Functions"].as_array().into_iter().flatten() {
            let of = of_configuration(configuration);
            let is_meant = named.is_empty() || named.contains(&of.name);
            let is_pipeline = of.variables.keys().any(|name| name.starts_with("TIDEMILL_"));
            if is_pipeline && is_meant {
                found.push(of)
            } else if is_pipeline {
                others.push(of.name)
            }
        }
        match page["NextMarker"].as_str().filter(|next| !next.is_empty()) {
            Some(next) => marker = format!("?Marker={}", encoded(next)),
            None => break,
        }
    }
    let known = |name: &&String| found.iter().any(|of| of.name == **name);
    if let Some(missing) = named.iter().find(|name| !known(name)) {
        let there = listed(found.iter().map(|of| of.name.as_str()).chain(others.iter().map(String::as_str)));
        return Err(Error::NotFound(format!(
            "`{missing}` is no function here with variables of tidemill's; there are {there}"
        )));
    }
    let settings = account.lambda("/2016-08-19/account-settings/").await.unwrap_or_default();
    for of in &mut found {
        of.unreserved = settings["AccountLimit"]["UnreservedConcurrentExecutions"].as_u64();
        complete(account, of).await?;
    }
    Ok(found)
}

fn of_configuration(configuration: &Value) -> Deployed {
    let variables = configuration["Environment"]["Variables"].as_object().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Deployed {
        name: text(&configuration["FunctionName"]),
        variables: variables.map(|(name, value)| (name.clone(), text(value))).collect(),
        configuration: configuration.clone(),
        mappings: Vec::new(),
        reserved: None,
        unreserved: None,
        streams: BTreeMap::new(),
        tables: BTreeMap::new(),
        expires: BTreeMap::new(),
        denied: Ok(Vec::new()),
    }
}

/// Reads what a function rests on.
async fn complete(account: &Account, of: &mut Deployed) -> Result<(), Error> {
    let name = encoded(&of.name);
    let mappings = account.lambda(format!("/2015-03-31/event-source-mappings/?FunctionName={name}")).await;
    let mappings = mappings.map_err(|refused| {
        refused.to_error(&format!("the event sources of {} (lambda:ListEventSourceMappings)", of.name))
    })?;
    let kinesis = |mapping: &&Value| mapping["EventSourceArn"].as_str().is_some_and(|arn| arn.contains(":kinesis:"));
    of.mappings = mappings["EventSourceMappings"].as_array().into_iter().flatten().filter(kinesis).cloned().collect();
    let reserved = account.lambda(format!("/2019-09-30/functions/{name}/concurrency")).await.unwrap_or_default();
    of.reserved = reserved["ReservedConcurrentExecutions"].as_u64();
    let sources = of.mappings.iter().map(|mapping| Deployed::source(mapping).to_owned());
    let streams: Vec<String> = sources.chain(of.sinks().map(|(_, arn)| arn)).collect();
    for arn in streams {
        let asked = json!({"StreamARN": arn});
        let told = account.target("kinesis", "Kinesis_20131202.DescribeStreamSummary", &asked).await;
        of.streams.insert(arn, told.map(|told| told["StreamDescriptionSummary"].clone()).map_err(Unread::from));
    }
    let tables: Vec<(String, bool)> = of.all_tables().map(|(name, journal)| (name.to_owned(), journal)).collect();
    for (table, journal) in tables {
        let asked = json!({"TableName": table});
        if journal {
            let told = account.target("dynamodb", "DynamoDB_20120810.DescribeTimeToLive", &asked).await;
            let status = told.unwrap_or_default()["TimeToLiveDescription"]["TimeToLiveStatus"].clone();
            of.expires.insert(table.clone(), status == "ENABLED" || status == "ENABLING");
        }
        let told = account.target("dynamodb", "DynamoDB_20120810.DescribeTable", &asked).await;
        of.tables.insert(table, told.map(|told| told["Table"].clone()).map_err(Unread::from));
    }
    of.denied = denied(account, of).await;
    Ok(())
}

/// What the role may not do, as IAM simulates it.
async fn denied(account: &Account, of: &Deployed) -> Result<Vec<(String, String)>, String> {
    let role = of.configuration["Role"].as_str().unwrap_or_default();
    let mut denied = Vec::new();
    let needed = of.needed();
    for same in needed.chunk_by(|one, other| one.1 == other.1) {
        let mut form = format!("Action=SimulatePrincipalPolicy&Version=2010-05-08&PolicySourceArn={}", encoded(role));
        form.push_str(&format!("&ResourceArns.member.1={}", encoded(&same[0].1)));
        for (index, (action, _)) in same.iter().enumerate() {
            form.push_str(&format!("&ActionNames.member.{}={}", index + 1, encoded(action)));
        }
        let answer = account.iam(form).await;
        let answer = answer.map_err(|refused| refused.to_error("what its role allows").to_string())?;
        let allowed = allowed(&answer);
        denied.extend(same.iter().filter(|(action, _)| !allowed.contains(&action.as_str())).cloned());
    }
    Ok(denied)
}

/// The actions that a simulation allows.
fn allowed(answer: &str) -> Vec<&str> {
    let results = answer.split("<EvalActionName>").skip(1);
    let of = |result: &'_ str| -> Option<(usize, bool)> {
        let end = result.find("</EvalActionName>")?;
        Some((end, result.contains("<EvalDecision>allowed</EvalDecision>")))
    };
    results.filter_map(|result| of(result).filter(|(_, allowed)| *allowed).map(|(end, _)| &result[..end])).collect()
}

/// Text as a query or a form has it.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_simulation_allows_by_action() {
        let answer = "<member><EvalActionName>a:X</EvalActionName><EvalDecision>allowed</EvalDecision></member>\
                      <member><EvalActionName>a:Y</EvalActionName><EvalDecision>implicitDeny</EvalDecision></member>";
        assert_eq!(allowed(answer), ["a:X"]);
        assert_eq!(encoded("arn:aws:iam::1:role/a b"), "arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fa%20b");
    }
}
