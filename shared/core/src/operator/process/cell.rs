//! What is stored of a process function's state.

use ciborium::Value;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{Corrupt, EventTime, Reason, Reject};

/// A value, an element, an entry or a timer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProcessCell {
    /// The content, self-describing; null of a timer.
    #[serde(rename = "v", default = "null", skip_serializing_if = "Value::is_null")]
    value: Value,
    /// When it goes: W ≥ this.
    #[serde(rename = "x", default, skip_serializing_if = "Option::is_none")]
    pub(super) expires: Option<EventTime>,
    /// Of a timer: how many timers, each set by the one before for an instant that was over, lie before it.
    #[serde(rename = "d", default, skip_serializing_if = "is_zero")]
    pub(super) depth: u32,
}

impl ProcessCell {
    pub(super) fn holding<T: Serialize>(value: &T, expires: Option<EventTime>) -> Result<Self, Reject> {
        let value = Value::serialized(value)
            .map_err(|e| Reject::new(Reason::Failed, format!("state cannot be encoded: {e}")))?;
        Ok(Self { value, expires, depth: 0 })
    }

    pub(super) const fn timer(depth: u32) -> Self {
        Self { value: Value::Null, expires: None, depth }
    }

    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, Reject> {
        let wrong = |e| Corrupt(format!("no {}: {e}", std::any::type_name::<T>())).to_string();
        self.value.deserialized().map_err(|e| Reject::new(Reason::Failed, wrong(e)))
    }
}

const fn null() -> Value {
    Value::Null
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_zero(depth: &u32) -> bool {
    *depth == 0
}
