//! What AWS charges: list prices of us-east-1 as of September 2026, without free tiers, volume discounts and taxes.
//!
//! One table, so that it is looked through as a whole when prices change. Prices are in US dollars.

use serde::Serialize;

/// When the prices were looked up.
pub const AS_OF: &str = "2026-09";
/// Where they hold.
pub const REGION: &str = "us-east-1";

/// One price.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Price {
    /// What is paid for.
    pub what: &'static str,
    /// US dollars for [`per`](Self::per).
    pub usd: f64,
    /// The quantity that they are for.
    pub per: &'static str,
    /// AWS's page of prices.
    pub page: &'static str,
    /// Where the figure was read, if not there: the pages are filled in by scripts.
    pub read_at: &'static str,
}

/// A Lambda request.
pub const REQUESTS: Price = Price {
    what: "Lambda requests",
    usd: 0.20,
    per: "million",
    page: "https://aws.amazon.com/lambda/pricing/",
    read_at: "https://cloudchipr.com/blog/aws-lambda-pricing",
};

/// Lambda's memory and time, of the first 7.5 billion GB-seconds a month on arm64.
pub const GB_SECONDS: Price = Price {
    what: "Lambda memory and time, arm64",
    usd: 13.3334,
    per: "million GB-seconds",
    page: "https://aws.amazon.com/lambda/pricing/",
    read_at: "https://aws.amazon.com/blogs/compute/introducing-tiered-pricing-for-aws-lambda/",
};

/// DynamoDB's writes, on demand.
pub const WRITES: Price = Price {
    what: "DynamoDB write units, on demand",
    usd: 0.625,
    per: "million",
    page: "https://aws.amazon.com/dynamodb/pricing/on-demand/",
    read_at: "https://airbyte.com/data-engineering-resources/dynamodb-pricing",
};

/// DynamoDB's reads, on demand.
pub const READS: Price = Price {
    what: "DynamoDB read units, on demand",
    usd: 0.125,
    per: "million",
    page: "https://aws.amazon.com/dynamodb/pricing/on-demand/",
    read_at: "https://airbyte.com/data-engineering-resources/dynamodb-pricing",
};

/// Records put on a provisioned stream, by pieces of 25 KB.
pub const PUTS: Price = Price {
    what: "Kinesis PUT payload units (25 KB)",
    usd: 0.014,
    per: "million",
    page: "https://aws.amazon.com/kinesis/data-streams/pricing/",
    read_at: "a digest of the price list of September 2026",
};

/// Managed Flink's processing units: 1 vCPU and 4 GB each.
pub const KPU_HOURS: Price = Price {
    what: "Managed Flink, KPU",
    usd: 0.11,
    per: "hour",
    page: "https://aws.amazon.com/managed-service-apache-flink/pricing/",
    read_at: "https://docs.aws.amazon.com/managed-flink/latest/java/how-pricing.html",
};

/// Managed Flink's storage of running applications.
pub const KPU_STORAGE: Price = Price {
    what: "Managed Flink, running storage",
    usd: 0.10,
    per: "GB and month",
    page: "https://aws.amazon.com/managed-service-apache-flink/pricing/",
    read_at: "https://docs.aws.amazon.com/managed-flink/latest/java/how-pricing.html",
};

/// All of them.
pub const ALL: [Price; 7] = [REQUESTS, GB_SECONDS, WRITES, READS, PUTS, KPU_HOURS, KPU_STORAGE];

/// Hours in a month, as AWS counts them.
pub const MONTH_HOURS: f64 = 730.0;

/// The smallest Managed Flink application for a month: one KPU that works, one that orchestrates, and the 50 GB of the
/// first.
pub const FLINK_MONTH: f64 = 2.0 * KPU_HOURS.usd * MONTH_HOURS + 50.0 * KPU_STORAGE.usd;

/// What so many of a price that is per million cost.
pub(super) fn of_millions(price: &Price, count: f64) -> f64 {
    price.usd * count / 1e6
}
