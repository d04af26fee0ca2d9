//! Names and types of a process function's state and side outputs, as constants.

use std::marker::PhantomData;
use std::time::Duration;

macro_rules! descriptor {
    ($(#[$doc:meta])* $name:ident<$($param:ident),+>) => {
        $(#[$doc])*
        pub struct $name<$($param),+> {
            pub(super) name: &'static str,
            pub(super) ttl: Option<Duration>,
            types: PhantomData<fn() -> ($($param,)+)>,
        }

        impl<$($param),+> $name<$($param),+> {
            /// With this name, under which it is stored: one of its own among all state of the function.
            pub const fn named(name: &'static str) -> Self {
                Self { name, ttl: None, types: PhantomData }
            }

            /// What is not written for this long in event time goes: when the watermark reaches the last write (the
            /// later of the event's time and the watermark then) and this.
            #[must_use]
            pub const fn ttl(self, ttl: Duration) -> Self {
                Self { ttl: Some(ttl), ..self }
            }
        }

        impl<$($param),+> Clone for $name<$($param),+> {
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<$($param),+> Copy for $name<$($param),+> {}
    };
}

descriptor!(
    /// One value a key: `const COUNT: Value<u64> = Value::named("count");`.
    Value<T>
);
descriptor!(
    /// A list a key, each element stored on its own. With a time to live each element goes on its own.
    List<T>
);
descriptor!(
    /// A map a key, each entry stored on its own. With a time to live each entry goes on its own. Its order is that of
    /// the keys' CBOR bytes.
    Map<Q, T>
);

/// A second output of a process function: `const QUIET: SideOutput<String> = SideOutput::named("quiet");`. The pipeline
/// says where it goes.
pub struct SideOutput<T> {
    pub(super) name: &'static str,
    values: PhantomData<fn() -> T>,
}

impl<T> SideOutput<T> {
    /// With this name, one of its own among the function's side outputs.
    pub const fn named(name: &'static str) -> Self {
        Self { name, values: PhantomData }
    }

    /// The name.
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

impl<T> Clone for SideOutput<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for SideOutput<T> {}
