/*!
Arithmetic on the masks of eight blocks at once.

A shift over the border between two blocks costs one instruction a block on one
port of the machine where masks are words of their own; where eight of them are a
vector, it costs two for all eight. What is computed is written once, for any
[`Lanes`], and [`super::Classifier::work`] runs it with the best there are.
*/

use std::ops::{BitAnd, BitOr, Not};

/// Blocks whose masks are computed with together.
pub const LANES: usize = 8;

/// A mask of each of eight blocks in a row.
pub type Masks = [u64; LANES];

/// Eight masks, as the machine computes with them.
pub trait Lanes: Copy + BitAnd<Output = Self> + BitOr<Output = Self> + Not<Output = Self> {
    /// Proof that the machine can.
    type Machine: Copy;

    /// Takes masks up.
    fn load(machine: Self::Machine, masks: &Masks) -> Self;

    /// Puts masks down.
    fn store(self, masks: &mut Masks);

    /// The block before each one. `before` are the eight blocks before.
    fn one_before(before: Self, now: Self) -> Self;

    /// The block behind each one. `next` are the eight blocks behind, of which only the first counts.
    fn one_behind(now: Self, next: Self) -> Self;

    /// What stands `N` bytes before each byte; `before` has the block before each one.
    fn back<const N: i32>(before: Self, now: Self) -> Self;

    /// What stands `N` bytes behind each byte; `next` has the block behind each one.
    fn ahead<const N: i32>(now: Self, next: Self) -> Self;
}

/// Something to be computed, with whatever lanes there are.
pub trait Work {
    /// Computes it. To be inlined, so that it becomes the machine's own instructions.
    fn run<L: Lanes>(self, machine: L::Machine);
}

/// Masks as words: for machines without vectors, and the measure for the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Words(Masks);

impl Words {
    #[inline(always)]
    fn each(self, other: Words, of: impl Fn(u64, u64) -> u64) -> Words {
        let mut masks = self.0;
        for (mask, other) in masks.iter_mut().zip(other.0) {
            *mask = of(*mask, other);
        }
        Words(masks)
    }
}

impl BitAnd for Words {
    type Output = Words;
    #[inline(always)]
    fn bitand(self, other: Words) -> Words {
        self.each(other, |a, b| a & b)
    }
}

impl BitOr for Words {
    type Output = Words;
    #[inline(always)]
    fn bitor(self, other: Words) -> Words {
        self.each(other, |a, b| a | b)
    }
}

impl Not for Words {
    type Output = Words;
    #[inline(always)]
    fn not(self) -> Words {
        self.each(self, |a, _| !a)
    }
}

impl Lanes for Words {
    type Machine = ();

    #[inline(always)]
    fn load((): (), masks: &Masks) -> Words {
        Words(*masks)
    }

    #[inline(always)]
    fn store(self, masks: &mut Masks) {
        *masks = self.0;
    }

    #[inline(always)]
    fn one_before(before: Words, now: Words) -> Words {
        let mut masks = [0; LANES];
        masks[0] = before.0[LANES - 1];
        masks[1..].copy_from_slice(&now.0[..LANES - 1]);
        Words(masks)
    }

    #[inline(always)]
    fn one_behind(now: Words, next: Words) -> Words {
        let mut masks = [0; LANES];
        masks[..LANES - 1].copy_from_slice(&now.0[1..]);
        masks[LANES - 1] = next.0[0];
        Words(masks)
    }

    #[inline(always)]
    fn back<const N: i32>(before: Words, now: Words) -> Words {
        before.each(now, |before, now| now << N | before >> (64 - N))
    }

    #[inline(always)]
    fn ahead<const N: i32>(now: Words, next: Words) -> Words {
        now.each(next, |now, next| now >> N | next << (64 - N))
    }
}
