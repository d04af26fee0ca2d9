//! The order of values in min, max, top and distinct.

use std::cmp::Ordering;

use serde::de::{Deserialize, DeserializeOwned, Deserializer};
use serde::{Serialize, Serializer};

use crate::EventTime;

/// A total order for min, max, top and distinct. Floats are ordered by `total_cmp`, so NaN lies above infinity, a
/// negative NaN below minus infinity and -0.0 below 0.0; tuples by their first element, then by the next.
///
/// A type of your own must not be stored as `null`, as `Option` is: state keeps that for "no value yet".
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no total order for min, max, top and distinct",
    note = "return an integer, a float, bool, String, EventTime, a tuple of up to four of these, or implement `Rank`; \
            of an Option: `over.min(|e| e.price.unwrap_or_default()).when(|e| e.price.is_some())`"
)]
pub trait Rank: Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The type of value, in the operator's fingerprint. Choose it once.
    fn name() -> String;

    /// The order of both.
    fn rank(&self, other: &Self) -> Ordering;
}

macro_rules! ranks {
    ($compare:ident: $($type:ident $name:literal),*) => {$(
        impl Rank for $type {
            fn name() -> String {
                $name.to_owned()
            }

            fn rank(&self, other: &Self) -> Ordering {
                self.$compare(other)
            }
        }
    )*};
}
ranks!(cmp: bool "bool", u8 "u8", u16 "u16", u32 "u32", u64 "u64", i8 "i8", i16 "i16", i32 "i32", i64 "i64");
ranks!(cmp: String "string", EventTime "time");
ranks!(total_cmp: f32 "f32", f64 "f64");

macro_rules! tuple_ranks {
    ($(($($name:ident $index:tt),+))+) => {$(
        impl<$($name: Rank),+> Rank for ($($name,)+) {
            fn name() -> String {
                format!("({})", [$($name::name()),+].join(", "))
            }

            fn rank(&self, other: &Self) -> Ordering {
                Ordering::Equal$(.then_with(|| self.$index.rank(&other.$index)))+
            }
        }
    )+};
}
tuple_ranks! {
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
}

/// A value ordered by its [`Rank`]; encoded as the value alone.
#[derive(Clone, Debug)]
pub struct Ranked<V>(pub V);

impl<V: Rank> Ord for Ranked<V> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.rank(&other.0)
    }
}

impl<V: Rank> PartialOrd for Ranked<V> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<V: Rank> PartialEq for Ranked<V> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<V: Rank> Eq for Ranked<V> {}

impl<V: Serialize> Serialize for Ranked<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, V: DeserializeOwned> Deserialize<'de> for Ranked<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        V::deserialize(deserializer).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_and_tuples_have_a_total_order() {
        assert_eq!((-0.0).rank(&0.0), Ordering::Less);
        assert_eq!(f64::NAN.rank(&f64::INFINITY), Ordering::Greater);
        assert_eq!((1, "b".to_owned()).rank(&(1, "a".to_owned())), Ordering::Greater);
        assert_eq!((0, f64::NAN).rank(&(1, 0.0)), Ordering::Less);
        assert_eq!(<(u8, (f64, String))>::name(), "(u8, (f64, string))");
    }
}
