//! What an operator has to do around a change of journals: commands to paste, since no tool can know the rest.

use std::time::Duration;

use clap::Args;
use tidemill_core::EventTime;

/// What is asked of every command that changes journals.
#[derive(Debug, Args)]
pub(super) struct Confirmation {
    /// Do it, in place of telling what would be done
    #[arg(long)]
    yes: bool,

    /// The Lambda function, for the commands that are shown
    #[arg(long, value_name = "NAME", default_value = "FUNCTION", hide_default_value = true)]
    function: String,

    /// Look twice, so many seconds apart, whether a function is at work [default: 10, of a kept run 0]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u16).range(0..=900))]
    watch: Option<u16>,
}

/// Where a mapping that is made anew begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begin {
    /// With the oldest record that the stream still has.
    TrimHorizon,
    /// With records that arrived from then on.
    At(EventTime),
}

impl Begin {
    pub(super) fn of(time: Option<EventTime>) -> Self {
        time.map_or(Self::TrimHorizon, Self::At)
    }

    fn option(self) -> String {
        match self {
            Self::TrimHorizon => String::from("--starting-position TRIM_HORIZON"),
            Self::At(time) => format!("--starting-position AT_TIMESTAMP --starting-position-timestamp {time}"),
        }
    }
}

impl Confirmation {
    /// Whether it is to be done.
    pub(super) const fn is_given(&self) -> bool {
        self.yes
    }

    /// How far apart two looks are.
    pub(super) fn apart(&self, is_kept: bool) -> Duration {
        let usual = if is_kept { 0 } else { 10 };
        Duration::from_secs(self.watch.unwrap_or(usual).into())
    }

    /// What comes before: nothing may run.
    pub(super) fn before(&self, streams: &[&str]) -> Vec<String> {
        let function = &self.function;
        let mut lines = vec![
            String::from("before, on AWS: no invocation, neither by the event source nor by the schedule"),
            format!("  aws lambda put-function-concurrency --function-name {function} \\"),
            String::from("    --reserved-concurrent-executions 0"),
        ];
        for stream in streams {
            lines.extend([
                format!("  aws lambda list-event-source-mappings --function-name {function} \\"),
                format!("    --event-source-arn {stream}"),
            ]);
        }
        lines.extend([
            String::from("  aws lambda delete-event-source-mapping --uuid UUID"),
            String::from("  then wait as long as the function's timeout: what runs may still write"),
        ]);
        lines
    }

    /// What comes behind: the event source, made anew. Where a mapping stands cannot be changed.
    pub(super) fn behind(&self, streams: &[&str], begin: Begin, is_new_function: bool) -> Vec<String> {
        let function = &self.function;
        let mut lines = vec![match is_new_function {
            true => String::from("behind, on AWS: the function of that name gets its event source"),
            false => String::from("behind, on AWS: a mapping's position cannot be changed, so it is made anew"),
        }];
        for stream in streams {
            lines.extend([
                format!("  aws lambda create-event-source-mapping --function-name {function} \\"),
                format!("    --event-source-arn {stream} \\"),
                format!("    {} \\", begin.option()),
                String::from(
                    "    --function-response-types ReportBatchItemFailures --bisect-batch-on-function-error \\",
                ),
                String::from("    --batch-size 500 --maximum-batching-window-in-seconds 1"),
            ]);
        }
        if !is_new_function {
            lines.push(format!("  aws lambda delete-function-concurrency --function-name {function}"));
        }
        lines.push(String::from("  (with SAM: change StartingPosition and the event's logical name, and deploy)"));
        lines
    }
}
