//! The template's streams and tables at one fixed address, for any client: `cargo lambda`, the AWS
//! CLI, any SDK.
//!
//! Tables lie in a SQLite file and are as durable as it is. Streams live in memory and are written to a
//! file when the server ends; one that is killed forgets the records that came since it began.

mod account;
mod exports;

use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use crate::emulators::{Emulators, Front, Meter, Usage, listen_on};
use crate::environment::KillSwitch;
use crate::error::Error;
use crate::findings::{Finding, Findings};
use crate::kept::{Account, Kept, Label};
use crate::template::{Given, Template};

pub use exports::Exports;

/// The file that says where a server listens.
const ADDRESS: &str = "address";

/// What to serve, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The template; the nearest one if `None`.
    pub template: Option<PathBuf>,
    /// The port; 0 is one of the system's choice.
    pub port: u16,
    /// Begins with nothing, whatever was kept.
    pub fresh: bool,
    /// Whose variables to export; all functions' if `None`.
    pub function: Option<String>,
}

/// An account that is up, until this is [ended](Self::end).
pub struct Serving {
    /// Where it listens.
    pub address: SocketAddr,
    /// What a client needs in its environment.
    pub exports: Exports,
    /// Doubts about the template and about what was kept.
    pub warnings: Vec<Finding>,
    /// What the template says of streams, tables and functions.
    pub template: Template,
    /// What each function is given.
    pub functions: Vec<Given>,
    /// Where the data lies.
    pub account: Account,
    emulators: Arc<Emulators>,
    meter: Arc<Meter>,
    front: Front,
    _lock: File,
}

/// Brings the account up.
pub async fn start(options: &Options) -> Result<Serving, Error> {
    let here = std::env::current_dir().map_err(|source| Error::system("tell the current folder", source))?;
    let path = Template::locate(options.template.as_deref(), &here)?;
    let mut findings = Findings::default();
    let template = Template::load(&path, &mut findings)?;
    let functions = template.as_ref().map_or(Vec::new(), |template| template.given(&mut findings));
    let Some(template) = template else {
        // A file that is no template has at least one problem.
        return Err(findings.into_warnings().map_or_else(|error| error, Error::Invalid));
    };
    let exports = Exports::of(&template, &functions, options.function.as_deref(), &mut findings)?;
    let mut warnings = findings.into_warnings()?;

    let (listener, address) = listen_on(options.port).await?;
    let kept = Kept::beside(template.folder());
    let (account, lock) = account::claim(&kept, options.fresh)?;
    let (emulators, differences) = account::open(&account, &template).await?;
    warnings.extend(differences);
    let exports = exports.at(address);
    account::write(&account.file("env"), &exports.script())?;
    account::write(&account.file(ADDRESS), &address.to_string())?;
    account.set_label(&label(&functions))?;
    let meter = Arc::new(Meter::default());
    let front = Front::on(listener, address, &emulators, Arc::clone(&meter), Arc::new(KillSwitch::default()));
    let _lock = lock;
    let emulators = Arc::new(emulators);
    Ok(Serving { address, exports, warnings, template, functions, account, emulators, meter, front, _lock })
}

/// Where the server of a template's account listens, if one runs.
pub fn running(kept: &Kept) -> Option<SocketAddr> {
    let account = kept.serve();
    let address = std::fs::read_to_string(account.file(ADDRESS)).ok()?.parse().ok()?;
    account::is_claimed(&account).then_some(address)
}

impl Serving {
    /// The account, for functions that run in it.
    pub(crate) fn emulators(&self) -> Arc<Emulators> {
        Arc::clone(&self.emulators)
    }

    /// Takes the account down and keeps what is in it; says what was asked of it meanwhile.
    pub async fn end(self) -> Result<Usage, Error> {
        drop(self.front);
        self.emulators.kinesis.save(&account::streams(&self.account)).await?;
        // The newest from now on: what it holds may have changed until now.
        self.account.set_label(&label(&self.functions))?;
        Ok(self.meter.total())
    }
}

fn label(functions: &[Given]) -> Label {
    let mut journal_tables: Vec<String> =
        functions.iter().filter_map(Given::journal_table).map(str::to_owned).collect();
    journal_tables.sort();
    journal_tables.dedup();
    Label { made_by: String::from("cargo tidemill serve"), journal_tables }
}
