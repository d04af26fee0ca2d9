//! The queries, a file each. Where an SQL query updates its result, the last one per key counts.

mod allowed;
mod day;
mod q11;
mod q15;
mod q16;
mod q17;
mod q18;
mod q19;
mod q2;
mod q20;
mod q3;
mod q8;
mod q9;
mod w1;
mod w2;
mod w3;
mod w4;
mod whole_bid;

pub use allowed::{allowed_hop, allowed_session, allowed_tumble};
pub use q2::q2;
pub use q3::q3;
pub use q8::q8;
pub use q9::q9;
pub use q11::q11;
pub use q15::q15;
pub use q16::q16;
pub use q17::q17;
pub use q18::q18;
pub use q19::q19;
pub use q20::q20;
pub use w1::w1;
pub use w2::w2;
pub use w3::w3;
pub use w4::w4;
