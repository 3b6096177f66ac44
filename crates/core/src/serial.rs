//! Serial number arithmetic (RFC 1982), as types without `<`.

use core::fmt;

macro_rules! serial {
    ($(#[$doc:meta])* $name:ident, $int:ty, $bits:literal) => {
        $(#[$doc])*
        ///
        /// There is no `Ord`: order on a circle is not total. Ask [`precedes`](Self::precedes) instead. Of two numbers
        /// exactly half the circle apart neither precedes the other
        /// (RFC 1982 section 3.2 leaves that case undefined).
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
        pub struct $name(pub $int);

        impl $name {
            /// `self + n`, wrapping.
            #[must_use]
            #[inline]
            pub const fn plus(self, n: $int) -> Self {
                Self(self.0.wrapping_add(n))
            }

            /// `self - n`, wrapping.
            #[must_use]
            #[inline]
            pub const fn minus(self, n: $int) -> Self {
                Self(self.0.wrapping_sub(n))
            }

            /// The number after this one.
            #[must_use]
            #[inline]
            pub const fn next(self) -> Self {
                self.plus(1)
            }

            /// The number before this one.
            #[must_use]
            #[inline]
            pub const fn previous(self) -> Self {
                self.minus(1)
            }

            /// Whether `self` comes strictly before `other`: by less than half the circle (RFC 1982 section 3.2).
            #[must_use]
            #[inline]
            pub const fn precedes(self, other: Self) -> bool {
                let ahead = other.0.wrapping_sub(self.0);
                ahead != 0 && ahead < (1 << ($bits - 1))
            }

            /// Whether `self` comes strictly after `other`.
            #[must_use]
            #[inline]
            pub const fn follows(self, other: Self) -> bool {
                other.precedes(self)
            }

            /// `self` is `other` or comes before it.
            #[must_use]
            #[inline]
            pub const fn precedes_or_is(self, other: Self) -> bool {
                self.0 == other.0 || self.precedes(other)
            }

            /// `self` is `other` or comes after it.
            #[must_use]
            #[inline]
            pub const fn follows_or_is(self, other: Self) -> bool {
                other.precedes_or_is(self)
            }

            /// How many steps lead from `origin` forward to `self`, around the circle.
            #[must_use]
            #[inline]
            pub const fn since(self, origin: Self) -> $int {
                self.0.wrapping_sub(origin.0)
            }

            /// The later of the two.
            #[must_use]
            #[inline]
            pub const fn later(self, other: Self) -> Self {
                if self.precedes(other) { other } else { self }
            }
        }

        impl From<$int> for $name {
            fn from(n: $int) -> Self {
                Self(n)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}

serial!(
    /// A 16-bit serial number, such as an SCTP stream sequence number or a DTLS message sequence number.
    Serial16, u16, 16
);
serial!(
    /// A 32-bit serial number, such as an SCTP transmission sequence number.
    Serial32, u32, 32
);
