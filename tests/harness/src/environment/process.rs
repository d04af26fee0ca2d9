//! One environment: starting its process, invoking it, ending it.

use std::env::consts::ARCH;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use std::{fmt, io};

use bytes::Bytes;
use tokio::process::{Child, Command};
use tokio::sync::oneshot;

use crate::emulators::{Emulators, Front, Meter};
use crate::error::Error;
use crate::progress::Progress;
use crate::runtime_api::{FunctionError, Invocation, Reply, Request, RuntimeApi};
use crate::template::{Code, Function, REGION, function_arn};

use super::freeze::{freeze, thaw};
use super::kill_switch::{Kill, KillKind, KillSwitch, STALL};
use super::log::Log;
use super::{cpu, memory};

/// What Lambda gives a process to start.
const INIT_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a running process's CPU time is looked at: one that crashes takes its last look's
/// remainder with it.
const CPU_SAMPLING: Duration = Duration::from_millis(50);
/// What a process inherits from the harness; everything else comes from the template.
const INHERITED: [&str; 6] = ["PATH", "HOME", "TMPDIR", "LANG", "RUST_BACKTRACE", LOG_LEVEL];
const LOG_LEVEL: &str = "TIDEMILL_LOG";
/// Lets a function take an end of its input.
const ALLOW_DRAIN: &str = "TIDEMILL_ALLOW_DRAIN";
/// `ENOEXEC` of Linux and macOS.
const NO_PROGRAM_HERE: i32 = 8;

/// A function as deployed into the emulated account: all that its environments share.
pub struct Deployment {
    /// The function.
    pub function: Function,
    /// Its binary.
    pub executable: PathBuf,
    /// The template's folder.
    pub folder: PathBuf,
    /// The account.
    pub emulators: Arc<Emulators>,
    /// Counts what its processes ask of the account.
    pub meter: Arc<Meter>,
    /// Where its log goes if the user asked for it.
    pub progress: Arc<dyn Progress>,
    /// How many processes were started.
    pub started: AtomicU64,
    /// How long the longest invocation took, in milliseconds.
    pub longest_ms: AtomicU64,
    /// Whether a process whose time is up goes on for a while.
    pub zombies: bool,
    /// What was seen of its processes.
    pub observed: Observed,
    /// CPU time of the processes that ended; unknown once one's is unknown.
    pub cpu: Mutex<Option<Duration>>,
}

impl Deployment {
    /// That a process had more memory than Lambda would have given it, in words for the user.
    pub fn beyond_memory(&self) -> Option<String> {
        let Function { id, memory, .. } = &self.function;
        let peak = self.observed.peak_memory.load(Ordering::Relaxed) >> 20;
        (peak > u64::from(*memory)).then(|| {
            format!(
                "`{id}` had {peak} MB of memory, and its MemorySize is {memory} MB: Lambda would have ended it. Raise \
                 MemorySize, or keep less state in a shard"
            )
        })
    }
}

/// What was seen of a function's processes.
#[derive(Debug, Default)]
pub struct Observed {
    /// How long the longest initialisation took, in milliseconds.
    pub longest_init_ms: AtomicU64,
    /// The most memory that one of them had, in bytes; 0 where the system does not tell.
    pub peak_memory: AtomicU64,
}

/// A process that takes one invocation at a time.
pub struct Environment {
    deployment: Arc<Deployment>,
    switch: Arc<KillSwitch>,
    api: RuntimeApi,
    _front: Front,
    process: Child,
    log: Log,
    cpu: Option<Duration>,
    cpu_seen: Instant,
    invocations: u32,
}

/// What came of an invocation.
#[derive(Debug)]
pub enum Outcome {
    /// The function answered.
    Response(Bytes),
    /// The function, or its process, failed.
    Failed(Failure, Vec<String>),
    /// The harness killed the process, as planned.
    Killed(KillKind),
    /// It was not invoked: the function had no concurrency left.
    Throttled,
    /// The function answered, and its answer was lost, as planned.
    Lost,
}

/// How a function failed.
#[derive(Debug)]
pub enum Failure {
    /// It reported an error.
    Error(FunctionError),
    /// Its process ended.
    Exited(ExitStatus),
    /// It took longer than its `Timeout`.
    TimedOut(Duration),
    /// Its process did not get as far as asking for an invocation.
    NotStarted(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) => error.fmt(f),
            Self::Exited(status) => write!(f, "the process ended ({status})"),
            Self::TimedOut(timeout) => write!(f, "no answer within its Timeout of {} s", timeout.as_secs()),
            Self::NotStarted(why) => write!(f, "the process did not start: {why}"),
        }
    }
}

impl Outcome {
    /// Whether the process takes the next invocation.
    pub(super) fn survived(&self) -> bool {
        matches!(self, Self::Response(_) | Self::Lost | Self::Failed(Failure::Error(_), _))
    }
}

impl Environment {
    /// Starts a process and waits until it asks for its first invocation. The inner error is the
    /// function's, with the end of its log.
    pub async fn start(deployment: &Arc<Deployment>) -> Result<Result<Self, (Failure, Vec<String>)>, Error> {
        let function = &deployment.function;
        let switch = Arc::new(KillSwitch::default());
        let api = RuntimeApi::start(function_arn(&function.name)).await?;
        let meter = Arc::clone(&deployment.meter);
        let front = Front::open(&deployment.emulators, meter, Arc::clone(&switch)).await?;
        let mut process =
            deployment.command(&api, &front).spawn().map_err(|source| not_started(&deployment.executable, source))?;
        let log = deployment.follow(&mut process);
        let mut environment = Self {
            deployment: Arc::clone(deployment),
            switch,
            api,
            _front: front,
            process,
            log,
            cpu: None,
            cpu_seen: Instant::now(),
            invocations: 0,
        };
        let begun = Instant::now();
        Ok(match environment.initialise().await {
            Ok(()) => {
                deployment.observed.longest_init_ms.fetch_max(millis(begun.elapsed()), Ordering::Relaxed);
                Ok(environment)
            }
            Err(failure) => Err((failure, environment.end().await)),
        })
    }

    async fn initialise(&mut self) -> Result<(), Failure> {
        let why = tokio::select! {
            initialised = self.api.initialised() => match initialised {
                Ok(()) => return Ok(()),
                Err(error) => error.to_string(),
            },
            status = self.process.wait() => match status {
                Ok(status) => format!("it ended ({status}) before it asked for an invocation"),
                Err(error) => error.to_string(),
            },
            () = tokio::time::sleep(INIT_TIMEOUT) => {
                format!("it did not ask for an invocation within {} s", INIT_TIMEOUT.as_secs())
            }
        };
        Err(Failure::NotStarted(why))
    }

    /// Hands out a request and waits for what comes of it. Kills that did not happen come back.
    pub async fn invoke(&mut self, request: &Request, kills: Vec<Kill>) -> (Outcome, Vec<Kill>) {
        let stalls = kills.iter().any(|kill| matches!(kill, Kill::Stalled(_)));
        let timeout = self.deployment.function.timeout;
        let timeout = if stalls { timeout.min(STALL) } else { timeout };
        let (reply, replied) = oneshot::channel();
        self.invocations += 1;
        self.switch.arm(kills);
        let begun = Instant::now();
        let deadline = SystemTime::now() + timeout;
        let request = request.clone();
        thaw(self.process.id());
        self.api.hand_out(Invocation { request, deadline, reply }).await;
        let outcome = tokio::select! {
            biased;
            kind = self.switch.fired() => Outcome::Killed(kind),
            reply = replied => self.replied(reply.ok()).await,
            status = self.process.wait() => Outcome::Failed(exited(status), Vec::new()),
            () = tokio::time::sleep(timeout) => Outcome::Failed(Failure::TimedOut(timeout), Vec::new()),
        };
        self.deployment.took(begun.elapsed());
        self.sample(CPU_SAMPLING);
        let unused = self.switch.disarm();
        // Asked when nothing can fire any more. A process that heard of its commit may answer before
        // it is killed. It dies all the same: its front passes nothing on any more.
        let outcome = self.switch.has_fired().map_or(outcome, Outcome::Killed);
        if outcome.survived() {
            freeze(self.process.id());
        }
        (outcome, unused)
    }

    /// How many it has had.
    pub(super) fn invocations(&self) -> u32 {
        self.invocations
    }

    async fn replied(&mut self, reply: Option<Reply>) -> Outcome {
        match reply {
            Some(Reply::Response(body)) => Outcome::Response(body),
            Some(Reply::Error(error)) => Outcome::Failed(Failure::Error(error), self.log.so_far()),
            // The server dropped the reply's channel: it ends only with the process.
            None => Outcome::Failed(exited(self.process.wait().await), Vec::new()),
        }
    }

    fn sample(&mut self, at_most_every: Duration) {
        if self.cpu.is_none() || self.cpu_seen.elapsed() >= at_most_every {
            self.cpu_seen = Instant::now();
            self.cpu = self.process.id().and_then(cpu::used).or(self.cpu);
            let peak = self.process.id().and_then(memory::peak).unwrap_or_default();
            self.deployment.observed.peak_memory.fetch_max(peak, Ordering::Relaxed);
        }
    }

    /// Kills the process if it still runs, waits until it is gone, and returns the end of its log.
    pub async fn end(mut self) -> Vec<String> {
        self.sample(Duration::ZERO);
        // Fails only for a process that has ended.
        let _ = self.process.kill().await;
        self.deployment.add_cpu(self.cpu);
        self.log.tail().await
    }
}

/// An executable of another kind of machine is a common mistake: templates say arm64, laptops are not.
fn not_started(executable: &Path, source: io::Error) -> Error {
    let executable = executable.display();
    if source.raw_os_error() == Some(NO_PROGRAM_HERE) {
        return Error::Option(format!(
            "cannot start {executable}: it is no program of this machine ({ARCH}). Build it for this one: `cargo lambda \
             build` without --arm64 or --target"
        ));
    }
    Error::system(format!("start {executable}"), source)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn exited(status: io::Result<ExitStatus>) -> Failure {
    match status {
        Ok(status) => Failure::Exited(status),
        Err(error) => Failure::NotStarted(error.to_string()),
    }
}

/// Whether a variable is one of those that [`Deployment`] sets for every process.
pub(crate) fn is_set_by_harness(variable: &str) -> bool {
    const PREFIXES: [&str; 3] = ["AWS_LAMBDA_", "AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_"];
    const NAMES: [&str; 8] = [
        "LAMBDA_TASK_ROOT",
        "_HANDLER",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        ALLOW_DRAIN,
    ];
    NAMES.contains(&variable) || PREFIXES.iter().any(|prefix| variable.starts_with(prefix))
}

impl Deployment {
    /// CPU time of all processes that have ended.
    pub(super) fn cpu(&self) -> Option<Duration> {
        *self.cpu.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn took(&self, time: Duration) {
        self.longest_ms.fetch_max(millis(time), Ordering::Relaxed);
        self.meter.invoked(time);
    }

    fn add_cpu(&self, of_one: Option<Duration>) {
        let mut total = self.cpu.lock().unwrap_or_else(PoisonError::into_inner);
        *total = total.zip(of_one).map(|(total, of_one)| total + of_one);
    }

    fn command(&self, api: &RuntimeApi, front: &Front) -> Command {
        let mut command = Command::new(&self.executable);
        command
            .env_clear()
            .envs(&self.function.variables)
            .envs(self.runtime_variables(api, front))
            .envs(INHERITED.iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
            .current_dir(self.task_root())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Where its processes run: where a program's other files lie, as on Lambda; else beside the template.
    fn task_root(&self) -> &Path {
        match &self.function.code {
            Code::Bootstrap(program) => program.parent().unwrap_or(&self.folder),
            Code::Binary(_) => &self.folder,
        }
    }

    /// What Lambda sets, the way to the emulated account, and leave to end the input.
    fn runtime_variables(&self, api: &RuntimeApi, front: &Front) -> Vec<(&'static str, String)> {
        let name = &self.function.name;
        let number = self.started.fetch_add(1, Ordering::Relaxed) + 1;
        let endpoint = format!("http://{}", front.address());
        vec![
            ("AWS_LAMBDA_RUNTIME_API", api.address().to_string()),
            ("AWS_LAMBDA_FUNCTION_NAME", name.clone()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", self.function.memory.to_string()),
            ("AWS_LAMBDA_FUNCTION_VERSION", String::from("$LATEST")),
            ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{name}")),
            ("AWS_LAMBDA_LOG_STREAM_NAME", format!("local/[$LATEST]{number}")),
            ("LAMBDA_TASK_ROOT", self.task_root().display().to_string()),
            ("_HANDLER", self.function.handler.clone()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_DEFAULT_REGION", REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", String::from("local")),
            ("AWS_SECRET_ACCESS_KEY", String::from("local")),
            // Whatever the user has set up for AWS has no say here.
            ("AWS_CONFIG_FILE", String::from("/dev/null")),
            ("AWS_SHARED_CREDENTIALS_FILE", String::from("/dev/null")),
            ("AWS_ENDPOINT_URL_DYNAMODB", endpoint.clone()),
            ("AWS_ENDPOINT_URL_SQS", endpoint.clone()),
            ("AWS_ENDPOINT_URL_KINESIS", endpoint),
            (ALLOW_DRAIN, String::from("1")),
        ]
    }

    /// Follows both outputs; shows them if the user set the log level.
    fn follow(&self, process: &mut Child) -> Log {
        let echo = || std::env::var_os(LOG_LEVEL).map(|_| Arc::clone(&self.progress));
        let mut log = Log::new();
        if let Some(output) = process.stdout.take() {
            log.follow(output, echo());
        }
        if let Some(output) = process.stderr.take() {
            log.follow(output, echo());
        }
        log
    }
}
