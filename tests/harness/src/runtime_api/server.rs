//! The server of the Runtime API.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use crate::emulators::listen;
use crate::error::Error;

use super::invocation::{FunctionError, Invocation, Reply};

/// Lambda takes responses up to 6 MB.
const MAX_RESPONSE: usize = 6 << 20;

/// Serves one process, until it is dropped.
pub struct RuntimeApi {
    address: SocketAddr,
    invocations: mpsc::Sender<Invocation>,
    init: watch::Receiver<Init>,
    _server: JoinSet<()>,
}

/// How far a process is with its initialisation.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Init {
    Running,
    Done,
    Failed(FunctionError),
}

/// What the handlers share.
struct Shared {
    function_arn: String,
    invocations: tokio::sync::Mutex<mpsc::Receiver<Invocation>>,
    in_flight: Mutex<Option<(String, oneshot::Sender<Reply>)>>,
    init: watch::Sender<Init>,
}

impl RuntimeApi {
    /// Starts serving for a process of the function `function_arn`.
    pub async fn start(function_arn: String) -> Result<Self, Error> {
        let (listener, address) = listen().await?;
        let (invocations, receiver) = mpsc::channel(1);
        let (init, initialised) = watch::channel(Init::Running);
        let shared = Arc::new(Shared {
            function_arn,
            invocations: tokio::sync::Mutex::new(receiver),
            in_flight: Mutex::default(),
            init,
        });
        let mut server = JoinSet::new();
        server.spawn(async move {
            // Accepting on loopback fails only with the process itself.
            let _ = axum::serve(listener, router(shared)).await;
        });
        Ok(Self { address, invocations, init: initialised, _server: server })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until the process asks for its first invocation, or says why it cannot.
    pub async fn initialised(&mut self) -> Result<(), FunctionError> {
        match self.init.wait_for(|init| *init != Init::Running).await.as_deref() {
            Ok(Init::Failed(error)) => Err(error.clone()),
            _ => Ok(()),
        }
    }

    /// Queues an invocation for the process.
    pub async fn hand_out(&self, invocation: Invocation) {
        // The receiver lives as long as the server, and that as long as this.
        let _ = self.invocations.send(invocation).await;
    }
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
        .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
        .route("/2018-06-01/runtime/init/error", post(init_error))
        .layer(DefaultBodyLimit::max(MAX_RESPONSE))
        .with_state(shared)
}

async fn next(State(shared): State<Arc<Shared>>) -> Response {
    shared.init.send_if_modified(|init| {
        let first = *init == Init::Running;
        if first {
            *init = Init::Done;
        }
        first
    });
    let Some(invocation) = shared.invocations.lock().await.recv().await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let Invocation { request, deadline, reply } = invocation;
    let headers = [
        ("lambda-runtime-aws-request-id", request.id.clone()),
        ("lambda-runtime-deadline-ms", millis(deadline).to_string()),
        ("lambda-runtime-invoked-function-arn", shared.function_arn.clone()),
        ("content-type", String::from("application/json")),
    ];
    *shared.in_flight() = Some((request.id, reply));
    (headers, request.event).into_response()
}

async fn response(State(shared): State<Arc<Shared>>, Path(id): Path<String>, body: Bytes) -> StatusCode {
    shared.reply(&id, Reply::Response(body))
}

async fn error(State(shared): State<Arc<Shared>>, Path(id): Path<String>, body: Bytes) -> StatusCode {
    shared.reply(&id, Reply::Error(FunctionError::read(&body)))
}

async fn init_error(State(shared): State<Arc<Shared>>, body: Bytes) -> StatusCode {
    shared.init.send_replace(Init::Failed(FunctionError::read(&body)));
    StatusCode::ACCEPTED
}

impl Shared {
    fn reply(&self, id: &str, reply: Reply) -> StatusCode {
        let taken = self.in_flight().take_if(|(expected, _)| expected == id);
        match taken {
            Some((_, sender)) => {
                // Nobody listens any more if the invocation was given up.
                let _ = sender.send(reply);
                StatusCode::ACCEPTED
            }
            None => StatusCode::BAD_REQUEST,
        }
    }

    fn in_flight(&self) -> MutexGuard<'_, Option<(String, oneshot::Sender<Reply>)>> {
        self.in_flight.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn millis(time: SystemTime) -> u128 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis())
}
