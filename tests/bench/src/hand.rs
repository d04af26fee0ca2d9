//! The same windows written by hand, without tidemill: what its figures are held against.
//!
//! A function as `lambda_runtime` and the events crate make it: the event is deserialised into owned types (through
//! `serde_path_to_error`, as the runtime does), payloads into a struct with only the fields used. Then either the batch
//! is folded and each key and window updated once, or each record updates its item. Neither counts exactly once: a batch
//! that Lambda sends again counts twice. Requests are made, not sent; their encoding and the network are left out here,
//! as they are for tidemill.

use std::collections::HashMap;

use aws_lambda_events::event::kinesis::KinesisEvent;
use aws_sdk_dynamodb::operation::update_item::UpdateItemInput;
use aws_sdk_dynamodb::types::AttributeValue;
use serde::Deserialize;

use crate::workload::{Query, Workload};

/// Keys and windows, each with the number of bids and the highest price.
type Totals = HashMap<(u64, i64), (u64, u64)>;

/// The function.
pub(crate) struct Function {
    folds: bool,
    /// How many windows a bid lies in.
    windows: i64,
    /// How far their starts are apart, milliseconds.
    slide: i64,
    /// Requests made.
    pub(crate) requests: u64,
}

#[derive(Deserialize)]
struct Event {
    ts: i64,
    bid: Option<Bid>,
}

#[derive(Deserialize)]
struct Bid {
    auction: u64,
    price: u64,
}

impl Function {
    /// Folds each batch first.
    ///
    /// # Panics
    /// For other workloads than W1 and W2: sessions take reading before writing.
    pub(crate) fn folding(workload: &Workload) -> Self {
        let (windows, slide) = match workload {
            Workload::Nexmark(Query::W1, _) => (1, 10_000),
            Workload::Nexmark(Query::W2, _) => (5, 2_000),
            other => panic!("{} is not written by hand: w1 and w2 are", other.name()),
        };
        Self { folds: true, windows, slide, requests: 0 }
    }

    /// Updates for each record.
    pub(crate) fn naive(workload: &Workload) -> Self {
        Self { folds: false, ..Self::folding(workload) }
    }

    pub(crate) fn take(&mut self, body: &[u8]) {
        let mut json = serde_json::Deserializer::from_slice(body);
        let event: KinesisEvent = serde_path_to_error::deserialize(&mut json).expect("a Kinesis event");
        let mut totals = Totals::new();
        for record in &event.records {
            let event: Event = serde_json::from_slice(&record.kinesis.data).expect("an event");
            let Some(bid) = event.bid else { continue };
            let last = event.ts - event.ts.rem_euclid(self.slide);
            for back in 0..self.windows {
                let window = last - back * self.slide;
                if self.folds {
                    let total = totals.entry((bid.auction, window)).or_default();
                    *total = (total.0 + 1, total.1.max(bid.price));
                } else {
                    self.update((bid.auction, window), (1, bid.price));
                }
            }
        }
        totals.into_iter().for_each(|(place, total)| self.update(place, total));
    }

    fn update(&mut self, (auction, window): (u64, i64), (count, price): (u64, u64)) {
        let number = |number: u64| AttributeValue::N(number.to_string());
        let request = UpdateItemInput::builder()
            .table_name("totals")
            .key("pk", AttributeValue::S(format!("{auction}/{window}")))
            .update_expression("SET price = :price ADD bids :count")
            .condition_expression("attribute_not_exists(price) OR price <= :price")
            .expression_attribute_values(":count", number(count))
            .expression_attribute_values(":price", number(price))
            .build();
        std::hint::black_box(request.expect("a request"));
        self.requests += 1;
    }
}
