//! Asking a store again when no answer comes.

use std::time::Duration;

use crate::{Deadline, StoreError};

/// How often a write without an answer is sent.
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(50);

/// Does what is to be acknowledged, again if no answer comes, while the deadline allows it.
pub(crate) async fn insist<T, F>(deadline: Deadline, write: impl Fn() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let mut attempt = 1;
    loop {
        match write().await {
            Err(StoreError::Unavailable { .. }) if attempt < ATTEMPTS && deadline.allows(PAUSE) => {
                tokio::time::sleep(PAUSE * attempt).await;
                attempt += 1;
            }
            answered => return answered,
        }
    }
}
