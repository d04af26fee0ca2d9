//! What is deployed on AWS, by the same rules: an account's functions with variables of tidemill's, their event sources,
//! streams, tables and roles. Nothing is changed.

mod judge;
mod read;
mod signed;

use crate::error::Error;

use super::Diagnosis;

pub use read::Deployed;

/// Reads the functions of the account and region that the environment names, all that have a variable of tidemill's or
/// those alone that are `named`, and says what is wrong with each.
///
/// # Errors
/// No credentials or no region, a name that is no function with such variables, a request that is refused or not answered.
/// What may not be looked at beside the functions and their event sources is a warning.
pub async fn examine_deployed(named: &[String]) -> Result<(Vec<Deployed>, Vec<Diagnosis>), Error> {
    let account = signed::Account::of_environment().await?;
    let deployed = read::functions(&account, named).await?;
    let found = deployed.iter().flat_map(judge::judge).collect();
    Ok((deployed, found))
}
