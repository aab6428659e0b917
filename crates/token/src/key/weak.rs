//! Numbers that look like a key and protect nothing.

use super::unusable::UnusableKey;

const MIN_RSA_BITS: usize = 2048;
/// What aws-lc verifies with.
const MAX_RSA_BITS: usize = 8192;
const MAX_EXPONENT_BITS: usize = 33;

/// The odd primes for which the moduli of CVE-2017-15361 stand out.
const PRIMES: [u32; 38] = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97,
    101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];

/// K3, K5: an RSA key, as big-endian numbers without leading zeros.
pub(super) fn check_rsa(modulus: &[u8], exponent: &[u8]) -> Result<(), UnusableKey> {
    let bits = bits(modulus);
    if bits < MIN_RSA_BITS {
        return Err(UnusableKey::RsaTooShort { bits });
    }
    if bits > MAX_RSA_BITS {
        return Err(UnusableKey::RsaTooLong { bits });
    }
    let odd = |number: &[u8]| number.last().is_some_and(|byte| byte % 2 == 1);
    if !odd(exponent) || exponent == [1] || self::bits(exponent) > MAX_EXPONENT_BITS {
        return Err(UnusableKey::WeakExponent);
    }
    let small_factor = PRIMES.iter().any(|prime| modulo(modulus, *prime) == 0);
    if !odd(modulus) || small_factor || is_roca(modulus) {
        return Err(UnusableKey::WeakModulus);
    }
    Ok(())
}

fn bits(number: &[u8]) -> usize {
    let Some(first) = number.first() else {
        return 0;
    };
    number.len() * 8 - first.leading_zeros() as usize
}

fn modulo(number: &[u8], by: u32) -> u32 {
    number
        .iter()
        .fold(0, |rest, byte| (rest * 256 + u32::from(*byte)) % by)
}

/// Whether the modulus is of those that a widespread chip made and that can be
/// factored: modulo every small prime, both of its factors are powers of 65537.
/// One other modulus in some 100 million is alike.
fn is_roca(modulus: &[u8]) -> bool {
    PRIMES.iter().all(|prime| {
        let rest = modulo(modulus, *prime);
        let powers = std::iter::successors(Some(1), |power| Some(power * 65_537 % prime));
        let orbit = std::iter::once(1).chain(powers.skip(1).take_while(|power| *power != 1));
        orbit.into_iter().any(|power| power == rest)
    })
}

/// The heights (little-endian `y`, without the sign of `x`) of the points of
/// order 1, 2, 4 and 8.
const SMALL_ORDER: [[u8; 32]; 5] = [
    height(0x01, 0x00, 0x00),
    height(0xec, 0xff, 0x7f),
    height(0x00, 0x00, 0x00),
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
];

const fn height(first: u8, middle: u8, last: u8) -> [u8; 32] {
    let mut height = [middle; 32];
    height[0] = first;
    height[31] = last;
    height
}

/// K5: an Ed25519 key must be a point of the curve, in its one form, and not one
/// of those for which signatures can be made without a private key.
///
/// aws-lc looks at the point only when it verifies, and says no more than that the
/// signature is bad.
pub(super) fn check_ed25519(key: &[u8; 32]) -> Result<(), UnusableKey> {
    let mut height = *key;
    height[31] &= 0x7f;
    if SMALL_ORDER.contains(&height) {
        return Err(UnusableKey::SmallOrder);
    }
    let on_curve = Field::read(&height).is_some_and(Field::is_height_of_a_point);
    on_curve.then_some(()).ok_or(UnusableKey::OffCurve)
}

/// A number modulo 2^255 - 19, in 64-bit limbs, the lowest first. Public numbers
/// only: this takes its time as they come.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Field([u64; 4]);

impl Field {
    const ZERO: Self = Self([0; 4]);
    const ONE: Self = Self([1, 0, 0, 0]);
    const P: Self = Self([u64::MAX - 18, u64::MAX, u64::MAX, u64::MAX >> 1]);

    /// Reads 32 bytes, little-endian, if they are below the modulus.
    fn read(bytes: &[u8; 32]) -> Option<Self> {
        let (limbs, _) = bytes.as_chunks::<8>();
        let mut number = Self::ZERO;
        for (limb, bytes) in number.0.iter_mut().zip(limbs) {
            *limb = u64::from_le_bytes(*bytes);
        }
        (number.reduced() == number).then_some(number)
    }

    /// Whether the curve `-x^2 + y^2 = 1 - (121665/121666) x^2 y^2` has an `x` for
    /// this `y`: whether `(y^2 - 1) / (121665/121666 y^2 - 1)`, negated, is a square.
    fn is_height_of_a_point(self) -> bool {
        let y2 = self.times(self);
        let over = y2.minus(Self::ONE);
        let under = Self([121_666, 0, 0, 0]).minus(Self([121_665, 0, 0, 0]).times(y2));
        // A quotient is a square if the product is; 121666 makes up for the fraction.
        let product = over.times(under).times(Self([121_666, 0, 0, 0]));
        // Zero, of the points where `x` is 0, would be one too: they are of small order.
        product.to_half_of_order().reduced() == Self::ONE
    }

    /// To the power of `(p - 1) / 2 = 2^254 - 10`: 250 ones, then 0110.
    fn to_half_of_order(self) -> Self {
        let bits = std::iter::repeat_n(true, 250).chain([false, true, true, false]);
        bits.fold(Self::ONE, |power, bit| {
            let square = power.times(power);
            if bit { square.times(self) } else { square }
        })
    }

    fn times(self, other: Self) -> Self {
        let mut product = [0; 8];
        for (i, one) in self.0.into_iter().enumerate() {
            let mut carry = 0;
            for (j, other) in other.0.into_iter().enumerate() {
                (product[i + j], carry) = one.carrying_mul_add(other, product[i + j], carry);
            }
            product[i + 4] = carry;
        }
        // 2^256 is 38.
        let (low, high) = product.split_at(4);
        let mut folded = [0; 4];
        let mut carry = 0;
        for ((limb, low), high) in folded.iter_mut().zip(low).zip(high) {
            (*limb, carry) = high.carrying_mul_add(38, *low, carry);
        }
        Self(folded).plus_small(carry * 38)
    }

    fn plus_small(mut self, number: u64) -> Self {
        let mut carry = number;
        for limb in &mut self.0 {
            let (sum, over) = limb.overflowing_add(carry);
            (*limb, carry) = (sum, u64::from(over));
        }
        // After an overflow there is room for 38 in the lowest limb.
        self.0[0] += carry * 38;
        self
    }

    /// The difference of two numbers, of which the second may be up to 2^256.
    fn minus(self, other: Self) -> Self {
        // The negative of a number is what -1 makes of it.
        let minus_one = Self([Self::P.0[0] - 1, Self::P.0[1], Self::P.0[2], Self::P.0[3]]);
        let mut negative = other.times(minus_one).reduced();
        let mut carry = false;
        for (limb, other) in negative.0.iter_mut().zip(self.reduced().0) {
            (*limb, carry) = limb.carrying_add(other, carry);
        }
        negative
    }

    /// The same number below the modulus.
    fn reduced(self) -> Self {
        let mut number = self;
        loop {
            let mut borrow = false;
            let mut less = Self::ZERO;
            for ((less, limb), p) in less.0.iter_mut().zip(number.0).zip(Self::P.0) {
                (*less, borrow) = limb.borrowing_sub(p, borrow);
            }
            if borrow {
                return number;
            }
            number = less;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_over_2_to_the_256_keeps_its_rest() {
        // No point of a test is likely to come this far up.
        let most = Field([u64::MAX; 4]);

        assert!(most.plus_small(38).reduced() == Field([75, 0, 0, 0]));
    }
}
