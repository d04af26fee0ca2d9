//! Which account a stream is looked for in.

use std::path::{Path, PathBuf};

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::config::retry::RetryConfig;
use aws_sdk_kinesis::config::timeout::TimeoutConfig;
use aws_sdk_kinesis::config::{BehaviorVersion, Config, Credentials, Region};

use crate::error::Error;
use crate::kept::Kept;
use crate::serve;
use crate::state::client;
use crate::template::{REGION, Template};

/// Which account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// That of the `serve` or `watch` that runs for the template.
    Running,
    /// Whatever answers at a URL.
    Endpoint(String),
    /// AWS, as the environment says.
    Aws,
}

/// The streams of an account.
#[derive(Debug, Clone)]
pub struct Streams {
    /// Where they are, in words.
    pub from: String,
    /// Whether they are emulated, so that a read costs nothing and is not limited.
    pub(super) local: bool,
    pub(super) client: Client,
}

impl Streams {
    /// Reaches the account. Nothing is sent to it yet.
    pub async fn open(place: &Place, template: Option<&Path>) -> Result<Self, Error> {
        match place {
            Place::Running => {
                let url = running(template)?;
                Ok(Self { from: format!("what runs at {url}"), local: true, client: emulator(&url) })
            }
            Place::Endpoint(url) if client::is_emulator(url)? => {
                Ok(Self { from: url.clone(), local: true, client: emulator(url) })
            }
            Place::Endpoint(url) => {
                let found = tidemill_aws::connect().await.kinesis;
                let region = found.config().region().cloned().unwrap_or_else(|| Region::from_static(REGION));
                let config = found.config().to_builder().region(region).endpoint_url(url).build();
                Ok(Self { from: url.clone(), local: false, client: Client::from_conf(config) })
            }
            Place::Aws => {
                let client = tidemill_aws::connect().await.kinesis;
                Ok(Self { from: String::from("AWS"), local: false, client })
            }
        }
    }

    /// The names of all streams.
    pub async fn names(&self) -> Result<Vec<String>, Error> {
        let mut names = Vec::new();
        let mut pages = self.client.list_streams().into_paginator().send();
        while let Some(page) = pages.next().await {
            names.extend(page.map_err(|error| self.failed("list the streams", &error))?.stream_names);
        }
        Ok(names)
    }

    /// What a request came to, in words.
    pub(super) fn failed<E: std::error::Error>(&self, what: &str, error: &E) -> Error {
        let from = &self.from;
        let hint = match self.local {
            true => "is it up? `cargo tidemill serve` or `cargo tidemill watch` brings the template's streams up",
            false => "account, region and credentials are the environment's (AWS_PROFILE, AWS_REGION, …)",
        };
        Error::NotFound(format!("cannot {what} in {from}: {}\n{hint}", causes(error)))
    }
}

/// An error with all that caused it: the SDK's own words say less than its causes.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        text = format!("{text}: {deeper}");
        cause = deeper.source();
    }
    text
}

/// The URL of the server that runs for a template.
fn running(template: Option<&Path>) -> Result<String, Error> {
    let here = std::env::current_dir().map_err(|source| Error::system("tell the current folder", source))?;
    let template: PathBuf = Template::locate(template, &here)?;
    let kept = Kept::beside(template.parent().unwrap_or(&here));
    let address = serve::running(&kept).ok_or_else(|| {
        Error::NotFound(String::from(
            "nothing runs here: start `cargo tidemill watch` or `cargo tidemill serve` in another terminal, or give \
             --endpoint-url URL or --aws",
        ))
    })?;
    Ok(format!("http://{address}"))
}

fn emulator(url: &str) -> Client {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(client::CONNECT_TIMEOUT)
        .operation_attempt_timeout(client::ATTEMPT_TIMEOUT)
        .build();
    let config = Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .retry_config(RetryConfig::standard().with_max_attempts(2))
        .timeout_config(timeouts)
        .region(Region::from_static(REGION))
        .credentials_provider(Credentials::new("local", "local", None, None, "local"))
        .endpoint_url(url);
    Client::from_conf(config.build())
}
