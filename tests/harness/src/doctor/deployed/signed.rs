//! Signed requests to AWS. The SDKs of Lambda and IAM would take a clean build half a minute more, for six requests.

use std::time::{Duration, SystemTime};

use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::provider::ProvideCredentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use axum::body::to_bytes;
use serde_json::Value;

use crate::error::Error;

const TIMEOUT: Duration = Duration::from_secs(20);
/// The longest answer that is read; a page of functions takes some hundred KB.
const MAX_ANSWER: usize = 32 << 20;

/// An account and region on AWS.
pub(super) struct Account {
    http: Connector,
    identity: Identity,
    region: String,
    /// In place of every service's own, as of `AWS_ENDPOINT_URL`.
    endpoint: Option<String>,
}

/// What is asked of a service.
pub(super) struct Ask<'a> {
    pub(super) service: &'a str,
    pub(super) method: &'a str,
    /// Path and query.
    pub(super) path: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
}

/// Why a request came to nothing.
#[derive(Debug)]
pub(super) enum Refused {
    /// The service says so: its status, and what it says.
    Answered(u16, String),
    /// It did not come as far as that.
    Failed(String),
}

impl Refused {
    /// In words, of what was asked.
    pub(super) fn to_error(&self, what: &str) -> Error {
        let why = match self {
            Self::Answered(status, why) => format!("{why} ({status})"),
            Self::Failed(why) => why.clone(),
        };
        Error::NotFound(format!("AWS does not tell {what}: {why}"))
    }

    /// Whether the thing asked for is not there.
    pub(super) fn is_absent(&self) -> bool {
        matches!(self, Self::Answered(status, why) if *status == 404 || why.contains("ResourceNotFoundException"))
    }
}

impl Account {
    /// The account whose credentials the environment has.
    pub(super) async fn of_environment() -> Result<Self, Error> {
        let tls = || Provider::Rustls(CryptoMode::Ring);
        let http = aws_smithy_http_client::Builder::new().tls_provider(tls()).build_https();
        let config = aws_config::defaults(BehaviorVersion::v2026_01_12()).http_client(http).load().await;
        let identity = identity(&config).await?;
        let Some(region) = config.region() else {
            return Err(Error::Option(String::from("which region? Set AWS_REGION, or give the profile one")));
        };
        Ok(Self {
            http: Connector::builder().tls_provider(tls()).build(),
            identity,
            region: region.to_string(),
            endpoint: config.endpoint_url().map(|url| url.trim_end_matches('/').to_owned()),
        })
    }

    /// Asks Lambda's REST interface.
    pub(super) async fn lambda(&self, path: impl Into<String>) -> Result<Value, Refused> {
        let (service, method) = ("lambda", "GET");
        let asked = Ask { service, method, path: path.into(), headers: Vec::new(), body: String::new() };
        parsed(&self.ask(&asked).await?)
    }

    /// Asks a service that takes JSON under a target.
    pub(super) async fn target(&self, service: &str, target: &str, body: &Value) -> Result<Value, Refused> {
        let version = if service == "dynamodb" { "1.0" } else { "1.1" };
        let headers =
            vec![("content-type", format!("application/x-amz-json-{version}")), ("x-amz-target", target.to_owned())];
        let (method, path) = ("POST", String::from("/"));
        parsed(&self.ask(&Ask { service, method, path, headers, body: body.to_string() }).await?)
    }

    /// Asks IAM, which takes a form and answers with XML.
    pub(super) async fn iam(&self, form: String) -> Result<String, Refused> {
        let headers = vec![("content-type", String::from("application/x-www-form-urlencoded"))];
        let (service, method, path) = ("iam", "POST", String::from("/"));
        self.ask(&Ask { service, method, path, headers, body: form }).await
    }

    async fn ask(&self, asked: &Ask<'_>) -> Result<String, Refused> {
        let request = self.request(asked).map_err(Refused::Failed)?;
        let answer = tokio::time::timeout(TIMEOUT, self.http.call(request)).await;
        let answer = answer.map_err(|_| Refused::Failed(format!("no answer within {} s", TIMEOUT.as_secs())))?;
        let answer = answer.map_err(|error| Refused::Failed(error.to_string()))?;
        let status = answer.status();
        let body = to_bytes(axum::body::Body::new(answer.into_body()), MAX_ANSWER).await;
        let body = body.map_err(|error| Refused::Failed(error.to_string()))?;
        let text = String::from_utf8_lossy(&body).into_owned();
        if status.is_success() { Ok(text) } else { Err(Refused::Answered(status.as_u16(), text)) }
    }

    fn request(&self, asked: &Ask<'_>) -> Result<HttpRequest, String> {
        let url = format!("{}{}", self.base(asked.service), asked.path);
        // IAM is one for all regions, and signed for this one.
        let region = if asked.service == "iam" { "us-east-1" } else { &self.region };
        let params = SigningParams::builder()
            .identity(&self.identity)
            .region(region)
            .name(asked.service)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| error.to_string())?
            .into();
        let headers = asked.headers.iter().map(|(name, value)| (*name, value.as_str()));
        let signable = SignableRequest::new(asked.method, &url, headers, SignableBody::Bytes(asked.body.as_bytes()));
        let signed = sign(signable.map_err(|error| error.to_string())?, &params).map_err(|error| error.to_string())?;
        let (instructions, _) = signed.into_parts();
        let mut request = HttpRequest::new(SdkBody::from(asked.body.as_str()));
        request.set_method(asked.method).map_err(|error| error.to_string())?;
        request.set_uri(url.as_str()).map_err(|error| error.to_string())?;
        for (name, value) in &asked.headers {
            request.headers_mut().insert(*name, value.clone());
        }
        for (name, value) in instructions.headers() {
            request.headers_mut().insert(name.to_owned(), value.to_owned());
        }
        Ok(request)
    }

    fn base(&self, service: &str) -> String {
        match &self.endpoint {
            Some(endpoint) => endpoint.clone(),
            None if service == "iam" => String::from("https://iam.amazonaws.com"),
            None => format!("https://{service}.{}.amazonaws.com", self.region),
        }
    }
}

async fn identity(config: &SdkConfig) -> Result<Identity, Error> {
    const ADVICE: &str = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";
    let Some(provider) = config.credentials_provider() else {
        return Err(Error::Option(format!("there are no credentials: {ADVICE}")));
    };
    let credentials = provider.provide_credentials().await;
    credentials
        .map(Identity::from)
        .map_err(|error| Error::Option(format!("there are no credentials ({error}): {ADVICE}")))
}

fn parsed(answer: &str) -> Result<Value, Refused> {
    answer.parse().map_err(|error| Refused::Failed(format!("the answer is no JSON: {error}")))
}
