//! Q3: who sells in Oregon, Idaho or California in category 10, and what.
//!
//! ```sql
//! SELECT P.name, P.city, P.state, A.id
//! FROM auction AS A INNER JOIN person AS P ON A.seller = P.id
//! WHERE A.category = 10 AND (P.state = 'OR' OR P.state = 'ID' OR P.state = 'CA')
//! ```

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tidemill::{Json, Kinesis, Pipeline, PipelineError, Side};

use crate::event::{Event, OUT_OF_ORDER, Skipped};

#[derive(Clone, Deserialize, Serialize)]
struct Person {
    id: u64,
    name: String,
    city: String,
    state: String,
}

#[derive(Clone, Deserialize, Serialize)]
struct Auction {
    id: u64,
    seller: u64,
    category: u64,
}

#[derive(Serialize)]
struct Row {
    name: String,
    city: String,
    state: String,
    id: u64,
}

/// SQL joins over all time and keeps everything for ever. Here an auction finds a seller who registered within this time
/// before or after it.
const KEPT: Duration = Duration::from_hours(24);

type Entry = Side<Person, Auction>;

/// A person, or an auction, that the query is about.
fn entry(event: Event<Skipped, Auction, Person>) -> Option<Entry> {
    let person = event.person.filter(|person| ["OR", "ID", "CA"].contains(&person.state.as_str()));
    let auction = event.auction.filter(|auction| auction.category == 10);
    person.map(Side::Left).or(auction.map(Side::Right))
}

/// Sellers with their auctions of category 10, by the seller's state.
///
/// # Errors
/// None, as declared here.
pub fn q3() -> Result<Pipeline, PipelineError> {
    Pipeline::named("nexmark-q3")
        .source(Json::<Event<Skipped, Auction, Person>>::new())
        .event_time(|event| event.ts, OUT_OF_ORDER)
        .flat_map(entry)
        .key_by(|entry| match entry {
            Side::Left(person) => person.id,
            Side::Right(auction) => auction.seller,
        })
        .interval_join(|entry| Some(entry.clone()), KEPT, KEPT)
        .emit(|_, person, auction| Row {
            name: person.name.clone(),
            city: person.city.clone(),
            state: person.state.clone(),
            id: auction.id,
        })
        .to(Kinesis::stream("results"))
        .build()
}
