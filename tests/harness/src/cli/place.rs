//! Options that say which account a command works on.

use clap::Args;

use crate::streams::Place;

/// Which account.
#[derive(Debug, Clone, Args)]
pub(super) struct PlaceArguments {
    /// Whatever answers at this URL [default: the `watch` or `serve` that runs for the template]
    #[arg(long, value_name = "URL", group = "account", help_heading = "Where")]
    endpoint_url: Option<String>,

    /// AWS: account, region and credentials as in the environment
    #[arg(long, group = "account", help_heading = "Where")]
    aws: bool,
}

impl PlaceArguments {
    pub(super) fn place(&self) -> Place {
        match &self.endpoint_url {
            Some(url) => Place::Endpoint(url.clone()),
            None if self.aws => Place::Aws,
            None => Place::Running,
        }
    }
}
