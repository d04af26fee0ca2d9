//! The engine against a naive model (`naive`) that keeps all records and works everything out again from them.
//!
//! Random pipelines over random streams: few keys, times close together, so that records collide, come out of order, late
//! and damaged. What comes of each record must be the same, in the same order.

mod interval_join;
mod kept;
mod naive;
mod process;
mod restored;
mod shards;
mod stages;
mod streams;
mod window_joins;
mod windows;
mod wire;

use proptest::prelude::ProptestConfig;

/// A thousand cases; `PROPTEST_CASES` raises it.
fn cases() -> ProptestConfig {
    let asked = ProptestConfig::default();
    ProptestConfig { cases: asked.cases.max(1_000), ..asked }
}
