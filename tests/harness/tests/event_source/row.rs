//! A row of the suite: a rule, where it is known from, and its proof.

use std::pin::Pin;

/// Where a rule is known from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Source {
    /// AWS's documentation: a page below `https://docs.aws.amazon.com/lambda/latest/dg/`.
    Documented(&'static str),
    /// Seen on AWS by others, once or a few times, and written down by them; documented nowhere.
    Observed(&'static str),
    /// Neither: what the harness does is its own choice.
    Chosen,
}

/// LocalStack's snapshots of AWS's answers.
pub(crate) const LOCALSTACK: Source = Source::Observed("github.com/localstack/localstack");
/// The probes of stackd against AWS.
pub(crate) const STACKD: Source = Source::Observed("github.com/radkawar/stackd");

pub(crate) const PARAMETERS: Source = Source::Documented("services-kinesis-parameters.html");
pub(crate) const MAPPING: Source = Source::Documented("invocation-eventsourcemapping.html");
pub(crate) const KINESIS: Source = Source::Documented("with-kinesis.html");
pub(crate) const FILTERING: Source = Source::Documented("invocation-eventfiltering.html");
pub(crate) const REPORTING: Source = Source::Documented("services-kinesis-batchfailurereporting.html");
pub(crate) const FAILURES: Source = Source::Documented("kinesis-on-failure-destination.html");

/// A rule and its proof.
pub(crate) struct Row {
    pub(crate) area: &'static str,
    pub(crate) test: &'static str,
    pub(crate) rule: &'static str,
    pub(crate) source: Source,
    pub(crate) run: fn() -> Pin<Box<dyn Future<Output = ()>>>,
}

/// Rows of one area: each a test under its name, in virtual time, and a line of the table.
macro_rules! rows {
    ($area:literal; $($(#[doc = $rule:literal])+ $name:ident ($source:expr) $body:block)+) => {
        $(
            $(#[doc = $rule])+
            #[tokio::test(start_paused = true)]
            async fn $name() $body
        )+
        pub(crate) const ROWS: &[crate::row::Row] = &[$(
            crate::row::Row {
                area: $area,
                test: stringify!($name),
                rule: concat!($($rule),+),
                source: $source,
                run: || Box::pin(async $body),
            },
        )+];
    };
}
pub(crate) use rows;
