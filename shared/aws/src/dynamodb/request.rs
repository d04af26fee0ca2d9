//! One request: what it asks of which item, and what its failure means.

use std::error::Error;
use std::fmt;

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use tidemill_journal::StoreError;

use crate::fault::{Fault, Kind};

/// The environment variable that names the journal's table.
pub const TABLE_VARIABLE: &str = "TIDEMILL_JOURNAL_TABLE";

/// A call of the DynamoDB API and the permissions that it takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    name: &'static str,
    permissions: &'static str,
}

pub(super) const GET: Call = Call { name: "GetItem", permissions: "dynamodb:GetItem" };
pub(super) const QUERY: Call = Call { name: "Query", permissions: "dynamodb:Query" };
pub(super) const PUT: Call = Call { name: "PutItem", permissions: "dynamodb:PutItem" };
pub(super) const UPDATE: Call = Call { name: "UpdateItem", permissions: "dynamodb:UpdateItem" };
pub(super) const DELETE: Call = Call { name: "DeleteItem", permissions: "dynamodb:DeleteItem" };
pub(super) const TRANSACT: Call =
    Call { name: "TransactWriteItems", permissions: "dynamodb:PutItem and dynamodb:ConditionCheckItem" };

/// What is asked of which item, for messages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request<'a> {
    pub(super) call: Call,
    pub(super) table: &'a str,
    pub(super) pk: &'a str,
    pub(super) sk: &'a str,
}

impl fmt::Display for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of item `{}` `{}` in table `{}`", self.call.name, self.pk, self.sk, self.table)
    }
}

impl Request<'_> {
    /// What the failure means for the journal.
    pub(super) fn failed<E>(&self, error: &SdkError<E, HttpResponse>) -> StoreError
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let Fault { kind, text } = Fault::of(error);
        let fix = match kind {
            Kind::Passing => return self.unavailable(text),
            Kind::Absent => format!(
                "there is no table `{}` in this account and region, or it is not active yet. Create it, or correct \
                 {TABLE_VARIABLE}",
                self.table
            ),
            Kind::Denied => format!("allow the function's role {} on the table", self.call.permissions),
            Kind::Untrusted => "correct the credentials of this process".to_owned(),
            Kind::Rejected => "the same request will never succeed".to_owned(),
        };
        self.refused(format!("{text}: {fix}"))
    }

    pub(super) fn refused(&self, why: impl Into<String>) -> StoreError {
        StoreError::Refused { what: self.to_string(), why: why.into() }
    }

    pub(super) fn unavailable(&self, why: impl Into<String>) -> StoreError {
        StoreError::Unavailable { what: self.to_string(), why: why.into() }
    }
}
