//! Keccak-f\[1600\] (FIPS 202, 3.3) on as many states at once as a vector has lanes.

use pulp::x86::{V3, V4};
use pulp::{NullaryFnOnce, Simd};

/// Words of a state: word `x + 5 y` is the lane at (x, y).
pub(super) const WORDS: usize = 25;

/// Constants of the rounds, two by two: a round writes what the next one reads.
const ROUNDS: [[u64; 2]; 12] = [
    [0x0000_0000_0000_0001, 0x0000_0000_0000_8082],
    [0x8000_0000_0000_808a, 0x8000_0000_8000_8000],
    [0x0000_0000_0000_808b, 0x0000_0000_8000_0001],
    [0x8000_0000_8000_8081, 0x8000_0000_0000_8009],
    [0x0000_0000_0000_008a, 0x0000_0000_0000_0088],
    [0x0000_0000_8000_8009, 0x0000_0000_8000_000a],
    [0x0000_0000_8000_808b, 0x8000_0000_0000_008b],
    [0x8000_0000_0000_8089, 0x8000_0000_0000_8003],
    [0x8000_0000_0000_8002, 0x8000_0000_0000_0080],
    [0x0000_0000_0000_800a, 0x8000_0000_8000_000a],
    [0x8000_0000_8000_8081, 0x8000_0000_0000_8080],
    [0x0000_0000_8000_0001, 0x8000_0000_8000_8008],
];

/// Vector units that can rotate words, which `pulp` leaves to each.
pub(super) trait Units: Simd {
    /// Each word rotated to the left by the same number of bits, below 64.
    fn rotate(self, words: Self::u64s, bits: u64) -> Self::u64s;
}

/// One permutation of all states.
pub(super) struct Permutation<'a, U: Units> {
    pub(super) units: U,
    pub(super) states: &'a mut [U::u64s; WORDS],
}

// === impl Permutation ===

impl<U: Units> NullaryFnOnce for Permutation<'_, U> {
    type Output = ();

    // Whoever calls this has the units switched on, and only what is inlined there may use them.
    #[inline(always)]
    fn call(self) {
        let mut between = *self.states;
        for [even, odd] in ROUNDS {
            round(self.units, self.states, &mut between, even);
            round(self.units, &between, self.states, odd);
        }
    }
}

/// θ, ρ, π, χ and ι, plane by plane. Words are named by number, so that all of them stay in registers.
#[inline(always)]
fn round<U: Units>(units: U, a: &[U::u64s; WORDS], out: &mut [U::u64s; WORDS], constant: u64) {
    let xor = |a, b| units.xor_u64s(a, b);
    let parity = |[a, b, c, d, e]: [U::u64s; 5]| xor(xor(xor(a, b), xor(c, d)), e);
    let c0 = parity([a[0], a[5], a[10], a[15], a[20]]);
    let c1 = parity([a[1], a[6], a[11], a[16], a[21]]);
    let c2 = parity([a[2], a[7], a[12], a[17], a[22]]);
    let c3 = parity([a[3], a[8], a[13], a[18], a[23]]);
    let c4 = parity([a[4], a[9], a[14], a[19], a[24]]);
    let d = [
        xor(c4, units.rotate(c1, 1)),
        xor(c0, units.rotate(c2, 1)),
        xor(c1, units.rotate(c3, 1)),
        xor(c2, units.rotate(c4, 1)),
        xor(c3, units.rotate(c0, 1)),
    ];
    let chi = |a, b, c| xor(a, units.and_u64s(units.not_u64s(b), c));
    // The words of a plane after π, each with the bits by which ρ has rotated it.
    macro_rules! plane {
        ($y:literal: $($word:literal <<< $bits:literal),*) => {
            let [b0, b1, b2, b3, b4] = [$(units.rotate(xor(a[$word], d[$word % 5]), $bits)),*];
            out[5 * $y] = chi(b0, b1, b2);
            out[5 * $y + 1] = chi(b1, b2, b3);
            out[5 * $y + 2] = chi(b2, b3, b4);
            out[5 * $y + 3] = chi(b3, b4, b0);
            out[5 * $y + 4] = chi(b4, b0, b1);
        };
    }
    plane!(0: 0 <<< 0, 6 <<< 44, 12 <<< 43, 18 <<< 21, 24 <<< 14);
    plane!(1: 3 <<< 28, 9 <<< 20, 10 <<< 3, 16 <<< 45, 22 <<< 61);
    plane!(2: 1 <<< 1, 7 <<< 6, 13 <<< 25, 19 <<< 8, 20 <<< 18);
    plane!(3: 4 <<< 27, 5 <<< 36, 11 <<< 10, 17 <<< 15, 23 <<< 56);
    plane!(4: 2 <<< 62, 8 <<< 55, 14 <<< 39, 15 <<< 41, 21 <<< 2);
    out[0] = xor(out[0], units.splat_u64s(constant));
}

// === impl Units ===

impl Units for V4 {
    #[inline(always)]
    fn rotate(self, words: Self::u64s, bits: u64) -> Self::u64s {
        let left = self.shl_dyn_u64x8(words, self.splat_u64x8(bits));
        // Shifted by 64, a word is zero: so bits may be 0.
        self.or_u64x8(left, self.shr_dyn_u64x8(words, self.splat_u64x8(64 - bits)))
    }
}

impl Units for V3 {
    #[inline(always)]
    fn rotate(self, words: Self::u64s, bits: u64) -> Self::u64s {
        let left = self.shl_dyn_u64x4(words, self.splat_u64x4(bits));
        self.or_u64x4(left, self.shr_dyn_u64x4(words, self.splat_u64x4(64 - bits)))
    }
}
