//! Clients of DynamoDB, wherever it is.

use std::net::SocketAddr;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Config, Credentials, Region};

use crate::error::Error;
use crate::template::REGION;

pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
pub(crate) const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);
/// Any of these means that the user has credentials in mind.
const CREDENTIALS: [&str; 3] = ["AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE"];

/// A client of an emulator of this process.
pub fn local(address: SocketAddr) -> Client {
    emulator(&format!("http://{address}"))
}

/// A client of what answers at `url`: with the environment's region and credentials, if there are any
/// or the URL is not one of this machine.
pub async fn at(url: &str) -> Result<Client, Error> {
    if is_emulator(url)? {
        return Ok(emulator(url));
    }
    let found = tidemill_aws::connect().await.dynamodb;
    let region = found.config().region().cloned().unwrap_or_else(|| Region::from_static(REGION));
    Ok(Client::from_conf(found.config().to_builder().region(region).endpoint_url(url).build()))
}

/// Whether what answers at `url` is one of this machine, and nothing in the environment is meant for it.
pub(crate) fn is_emulator(url: &str) -> Result<bool, Error> {
    let Some(host) = host(url) else {
        return Err(Error::Option(format!("--endpoint-url: `{url}` is no URL; one looks like http://127.0.0.1:4600")));
    };
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let here = matches!(host, "localhost" | "127.0.0.1" | "[::1]") && url.starts_with("http://");
    Ok(here && !CREDENTIALS.into_iter().any(set))
}

/// A client of AWS, as the environment says.
pub async fn aws() -> Client {
    tidemill_aws::connect().await.dynamodb
}

fn emulator(url: &str) -> Client {
    let timeouts =
        TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_attempt_timeout(ATTEMPT_TIMEOUT).build();
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

/// The host in `http://host:port/path`.
fn host(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"))?;
    let authority = rest.split('/').next().filter(|authority| !authority.is_empty())?;
    // A port has only digits; the colons of an IPv6 address stand in brackets.
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => Some(host),
        _ => Some(authority),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_told_from_ports_and_paths() {
        assert_eq!(host("http://127.0.0.1:4600"), Some("127.0.0.1"));
        assert_eq!(host("https://dynamodb.us-east-1.amazonaws.com/"), Some("dynamodb.us-east-1.amazonaws.com"));
        assert_eq!(host("http://[::1]:8000/x"), Some("[::1]"));
        for odd in ["127.0.0.1:4600", "", "http://", "ftp://x"] {
            assert_eq!(host(odd), None, "{odd}");
        }
    }
}
