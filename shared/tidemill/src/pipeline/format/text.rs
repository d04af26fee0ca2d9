//! Text.

use tidemill_core::{Format, Reason, Reject};

use super::OwnedFormat;

/// Payloads are UTF-8 text.
#[derive(Clone, Copy, Debug, Default)]
pub struct Text;

impl Format for Text {
    type Event<'a> = String;

    fn decode(&self, payload: &[u8]) -> Result<String, Reject> {
        let text = std::str::from_utf8(payload);
        text.map(str::to_owned).map_err(|e| Reject::new(Reason::Undecodable, format!("no UTF-8 text: {e}")))
    }
}

impl OwnedFormat for Text {
    type Owned = String;
}
