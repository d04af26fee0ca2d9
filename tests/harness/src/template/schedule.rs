//! A function's schedule: the events that EventBridge sends it.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::node::{Entry, Node};
use super::property::Reader;
use super::{ACCOUNT, REGION};

/// A `Schedule` or `ScheduleV2` event of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Who sends the events.
    pub scheduler: Scheduler,
    /// The name of the rule or of the schedule.
    pub name: String,
    /// `rate(…)`, `cron(…)` or `at(…)`.
    pub expression: String,
    /// How far the events are apart; `None` if the expression is no rate.
    pub every: Option<Duration>,
    /// `Input`: what the function gets in place of an event.
    pub input: Option<String>,
}

/// Who sends scheduled events. Both write them alike, under names of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheduler {
    /// A rule of EventBridge: SAM's `Schedule`.
    Rule,
    /// EventBridge Scheduler: SAM's `ScheduleV2`.
    Scheduler,
}

impl Schedule {
    /// The schedule that a function without one is given, to send events all the same.
    pub fn of(function: &str) -> Self {
        let (name, expression) = (format!("{function}Tick"), String::new());
        Self { scheduler: Scheduler::Rule, name, expression, every: None, input: None }
    }

    /// Reads the one schedule of a function that is switched on, if it has any.
    pub(super) fn read(id: &str, function: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let mut schedule: Option<Self> = None;
        for event in function.at(&["Properties", "Events"]).map_or(&[][..], Node::entries) {
            let scheduler = match event.node.get("Type").and_then(Node::text) {
                Some("Schedule") => Scheduler::Rule,
                Some("ScheduleV2") => Scheduler::Scheduler,
                _ => continue,
            };
            let Some(read) = scheduler.read(id, event, reader) else { continue };
            match &schedule {
                None => schedule = Some(read),
                Some(first) => {
                    let message = format!("`{id}` is scheduled by `{}` already: ticks come from that one", first.name);
                    reader.warning(event.line, message);
                }
            }
        }
        schedule
    }

    /// The event at a time, in seconds since the epoch; `id` is its own.
    pub fn event(&self, time: u64, id: &str) -> String {
        let (source, detail) = match self.scheduler {
            Scheduler::Rule => ("aws.events", json!({})),
            // Text, unlike a rule's.
            Scheduler::Scheduler => ("aws.scheduler", json!("{}")),
        };
        let (arn, time) = (self.arn(), rfc3339(time));
        if let Some(input) = &self.input {
            return self.scheduler.fill_in(input, &arn, &time, id);
        }
        json!({
            "version": "0",
            "id": id,
            "detail-type": "Scheduled Event",
            "source": source,
            "account": ACCOUNT,
            "time": time,
            "region": REGION,
            "resources": [arn],
            "detail": detail,
        })
        .to_string()
    }

    fn arn(&self) -> String {
        let name = &self.name;
        match self.scheduler {
            Scheduler::Rule => format!("arn:aws:events:{REGION}:{ACCOUNT}:rule/{name}"),
            Scheduler::Scheduler => format!("arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/default/{name}"),
        }
    }
}

impl Scheduler {
    fn read(self, id: &str, event: &Entry, reader: &mut Reader<'_>) -> Option<Schedule> {
        let property = match self {
            Self::Rule => "Schedule",
            Self::Scheduler => "ScheduleExpression",
        };
        let get = |name| event.node.at(&["Properties", name]);
        let Some(node) = get(property) else {
            reader.problem(event.line, format!("`{}` of `{id}` has no {property}, such as rate(1 minute)", event.key));
            return None;
        };
        let expression = reader.text(Some(node))?;
        let other = ["cron(", "at("].iter().any(|other| expression.starts_with(other));
        let every = rate(&expression);
        if every.is_none() && !other {
            let message =
                format!("{property} is `{expression}`; rate(1 minute), rate(5 minutes) or cron(…) is expected");
            reader.problem(node.line, message);
        }
        let enabled = reader.flag(get("Enabled"), "Enabled", true);
        let state = reader.text(get("State"));
        let name = reader.text(get("Name")).unwrap_or_else(|| format!("{id}{}", event.key));
        let input = reader.text(get("Input"));
        let on = enabled && state.as_deref() != Some("DISABLED");
        on.then_some(Schedule { scheduler: self, name, expression, every, input })
    }

    /// `Input` as the function gets it: EventBridge Scheduler fills its own words in.
    /// <https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html>
    fn fill_in(self, input: &str, arn: &str, time: &str, id: &str) -> String {
        match self {
            Self::Rule => input.to_owned(),
            Self::Scheduler => input
                .replace("<aws.scheduler.schedule-arn>", arn)
                .replace("<aws.scheduler.scheduled-time>", time)
                .replace("<aws.scheduler.execution-id>", id)
                .replace("<aws.scheduler.attempt-number>", "1"),
        }
    }
}

/// What `rate(5 minutes)` says; `None` for anything else.
fn rate(expression: &str) -> Option<Duration> {
    let (count, unit) = expression.strip_prefix("rate(")?.strip_suffix(')')?.split_once(' ')?;
    let count = count.parse::<u32>().ok().filter(|count| *count > 0)?;
    let seconds = match unit.trim() {
        "minute" | "minutes" => 60,
        "hour" | "hours" => 3_600,
        "day" | "days" => 86_400,
        _ => return None,
    };
    Some(Duration::from_secs(u64::from(count) * seconds))
}

fn rfc3339(seconds: u64) -> String {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX).to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::tests::read;
    use super::*;

    fn with(event: &str) -> (Option<Schedule>, Vec<String>) {
        let text = format!(
            "
Resources:
  Flights: {{Type: AWS::Kinesis::Stream}}
  F:
    Type: AWS::Serverless::Function
    Metadata: {{BuildProperties: {{Binary: f-bin}}}}
    Properties:
      Events:
        In: {{Type: Kinesis, Properties: {{Stream: !GetAtt Flights.Arn, StartingPosition: LATEST}}}}
        Tick: {event}
"
        );
        let (function, messages) = read(&text, "F");
        (function.and_then(|function| function.schedule), messages)
    }

    fn event(event: &str) -> Value {
        let (schedule, messages) = with(event);
        assert_eq!(messages, [""; 0]);
        serde_json::from_str(&schedule.unwrap().event(1_767_225_600, "7")).unwrap()
    }

    #[test]
    fn a_rule_sends_what_eventbridge_documents() {
        // https://docs.aws.amazon.com/eventbridge/latest/userguide/event-reference.html
        let expected = json!({
            "version": "0",
            "id": "7",
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": "000000000000",
            "time": "2026-01-01T00:00:00Z",
            "region": "us-east-1",
            "resources": ["arn:aws:events:us-east-1:000000000000:rule/FTick"],
            "detail": {},
        });
        assert_eq!(event("{Type: Schedule, Properties: {Schedule: rate(1 minute)}}"), expected);
    }

    #[test]
    fn a_scheduler_has_another_source_and_detail() {
        let event = event("{Type: ScheduleV2, Properties: {ScheduleExpression: rate(1 minute), Name: tick}}");
        assert_eq!((event["source"].as_str(), event["detail"].as_str()), (Some("aws.scheduler"), Some("{}")));
        assert_eq!(event["resources"][0], "arn:aws:scheduler:us-east-1:000000000000:schedule/default/tick");
        assert_eq!(event["detail-type"], "Scheduled Event");
    }

    #[test]
    fn input_stands_in_place_of_the_event() {
        let input = r#"'{"time":"<aws.scheduler.scheduled-time>"}'"#;
        let of = |kind: &str, property: &str| {
            event(&format!("{{Type: {kind}, Properties: {{{property}: rate(1 minute), Input: {input}}}}}"))
        };
        assert_eq!(of("ScheduleV2", "ScheduleExpression"), json!({"time": "2026-01-01T00:00:00Z"}));
        assert_eq!(of("Schedule", "Schedule"), json!({"time": "<aws.scheduler.scheduled-time>"}));
    }

    #[test]
    fn rates_are_read_and_other_expressions_left_alone() {
        let every =
            |text: &str| with(&format!("{{Type: Schedule, Properties: {{Schedule: {text}}}}}")).0.unwrap().every;
        assert_eq!(every("rate(1 minute)"), Some(Duration::from_secs(60)));
        assert_eq!(every("rate(5 minutes)"), Some(Duration::from_secs(300)));
        assert_eq!(every("rate(2 hours)"), Some(Duration::from_secs(7_200)));
        assert_eq!(every("rate(1 day)"), Some(Duration::from_secs(86_400)));
        assert_eq!(every("cron(0 8 * * ? *)"), None);
    }

    #[test]
    fn what_is_no_expression_is_a_problem() {
        let (_, messages) = with("{Type: Schedule, Properties: {Schedule: rate(0 minutes)}}");
        assert_eq!(
            messages,
            ["t.yaml:10: Schedule is `rate(0 minutes)`; rate(1 minute), rate(5 minutes) or cron(…) is expected"]
        );
        let (_, messages) = with("{Type: ScheduleV2, Properties: {Schedule: rate(1 minute)}}");
        assert_eq!(messages, ["t.yaml:10: `Tick` of `F` has no ScheduleExpression, such as rate(1 minute)"]);
    }

    #[test]
    fn a_schedule_that_is_switched_off_is_none() {
        for off in ["Enabled: false", "State: DISABLED"] {
            let (schedule, messages) =
                with(&format!("{{Type: Schedule, Properties: {{Schedule: rate(1 minute), {off}}}}}"));
            assert_eq!((schedule, messages.len()), (None, 0));
        }
    }

    #[test]
    fn a_second_schedule_is_a_warning() {
        let rule = "{Type: Schedule, Properties: {Schedule: rate(1 minute)}}";
        let (schedule, messages) = with(&format!("{rule}\n        Tock: {rule}"));
        assert_eq!(schedule.unwrap().name, "FTick");
        assert_eq!(messages, ["t.yaml:11: `F` is scheduled by `FTick` already: ticks come from that one"]);
    }
}
